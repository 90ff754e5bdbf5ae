"""Disputes: a register of them, and each with its history."""

from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from api.http.queries.access import Readers
from api.http.queries.listing import (
    ItemStep,
    Labels,
    OlderThan,
    Paged,
    register_page,
    status_filter,
)
from api.http.queries.parameters import Subject
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.rejections import Reason, reject
from ledger.write.admission import Denied
from projections import queries
from projections.queries import DISPUTE_STATUSES, DisputeFilter

_READERS = Readers("disputes")
_UNKNOWN = Reason("UNKNOWN_DISPUTE", 404, "Unknown dispute", "there is no dispute {dispute}")
_Id = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class DisputeItem(BaseModel):
    """A dispute, in minor units."""

    id: str
    status: Literal["OPEN", "WON", "LOST"]
    user: str
    sale: str | None
    purchase: str | None
    amount: int
    fee: int = Field(description="the processor's, unless it was given back")
    currency: str
    bearer: str
    processor: str
    processor_ref: str
    labels: dict[str, str] | None
    created_at: str
    updated_at: str
    first_position: int
    last_position: int


class DisputeItems(AsOf):
    """A page of disputes."""

    items: list[DisputeItem]
    next_cursor: str | None
    has_more: bool


class OneDispute(AsOf, DisputeItem):
    """One dispute with its history."""

    history: list[ItemStep]


async def read_filter(
    *,
    labels: Labels,
    status: Annotated[list[str] | None, Query(description="open, won, lost; repeatable")] = None,
    user: _Id = None,
    sale: _Id = None,
    purchase: _Id = None,
    processor: _Id = None,
    processor_ref: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.:+=@-]{1,128}$")] = None,
    min_amount: Annotated[int, Query(ge=0, le=10**12)] = 0,
) -> DisputeFilter:
    """Which disputes a question asks for; raises Denied."""
    found = status_filter(status, DISPUTE_STATUSES)
    return DisputeFilter(found, user, sale, purchase, processor, processor_ref, min_amount, labels)


_Filter = Annotated[DisputeFilter, Depends(read_filter)]


def read_disputes(asked: Asked, wanted: _Filter, age: OlderThan, page: Paged) -> Answered:
    """Disputes of sales and of purchases in the order in which they were opened, the last one
    first; `label.KEY=VALUE` asks for those that carry that label. Of a payment in suspense the
    notice is listed under `/notices`.
    """
    return register_page(asked, "disputes", queries.disputes, wanted, age=age, page=page)


def read_dispute(asked: Asked, dispute: Subject) -> Answered:
    """One dispute, with the events of its life."""
    found = queries.dispute(asked.connection, dispute, asked.book.currency)
    not_before(asked.min_position, found)
    if "id" not in found:
        raise Denied(reject(_UNKNOWN, dispute=dispute))
    return found


QUESTIONS = (
    Question("/disputes", "Disputes", DisputeItems, _READERS, read_disputes),
    Question(
        "/disputes/{dispute}", "One dispute", OneDispute, _READERS, read_dispute, statuses=(404,)
    ),
)
