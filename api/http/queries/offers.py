"""Offers, and what they brought."""

from typing import Annotated

from fastapi import Depends, Query
from msgspec.structs import replace
from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from api.http.queries.access import Readers
from api.http.queries.listing import Labels, Paged, register_page, status_filter
from api.http.queries.parameters import Period, Subject
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.rejections import UNKNOWN_OFFER, reject
from ledger.write.admission import ID, Denied
from projections import queries
from projections.queries import OFFER_STATUSES, OfferFilter

_READERS = Readers("offers")
_TIME: JsonDict = {"format": "date-time"}


class EligibleBuyers(BaseModel):
    """For whom an offer is."""

    first_purchase: bool
    users: list[str]
    tiers: list[str]


class OfferTerms(BaseModel):
    """What an offer takes off, how often, and for whom."""

    discount: int | None = Field(description="as the sale is funded: tokens or minor units")
    discount_bps: int | None
    platform_discount: int | None
    max_uses: int | None
    max_uses_per_user: int | None
    eligible: EligibleBuyers


class OfferItem(BaseModel):
    """An offer and its figures, in minor units."""

    id: str
    status: str = Field(description="PUBLISHED or WITHDRAWN; what has ended stays as it is")
    products: list[str]
    starts_at: str = Field(json_schema_extra=_TIME)
    ends_at: str = Field(json_schema_extra=_TIME)
    withdrawn_at: str | None = Field(json_schema_extra=_TIME)
    terms: OfferTerms
    uses: int = Field(description="sales, and authorisations that stand or were captured")
    revenue: int = Field(description="of its sales after discount, net of what went back")
    discount: int = Field(description="taken off the prices of its sales")
    platform_discount: int = Field(description="what of its sales' prices the platform paid")
    currency: str
    labels: dict[str, str] | None
    created_at: str = Field(json_schema_extra=_TIME)
    updated_at: str = Field(
        json_schema_extra=_TIME,
        description="when it was published or withdrawn; uses are no change",
    )
    first_position: int = Field(description="where in the log it was published")
    last_position: int


class OfferItems(AsOf):
    """A page of offers."""

    items: list[OfferItem]
    next_cursor: str | None
    has_more: bool


class OneOffer(AsOf, OfferItem):
    """One offer."""


async def read_filter(
    *,
    labels: Labels,
    status: Annotated[
        list[str] | None, Query(description="published or withdrawn; repeatable")
    ] = None,
    product: Annotated[
        str | None, Query(pattern=ID.pattern, description="offers for this product")
    ] = None,
) -> OfferFilter:
    """Which offers a question asks for, of whatever days; raises Denied."""
    found = status_filter(status, OFFER_STATUSES)
    return OfferFilter(statuses=found, product=product, labels=labels)


_Filter = Annotated[OfferFilter, Depends(read_filter)]


def read_offers(asked: Asked, wanted: _Filter, period: Period, page: Paged) -> Answered:
    """Offers in the order of their publication, the last one first; `period` asks for those
    published then, `label.KEY=VALUE` for those whose publication had that label."""
    days, zone = asked.days(period), asked.book.time_zone
    of_days = replace(wanted, first_day=days.first, last_day=days.last, time_zone=zone)
    return register_page(asked, "offers", queries.offers, of_days, age=None, page=page)


def read_offer(asked: Asked, offer: Subject) -> Answered:
    """Its terms, its uses, its revenue and its discounts."""
    answered = queries.offer(asked.connection, asked.book.currency, offer)
    not_before(asked.min_position, answered)
    if answered["id"] is None:
        raise Denied(reject(UNKNOWN_OFFER, offer=offer))
    return answered


QUESTIONS = (
    Question("/offers", "Offers and their figures", OfferItems, _READERS, read_offers),
    Question("/offers/{offer}", "One offer", OneOffer, _READERS, read_offer, statuses=(404,)),
)
