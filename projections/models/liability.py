"""Token liability: what is unspent of every lot, by the day it came in and the day it ends.

Each lot is the domain's own fold of the movements that events tell in their `lot_changes`: so many
tokens left, and so much of its price left to release. Beside these, each business day has what the
postings on `supply` and `deferred` say; the two must agree, every day. Tokens that a refund returns
are as old as the lot that they were spent from.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from psycopg import Cursor

from domain.accounts import DEFERRED, SUPPLY
from domain.sales.sale import Sale
from domain.wallets.lot_changes import LotChange
from domain.wallets.wallet import PROMO, Lot, Wallet, WalletEvent
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, integers, texts
from projections.models.late_entries import business_days

_EPOCH = date(2000, 1, 1).toordinal()
#: What a day has: paid tokens, promotional ones and what they have to release, by the lots, and
#: then the same by the postings.
_PROMO, _DEFERRED, _POSTED, _DAY_FIGURES = 1, 2, 3, 6


class HeldLot(NamedTuple):
    """A lot and the day it came in, in days since 2000-01-01."""

    lot: Lot
    since: int


LotKey = tuple[str, str]


def _nothing(_liability: "Liability", _event: Any, _day: int) -> None:
    pass


#: Which events move tokens.
branches: ByClass[Callable[["Liability", Any, int], None]] = ByClass(
    _nothing,
    decides_about=(WalletEvent,),
)


class Liability(Projection):
    """Unspent tokens by lot, by age, by end, and how they moved by day."""

    name = "liability"
    version = 1
    weight = 4
    #: An adjustment may move tokens of several users.
    ordered = True
    branches = branches
    tables = (
        Table("lots", ("user_id", "lot")),
        Table("liability_ages", ("kind", "since")),
        Table("liability_ends", ("kind", "ends_on")),
        Table("liability_days", ("day",)),
    )

    def forget(self) -> None:
        """Drop the movements and the sums."""
        self._moved: list[tuple[int, Sequence[LotChange] | Sale]] = []
        self._days: dict[int, list[int]] = {}

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Keep what moves tokens, and add up what is posted."""
        for entry in page:
            day = entry.effective_on.toordinal() - _EPOCH
            for account, asset, amount in entry.postings:
                if account == DEFERRED:
                    self.figures(day)[_POSTED + _DEFERRED] -= amount
                elif account == SUPPLY:
                    self.figures(day)[_POSTED + (asset[-6:] == ".PROMO")] += amount
            event = entry.event
            branches[type(event)](self, event, day)  # type: ignore[index]

    def figures(self, day: int) -> list[int]:
        """What the page adds to a day."""
        figures = self._days.get(day)
        if figures is None:
            figures = self._days[day] = [0] * _DAY_FIGURES
        return figures

    def keep(self, day: int, moved: Sequence[LotChange] | Sale) -> None:
        """Keep what moved tokens on a day."""
        self._moved.append((day, moved))

    def write(self, cursor: Cursor[Any]) -> None:
        """Load the lots that the page moves, fold, and write them and the sums."""
        if self._moved:
            before = self._load(cursor)
            lots = dict(before)
            for day, moved in self._moved:
                self._move(lots, day, moved)
            self._put(cursor, before, lots)
            self._moved = []
        if self._days:
            numbers = sorted(self._days)
            columns = zip(*(self._days[day] for day in numbers), strict=True)
            cursor.execute(self.sql["add_days"], (integers(numbers), *map(integers, columns)))
            self._days = {}

    def _load(self, cursor: Cursor[Any]) -> dict[LotKey, HeldLot]:
        """The lots that the page names, and those that returned tokens came from."""
        keys: set[LotKey] = set()
        for _, moved in self._moved:
            if isinstance(moved, Sale):
                keys.update((moved.buyer, use.lot) for use in moved.lots)
                continue
            for user, named, _, _ in moved:
                keys.add((user, named.lot))
                if "_" in named.lot:
                    keys.add((user, _origin(named.lot)))
        users, names = zip(*sorted(keys), strict=True)
        cursor.execute(self.sql["load"], (texts(users), texts(names)))
        return {(user, values[0]): HeldLot(Lot(*values), since) for user, since, *values in cursor}

    def _move(
        self, lots: dict[LotKey, HeldLot], day: int, moved: Sequence[LotChange] | Sale
    ) -> None:
        """The lots after an event, and what that adds to its day."""
        figures = self.figures(day)
        if isinstance(moved, Sale):
            for use in moved.lots:
                key = moved.buyer, use.lot
                lot, since = lots[key]
                lots[key] = HeldLot(lot.after(use.tokens), since)
                figures[_PROMO * (lot.kind == PROMO)] -= use.tokens
                figures[_DEFERRED] -= lot.released(use.tokens)
            return
        for user in dict.fromkeys(change.user for change in moved):
            changes = [change for change in moved if change.user == user]
            names = dict.fromkeys(change.lot.lot for change in changes)
            there = [lots[user, name].lot for name in names if (user, name) in lots]
            wallet = Wallet(lots=tuple(lot for lot in there if lot.left)).changed(changes)
            after = {lot.lot: lot for lot in wallet.lots}
            for change in changes:
                _enter(lots, user, change, after, day)
            for lot, sign in [*((lot, -1) for lot in there), *((lot, 1) for lot in after.values())]:
                figures[_PROMO * (lot.kind == PROMO)] += sign * lot.left
                figures[_DEFERRED] += sign * lot.released(lot.left)

    def _put(
        self, cursor: Cursor[Any], before: dict[LotKey, HeldLot], lots: dict[LotKey, HeldLot]
    ) -> None:
        """Write the lots that changed, and what that changes about ages and ends."""
        changed = sorted(key for key, held in lots.items() if before.get(key) != held)
        if not changed:
            return
        days = business_days(cursor)
        ages: dict[tuple[str, int], list[int]] = {}
        ends: dict[tuple[str, int], list[int]] = {}
        for key in changed:
            for held, sign in ((before.get(key), -1), (lots[key], 1)):
                if held is None:
                    continue
                lot, since = held
                left = sign * lot.left, sign * lot.released(lot.left)
                _add(ages, (lot.kind, since), left)
                if lot.expires_at is not None:
                    ends_on = days.of(lot.expires_at).toordinal() - _EPOCH
                    _add(ends, (lot.kind, ends_on), left)
        rows = [(key[0], lots[key].lot, lots[key].since) for key in changed]
        each = [lot for _, lot, _ in rows]
        expiry: list[datetime | None] = [lot.expires_at for lot in each]
        cursor.execute(
            self.sql["put"],
            (
                texts([user for user, _, _ in rows]),
                texts([lot.lot for lot in each]),
                texts([lot.purchase for lot in each]),
                texts([lot.kind for lot in each]),
                integers(lot.tokens for lot in each),
                integers(lot.price for lot in each),
                integers(lot.consumed for lot in each),
                expiry,
                integers(lot.held for lot in each),
                integers(since for _, _, since in rows),
            ),
        )
        for query, sums in (("add_ages", ages), ("add_ends", ends)):
            _add_sums(cursor, self.sql[query], sums)


def _origin(lot: str) -> str:
    """The lot from which tokens came that a refund returned."""
    return lot.partition("_")[0]


def _enter(
    lots: dict[LotKey, HeldLot], user: str, change: LotChange, after: dict[str, Lot], day: int
) -> None:
    """A lot as it is after an event that names it; one that is used up stays, with nothing left."""
    name = change.lot.lot
    known = lots.get((user, name)) or lots.get((user, _origin(name)))
    since = day if known is None else known.since
    if name in after:
        lots[user, name] = HeldLot(after[name], since)
        return
    held = lots.get((user, name))
    lot = held.lot if held is not None else change.lot
    if isinstance(lot, Lot):
        used_up = Lot(
            lot.lot, lot.purchase, lot.kind, lot.tokens, lot.price, lot.tokens, lot.expires_at
        )
        lots[user, name] = HeldLot(used_up, since)


def _add(sums: dict[tuple[str, int], list[int]], key: tuple[str, int], left: Iterable[int]) -> None:
    both = sums.setdefault(key, [0, 0])
    for column, figure in enumerate(left):
        both[column] += figure


def _add_sums(cursor: Cursor[Any], query: bytes, sums: dict[tuple[str, int], list[int]]) -> None:
    rows = sorted(sums)
    if rows:
        kinds, days = zip(*rows, strict=True)
        figures = zip(*(sums[row] for row in rows), strict=True)
        cursor.execute(query, (texts(kinds), integers(days), *map(integers, figures)))


@branches.branch(Sale)
def _spent(liability: Liability, event: Sale, day: int) -> None:
    if event.lots:
        liability.keep(day, event)


@branches.branch(WalletEvent)
def _moved(liability: Liability, event: WalletEvent, day: int) -> None:
    changes = event.lot_changes()
    if changes:
        liability.keep(day, changes)
