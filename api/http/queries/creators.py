"""Creators: the list, a creator's statement, and whether one can be paid out."""

from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from api.http.queries.access import CREATOR_OR_READERS, Readers
from api.http.queries.listing import Paged, ranked_page
from api.http.queries.parameters import Period, Subject
from api.http.queries.party_lines import read_lines
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from projections import queries
from projections.queries import CreatorOrder


class CreatorItem(BaseModel):
    """What a creator is owed, by bucket, and has earned, in minor units."""

    creator: str
    currency: str
    pending: int
    available: int
    reserved: int
    in_payout: int
    lifetime_earned: int


class Creators(AsOf):
    """A page of creators."""

    items: list[CreatorItem]
    next_cursor: str | None
    has_more: bool


class CreatorLine(BaseModel):
    """What an event did to a bucket of a creator, and what is in it after it."""

    position: int
    event_id: str
    type: str
    effective_on: date
    recorded_at: datetime
    bucket: str
    source: str | None
    item: str | None
    sale: str | None
    payout: str | None
    amount: int
    balance: int


class CreatorStatement(AsOf):
    """A page of a creator's lines."""

    creator: str
    currency: str
    items: list[CreatorLine]
    next_cursor: str | None
    has_more: bool


class PayoutReason(BaseModel):
    """Why a payout would be refused."""

    code: str
    detail: str
    details: dict[str, Any]


class Payable(AsOf):
    """Whether a creator can be paid out now: payable = available + due_now, unless that is owed."""

    creator: str
    currency: str
    available: int
    due_now: int = Field(description="what of the pending is mature and not booked yet")
    payable: int
    minimum: int
    ok: bool
    codes: list[str]
    reasons: list[PayoutReason]


_CreatorOrder = Annotated[
    CreatorOrder, Query(description="earned: net of all time; available: less than nothing, too")
]


def read_creators(asked: Asked, page: Paged, order_by: _CreatorOrder = "earned") -> Answered:
    """All creators, the largest first, or with `order=asc` the smallest: by `available`, those that
    owe come first then.

    In the order of an amount, a creator that moves while one page is read after the other may be
    seen twice or not at all; by creator, each is seen once.
    """
    ask = partial(queries.creators, currency=asked.book.currency)
    return ranked_page(asked, "creators", order_by, page, ask)


def read_creator_statement(asked: Asked, creator: Subject, period: Period, page: Paged) -> Answered:
    """What each event did to what is owed to a creator, bucket by bucket, the last one first.

    The amounts of a bucket add up to its balance. `period` is of the times of recording.
    """
    found = read_lines(asked, queries.creator_statement, creator, period, page)
    return {"creator": creator, "currency": asked.book.currency, **found}


def read_payable(asked: Asked, creator: Subject) -> Answered:
    """What could be paid out to a creator now, and every code with which `request-payout` would
    refuse it; decided by the same rule on the same state."""
    return queries.payable(asked.connection, creator, asked.book.currency, datetime.now(UTC))


QUESTIONS = (
    Question("/creators", "Creators", Creators, Readers("creators' balances"), read_creators),
    Question(
        "/creators/{creator}/statement",
        "A creator's statement",
        CreatorStatement,
        CREATOR_OR_READERS,
        read_creator_statement,
    ),
    Question(
        "/creators/{creator}/payable",
        "Whether a creator can be paid out",
        Payable,
        CREATOR_OR_READERS,
        read_payable,
    ),
)
