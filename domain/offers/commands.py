"""Publishing offers, and withdrawing them before their time."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates
from domain.fields import Id, Instant, PositiveAmount
from domain.money import BPS
from domain.offers.offer import TRANSITIONS, Offer, OfferPublished, OfferWithdrawn, offer_key
from domain.rejections import (
    INVALID_TRANSITION,
    OFFER_EXPIRED,
    UNKNOWN_OFFER,
    UNKNOWN_TIER,
    reject,
)
from domain.tiers.tier import NEW, ladder_at

OfferedProduct = Literal["unlock", "message", "ticket", "tip", "subscription", "session"]
USERS_MAX = 100
TIERS_MAX = 20
Uses = Annotated[int, Field(gt=0, le=10**9)]


class Eligible(BaseModel):
    """For whom an offer is: all that is said must hold."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tiers: (
        Annotated[
            tuple[Id, ...],
            Field(
                strict=False,
                min_length=1,
                max_length=TIERS_MAX,
                description="Only who is in one of these tiers at the sale; `NEW` is whoever "
                "reaches no step of the policy's ladder.",
            ),
        ]
        | None
    ) = None
    first_purchase: bool = Field(
        default=False, description="Only who has never paid for a sale, whatever became of it."
    )
    users: (
        Annotated[tuple[Id, ...], Field(strict=False, min_length=1, max_length=USERS_MAX)] | None
    ) = None


@command
class PublishOffer(Command):
    """Publish an offer, which sales of its products may name from `starts_at` until `ends_at`.

    It takes `discount` (tokens or minor units, as the sale is funded) or `discount_bps` off the
    price. Of what is left of a sale by card the platform pays `platform_discount`.
    """

    name = "publish-offer"
    roles = frozenset({"service", "finance"})

    offer: Id
    products: Annotated[tuple[OfferedProduct, ...], Field(strict=False, min_length=1)]
    discount: PositiveAmount | None = Field(
        default=None, description="At most the price is taken. Not with `discount_bps`."
    )
    discount_bps: Annotated[int, Field(gt=0, le=BPS)] | None = Field(
        default=None, description="Of the price, half up. Not with `discount`."
    )
    platform_discount: PositiveAmount | None = Field(
        default=None,
        description="Minor units, at most so many that the card still pays 1; sales in tokens "
        "then cannot use the offer.",
    )
    starts_at: Instant
    ends_at: Instant
    max_uses: Uses | None = None
    max_uses_per_user: Uses | None = None
    eligible: Eligible | None = None

    def problems(self) -> Iterable[tuple[str, str]]:
        """It takes something off, in one way, for some time, and for whom can be told."""
        if self.discount is not None and self.discount_bps is not None:
            yield "/discount_bps", "stands beside discount: give one of them"
        if self.discount is self.discount_bps is self.platform_discount is None:
            yield "/discount", "is missing: give discount, discount_bps or platform_discount"
        if self.ends_at <= self.starts_at:
            yield "/ends_at", "is not after starts_at"
        if len(set(self.products)) < len(self.products):
            yield "/products", "names a product twice"

    def subjects(self) -> tuple[str, ...]:
        """The users that it is for, if it names any."""
        users = None if self.eligible is None else self.eligible.users
        return tuple(f"wallet:{user}" for user in users or ())

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return offer_key(self.offer), *self.subjects()

    def decide(self, given: Given) -> Decision:
        """The offer; one for an unknown tier, over already or of a taken name is rejected."""
        tiers = () if self.eligible is None else self.eligible.tiers or ()
        known = {NEW, *(tier for tier, _ in ladder_at(given.policies, given.now).steps)}
        for tier in tiers:
            if tier not in known:
                return reject(UNKNOWN_TIER, tier=tier)
        if self.ends_at <= given.now:
            return reject(OFFER_EXPIRED, expired_at=self.ends_at)
        status = given.state(Offer, self.offer).status
        if (status, self.name) not in TRANSITIONS:
            return reject(INVALID_TRANSITION, subject=f"offer {self.offer}", state=status)
        eligible = self.eligible or Eligible()
        event = OfferPublished(
            offer_id=self.offer,
            products=self.products,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            discount=self.discount or 0,
            discount_bps=self.discount_bps or 0,
            platform_discount=self.platform_discount or 0,
            max_uses=self.max_uses,
            max_uses_per_user=self.max_uses_per_user,
            first_purchase=eligible.first_purchase,
            users=eligible.users or (),
            tiers=tiers,
        )
        return (event,)


@command
class WithdrawOffer(Command):
    """End an offer before its time; what was sold or authorised with it stays."""

    name = "withdraw-offer"
    roles = frozenset({"service", "finance"})

    offer: Id

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (offer_key(self.offer),)

    def decide(self, given: Given) -> Decision:
        status = given.state(Offer, self.offer).status
        if status is None:
            return reject(UNKNOWN_OFFER, offer=self.offer)
        if (status, self.name) not in TRANSITIONS:
            return reject(INVALID_TRANSITION, subject=f"offer {self.offer}", state=status)
        return (OfferWithdrawn(offer_id=self.offer, at=given.now),)
