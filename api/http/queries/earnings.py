"""Creators' earnings."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from api.http.queries.access import CREATOR_OR_READERS
from api.http.queries.listing import Labels
from api.http.queries.parameters import Period, PeriodAsked, Subject
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from domain.catalogue import Problem
from ledger.write.admission import invalid
from projections.queries import EarningsByDay, earnings, earnings_of_days


class EarningsBySource(BaseModel):
    """What one kind of sale brought, in minor units: gross = tax + commission + net."""

    source: str
    count: int
    gross: int
    tax: int
    commission: int
    net: int
    tokens: int
    refunds: int = Field(description="what of the gross went back, which it is net of")
    disputes: int = Field(description="the same of lost disputes")


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


_ALWAYS = PeriodAsked(None, None, None)
#: Groups that only the days tell apart.
_BY_DAYS = ("day", "week", "month", "attribution")
_GroupBy = Annotated[
    str | None,
    Query(
        description="source, day, week, month, attribution or label.KEY",
        pattern=r"^(source|day|week|month|attribution|label\.[A-Za-z0-9_-]{1,64})$",
    ),
]


def read_earnings(
    asked: Asked, creator: Subject, labels: Labels, period: Period, group_by: _GroupBy = None
) -> Answered:
    """Net of refunds and clawbacks; a creator never seen has zeros.

    `label.KEY=VALUE` narrows `by_source` and `groups` to sales with that label. Groups by a label
    are those that brought most, at most 1,000; what they lack of all sales stands under null.
    `period`, or `from` and `to`, narrows `by_source` and `groups` to those days, on which refunds
    and disputes count on their own day; what is owed and `lifetime_earned` stay.
    """
    if len(labels) > 1 or (labels and (group_by or "").startswith(("attribution", "label."))):
        raise invalid(Problem("", "give one label, as label.KEY=VALUE or in group_by"))
    label = next(iter(labels.items()), None)
    if period != _ALWAYS or group_by in _BY_DAYS:
        days = asked.days(period)
        question = EarningsByDay(days.first, days.last, group_by or "source", label)
        found = earnings_of_days(asked.connection, creator, asked.book.currency, question)
        return found if group_by else {**found, "groups": []}
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
