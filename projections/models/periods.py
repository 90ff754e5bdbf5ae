"""Periods: the months that were closed, and when."""

from collections.abc import Iterable
from typing import ClassVar

from domain.controls.periods import PeriodClosed, month_after
from domain.event import Event
from projections.engine.columns import TEXT, kept
from projections.engine.register import Life, Register, lives

CLOSED = "CLOSED"


class ClosedMonth(Life, frozen=True, kw_only=True):
    """A month that is closed."""

    KIND: ClassVar[str] = "closed_month"

    first_open: str = ""

    def apply(self, key: str, event: Event) -> "ClosedMonth":
        """Closed."""
        assert isinstance(event, PeriodClosed)
        return ClosedMonth(status=CLOSED, first_open=month_after(event.period).isoformat())


class ClosedPeriods(Register):
    """Months that are closed, like 2026-11; `first_open` is the first day that was open then."""

    name, item = "periods", "period"
    version = 1
    state = ClosedMonth
    statuses = (CLOSED,)
    branches = lives(PeriodClosed)
    columns = (kept("first_open", TEXT),)

    @classmethod
    def ids_of(cls, event: Event) -> Iterable[str]:
        """Its month."""
        assert isinstance(event, PeriodClosed)
        return (event.period,)
