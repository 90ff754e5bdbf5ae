"""The platform's revenue by day, product and what brought it."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from api.http.queries.access import Readers
from api.http.queries.listing import Labels, PagedInOrder, cursor_text, read_cursor
from api.http.queries.parameters import Period, bounded
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from domain.catalogue import Problem
from domain.money import BPS
from ledger.write.admission import invalid
from projections.queries import OF_EVERYTHING, RevenueQuestion, TooLongAgo, revenue


class RevenueFigures(BaseModel):
    """What came in and what it cost, in minor units; `count` is of sales.

    gross is after the creators' discounts. Of sales by card it is tax + creators + commission +
    subscriptions; of sales by tokens it is their price.
    """

    count: int
    gross: int
    tax: int
    creators: int
    commission: int
    margin: int
    usage: int
    fees: int
    breakage: int
    promotional: int
    subscriptions: int
    bad_debt: int
    goodwill: int
    processor_costs: int
    dispute_costs: int
    discount: int = Field(description="what the creators took off the prices")
    platform_discount: int = Field(description="what the platform paid of them")


class RevenueGroup(RevenueFigures):
    """The figures of a group, beside its name: `{"product": "tip", …}`."""

    model_config = ConfigDict(extra="allow")


class RevenueGroups(AsOf):
    """Revenue by group. `totals` are those of all groups, on every page."""

    from_: str = Field(alias="from")
    to: str
    currency: str
    group_by: str
    items: list[RevenueGroup]
    totals: RevenueFigures
    next_cursor: str | None
    has_more: bool


class AttributedFigures(BaseModel):
    """What something brought, in minor units, and what it cost."""

    count: int
    revenue: int
    income: int
    cost: int
    return_bps: int | None


class AttributedGroup(AttributedFigures):
    """The figures beside what brought them: `{"offer": "spring", …}`."""

    model_config = ConfigDict(extra="allow")


class AttributionGroups(AsOf):
    """Sales by what brought them. `totals` are those of all groups, on every page."""

    from_: str = Field(alias="from")
    to: str
    currency: str
    group_by: str
    items: list[AttributedGroup]
    totals: AttributedFigures
    next_cursor: str | None
    has_more: bool


_GroupBy = Annotated[
    str,
    Query(
        description="day, week, month, product, source, campaign, connection, offer, item "
        "or label.KEY",
        pattern=r"^(day|week|month|product|source|campaign|connection|offer|item"
        r"|label\.[A-Za-z0-9_-]{1,64})$",
    ),
]


def read_revenue(
    asked: Asked, period: Period, labels: Labels, page: PagedInOrder, group_by: _GroupBy = "day"
) -> Answered:
    """Income, expense and sales of a period; every figure adds up to the income statement's.

    Refunds and disputes count on their own day, under the product and the source, campaign,
    connection, offer, item and labels of their sale. What belongs to no sale has the kind of its
    event for a product (`hold`, `payout`, `adjustment`) and its own labels: the usage of a hold has
    those of the hold. What a grouping cannot place stands under null, at the end. `label.KEY=VALUE`
    narrows groups by day, week, month or product. A week or a month has its first day for a name.
    """
    if len(labels) > 1 or (labels and group_by not in OF_EVERYTHING):
        raise invalid(Problem("", "give one label, as label.KEY=VALUE or in group_by"))
    label = next(iter(labels.items()), None)
    days = asked.days(bounded(period))
    question = RevenueQuestion(days.first, days.last, group_by, label)
    return _page(asked, "revenue", question, page)


def _page(asked: Asked, name: str, question: RevenueQuestion, page: PagedInOrder) -> dict[str, Any]:
    """A page of groups, pinned to the position of the first; raises Denied."""
    which = (asked.book.name, name, question)
    position, after = None, ""
    if page.after is not None:
        position, after = read_cursor(which, page.after, tuple[int, str])
    try:
        found = revenue(
            asked.connection, question, after=after, limit=page.limit, position=position
        )
    except TooLongAgo:
        message = "too much has happened since: ask for the first page again"
        raise invalid(Problem("/after", message)) from None
    last, position = found.pop("last"), found["as_of_position"]
    return {
        "from": question.first.isoformat(),
        "to": question.last.isoformat(),
        "currency": asked.book.currency,
        "group_by": question.group_by,
        **found,
        "next_cursor": None if last is None else cursor_text(which, (position, last)),
        "has_more": last is not None,
    }


_AttributedTo = Annotated[
    Literal["source", "campaign", "connection", "offer"],
    Query(description="what brought the sales"),
]


def read_attribution(
    asked: Asked, period: Period, page: PagedInOrder, group_by: _AttributedTo = "source"
) -> Answered:
    """What each source, campaign, connection or offer brought in a period, and what it cost.

    `revenue` is what was paid for the sales, net of what went back in the period; `income` is what
    the platform kept of it, less promotional tokens and discounts that it paid. `cost` is what
    creators and platform took off the prices, and `return_bps` how much more than that came in:
    (revenue - cost) / cost, rounded half up, null without a cost. What nothing brought stands under
    null, at the end, so that the items add up to the totals.
    """
    days = asked.days(bounded(period))
    question = RevenueQuestion(days.first, days.last, group_by)
    found = _page(asked, "attribution", question, page)
    items = [{group_by: each[group_by], **_attributed(each)} for each in found["items"]]
    return {**found, "items": items, "totals": _attributed(found["totals"])}


def _attributed(figures: dict[str, int]) -> dict[str, int | None]:
    cost = figures["discount"] + figures["platform_discount"]
    gain = figures["gross"] - cost
    return {
        "count": figures["count"],
        "revenue": figures["gross"],
        "income": sum(figures[name] for name in ("commission", "margin", "subscriptions"))
        - figures["promotional"],
        "cost": cost,
        "return_bps": (2 * gain * BPS + cost) // (2 * cost) if cost else None,
    }


QUESTIONS = (
    Question("/revenue", "Revenue by group", RevenueGroups, Readers("revenue"), read_revenue),
    Question(
        "/attribution",
        "What brought the sales",
        AttributionGroups,
        Readers("revenue"),
        read_attribution,
    ),
)
