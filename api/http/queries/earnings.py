"""Creators' earnings."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from api.http.queries.access import CREATOR_OR_READERS
from api.http.queries.listing import Labels
from api.http.queries.parameters import Subject
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from domain.catalogue import Problem
from ledger.write.admission import invalid
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
    groups: list[dict[str, Any]] = Field(
        description="what `group_by` asks for: its name and value, and figures as in `by_source`"
    )


_GroupBy = Annotated[
    str | None,
    Query(description="source, or label.KEY", pattern=r"^(source|label\.[A-Za-z0-9_-]{1,64})$"),
]


def read_earnings(
    asked: Asked, creator: Subject, labels: Labels, group_by: _GroupBy = None
) -> Answered:
    """Net of refunds and clawbacks; a creator never seen has zeros.

    `label.KEY=VALUE` narrows `by_source` and `groups` to sales with that label. Groups by a label
    are those that brought most, at most 1,000; what they lack of all sales stands under null.
    """
    if len(labels) > 1 or (labels and group_by is not None and group_by != "source"):
        raise invalid(Problem("", "give one label, as label.KEY=VALUE or in group_by"))
    label = next(iter(labels.items()), None)
    return earnings(asked.connection, creator, asked.book.currency, label=label, group_by=group_by)


QUESTIONS = (
    Question(
        "/creators/{creator}/earnings",
        "What a creator earned and is owed",
        Earnings,
        CREATOR_OR_READERS,
        read_earnings,
    ),
)
