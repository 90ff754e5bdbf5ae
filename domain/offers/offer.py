"""An offer: what it takes off a price, from when to when, for whom, and how often.

A sale that names an offer has its discounts from it. An offer counts its uses, and what it knows of
a user is one number of its own, so neither grows with the other: sales are what use it, and
authorisations until they end without a capture.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.money import half_up
from domain.offers.prices import Prices
from domain.transitions import Transitions


class OfferStatus(StrEnum):
    """Whether an offer stands, as far as people decide."""

    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"


TRANSITIONS: Transitions[OfferStatus] = {
    (None, "publish-offer"): OfferStatus.PUBLISHED,
    (OfferStatus.PUBLISHED, "withdraw-offer"): OfferStatus.WITHDRAWN,
}


def offer_key(offer_id: str) -> str:
    """The tag of an offer."""
    return f"offer:{offer_id}"


def offer_keys(offer_id: str | None, user: str) -> tuple[str, ...]:
    """The tags of an offer and of its uses by `user`; none where there is no offer."""
    if offer_id is None:
        return ()
    return offer_key(offer_id), f"redemption:{offer_id}:{user}"


class OfferEvent(Event, frozen=True):
    """An event in the life of an offer; of a sale, one that may have used some."""

    def uses(self) -> int:
        """How many more uses of its offer there are after it."""
        return 0

    def in_offer(self, offer: "Offer") -> "Offer":
        """The offer after this event."""
        uses = self.uses()
        return msgspec.structs.replace(offer, uses=offer.uses + uses) if uses else offer


@entity
class Offer(State, frozen=True, kw_only=True):
    """An offer and how often it was used; `terms` is None while it is unknown."""

    KIND = "offer"

    status: OfferStatus | None = None
    terms: "OfferPublished | None" = None
    uses: int = 0
    withdrawn_at: datetime | None = None

    def apply(self, key: str, event: Event) -> "Offer":
        """The offer after `event`: every event in its life says how."""
        assert isinstance(event, OfferEvent)
        return event.in_offer(self)


@entity
class Redemption(State, frozen=True, kw_only=True):
    """How often one user has used one offer."""

    KIND = "redemption"
    CACHED = False

    uses: int = 0

    def apply(self, key: str, event: Event) -> "Redemption":
        """So many more."""
        assert isinstance(event, OfferEvent)
        return Redemption(uses=self.uses + event.uses())


@stored_as("offer.published.v1")
class OfferPublished(OfferEvent, frozen=True, kw_only=True):
    """An offer stands from `starts_at` until `ends_at` (exclusive).

    It takes `discount` (as funded) or `discount_bps` off a price, and of what is left of a price by
    card the platform pays `platform_discount`, as long as the card still pays something.
    """

    offer_id: str
    products: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    discount: int = 0
    discount_bps: int = 0
    platform_discount: int = 0
    max_uses: int | None = None
    max_uses_per_user: int | None = None
    #: For whom it is: only who has never paid for anything; only these; only who is in one of these
    #: tiers.
    first_purchase: bool = False
    users: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()

    def tags(self) -> tuple[str, ...]:
        return (offer_key(self.offer_id),)

    def in_offer(self, offer: Offer) -> Offer:
        return Offer(status=OfferStatus.PUBLISHED, terms=self)

    def prices(self, price: int) -> Prices:
        """What it makes of a price: a part in bps is half up, and no part exceeds what is left."""
        discount = min(price, self.discount + half_up(price, self.discount_bps))
        left = price - discount
        return price, discount, min(self.platform_discount, max(0, left - 1))


@stored_as("offer.withdrawn.v1")
class OfferWithdrawn(OfferEvent, frozen=True, kw_only=True):
    """The offer ended at `at`, before its time."""

    offer_id: str
    at: datetime

    def tags(self) -> tuple[str, ...]:
        return (offer_key(self.offer_id),)

    def in_offer(self, offer: Offer) -> Offer:
        return msgspec.structs.replace(offer, status=OfferStatus.WITHDRAWN, withdrawn_at=self.at)
