"""Parameters that several questions have, each declared once: who, as of when, from when to when.

A dependency reads its parameters before the caller is known, as the framework reads all others;
what is malformed is refused with its pointer.
"""

from datetime import UTC, date, datetime
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Query

from domain import calendar
from domain.calendar import DateRange
from domain.catalogue import Problem
from ledger.log.reading import POSITION_MAX
from ledger.write.admission import ID, invalid

Subject = Annotated[str, Path(pattern=ID.pattern)]
MinPosition = Annotated[
    int,
    Query(ge=0, le=POSITION_MAX, description="wait until the answer includes this position"),
]
_Position = Annotated[
    int | None, Query(ge=0, le=POSITION_MAX, description="as known at this position of the log")
]
_At = Annotated[
    datetime | None, Query(description="as known at this recorded time, with its offset")
]
_EffectiveOn = Annotated[date | None, Query(description="true at the end of this effective date")]
EventType = Annotated[
    str | None, Query(description="like tip.sent.v1", pattern=r"^[a-z0-9_.-]{1,100}$")
]
EventTag = Annotated[
    str | None, Query(description="like wallet:u1", pattern=r"^[A-Za-z0-9_.:+=@-]{1,255}$")
]
_ACCOUNT_OR_CLASS = r"^[A-Za-z0-9._*-]{1,255}$"
_SUCH_AN_ACCOUNT = "an account, or a class of accounts like cr.*.available"
AccountOrClass = Annotated[str, Path(pattern=_ACCOUNT_OR_CLASS, description=_SUCH_AN_ACCOUNT)]
OfAccount = Annotated[str | None, Query(pattern=_ACCOUNT_OR_CLASS, description=_SUCH_AN_ACCOUNT)]
Actor = Annotated[str | None, Query(description="who did it", pattern=ID.pattern)]
MinAmount = Annotated[int, Query(ge=0, le=POSITION_MAX)]
_Named = Annotated[
    str | None,
    Query(
        description="days of the book's zone: 2026, FY2026, 2026-Q3, 2026-11, 2026-W48, "
        "2026-11-20, 2026-11-01..2026-11-15, month-1 or today",
        max_length=32,
    ),
]
_From = Annotated[date | None, Query(alias="from")]
_To = Annotated[date | None, Query(alias="to", description="included")]


class Moment(NamedTuple):
    """As of when an answer stands: as known at a position or a recorded time, now without either;
    and, independently, true at the end of a business day."""

    position: int | None
    at: datetime | None
    effective_on: date | None


async def read_moment(
    position: _Position = None, at: _At = None, effective_on: _EffectiveOn = None
) -> Moment:
    """The moment that a question asks for; raises Denied."""
    moment = Moment(position, at, effective_on)
    if position is not None and at is not None:
        raise invalid(Problem("/at", "give the position or the time as known at, not both"))
    if at is not None and at.tzinfo is None:
        raise invalid(Problem("/at", "needs its offset from UTC, like 2026-11-20T05:42:00Z"))
    return moment


class PeriodAsked(NamedTuple):
    """The days that a question asks for: `text` as people name periods, or two dates."""

    text: str | None
    first: date | None
    last: date | None


async def read_period(period: _Named = None, first: _From = None, last: _To = None) -> PeriodAsked:
    """The period that a question asks for, or none; raises Denied."""
    if period is not None and (first is not None or last is not None):
        raise invalid(Problem("/period", "give a period, or from and to"))
    if first is not None and last is not None and last < first:
        raise invalid(Problem("/to", "is before from"))
    if period is not None:
        _days_of(period, datetime.now(UTC).date(), 1)
    return PeriodAsked(period, first, last)


def bounded(asked: PeriodAsked) -> PeriodAsked:
    """The same, for a question that needs a period with both its ends; raises Denied."""
    if asked.text is None and (asked.first is None or asked.last is None):
        missing = "from" if asked.first is None else "to"
        raise invalid(Problem(f"/{missing}", "is missing: give a period, or from and to"))
    return asked


def days_of(asked: PeriodAsked, *, today: date, fiscal_year_start: int) -> DateRange:
    """The days, both included, in the zone in which it is `today`. What has no end goes on to the
    last day there is, and what has no beginning begins with the first. Raises Denied."""
    if asked.text is not None:
        return _days_of(asked.text, today, fiscal_year_start)
    return DateRange(asked.first or date.min, asked.last or date.max)


def said(asked: PeriodAsked, days: DateRange) -> dict[str, str | None]:
    """What an answer repeats of its period: its first and last day, null where none was given."""
    begins = asked.text is not None or asked.first is not None
    ends = asked.text is not None or asked.last is not None
    return {
        "from": days.first.isoformat() if begins else None,
        "to": days.last.isoformat() if ends else None,
    }


def _days_of(text: str, today: date, fiscal_year_start: int) -> DateRange:
    try:
        return calendar.period(text, today=today, fiscal_year_start=fiscal_year_start)
    except calendar.NotAPeriod as error:
        raise invalid(Problem("/period", str(error))) from None


AtMoment = Annotated[Moment, Depends(read_moment)]
Period = Annotated[PeriodAsked, Depends(read_period)]
