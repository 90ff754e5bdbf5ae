"""Capturing: a payment is authorised, then captured, voided or failed; the first of these wins.

The amount, the cancellation fee and the tier come with the commands: what a session costs is the
platform's business. What is captured is never more than was authorised.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from domain.authorizations.authorization import (
    PART,
    TRANSITIONS,
    Authorization,
    AuthorizationStatus,
    PayeeWeight,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentFailed,
    PaymentVoided,
    VoidReason,
    authorization_key,
)
from domain.authorizations.session import AUTHORIZATIONS_MAX, Session, session_key
from domain.command import Command, Decision, Given, command
from domain.creators.creator import Creator
from domain.entity import LoadedStates
from domain.fields import (
    Code,
    Country,
    FreezeScope,
    Funding,
    Id,
    Instant,
    PositiveAmount,
    Reference,
)
from domain.money import BPS
from domain.offers.eligibility import leaves_to_pay, offer_refusal
from domain.offers.offer import Offer, offer_keys
from domain.offers.prices import (
    OfferField,
    PlatformDiscount,
    Prices,
    charged,
    discount_problems,
)
from domain.payments.payment import PaymentRecord, payment_key
from domain.policy import Policy
from domain.rejections import (
    CAPTURE_EXCEEDS_HOLD,
    CREATOR_FROZEN,
    HOLD_NOT_OPEN,
    INVALID_TRANSITION,
    NO_POLICY,
    OFFER_EXPIRED,
    SELF_DEALING,
    UNKNOWN_AUTHORIZATION,
    UNKNOWN_OFFER,
    UNKNOWN_TIER,
    Rejection,
    reject,
)
from domain.sales.amounts import card_amounts
from domain.sales.commands import new_sale, party_refusal, price_refusal, tax_refusal
from domain.sales.invoices import for_sale, series_keys
from domain.wallets.wallet import Wallet

PAYEES_MAX = 100


class Payee(BaseModel):
    """One of several creators who share a payment."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    creator: Id
    weight: PositiveAmount


@command
class Authorize(Command):
    """Record that a card was authorised for a session.

    Commission, VAT, discounts and maturity are fixed now and apply at capture. `amount` is the
    price; the card stands for what its offer and the platform leave of it.
    """

    name = "authorize"

    session: Id
    user: Id
    payee: Id
    tier: Id
    amount: PositiveAmount
    processor: Id
    processor_ref: Reference
    expires_at: Instant | None = None
    country: Country | None = None
    payees: (
        Annotated[tuple[Payee, ...], Field(strict=False, min_length=1, max_length=PAYEES_MAX)]
        | None
    ) = None
    offer: OfferField = None
    platform_discount: PlatformDiscount = 0

    @property
    def creator(self) -> str:
        """The creator whom the session is with."""
        return self.payee

    @property
    def product(self) -> str:
        """A session is a product of its own."""
        return "session"

    @property
    def funding(self) -> str:
        """Sessions are paid by card."""
        return Funding.CARD

    @property
    def paid(self) -> tuple[str, ...]:
        """Everybody who is to be paid."""
        return tuple(payee.creator for payee in self.payees or ()) or (self.payee,)

    def problems(self) -> Iterable[tuple[str, str]]:
        """`payees` names each creator once, and the session's own creator among them."""
        if len(set(self.paid)) < len(self.paid):
            yield "/payees", "names a creator twice"
        if self.payee not in self.paid:
            yield "/payees", "does not name the payee"
        yield from discount_problems(self.offer, (self.amount, 0, self.platform_discount))

    def subjects(self) -> tuple[str, ...]:
        """The buyer and all creators."""
        return f"wallet:{self.user}", *(f"creator:{creator}" for creator in self.paid)

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The buyer, the creators, the payment's reference, the session and the offer."""
        creators = (f"creator:{creator}" for creator in self.paid)
        more = session_key(self.session), *offer_keys(self.offer, self.user)
        return f"wallet:{self.user}", *creators, payment_key(self.processor_ref), *more

    def decide(self, given: Given) -> Decision:
        """The authorisation, with everything that its capture will need; or a rejection."""
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        policy = version.policy
        prices, offer = (self.amount, 0, self.platform_discount), None
        if self.offer is not None:
            offer = given.state(Offer, self.offer)
            if offer.terms is None:
                return reject(UNKNOWN_OFFER, offer=self.offer)
            prices = offer.terms.prices(self.amount)
        refusal = self._refusal(given, policy, offer, prices)
        if refusal is not None:
            return refusal
        country = policy.tax_country(self.country)
        expires_at = self.expires_at
        if expires_at is None and policy.hold_expiry_hours is not None:
            expires_at = given.now + timedelta(hours=policy.hold_expiry_hours)
        event = PaymentAuthorized(
            payment_id=given.new_id,
            session_id=self.session,
            user=self.user,
            creator=self.payee,
            tier=self.tier,
            commission_bps=BPS - policy.revenue_share.of("session", self.tier),
            amount=charged(prices),
            processor=self.processor,
            processor_ref=self.processor_ref,
            country=country,
            vat_bps=policy.vat_bps(country),
            payees=tuple(PayeeWeight(payee.creator, payee.weight) for payee in self.payees or ()),
            maturity_days=policy.maturity_days,
            refund_window_days=policy.refund_window_days,
            frozen_creator_rule=policy.frozen_creator_rule,
            expires_at=expires_at,
            expiry_reason=VoidReason.CANCELLED if self.expires_at is None else VoidReason.ABANDONED,
            discount=prices[1],
            platform_discount=prices[2],
            offer_id=self.offer,
        )
        return (event,)

    def _refusal(
        self, given: Given, policy: Policy, offer: Offer | None, prices: Prices
    ) -> Rejection | None:
        """Tests the tier, then parties, price and offer as for any sale, then the reference."""
        if self.tier not in policy.revenue_share.tiers:
            return reject(UNKNOWN_TIER, tier=self.tier)
        wallet = given.state(Wallet, self.user)
        creators = given.states_of(Creator, self.paid)
        frozen = next((c for c in self.paid if FreezeScope.EARN in creators[c].frozen), None)
        rejects = policy.frozen_creator_rule == "REJECT" and FreezeScope.SPEND not in wallet.frozen
        if frozen is not None and rejects:
            return reject(CREATOR_FROZEN, creator=frozen, scope=FreezeScope.EARN)
        terms = policy.sales["session"]
        refusal = party_refusal(self, terms, wallet, creators[self.payee])
        if refusal is not None:
            return refusal
        if self.user in self.paid:
            return reject(SELF_DEALING, user=self.user)
        refusal = price_refusal("session", self.amount, terms, "amount")
        refusal = refusal or tax_refusal(policy, self.country)
        if refusal is not None:
            return refusal
        if self.expires_at is not None and self.expires_at <= given.now:
            return reject(OFFER_EXPIRED, expired_at=self.expires_at)
        if offer is not None:
            refusal = offer_refusal(given, offer, self, wallet, given.now)
            refusal = refusal or leaves_to_pay(offer, prices)
            if refusal is not None:
                return refusal
        status = given.state(PaymentRecord, self.processor_ref).status
        if status is not None:
            return reject(INVALID_TRANSITION, subject=f"payment {self.processor_ref}", state=status)
        standing = len(given.state(Session, self.session).payments)
        if standing >= AUTHORIZATIONS_MAX:
            state = f"full, with {standing} authorisations"
            return reject(INVALID_TRANSITION, subject=f"session {self.session}", state=state)
        return None


class AuthorizationCommand(Command):
    """What commands about an authorisation carry."""

    payment: Id

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The authorisation, its parties, the invoices of its country, and its offer."""
        key = authorization_key(self.payment)
        authorization = states.loaded(Authorization, self.payment)
        if authorization is None or authorization.terms is None:
            return (key,)
        terms = authorization.terms
        creators = (f"creator:{creator}" for creator, _ in terms.weights)
        offer = offer_keys(terms.offer_id, terms.user)
        return key, f"wallet:{terms.user}", *creators, *series_keys(terms.country), *offer

    def is_allowed(self, status: AuthorizationStatus | None) -> bool:
        """Whether `status` allows this step."""
        return (status, self.name) in TRANSITIONS

    def not_open(self, status: str | None) -> Rejection:
        """The rejection of a step after the end."""
        return reject(HOLD_NOT_OPEN, hold=self.payment, state=status)


@command
class Capture(AuthorizationCommand):
    """Charge up to what the card stands for. The rest is voided, unless the capture is not final.

    `amount` is what the card pays; the discounts of the authorisation come on top in proportion.

    Where the processor allows several captures, each but the last has `final` false; the rest then
    is voided by the final one, or by `void` where no other comes. Each capture is a sale.
    """

    name = "capture"

    amount: PositiveAmount
    final: bool = True
    reason_code: Code | None = Field(
        default=None,
        description="What it is a fee for, where the session did not take place.",
    )

    def decide(self, given: Given) -> Decision:
        """The sale on the terms of the authorisation, or a rejection."""
        authorization = given.state(Authorization, self.payment)
        terms = authorization.terms
        if terms is None:
            return reject(UNKNOWN_AUTHORIZATION, payment=self.payment)
        creators = given.states_of(Creator, [creator for creator, _ in terms.weights])
        frozen = next(
            (c for c, state in creators.items() if FreezeScope.EARN in state.frozen), None
        )
        if frozen is not None and terms.frozen_creator_rule == "REJECT":
            return reject(CREATOR_FROZEN, creator=frozen, scope=FreezeScope.EARN)
        status = authorization.status_at(given.now)
        if (status, self.name if self.final else PART) not in TRANSITIONS:
            return self.not_open(status)
        left = authorization.left - self.amount
        if left < 0:
            held = authorization.left
            return reject(CAPTURE_EXCEEDS_HOLD, requested=self.amount, held=held)
        voided = left if self.final else 0
        sale = self._sale(given, authorization, terms, creators.values(), voided=voided)
        return (sale, *for_sale(given, sale))

    def _sale(
        self,
        given: Given,
        authorization: Authorization,
        terms: PaymentAuthorized,
        creators: Iterable[Creator],
        *,
        voided: int,
    ) -> PaymentCaptured:
        before = authorization.captured
        discount, by_platform = terms.parts(before, before + self.amount)
        full = self.amount + by_platform
        amounts = card_amounts(
            full, terms.weights, bps=BPS - terms.commission_bps, vat_bps=terms.vat_bps
        )
        return new_sale(
            PaymentCaptured,
            given,
            amounts,
            creators,
            sold_at=given.now,
            maturity_days=terms.maturity_days,
            refund_window_days=terms.refund_window_days,
            sale_id=given.new_id,
            buyer=terms.user,
            creator=terms.creator,
            product="session",
            funding=Funding.CARD,
            gross=full + discount,
            discount=discount,
            platform_discount=by_platform,
            offer_id=terms.offer_id,
            processor=terms.processor,
            processor_ref=terms.processor_ref,
            country=terms.country,
            payment_id=self.payment,
            session_id=terms.session_id,
            tier=terms.tier,
            voided=voided,
            final=self.final,
            reason=self.reason_code,
        )


@command
class Void(AuthorizationCommand):
    """Void what was not captured of an authorisation that is open or has expired."""

    name = "void"

    reason_code: Code

    def decide(self, given: Given) -> Decision:
        """The end of an authorisation that is open, or that has expired without being voided."""
        authorization = given.state(Authorization, self.payment)
        terms = authorization.terms
        if terms is None:
            return reject(UNKNOWN_AUTHORIZATION, payment=self.payment)
        status = authorization.status_at(given.now)
        if not self.is_allowed(status):
            return self.not_open(status)
        event = PaymentVoided(
            payment_id=self.payment,
            session_id=terms.session_id,
            amount=authorization.left,
            reason=self.reason_code,
            **authorization.unused_offer,
        )
        return (event,)


def failed_on(given: Given, payment: str, reason: str) -> tuple[PaymentFailed, ...]:
    """The end of an authorisation that the processor withdrew; nothing where it has ended."""
    authorization = given.state(Authorization, payment)
    terms = authorization.terms
    if terms is None or (authorization.status_at(given.now), "fail-payment") not in TRANSITIONS:
        return ()
    failed = PaymentFailed(
        payment_id=payment,
        session_id=terms.session_id,
        amount=authorization.left,
        reason=reason,
        **authorization.unused_offer,
    )
    return (failed,)
