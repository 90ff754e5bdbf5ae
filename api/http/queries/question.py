"""What a question is: a row that says its path, its answer's shape, who may ask it, and the query.

The query's signature declares the parameters and its docstring describes the route, so the route,
its checks and its part of the OpenAPI document follow from the row. Every question also takes
`min_position`.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from api.http.queries.parameters import Moment, PeriodAsked, days_of
from domain.calendar import DateRange
from ledger.api_keys import Identity
from ledger.books import Book
from ledger.log.policies import fiscal_year_start
from ledger.log.reading import position_at
from ledger.postgres.database import Connection

Answered = dict[str, Any]
TICK = timedelta(microseconds=1)


class TaggedBytes(bytes):
    """A body that is answered with this `ETag`, and not again to whoever has it already."""

    etag: str

    @classmethod
    def of(cls, body: bytes, etag: str) -> "TaggedBytes":
        """A body and its tag, which stands in quotation marks in the header."""
        tagged = cls(body)
        tagged.etag = f'"{etag}"'
        return tagged


class NotYet(Exception):
    """The answer does not include what it must include yet: ask again."""


class Asked(NamedTuple):
    """What every query is given: a connection into the book's schemas, the book, the position that
    the answer must include, and who asks."""

    connection: Connection
    book: Book
    min_position: int
    identity: Identity

    def until(self, moment: Moment) -> int | None:
        """The last position that the moment includes; None for now. It may still lie ahead of the
        read model: `not_before` tells."""
        return moment.position if moment.at is None else position_at(self.connection, moment.at)

    def days(self, period: PeriodAsked) -> DateRange:
        """The days of the period in the book's zone; raises Denied."""
        today = datetime.now(ZoneInfo(self.book.time_zone)).date()
        fiscal = period.text is not None and period.text.startswith("FY")
        start = fiscal_year_start(self.connection) if fiscal else 1
        return days_of(period, today=today, fiscal_year_start=start)

    def span(self, period: PeriodAsked) -> tuple[datetime | None, datetime | None]:
        """The last moment before the period, and its last one; None where it has no such end."""
        days, zone = self.days(period), ZoneInfo(self.book.time_zone)
        begins = datetime.combine(days.first, time(), zone) if days.first > date.min else None
        ends = None
        if days.last < date.max:
            ends = datetime.combine(days.last + timedelta(days=1), time(), zone) - TICK
        return begins and begins - TICK, ends

    def positions(self, period: PeriodAsked, until: int) -> tuple[int, int]:
        """The first and the last position that were recorded in the period, up to `until`."""
        begins, ends = self.span(period)
        first = 0 if begins is None else position_at(self.connection, begins)
        last = until if ends is None else min(until, position_at(self.connection, ends))
        return first + 1, last


class AccessRule(Protocol):
    """Who may ask a question."""

    def __call__(self, identity: Identity, parameters: Mapping[str, Any]) -> None:
        """Raise Denied unless this identity may ask with these parameters."""

    @property
    def description(self) -> str:
        """The same as a sentence, for the documentation."""


#: Takes `Asked` and then its parameters, annotated as FastAPI's. Runs in a thread. Answers a
#: dictionary with `as_of_position`, or JSON that is at least as new as `min_position`. Raises
#: `NotYet` where it must be asked again, Denied where there is nothing to answer.
Query = Callable[..., Answered | bytes]


@dataclass(frozen=True, slots=True)
class Question:
    """One route that reads. `path` is below the book's; the operation is named like `query`;
    `statuses` are those of refusals that other questions do not have. What is too long for a path
    is asked by POST with a `body` of this shape, which the query is given as `body`."""

    path: str
    summary: str
    schema: type[BaseModel]
    who_may: AccessRule
    query: Query
    statuses: tuple[int, ...] = ()
    body: type[BaseModel] | None = None

    @property
    def method(self) -> str:
        """How it is asked."""
        return "GET" if self.body is None else "POST"

    @property
    def name(self) -> str:
        """The operation's name, verb and noun: `read_wallet`."""
        return self.query.__name__

    @property
    def description(self) -> str:
        """For the documentation: what the query says of itself, and who may ask."""
        return f"{inspect.getdoc(self.query)}\n\n{self.who_may.description}"

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """What the query takes after `Asked`, but for the body."""
        _, *parameters = inspect.signature(self.query).parameters.values()
        return [each for each in parameters if each.name != "body"]


def not_before(position: int, answered: Answered) -> Answered:
    """The answer, if it includes `position`; raises `NotYet`."""
    reached = answered["as_of_position"]
    if reached < position:
        raise NotYet(f"position {position} is not there yet; the answer stands at {reached}")
    return answered
