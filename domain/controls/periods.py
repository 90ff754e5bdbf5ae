"""Periods: months that are closed one after the other, and where late facts are posted.

Nothing is rejected for being late: a fact of a closed month is posted on the first open day and
says so by its `effective_on`. Only what names a closed date itself is rejected.
"""

import re
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates, State, entity
from domain.event import Event, stored_as
from domain.policy import SecondPerson
from domain.rejections import INVALID_TRANSITION, PERIOD_CLOSED, Rejection, reject

#: The tag of a book's periods; there is one series per book.
PERIODS = "period:book"


def _day(value: Any) -> date:
    if isinstance(value, str) and DAY.match(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("day", "must be a date like 2026-11-20")


DAY = re.compile(r"\A[12][0-9]{3}-[0-9]{2}-[0-9]{2}\Z")
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Month = Annotated[str, StringConstraints(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$")]


@entity
class Periods(State, frozen=True, kw_only=True):
    """Which days are closed: all before `first_open`; none while that is None."""

    KIND = "period"

    first_open: date | None = None

    def open_day(self, day: date) -> date:
        """`day`, or the first open day if that one is closed."""
        return day if self.first_open is None or day >= self.first_open else self.first_open

    def refuses(self, day: date) -> Rejection | None:
        """Rejection of whatever names `day` as its date, if that day is closed."""
        if self.open_day(day) == day:
            return None
        return reject(PERIOD_CLOSED, date=day, first_open=self.first_open)

    def apply(self, key: str, event: Event) -> "Periods":
        """One month more is closed."""
        assert isinstance(event, PeriodClosed)
        return Periods(first_open=month_after(event.period))


@stored_as("period.closed.v1")
class PeriodClosed(Event, frozen=True, kw_only=True):
    """The month `period` (YYYY-MM) and all before it are closed."""

    period: str

    def tags(self) -> tuple[str, ...]:
        return (PERIODS,)


@command
class ClosePeriod(Command):
    """Close a month that has ended: the first any, from then on each in its turn."""

    name = "close-period"
    roles = frozenset({"finance"})
    may_need_two = True

    period: Month

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (PERIODS,)

    def second_person(self, given: Given, limits: SecondPerson, events: tuple[Event, ...]) -> bool:
        return bool(limits.close_period)

    def decide(self, given: Given) -> Decision:
        following = month_after(self.period)
        first_open = given.state(Periods, "book").first_open
        if first_open is not None and following <= first_open:
            return reject(PERIOD_CLOSED, date=self.period, first_open=first_open)
        if following > given.today:
            return self._not_yet("not over")
        if first_open is not None and first_open.strftime("%Y-%m") != self.period:
            return self._not_yet(f"not the next: {first_open:%Y-%m} is open")
        return (PeriodClosed(period=self.period),)

    def _not_yet(self, state: str) -> Rejection:
        return reject(INVALID_TRANSITION, subject=f"period {self.period}", state=state)


def month_after(period: str) -> date:
    """The first day after the month `period`."""
    year, month = period.split("-")
    return (date(int(year), int(month), 1) + timedelta(days=31)).replace(day=1)
