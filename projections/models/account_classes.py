"""The balances of the classes of accounts: what finance reads, for accounts are as many as people.

A class has its balance at every 1,024th position. Its balance at any other is that of the step
before, and what the log holds between the two: so many entries at most, however long the log is.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, ClassVar

from psycopg import Cursor

from domain.accounts import class_of
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, integers, texts
from projections.models.late_entries import LateEntries

STEP_EVENTS = 1_024
CACHED_ACCOUNTS = 60_000

_EPOCH = date(2000, 1, 1).toordinal()

Key = tuple[str, str]


class AccountClasses(Projection):
    """Each class's balance, now and at steps, and its turnover by day."""

    name = "account_classes"
    version = 2
    weight = 3
    tables = (
        Table("account_classes", ("class", "asset")),
        Table("class_steps", ("class", "asset", "position")),
        Table("class_days", ("class", "asset", "effective_on")),
        Table("late_class_lines", ("class", "asset", "position")),
    )
    bodies = False
    ordered = True
    step_events: ClassVar[int] = STEP_EVENTS

    def forget(self) -> None:
        """Drop the sums and the balances."""
        #: Balance and last position by class and asset; None until `write` has read them.
        self._balances: dict[Key, list[int]] | None = None
        self._page: list[PlacedEntry] = []
        self._known: dict[str, str] = {}
        self._late_entries = LateEntries()

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Keep the page: balances are only known inside the transaction of `write`."""
        self._page += page

    def write(self, cursor: Cursor[Any]) -> None:
        """Move the balances entry by entry, and write what has changed."""
        if self._balances is None:
            rows = cursor.execute(self.sql["balances"])
            self._balances = {(name, asset): [net, last] for name, asset, net, last in rows}
        steps: list[tuple[str, str, int, int]] = []
        days: dict[tuple[str, str, int], list[int]] = {}
        balances = self._balances
        first = self._page[0].position if self._page else 0
        for entry in self._page:
            position = entry.position
            day = entry.effective_on.toordinal() - _EPOCH
            for account, asset, amount in entry.postings:
                pattern = self._class_of(account)
                balance = balances.get((pattern, asset))
                if balance is None:
                    balance = balances[pattern, asset] = [0, 0]
                balance[0] += amount
                balance[1] = position
                both = days.get((pattern, asset, day))
                if both is None:
                    both = days[pattern, asset, day] = [0, 0]
                if amount > 0:
                    both[0] += amount
                else:
                    both[1] -= amount
            if not position % self.step_events:
                steps += _step(balances, position, since=position - self.step_events)
        late = self._late(cursor)
        self._page = []
        moved = [(*key, *both) for key, both in balances.items() if both[1] >= first > 0]
        self._enter(cursor, "move", moved)
        self._enter(cursor, "add_steps", steps)
        self._enter(cursor, "add_days", [(*key, *both) for key, both in days.items()])
        self._enter(cursor, "add_late", late)

    def _late(self, cursor: Cursor[Any]) -> list[tuple[Any, ...]]:
        """Class, asset, position, day of recording, effective day and amount of lines whose two
        days differ."""
        late: list[tuple[Any, ...]] = []
        for entry, recorded_on in self._late_entries.of(cursor, self._page):
            days = (recorded_on.toordinal() - _EPOCH, entry.effective_on.toordinal() - _EPOCH)
            amounts: dict[Key, int] = {}
            for account, asset, amount in entry.postings:
                key = self._class_of(account), asset
                amounts[key] = amounts.get(key, 0) + amount
            late += [(*key, entry.position, *days, amount) for key, amount in amounts.items()]
        return late

    def _class_of(self, account: str) -> str:
        pattern = self._known.get(account)
        if pattern is None:
            if len(self._known) >= CACHED_ACCOUNTS:
                self._known = {}
            pattern = self._known[account] = class_of(account)
        return pattern

    def _enter(self, cursor: Cursor[Any], query: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            names, assets, *numbers = zip(*rows, strict=True)
            values = (texts(names), texts(assets), *map(integers, numbers))
            cursor.execute(self.sql[query], values)


def _step(
    balances: dict[Key, list[int]], position: int, *, since: int
) -> list[tuple[str, str, int, int]]:
    """The classes that changed since the step before, as they stand at this one."""
    return [(*key, position, net) for key, (net, last) in balances.items() if last > since]
