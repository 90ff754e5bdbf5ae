"""Whether an offer applies to a sale: in its time, to products and buyers, and not too often."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.command import Given
from domain.fields import Funding
from domain.offers.offer import Offer, Redemption
from domain.offers.prices import Prices, charged
from domain.rejections import (
    OFFER_EXHAUSTED,
    OFFER_EXPIRED,
    OFFER_NOT_ELIGIBLE,
    Rejection,
    reject,
)
from domain.tiers.tier import tier_held
from domain.wallets.wallet import Wallet


class Ineligible(StrEnum):
    """Why an offer is not for a sale."""

    NOT_STARTED = "NOT_STARTED"
    PRODUCT = "PRODUCT"
    #: Of a sale in tokens the platform pays nothing.
    FUNDING = "FUNDING"
    USER = "USER"
    FIRST_PURCHASE = "FIRST_PURCHASE"
    #: The buyer is in none of its tiers, as the last `tier.changed.v1` says.
    TIER = "TIER"
    #: It takes the whole price of what a card has to stand for.
    NOTHING_TO_PAY = "NOTHING_TO_PAY"


class Redeemer(Protocol):
    """A sale, or what will be one, that names an offer."""

    @property
    def user(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def funding(self) -> str: ...


def offer_refusal(
    given: Given, offer: Offer, deal: Redeemer, wallet: Wallet, at: datetime
) -> Rejection | None:
    """The first reason against the use of a known offer for a deal made at `at`."""
    terms = offer.terms
    assert terms is not None
    ended_at = terms.ends_at
    if offer.withdrawn_at is not None:
        ended_at = min(ended_at, offer.withdrawn_at)
    if ended_at <= at:
        return reject(OFFER_EXPIRED, expired_at=ended_at)
    used = given.state(Redemption, f"{terms.offer_id}:{deal.user}").uses
    reason = None
    if at < terms.starts_at:
        reason = Ineligible.NOT_STARTED
    elif deal.product not in terms.products:
        reason = Ineligible.PRODUCT
    elif terms.platform_discount and deal.funding == Funding.TOKEN:
        reason = Ineligible.FUNDING
    elif terms.users and deal.user not in terms.users:
        reason = Ineligible.USER
    elif terms.first_purchase and (wallet.has_bought or used):
        reason = Ineligible.FIRST_PURCHASE
    elif terms.tiers and tier_held(wallet) not in terms.tiers:
        reason = Ineligible.TIER
    if reason is not None:
        return reject(OFFER_NOT_ELIGIBLE, offer=terms.offer_id, reason=reason)
    for uses, limit in ((offer.uses, terms.max_uses), (used, terms.max_uses_per_user)):
        if limit is not None and uses >= limit:
            return reject(OFFER_EXHAUSTED, offer=terms.offer_id, uses=uses, limit=limit)
    return None


def leaves_to_pay(offer: Offer, prices: Prices) -> Rejection | None:
    """Rejection where nothing is left for a card that has to stand for something."""
    if charged(prices):
        return None
    assert offer.terms is not None
    return reject(OFFER_NOT_ELIGIBLE, offer=offer.terms.offer_id, reason=Ineligible.NOTHING_TO_PAY)
