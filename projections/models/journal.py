"""The journal: double entry with a running balance per account and asset.

One narrow row per event and account, so that a balance at any position is one index probe. The
page is kept as legs by account: rows then come out sorted as the index wants them, an account is
looked up once per page, and numbers are given in the order of the log, whatever the pages were.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from struct import Struct
from typing import Any, ClassVar

from psycopg import Cursor

from domain.accounts import class_of
from ledger.log.copy_rows import HEADER, TRAILER
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, integers, texts
from projections.models.late_entries import LateEntries, net_amounts

CACHED_ACCOUNTS = 60_000

_EPOCH = date(2000, 1, 1).toordinal()
_row = Struct("!hiiiiiqiqiq").pack

Key = tuple[str, str]


class Account:
    """An account in one asset. `legs`: position, days since 2000-01-01 and amount, by turns."""

    __slots__ = ("balance", "id", "legs")

    def __init__(self) -> None:
        self.id = 0
        self.balance = 0
        self.legs: list[int] = []


class Journal(Projection):
    """Every posting, every account's balance, and its turnover by day."""

    name = "journal"
    version = 3
    tables = (
        Table("accounts", ("id",)),
        Table("class_accounts", ("class", "asset")),
        Table("journal", ("account_id", "position")),
        Table("account_days", ("account_id", "effective_on")),
        Table("late_lines", ("account_id", "position")),
    )
    bodies = False
    ordered = True
    weight = 8
    cached_accounts: ClassVar[int] = CACHED_ACCOUNTS

    def forget(self) -> None:
        """Drop the legs and the accounts."""
        self._young: dict[Key, Account] = {}
        self._old: dict[Key, Account] = {}
        self._unknown: dict[Key, Account] = {}
        self._touched: list[Account] = []
        self._page: list[PlacedEntry] = []
        self._last_id: int | None = None
        self._late_entries = LateEntries()

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Lay each posting to its account."""
        young = self._young
        self._page += page
        for entry in page:
            position = entry.position
            day = entry.effective_on.toordinal() - _EPOCH
            for account, asset, amount in entry.postings:
                key = account, asset
                found = young.get(key)
                if found is None:
                    found = self._account_of(key)
                legs = found.legs
                if not legs:
                    self._touched.append(found)
                legs += (position, day, amount)

    def write(self, cursor: Cursor[Any]) -> None:
        """Number the new accounts, then write journal, turnover and balances."""
        new = self._number(cursor)
        moved = sorted(self._touched, key=lambda account: account.id)
        packed: list[bytes] = [HEADER]
        days: list[tuple[int, int, int, int]] = []
        ends: list[tuple[int, int, int]] = []
        for account in moved:
            position = _post(account, packed, days)
            ends.append((account.id, account.balance, position))
        packed.append(TRAILER)
        if moved:
            self._copy_accounts(cursor, new, {end[0]: end[2] for end in ends[-len(new) :]})
            self._move_accounts(cursor, ends[: len(ends) - len(new)])
            with cursor.copy(self.sql["copy_journal"]) as copy:
                copy.write(b"".join(packed))
            columns = zip(*days, strict=True)
            cursor.execute(self.sql["add_days"], tuple(map(integers, columns)))
        self._write_late(cursor)
        self._touched = []
        self._page = []
        self._unknown = {}
        self._drop_oldest()

    def _account_of(self, key: Key) -> Account:
        """An account from the older half of the cache, or one that `write` has yet to look up."""
        account = self._old.pop(key, None)
        if account is None:
            account = self._unknown[key] = Account()
        self._young[key] = account
        return account

    def _number(self, cursor: Cursor[Any]) -> list[tuple[Key, Account]]:
        """Find out about the accounts that are not in memory; those of none are new."""
        if not self._unknown:
            return []
        names = [texts(column) for column in zip(*self._unknown, strict=True)]
        cursor.execute(self.sql["known"], names)
        for account, asset, number, balance in cursor:
            known = self._unknown[account, asset]
            known.id, known.balance = number, balance
        new = [(key, account) for key, account in self._unknown.items() if not account.id]
        if self._last_id is None:
            row = cursor.execute(self.sql["last_id"]).fetchone()
            assert row is not None
            self._last_id = int(row[0])
        for number, (_, account) in enumerate(new, self._last_id + 1):
            account.id = number
        self._last_id += len(new)
        return new

    def _copy_accounts(
        self, cursor: Cursor[Any], new: list[tuple[Key, Account]], positions: dict[int, int]
    ) -> None:
        if new:
            with cursor.copy(self.sql["copy_accounts"]) as copy:
                for key, account in new:
                    copy.write_row((account.id, *key, account.balance, positions[account.id]))
            count = Counter((class_of(account), asset) for (account, asset), _ in new)
            classes, assets = zip(*count, strict=True)
            counted = texts(classes), texts(assets), integers(count.values())
            cursor.execute(self.sql["count_accounts"], counted)

    def _move_accounts(self, cursor: Cursor[Any], ends: list[tuple[int, int, int]]) -> None:
        if ends:
            columns = zip(*ends, strict=True)
            cursor.execute(self.sql["move_accounts"], tuple(map(integers, columns)))

    def _write_late(self, cursor: Cursor[Any]) -> None:
        """Keep the lines that are effective on another day than that of their recording."""
        late = [
            (self._young[key].id, entry.position, recorded_on, entry.effective_on, amount)
            for entry, recorded_on in self._late_entries.of(cursor, self._page)
            for key, amount in net_amounts(entry).items()
        ]
        if late:
            with cursor.copy(self.sql["copy_late"]) as copy:
                for row in late:
                    copy.write_row(row)

    def _drop_oldest(self) -> None:
        """Drop the older half of the cache once the younger half is full."""
        if len(self._young) >= self.cached_accounts // 2:
            self._old, self._young = self._young, {}


def _post(account: Account, packed: list[bytes], days: list[tuple[int, int, int, int]]) -> int:
    """Pack an account's legs, add up its days, move its balance; answers its last position."""
    number, balance, last = account.id, account.balance, 0
    before = balance
    turnover: dict[int, list[int]] = {}
    for position, day, amount in _by_three(account.legs):
        if position == last:  # a second leg of the same event on the same account
            packed.pop()
        else:
            before, last = balance, position
        balance += amount
        packed.append(_row(5, 4, number, 4, day, 8, position, 8, balance - before, 8, balance))
        both = turnover.get(day)
        if both is None:
            both = turnover[day] = [0, 0]
        if amount > 0:
            both[0] += amount
        else:
            both[1] -= amount
    days += [(number, day, debit, credit) for day, (debit, credit) in turnover.items()]
    account.balance = balance
    account.legs = []
    return last


def _by_three(flat: list[int]) -> Iterator[tuple[int, int, int]]:
    numbers = iter(flat)
    return zip(numbers, numbers, numbers, strict=True)
