"""Offers, and what they brought."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from api.http.queries.access import Readers
from api.http.queries.parameters import Subject
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.rejections import UNKNOWN_OFFER, reject
from ledger.write.admission import Denied
from projections import queries

LIMIT_MAX = 1_000
_READERS = Readers("offers")
_TIME: JsonDict = {"format": "date-time"}


class EligibleBuyers(BaseModel):
    """For whom an offer is."""

    first_purchase: bool
    users: list[str]


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
    first_position: int = Field(description="where in the log it was published")


class OfferItems(AsOf):
    """A page of offers."""

    items: list[OfferItem]
    next_cursor: str | None
    has_more: bool


class OneOffer(AsOf, OfferItem):
    """One offer."""


def read_offers(
    asked: Asked,
    after: Annotated[
        str | None, Query(description="the `next_cursor` of an answer", pattern=r"^[0-9]{1,18}$")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
    order: Literal["asc", "desc"] = "desc",
) -> Answered:
    """All offers that were ever published, the last one first unless `order` is `asc`."""
    return queries.offers(
        asked.connection,
        asked.book.currency,
        after=None if after is None else int(after),
        limit=limit,
        descending=order == "desc",
    )


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
