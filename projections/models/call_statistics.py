"""Statistics of calls by business day: of all, of each fan and of each creator.

A call counts on the day on which it started, and on the one on which it ended; a block on the day
on which it was paid. What was written off belongs to nobody and stands in the daily figures.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from psycopg import Cursor

from domain.calls.call import CallBlockCharged, CallEnded, CallEndReason, CallEvent, CallStarted
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, integers, texts

FIGURES = ("started", "ended", "out_of_funds", "blocks", "seconds", "tokens", "paid", "earned")
ALL, USER, CREATOR = "", "user", "creator"
_STARTED, _ENDED, _OUT_OF_FUNDS, _BLOCKS, _SECONDS, _TOKENS, _PAID, _EARNED = range(len(FIGURES))
_EPOCH = date(2000, 1, 1).toordinal()


def _nothing(_statistics: "CallStatistics", _event: Any, _day: int) -> None:
    pass


#: What an event adds to its day.
branches: ByClass[Callable[["CallStatistics", Any, int], None]] = ByClass(
    _nothing,
    decides_about=(CallEvent,),
    nothing="call.paused.v1 call.resumed.v1 call_block.written_off.v1",
)


class CallStatistics(Projection):
    """Figures of calls by party and day."""

    name = "call_statistics"
    version = 1
    branches = branches
    tables = (Table("call_days", ("party", "name", "day")),)

    def forget(self) -> None:
        """Drop the sums."""
        self._sums: dict[tuple[str, str, int], list[int]] = {}

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Sum up what the page adds to each day."""
        for entry in page:
            event = entry.event
            day = entry.effective_on.toordinal() - _EPOCH
            branches[type(event)](self, event, day)  # type: ignore[index]

    def add(self, day: int, user: str, creator: str, figures: dict[int, int]) -> None:
        """Add figures by their columns to the day of all, of the fan and of the creator."""
        for key in ((ALL, "", day), (USER, user, day), (CREATOR, creator, day)):
            sums = self._sums.get(key)
            if sums is None:
                sums = self._sums[key] = [0] * len(FIGURES)
            for column, figure in figures.items():
                sums[column] += figure

    def write(self, cursor: Cursor[Any]) -> None:
        """Add the sums to the table."""
        if self._sums:
            keys = sorted(self._sums)
            parties, names, days = zip(*keys, strict=True)
            columns = zip(*(self._sums[key] for key in keys), strict=True)
            named = texts(parties), texts(names), integers(days)
            cursor.execute(self.sql["add"], (*named, *map(integers, columns)))
            self._sums = {}


@branches.branch(CallStarted)
def _started(statistics: CallStatistics, event: CallStarted, day: int) -> None:
    statistics.add(day, event.fan, event.creator, {_STARTED: 1})


@branches.branch(CallEnded)
def _ended(statistics: CallStatistics, event: CallEnded, day: int) -> None:
    out_of_funds = event.reason == CallEndReason.INSUFFICIENT_FUNDS
    figures = {_ENDED: 1, _OUT_OF_FUNDS: int(out_of_funds)}
    statistics.add(day, event.fan, event.creator, figures)


@branches.branch(CallBlockCharged)
def _charged(statistics: CallStatistics, event: CallBlockCharged, day: int) -> None:
    figures = {
        _BLOCKS: 1,
        _SECONDS: event.seconds,
        _TOKENS: event.tokens_paid + event.tokens_promo,
        _PAID: event.gross - event.discount,
        _EARNED: event.creator_share,
    }
    statistics.add(day, event.buyer, event.creator, figures)
