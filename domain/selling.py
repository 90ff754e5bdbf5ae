"""Selling: how a sale comes about, in tokens or by card, or why it does not.

Every command that sells something shares the order of refusals: frozen parties, products that
are off, dealing with oneself, price bounds, the offer, what the buyer has already, funds. A card
is already charged when we hear of it: what would be refused goes to suspense instead.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

import msgspec
from pydantic import BaseModel, ConfigDict

from domain.command import Command, Decision, Given
from domain.creator import Creator
from domain.fields import Country, Funding, Id
from domain.invoices import for_sale
from domain.money import AMOUNT_MAX, split, split_by_weight, vat_included
from domain.policy import Policy, SaleTerms
from domain.rejections import (
    ACCOUNT_FROZEN,
    CREATOR_FROZEN,
    DUPLICATE_PAYMENT,
    INSUFFICIENT_TOKENS,
    INVALID_AMOUNT,
    NO_POLICY,
    PRICE_OUT_OF_RANGE,
    PRODUCT_DISABLED,
    SELF_DEALING,
    Rejection,
    reject,
)
from domain.sale import CARD, TOKEN, Payee, Sale
from domain.suspense import PaymentRecord, payment_key, suspended
from domain.wallet import PROMO, LotUse, Wallet


class Attribution(BaseModel):
    """What brought the buyer here."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    source: Id | None = None
    connection_id: Id | None = None
    campaign_id: Id | None = None


class SaleCommand(Command):
    """What every command that sells something carries."""

    product: ClassVar[str]
    event: ClassVar[type[Sale]]

    user: Id
    creator: Id
    funding: Funding
    attribution: Attribution | None = None
    processor: Id | None = None
    processor_ref: Id | None = None
    country: Country | None = None

    def notice_id(self) -> tuple[str, str] | None:
        """A card sale is a notice: the card is already charged."""
        if self.funding == CARD and self.processor is not None and self.processor_ref is not None:
            return self.processor, self.processor_ref
        return None

    def problems(self) -> Iterable[tuple[str, str]]:
        """The processor's fields are mandatory for CARD and have no meaning for TOKEN."""
        if self.funding == CARD:
            return [
                (f"/{field}", "is required when funding is CARD")
                for field in ("processor", "processor_ref")
                if getattr(self, field) is None
            ]
        if self.processor is None and self.processor_ref is None and self.country is None:
            return ()
        return [
            (f"/{field}", "is only for funding CARD")
            for field in ("country", "processor", "processor_ref")
            if getattr(self, field) is not None
        ]

    def entities(self) -> tuple[str, ...]:
        """The buyer's wallet and freeze, the creator, and what stands under the reference."""
        wallet, creator = f"wallet:{self.user}", f"creator:{self.creator}"
        if self.processor_ref is None:
            return wallet, creator
        return wallet, creator, payment_key(self.processor_ref)

    def prices(self) -> tuple[int, int]:
        """(price before discount, discount), in tokens or minor units as funded."""
        raise NotImplementedError(type(self).__name__)

    def refusal(self, given: Given) -> Rejection | None:
        """The first reason of this product's own against the sale, after the common ones."""
        return None

    def bought(self) -> tuple[str | None, datetime | None]:
        """The item, if it is one that is sold, and until when it may be used (None: for good)."""
        return None, None

    def decide(self, given: Given) -> Decision:
        """The sale, or why not; a card that was charged for a refused sale goes to suspense."""
        version = given.policy_at(given.now)
        if version is None:
            sale: Sale | Rejection = reject(NO_POLICY, at=given.now)
        else:
            sale = self._sale(given, version.policy)
        if type(sale) is Rejection:
            if self.funding == TOKEN:
                return sale
            code = sale.reason.code
        elif sale.funding == CARD and self._paid_before(given):
            code = DUPLICATE_PAYMENT
        else:
            return (sale, *for_sale(given, sale))
        price, discount = self.prices()
        return suspended(self, price - discount, code)

    def _paid_before(self, given: Given) -> bool:
        """Whether another payment has this one's reference."""
        assert self.processor is not None and self.processor_ref is not None
        return given.state(PaymentRecord, self.processor_ref).is_another(self.processor)

    def _sale(self, given: Given, policy: Policy) -> Sale | Rejection:
        product, funding, user, payee = self.product, self.funding, self.user, self.creator
        wallet = given.state(Wallet, user)
        creator = given.state(Creator, payee)
        terms = policy.sales[product]
        price, discount = self.prices()
        unit_value = terms.unit_value if funding == TOKEN else 1
        value = price * unit_value
        refusal = (
            party_refusal(self, terms, wallet, creator)
            or price_refusal(product, value, terms)
            or self.refusal(given)
        )
        if refusal is not None:
            return refusal
        if funding == TOKEN:
            amounts = token_amounts(
                wallet,
                price - discount,
                payee,
                now=given.now,
                unit_value=unit_value,
                bps=terms.share_bps,
            )
            if type(amounts) is Rejection:
                return amounts
            country = None
        else:
            country = self.country or policy.default_country
            amounts = card_amounts(
                price - discount,
                ((payee, 1),),
                bps=terms.share_bps,
                vat_bps=policy.vat_bps(country),
            )
        sold_at = self.occurred_at or given.now
        days = terms.maturity_days
        mature_at = maturity(sold_at, days, given.now) if days else None
        item, usable_until = self.bought()
        attribution = None
        if self.attribution is not None:
            attribution = self.attribution.model_dump(exclude_none=True)
        return self.event(
            sale_id=given.new_id,
            buyer=user,
            creator=payee,
            product=product,
            funding=funding,
            gross=value,
            discount=discount * unit_value,
            tokens_paid=amounts.tokens_paid,
            tokens_promo=amounts.tokens_promo,
            released=amounts.released,
            tax=amounts.tax,
            creator_share=amounts.creator_share,
            platform_share=amounts.platform_share,
            item_id=item,
            attribution=attribution,
            mature_at=mature_at,
            escrowed_at=given.now if "EARN" in creator.frozen else None,
            expires_at=usable_until,
            processor=self.processor,
            processor_ref=self.processor_ref,
            country=country,
            lots=amounts.lots,
            payees=amounts.payees,
            vat_bps=amounts.vat_bps,
            refund_until=policy.refund_end(sold_at) if terms.refund_window_days else None,
            on_agenda=mature_at is not None and creator.first_at(mature_at),
        )


class Amounts(msgspec.Struct, frozen=True, gc=False):
    """What a sale moves, as the fields of `Sale` say it."""

    creator_share: int
    platform_share: int
    payees: tuple[Payee, ...]
    tokens_paid: int = 0
    tokens_promo: int = 0
    released: int = 0
    lots: tuple[LotUse, ...] = ()
    tax: int = 0
    vat_bps: int = 0


class _Dealing(Protocol):
    """A command by which `user` pays `creator`: a sale, or the start of what will be some."""

    @property
    def user(self) -> str: ...
    @property
    def creator(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def funding(self) -> str: ...


def party_refusal(
    deal: _Dealing, terms: SaleTerms, wallet: Wallet, creator: Creator
) -> Rejection | None:
    """Frozen parties, products and fundings that are not offered, dealing with oneself."""
    if "SPEND" in wallet.frozen:
        return reject(ACCOUNT_FROZEN, user=deal.user, scope="SPEND")
    if "EARN" in creator.frozen and terms.rejects_frozen:
        return reject(CREATOR_FROZEN, creator=deal.creator, scope="EARN")
    if deal.funding not in terms.fundings:
        return reject(PRODUCT_DISABLED, product=deal.product, funding=deal.funding)
    if deal.user == deal.creator:
        return reject(SELF_DEALING, user=deal.user)
    return None


def price_refusal(product: str, price: int, terms: SaleTerms) -> Rejection | None:
    """Bounds hold for the price before discount, in minor units; a free item needs no price."""
    if price > AMOUNT_MAX:
        return reject(INVALID_AMOUNT, field="price", amount=price, limit=AMOUNT_MAX)
    if price and not terms.low <= price <= terms.high:
        return reject(
            PRICE_OUT_OF_RANGE, product=product, price=price, min=terms.low, max=terms.high
        )
    return None


def token_amounts(
    wallet: Wallet, tokens: int, creator: str, *, now: datetime, unit_value: int, bps: int
) -> Amounts | Rejection:
    """The amounts of a sale for `tokens`: what the lots release, what the creator gets."""
    uses = wallet.take(tokens, now)
    if uses is None:
        current = wallet.spendable(now)
        return reject(
            INSUFFICIENT_TOKENS, required=tokens, current=current, shortfall=tokens - current
        )
    released = promo = 0
    for use in uses:
        released += use.released
        if use.kind == PROMO:
            promo += use.tokens
    share, _ = split(tokens * unit_value, bps)
    paid_part = split_by_weight(share, tokens - promo, promo)[0] if promo else share
    payees = (Payee(creator, share, paid_part, share - paid_part),)
    return Amounts(share, released - paid_part, payees, tokens - promo, promo, released, uses)


def card_amounts(
    paid: int, payees: Sequence[tuple[str, int]], *, bps: int, vat_bps: int
) -> Amounts:
    """The amounts of a sale by card: tax first, then creators and commission.

    `payees`: (creator, weight); several share what is the creators' by weight.
    """
    tax = vat_included(paid, vat_bps)
    share, commission = split(paid - tax, bps)
    return Amounts(
        share, commission, divided(share, payees), tax=tax, vat_bps=vat_bps if tax else 0
    )


def divided(share: int, payees: Sequence[tuple[str, int]]) -> tuple[Payee, ...]:
    """`share` by weight: successive splits in two, in the order of the creators' ids."""
    if len(payees) == 1:
        return (Payee(payees[0][0], share),)
    parts = []
    rest = sum(weight for _, weight in payees)
    for creator, weight in sorted(payees):
        rest -= weight
        part, share = split_by_weight(share, weight, rest)
        parts.append(Payee(creator, part))
    return tuple(parts)


def maturity(sold_at: datetime, days: int, now: datetime | None = None) -> datetime | None:
    """When the earnings of a sale mature, if not at once: `days` later, at the next full hour.

    Full hours keep what a creator's state holds of unmatured earnings within days × 24 sums,
    however many sales there are. A late fact may be mature already at `now`.
    """
    if not days:
        return None
    exact = sold_at + timedelta(days=days)
    hour = exact.replace(minute=0, second=0, microsecond=0)
    matures_at = hour if hour == exact else hour + timedelta(hours=1)
    return None if now is not None and matures_at <= now else matures_at
