"""Notices that could not simply be applied: parked, suspended, ignored, and what became of them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Path, Query
from pydantic import BaseModel, Field

from api.http.queries.access import Readers
from api.http.queries.listing import (
    ItemStep,
    OlderThan,
    Paged,
    cursor_text,
    listed,
    read_cursor,
    status_filter,
)
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.rejections import Reason, reject
from ledger.log import reading
from ledger.write.admission import Denied
from projections import queries
from projections.queries import STATUSES, NoticeFilter, NoticePlace

_READERS = Readers("notices")
_UNKNOWN = Reason("UNKNOWN_NOTICE", 404, "Unknown notice", "no notice {notice} is kept")

NoticeId = Annotated[
    str,
    Path(
        description="processor:command:processor_ref, as lists show it, percent-encoded",
        pattern=r"^[A-Za-z0-9_-]{1,64}:[a-z-]{1,64}:[A-Za-z0-9_.:+=@-]{1,128}$",
    ),
]


class Resolution(BaseModel):
    """A command that resolves a notice."""

    command: str
    fields: dict[str, Any]


class NoticeItem(BaseModel):
    """A notice that was kept, with its money."""

    id: str
    processor: str
    processor_ref: str
    command: str
    fields: dict[str, Any] = Field(description="what the processor said")
    status: Literal["PARKED", "SUSPENDED", "IGNORED", "APPLIED"]
    awaits: str | None = Field(
        description="of a parked one: the tag of what it waits for, which resolves it by arriving"
    )
    code: str | None = Field(description="why it was kept")
    amount: int | None = Field(description="its figure in minor units; negative: money to go back")
    in_suspense: int = Field(description="what of it is in suspense now, a credit positive")
    currency: str
    labels: dict[str, str] | None
    payment_ref: str | None = Field(description="the reference under which its money waits")
    sender: str
    owner: str | None = Field(description="the role that has to do something about it")
    resolved_by: list[Resolution] = Field(description="the commands that take it out of suspense")
    resolution: str | None = Field(description="how it was resolved: APPLY, RETURN or a code")
    received_at: str = Field(description="since when it waits, or when it was ignored")
    settled_at: str | None
    first_position: int | None
    position: int | None = Field(description="of the last event that it led to")


class Notices(AsOf):
    """A page of notices."""

    items: list[NoticeItem]
    next_cursor: str | None
    has_more: bool


class NoticeAlone(AsOf, NoticeItem):
    """One notice with what happened to its money."""

    history: list[ItemStep]


_Id = r"^[A-Za-z0-9_-]{1,64}$"


async def read_filter(
    status: Annotated[
        list[str] | None, Query(description="parked, suspended, ignored, applied; repeatable")
    ] = None,
    code: Annotated[str | None, Query(pattern=r"^[A-Z_]{1,64}$")] = None,
    processor: Annotated[str | None, Query(pattern=_Id)] = None,
    command: Annotated[
        str | None, Query(description="like record-refund", pattern=r"^[a-z-]{1,64}$")
    ] = None,
) -> NoticeFilter:
    """Which notices a question asks for; raises Denied."""
    found = status_filter(status, STATUSES)
    return NoticeFilter(found, code, processor, command)


class Pinned(NamedTuple):
    """What a cursor holds: the time to which the list is pinned, and the last item."""

    until: datetime
    place: NoticePlace


_Filter = Annotated[NoticeFilter, Depends(read_filter)]


def read_notices(asked: Asked, wanted: _Filter, age: OlderThan, page: Paged) -> Answered:
    """Notices that were kept, newest first: parked ones wait for `awaits` to arrive, suspended ones
    for somebody's decision, ignored ones said nothing new, and applied ones have been dealt with.
    """
    which = (asked.book.name, "notices", wanted, age, page.order)
    after = None
    if page.after is not None:
        until, after = read_cursor(which, page.after, Pinned)
    else:
        until = reading.latest_time(asked.connection)
        if age is not None:
            until = min(until, datetime.now(UTC) - age)
    found, position = queries.notices(
        asked.connection,
        wanted,
        until=until,
        after=after,
        newest_first=page.newest_first,
        limit=page.limit + 1,
    )
    answered = listed([_in_currency(item, asked) for item in found], page.limit, position)
    if answered["has_more"]:
        place = queries.place_of(answered["items"][-1])
        answered["next_cursor"] = cursor_text(which, Pinned(until, place))
    return answered


def read_notice(asked: Asked, notice: NoticeId) -> Answered:
    """One notice, with the events that changed what waits of it."""
    processor, command, processor_ref = notice.split(":", 2)
    found = queries.notice(asked.connection, processor, command, processor_ref)
    not_before(asked.min_position, found)
    if "id" not in found:
        raise Denied(reject(_UNKNOWN, notice=notice))
    return _in_currency(found, asked)


def _in_currency(item: dict[str, Any], asked: Asked) -> dict[str, Any]:
    return {**item, "currency": item["currency"] or asked.book.currency}


QUESTIONS = (
    Question("/notices", "Notices that were kept", Notices, _READERS, read_notices),
    Question(
        "/notices/{notice}", "One notice", NoticeAlone, _READERS, read_notice, statuses=(404,)
    ),
)
