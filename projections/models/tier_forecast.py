"""How tiers change next if nothing happens but time, worked out with a few probes of an index.

Sales only become too old, so from one moment on the spend only falls. Walking back from the last
sale, the tier holds as long as the sale stays in the window with which its least spend is reached.
A policy that is yet to come, with another ladder or window, is a moment like any other.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec
from psycopg import Cursor

from domain.tiers.tier import Ladder
from projections.engine.projection import integers, texts


class Ladders:
    """The ladders of the policies by when they hold, in the order of their publication."""

    def __init__(self, versions: Iterable[tuple[datetime, Ladder]] = ()) -> None:
        self._versions = tuple(versions)
        self.all = frozenset(ladder for _, ladder in self._versions)

    def with_another(self, effective_from: datetime, ladder: Ladder) -> "Ladders":
        """These and one that is published after them."""
        return Ladders((*self._versions, (effective_from, ladder)))

    def at(self, moment: datetime) -> Ladder:
        """The ladder in force at a moment: of those begun, the one published last."""
        for since, ladder in reversed(self._versions):
            if since <= moment:
                return ladder
        return Ladder()

    def next_after(self, moment: datetime) -> datetime | None:
        """When another may be in force; None: never, by what is published."""
        return min((since for since, _ in self._versions if since > moment), default=None)

    @property
    def flat(self) -> bool:
        """Whether there is no tier at all."""
        return not any(ladder.steps for ladder in self.all)


class Change(msgspec.Struct, frozen=True):
    """The next change of a tier: since when, to which, and for what spend in which window."""

    at: datetime
    tier: str
    spend: int
    window_days: int


class Spender(Protocol):
    """A user: the tier that is known, what all sales have left, and since when."""

    user: str
    tier: str
    spent: int
    as_of: datetime


class _Waiting(NamedTuple):
    """A user whose tier holds at `start` by the ladder of then."""

    one: Spender
    ladder: Ladder
    start: datetime


def forecast(
    cursor: Cursor[Any], queries: Mapping[str, bytes], ladders: Ladders, users: Sequence[Spender]
) -> dict[str, Change]:
    """The next change of each user that has one; due at once where the tier is another already."""
    found: dict[str, Change] = {}
    if ladders.flat:  # then only a tier of an earlier release could change
        users = [one for one in users if one.tier != ladders.at(one.as_of).tier(0)]
    starting = [_Waiting(one, ladders.at(one.as_of), one.as_of) for one in users]
    while starting:
        holding = []
        for each, spend in _spends(cursor, queries["gone"], starting):
            tier = each.ladder.tier(spend)
            if tier != each.one.tier:
                found[each.one.user] = Change(each.start, tier, spend, each.ladder.window_days)
            else:
                holding.append(each)
        falls = _falls(cursor, queries["reaching"], holding)
        starting = []
        for each in holding:
            fall, until = falls.get(each.one.user), ladders.next_after(each.start)
            if fall is not None and (until is None or fall.at < until):
                found[each.one.user] = fall
            elif until is not None:
                starting.append(_Waiting(each.one, ladders.at(until), until))
    return found


def _spends(
    cursor: Cursor[Any], query: bytes, users: Sequence[_Waiting]
) -> list[tuple[_Waiting, int]]:
    """What each has spent in the window that ends with the start."""
    edges = [each.start - each.ladder.window for each in users]
    cursor.execute(query, (texts([each.one.user for each in users]), edges))
    gone = dict(cursor.fetchall())
    return [(each, each.one.spent - gone[each.one.user]) for each in users]


def _falls(cursor: Cursor[Any], query: bytes, users: Sequence[_Waiting]) -> dict[str, Change]:
    """When those fall from their tiers who can, by the ladder of the start."""
    least = {each.one.user: each.ladder.least(each.one.tier) for each in users}
    falling = {each.one.user: each for each in users if least[each.one.user] > 0}
    if not falling:
        return {}
    buts = integers(each.one.spent - least[user] for user, each in falling.items())
    cursor.execute(query, (texts(list(falling)), buts))
    found = {}
    for user, since, gone in cursor:
        ladder, spend = falling[user].ladder, falling[user].one.spent - gone
        at = since + ladder.window
        found[user] = Change(at, ladder.tier(spend), spend, ladder.window_days)
    return found
