"""Creators' earnings."""

from pydantic import BaseModel

from api.http.queries.access import CREATOR_OR_READERS
from api.http.queries.parameters import Subject
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from projections.queries import earnings


class EarningsBySource(BaseModel):
    """What one kind of sale brought, in minor units: gross = tax + commission + net."""

    source: str
    count: int
    gross: int
    tax: int
    commission: int
    net: int
    tokens: int


class Earnings(AsOf):
    """A creator's money in minor units."""

    creator: str
    currency: str
    pending: int
    available: int
    reserved: int
    in_payout: int
    lifetime_earned: int
    by_source: list[EarningsBySource]


def read_earnings(asked: Asked, creator: Subject) -> Answered:
    """Net of refunds and clawbacks; a creator never seen has zeros."""
    return earnings(asked.connection, creator, asked.book.currency)


QUESTIONS = (
    Question(
        "/creators/{creator}/earnings",
        "What a creator earned and is owed",
        Earnings,
        CREATOR_OR_READERS,
        read_earnings,
    ),
)
