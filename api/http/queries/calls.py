"""Statistics of calls."""

from datetime import date
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from api.http.queries.access import PartyOrReaders
from api.http.queries.listing import PagedInOrder, cursor_text, read_cursor
from api.http.queries.parameters import Period, bounded
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from domain.catalogue import Problem
from ledger.api_keys import Role
from ledger.write.admission import ID, invalid
from projections import queries
from projections.queries import CallsAsked

_MAY = PartyOrReaders("calls", {Role.FAN: "user", Role.CREATOR: "creator"})
_Id = Annotated[str | None, Query(pattern=ID.pattern)]


class CallFigures(BaseModel):
    """Calls that started and ended, those that ended for want of tokens, and what was paid.

    `seconds` are paid ones, `paid` and `earned` minor units; `seconds_per_call` is for each call
    that ended, rounded half up, null where none did.
    """

    started: int
    ended: int
    out_of_funds: int
    blocks: int
    seconds: int
    minutes: int
    tokens: int
    paid: int
    earned: int
    seconds_per_call: int | None


class CallGroup(CallFigures):
    """The figures of a day, a week or a month, named by its first day."""

    date: date


class CallGroups(AsOf):
    """Calls by group. `totals` are those of all groups, on every page."""

    from_: str = Field(alias="from")
    to: str
    currency: str
    items: list[CallGroup]
    totals: CallFigures
    next_cursor: str | None
    has_more: bool


def read_call_statistics(
    asked: Asked,
    period: Period,
    page: PagedInOrder,
    *,
    user: _Id = None,
    creator: _Id = None,
    group_by: Literal["day", "week", "month"] = "month",
) -> Answered:
    """How many calls there were in a period, how long and for how much: of all, of a user or of a
    creator. A fan and a creator are told of their own. A week or a month holds only days of the
    period. Each call alone: `GET /calls`."""
    named = {"user": user, "creator": creator}
    wanted = {name: value for name, value in named.items() if value is not None}
    own = _MAY.own(asked.identity)
    if len(wanted) > 1 or (own and wanted and wanted != own):
        raise invalid(Problem("", "give your own id, or one of user and creator"))
    party, name = next(iter((own or wanted).items()), ("", ""))
    days = asked.days(bounded(period))
    question = CallsAsked(days.first, days.last, group_by, party, name)  # type: ignore[arg-type]
    which = (asked.book.name, "call-statistics", question)
    after = date.min if page.after is None else read_cursor(which, page.after, date)
    found = queries.call_statistics(asked.connection, question, after=after, limit=page.limit)
    more = found.pop("more")
    return {
        "from": days.first.isoformat(),
        "to": days.last.isoformat(),
        "currency": asked.book.currency,
        **found,
        "next_cursor": cursor_text(which, found["items"][-1]["date"]) if more else None,
        "has_more": more,
    }


QUESTIONS = (
    Question("/call-statistics", "Statistics of calls", CallGroups, _MAY, read_call_statistics),
)
