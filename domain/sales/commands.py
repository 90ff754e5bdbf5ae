"""Selling: how a sale comes about, in tokens or by card, or why it does not.

Every command that sells something shares the order of refusals: frozen parties, products that
are off, dealing with oneself, price bounds, the offer, what the buyer has already, funds. A card
is already charged when we hear of it: what would be refused goes to suspense instead.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict

from domain.command import Command, Decision, Given, Parked
from domain.creators.creator import Creator
from domain.entity import LoadedStates
from domain.fields import Country, Currency, FreezeScope, FundingField, Id, Reference
from domain.money import AMOUNT_MAX
from domain.offers.eligibility import offer_refusal
from domain.offers.offer import Offer, offer_key, offer_keys
from domain.offers.prices import (
    OfferField,
    PlatformDiscount,
    Prices,
    charged,
    discount_problems,
)
from domain.payments.payment import PaymentRecord, payment_key
from domain.payments.suspense import other_currency, suspended
from domain.policy import Policy, SaleTerms, maturity, refund_end
from domain.rejections import (
    ACCOUNT_FROZEN,
    CREATOR_FROZEN,
    CURRENCY_MISMATCH,
    DUPLICATE_PAYMENT,
    INVALID_AMOUNT,
    NO_POLICY,
    PRODUCT_DISABLED,
    SELF_DEALING,
    SUBJECT_ERASED,
    UNKNOWN_OFFER,
    UNKNOWN_TAX_COUNTRY,
    Rejection,
    out_of_range,
    reject,
)
from domain.sales.amounts import Amounts, card_amounts, token_amounts
from domain.sales.invoices import for_sale, series_keys
from domain.sales.sale import CARD, TOKEN, Sale
from domain.wallets.wallet import Wallet

SPEND, EARN = FreezeScope.SPEND, FreezeScope.EARN
_CARD_FIELDS = ("processor", "processor_ref")
_ONLY_CARD = frozenset((*_CARD_FIELDS, "country", "currency", "platform_discount"))


S = TypeVar("S", bound=Sale)


class Attribution(BaseModel):
    """Which source, connection or campaign brought the buyer here."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    source: Id | None = None
    connection_id: Id | None = None
    campaign_id: Id | None = None


class SaleCommand(Command):
    """What every command that sells something carries."""

    asks_after_parties = True
    grows = False

    product: ClassVar[str]
    event: ClassVar[type[Sale]]
    #: What the command calls its price.
    price_field: ClassVar[str] = "price"

    user: Id
    creator: Id
    funding: FundingField
    attribution: Attribution | None = None
    processor: Id | None = None
    processor_ref: Reference | None = None
    country: Country | None = None
    currency: Currency | None = None
    offer: OfferField = None
    platform_discount: PlatformDiscount = 0

    def notice_id(self) -> tuple[str, str] | None:
        """A card sale is a notice: the card is already charged."""
        if self.processor is not None and self.processor_ref is not None and self.funding == CARD:
            return self.processor, self.processor_ref
        return None

    def problems(self) -> Iterable[tuple[str, str]]:
        """The processor's fields are mandatory for CARD and have no meaning for TOKEN."""
        if self.funding == CARD:
            return [
                *(
                    (f"/{field}", "is required when funding is CARD")
                    for field in _CARD_FIELDS
                    if getattr(self, field) is None
                ),
                *discount_problems(self.offer, self.prices()),
            ]
        if _ONLY_CARD.isdisjoint(self.__pydantic_fields_set__):
            return ()
        return [
            (f"/{field}", "is only for funding CARD")
            for field in sorted(_ONLY_CARD)
            if getattr(self, field)
        ]

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The parties; of a sale by card the payment, and the invoices of its country."""
        own = self.__dict__
        wallet, creator = f"wallet:{own['user']}", f"creator:{own['creator']}"
        if own["processor_ref"] is None and own["offer"] is None:
            return wallet, creator
        offer = offer_keys(self.offer, self.user)
        if self.processor_ref is None:
            return wallet, creator, *offer
        payment = payment_key(self.processor_ref)
        return wallet, creator, payment, *series_keys(self.country), *offer

    def prices(self) -> Prices:
        """What it costs by its own fields, before any offer."""
        raise NotImplementedError(type(self).__name__)

    def refusal(self, given: Given) -> Rejection | None:
        """The first reason of this product's own against the sale, after the common ones."""
        return None

    def terms(self, policy: Policy) -> SaleTerms:
        """The terms of this sale."""
        return policy.sales[self.product]

    def entitled_item(self) -> tuple[str | None, str | None, datetime | None]:
        """The item, if it is one that is sold, its class, and until when it may be used (None: for
        good).
        """
        return None, None, None

    def decide(self, given: Given) -> Decision:
        """The sale, or a rejection; money that a card paid for a rejected sale goes to suspense."""
        prices, offer, own = self.prices(), None, self.__dict__
        if own["offer"] is not None:
            offer = given.state(Offer, own["offer"])
            if offer.terms is None:
                return self._without_offer(given, own["offer"])
            prices = offer.terms.prices(prices[0])
        if own["currency"] is not None and (other := other_currency(self, given)) is not None:
            return suspended(self, charged(prices), CURRENCY_MISMATCH.code, currency=other)
        version = given.policy
        if version is None:
            sale: Sale | Rejection = reject(NO_POLICY, at=given.now)
        else:
            sale = self._sale(given, version.policy, prices, offer)
        if own["funding"] == TOKEN:
            return sale if type(sale) is Rejection else (sale,)
        if type(sale) is Rejection:
            code = sale.reason.code
        elif self._paid_before(given):
            code = DUPLICATE_PAYMENT
        else:
            return (sale, *for_sale(given, sale))
        return suspended(self, charged(prices), code)

    def _paid_before(self, given: Given) -> bool:
        """Whether another payment has this one's reference."""
        assert self.processor is not None and self.processor_ref is not None
        return given.state(PaymentRecord, self.processor_ref).is_another(self.processor)

    def _sale(
        self, given: Given, policy: Policy, prices: Prices, offer: Offer | None
    ) -> Sale | Rejection:
        own = self.__dict__  # a model's attribute costs five times an item of it
        user, payee, funding = own["user"], own["creator"], own["funding"]
        wallet = given.state(Wallet, user)
        creator = given.state(Creator, payee)
        terms = self.terms(policy)
        price, discount, by_platform = prices
        by_token = funding == TOKEN
        unit_value = terms.unit_value if by_token else 1
        gross = price * unit_value
        if by_token and (wallet.erased or creator.erased):
            return self._erased(wallet)
        refusal = None
        if (
            # Nothing of this holds for most sales: then none of the common reasons does either.
            not terms.low <= gross <= terms.high
            or funding not in terms.fundings
            or user == payee
            or wallet.frozen
            or creator.frozen
            or offer is not None
            or not by_token
        ):
            refusal = (
                party_refusal(self, terms, wallet, creator)
                or price_refusal(self.product, gross, terms, self.price_field)
                or (None if by_token or price == discount else tax_refusal(policy, self.country))
                or (
                    None
                    if offer is None
                    else offer_refusal(given, offer, self, wallet, self._at(given))
                )
            )
        refusal = refusal or self.refusal(given)
        if refusal is not None:
            return refusal
        country = None
        bps = terms.share_bps
        paid = price - discount
        if by_token:
            amounts = token_amounts(
                wallet, paid, payee, now=given.now, unit_value=unit_value, bps=bps
            )
            if type(amounts) is Rejection:
                return amounts
        else:
            country = policy.tax_country(self.country)
            vat_bps = policy.vat_bps(country)
            amounts = card_amounts(paid, ((payee, 1),), bps=bps, vat_bps=vat_bps)
        taken_off = discount * unit_value
        sale = self._event(
            given, creator, terms, amounts, gross=gross, discount=taken_off, country=country
        )
        if offer is None and not by_platform:
            return sale
        return msgspec.structs.replace(sale, platform_discount=by_platform, offer_id=self.offer)

    def _erased(self, wallet: Wallet) -> Rejection:
        return reject(SUBJECT_ERASED, subject=self.user if wallet.erased else self.creator)

    def _without_offer(self, given: Given, name: str) -> Rejection | Parked:
        """The decision while nobody has published the offer `name`: a card waits for it."""
        if self.funding == CARD:
            return Parked(offer_key(name))
        wallet = given.state(Wallet, self.user)
        if wallet.erased or given.state(Creator, self.creator).erased:
            return self._erased(wallet)
        return reject(UNKNOWN_OFFER, offer=name)

    def _at(self, given: Given) -> datetime:
        """When the buyer agreed: a card may be told of later, a request is made now."""
        return given.now if self.funding == TOKEN else self.occurred_at or given.now

    def _event(
        self,
        given: Given,
        creator: Creator,
        terms: SaleTerms,
        amounts: Amounts,
        *,
        gross: int,
        discount: int,
        country: str | None,
    ) -> Sale:
        now, own = given.now, self.__dict__
        sold_at = own["occurred_at"] or now
        mature_at = maturity(sold_at, terms.maturity_days, now) if terms.maturity_days else None
        item, item_class, usable_until = self.entitled_item()
        more: dict[str, Any] = {}  # what most have not: a field costs time wherever it is named
        if item_class is not None or usable_until is not None:
            more.update(item_class=item_class, expires_at=usable_until)
        if own["processor_ref"] is not None:
            more.update(processor=self.processor, processor_ref=self.processor_ref)
            more.update(country=country, vat_bps=amounts.vat_bps)
        if mature_at is not None:
            more.update(mature_at=mature_at, on_agenda=creator.first_at(mature_at))
        if terms.refund_window_days is not None:
            more["refund_until"] = refund_end(sold_at, terms.refund_window_days)
        if own["attribution"] is not None:
            more["attribution"] = own["attribution"].model_dump(exclude_none=True)
        if EARN in creator.frozen:
            more["escrowed_at"] = now
        sale = self.event(
            sale_id=given.new_id,
            buyer=own["user"],
            creator=own["creator"],
            product=self.product,
            funding=own["funding"],
            gross=gross,
            discount=discount,
            tokens_paid=amounts.tokens_paid,
            tokens_promo=amounts.tokens_promo,
            released=amounts.released,
            tax=amounts.tax,
            creator_share=amounts.creator_share,
            platform_share=amounts.platform_share,
            item_id=item,
            lots=amounts.lots,
            payees=amounts.payees,
        )
        return msgspec.structs.replace(sale, **more) if more else sale


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
    """Tests for frozen parties, products and fundings that are off, and dealing with oneself."""
    if SPEND in wallet.frozen:
        return reject(ACCOUNT_FROZEN, user=deal.user, scope=SPEND)
    if EARN in creator.frozen and terms.rejects_frozen:
        return reject(CREATOR_FROZEN, creator=deal.creator, scope=EARN)
    if deal.funding not in terms.fundings:
        return reject(PRODUCT_DISABLED, product=deal.product, funding=deal.funding)
    if deal.user == deal.creator:
        return reject(SELF_DEALING, user=deal.user)
    return None


def price_refusal(
    product: str, price: int, terms: SaleTerms, field: str = "price"
) -> Rejection | None:
    """Bounds hold for the price before discount, in minor units; a free item needs no price.

    `field` is what the command calls it.
    """
    if price > AMOUNT_MAX:
        return reject(INVALID_AMOUNT, field=field, amount=price, limit=AMOUNT_MAX)
    if price and not terms.low <= price <= terms.high:
        return out_of_range(field, price, product=product, low=terms.low, high=terms.high)
    return None


def tax_refusal(policy: Policy, country: str | None) -> Rejection | None:
    """A policy with VAT rates has to have one for the buyer's country: nothing is untaxed for
    want of a rate.
    """
    if policy.knows_tax(country):
        return None
    return reject(UNKNOWN_TAX_COUNTRY, country=country)


def new_sale(
    kind: type[S],
    given: Given,
    amounts: Amounts,
    earners: Iterable[Creator],
    *,
    sold_at: datetime,
    maturity_days: int,
    refund_window_days: int | None,
    discount: int = 0,
    **fields: Any,
) -> S:
    """A sale made at `sold_at`; `fields` are those that the product decides.

    The share of all `earners` is in escrow if one of them is frozen. Sales of the hot path, one
    click or one block of a call, name their fields themselves: passing them on costs 1 µs.
    """
    now = given.now
    mature_at = maturity(sold_at, maturity_days, now)
    escrowed = on_agenda = False
    for creator in earners:
        escrowed = escrowed or FreezeScope.EARN in creator.frozen
        on_agenda = on_agenda or creator.first_at(mature_at)
    return kind(
        discount=discount,
        tokens_paid=amounts.tokens_paid,
        tokens_promo=amounts.tokens_promo,
        released=amounts.released,
        tax=amounts.tax,
        creator_share=amounts.creator_share,
        platform_share=amounts.platform_share,
        lots=amounts.lots,
        payees=amounts.payees,
        vat_bps=amounts.vat_bps,
        mature_at=mature_at,
        on_agenda=on_agenda,
        escrowed_at=now if escrowed else None,
        refund_until=refund_end(sold_at, refund_window_days),
        **fields,
    )
