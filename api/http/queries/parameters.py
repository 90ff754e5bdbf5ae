"""Parameters that several questions have, each declared once: who, as of when, from when to when.

A dependency reads its parameters before the caller is known, as the framework reads all others;
what is malformed is refused with its pointer.
"""

from datetime import date, datetime
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Query

from domain.catalogue import Problem
from ledger.log.reading import POSITION_MAX
from ledger.write.admission import ID, invalid

Subject = Annotated[str, Path(pattern=ID.pattern)]
MinPosition = Annotated[
    int,
    Query(ge=0, le=POSITION_MAX, description="wait until the answer includes this position"),
]
_Position = Annotated[
    int | None, Query(ge=0, le=POSITION_MAX, description="as of this position of the log")
]
_At = Annotated[datetime | None, Query(description="as of this recorded time, with its offset")]
_EffectiveOn = Annotated[date | None, Query(description="as of the end of this effective date")]
_From = Annotated[date, Query(alias="from")]
_To = Annotated[date, Query(alias="to", description="included")]


class Moment(NamedTuple):
    """As of when an answer stands. At most one is given; without any, the answer stands for now."""

    position: int | None
    at: datetime | None
    effective_on: date | None


async def read_moment(
    position: _Position = None, at: _At = None, effective_on: _EffectiveOn = None
) -> Moment:
    """The moment that a question asks for; raises Denied."""
    moment = Moment(position, at, effective_on)
    if sum(given is not None for given in moment) > 1:
        raise invalid(Problem("", "give at most one of position, at and effective_on"))
    if at is not None and at.tzinfo is None:
        raise invalid(Problem("/at", "needs its offset from UTC, like 2026-11-20T05:42:00Z"))
    return moment


class DateRange(NamedTuple):
    """Business days from the first to the last, both included."""

    first: date
    last: date


async def read_dates(first: _From, last: _To) -> DateRange:
    """The days that a question asks for; raises Denied."""
    if last < first:
        raise invalid(Problem("/to", "is before from"))
    return DateRange(first, last)


AtMoment = Annotated[Moment, Depends(read_moment)]
Dates = Annotated[DateRange, Depends(read_dates)]
