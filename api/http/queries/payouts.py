"""Payouts: a register of them, and each with its history."""

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
from domain.rejections import UNKNOWN_PAYOUT, reject
from ledger.write.admission import Denied
from projections import queries
from projections.queries import PAYOUT_STATUSES, PayoutFilter

_READERS = Readers("payouts")
_ID = r"^[A-Za-z0-9_-]{1,64}$"
_REFERENCE = r"^[A-Za-z0-9_.:+=@-]{1,128}$"
_Id = Annotated[str | None, Query(pattern=_ID)]


class PayoutItem(BaseModel):
    """A payout, in minor units: gross = fee + withheld + net."""

    id: str
    status: Literal["REQUESTED", "APPROVED", "SUBMITTED", "PAID", "REJECTED", "FAILED", "RETURNED"]
    creator: str
    requester: str
    sender: str | None = Field(description="who sent the request on the requester's behalf")
    gross: int
    fee: int
    withheld: int
    net: int
    currency: str
    country: str | None
    instant: bool | None
    approver: str | None
    processor: str | None
    processor_ref: str | None
    reason: str | None = Field(description="why it was rejected, failed or came back")
    paid_at: str | None
    labels: dict[str, str] | None
    created_at: str
    updated_at: str
    first_position: int
    last_position: int


class PayoutItems(AsOf):
    """A page of payouts."""

    items: list[PayoutItem]
    next_cursor: str | None
    has_more: bool


class OnePayout(AsOf, PayoutItem):
    """One payout with its history."""

    history: list[ItemStep]


async def read_filter(
    *,
    labels: Labels,
    status: Annotated[
        list[str] | None, Query(description="like requested or paid; repeatable")
    ] = None,
    creator: _Id = None,
    requested_by: _Id = None,
    processor: _Id = None,
    processor_ref: Annotated[str | None, Query(pattern=_REFERENCE)] = None,
    min_amount: Annotated[int, Query(ge=0, le=10**12, description="of gross")] = 0,
) -> PayoutFilter:
    """Which payouts a question asks for; raises Denied."""
    found = status_filter(status, PAYOUT_STATUSES)
    return PayoutFilter(found, creator, requested_by, processor, processor_ref, min_amount, labels)


_Filter = Annotated[PayoutFilter, Depends(read_filter)]


def read_payouts(asked: Asked, wanted: _Filter, age: OlderThan, page: Paged) -> Answered:
    """Payouts in the order of their requests, the last one first; `label.KEY=VALUE` asks for those
    whose request had that label."""
    return register_page(asked, "payouts", queries.payouts, wanted, age=age, page=page)


def read_payout(asked: Asked, payout: Subject) -> Answered:
    """One payout, with the events of its life."""
    found = queries.payout(asked.connection, payout, asked.book.currency)
    not_before(asked.min_position, found)
    if "id" not in found:
        raise Denied(reject(UNKNOWN_PAYOUT, payout=payout))
    return found


QUESTIONS = (
    Question("/payouts", "Payouts", PayoutItems, _READERS, read_payouts),
    Question("/payouts/{payout}", "One payout", OnePayout, _READERS, read_payout, statuses=(404,)),
)
