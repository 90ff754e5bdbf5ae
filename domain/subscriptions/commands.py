"""Subscribing: subscriptions are started, charged by the period, failed, cancelled and lapsed.

Charges and failures are notices: they are facts, so what contradicts the policy or the state is
kept in suspense for a person, and what speaks of a subscription that is not here yet waits for it.
"""

from collections.abc import Iterable

from domain.command import Command, Decision, Given, Parked, command
from domain.creators.creator import Creator
from domain.entity import LoadedStates
from domain.fields import (
    Country,
    Currency,
    FreezeScope,
    Funding,
    Id,
    Instant,
    PositiveAmount,
    Reference,
)
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
from domain.policy import Policy
from domain.rejections import (
    ACCOUNT_FROZEN,
    CURRENCY_MISMATCH,
    DUPLICATE_PAYMENT,
    DUPLICATE_PERIOD,
    INVALID_TRANSITION,
    NO_POLICY,
    PRODUCT_DISABLED,
    UNKNOWN_SUBSCRIPTION,
    Rejection,
    reject,
)
from domain.sales.amounts import card_amounts
from domain.sales.commands import new_sale, party_refusal, price_refusal, tax_refusal
from domain.sales.invoices import for_sale, series_keys
from domain.subscriptions.subscription import (
    TRANSITIONS,
    PeriodCharged,
    PeriodFailed,
    Subscription,
    SubscriptionCancelled,
    SubscriptionChanged,
    SubscriptionLapsed,
    SubscriptionStarted,
    SubscriptionStatus,
    subscription_key,
)
from domain.wallets.wallet import Wallet


class Subscribed:
    """A subscription as a deal between its two parties."""

    product = "subscription"
    funding = Funding.CARD

    def __init__(self, user: str, creator: str = "") -> None:
        self.user = user
        self.creator = creator

    def parties(self) -> tuple[str, ...]:
        """Their tags."""
        user = f"wallet:{self.user}"
        return (user, f"creator:{self.creator}") if self.creator else (user,)

    def refusal(self, given: Given, policy: Policy, price: int) -> Rejection | None:
        """Parties, product and price, as for any sale; of the platform's own, its switch."""
        wallet = given.state(Wallet, self.user)
        if not self.creator:
            if FreezeScope.SPEND in wallet.frozen:
                return reject(ACCOUNT_FROZEN, user=self.user, scope=FreezeScope.SPEND)
            if not policy.platform_subscriptions:
                return reject(PRODUCT_DISABLED, product=self.product, funding=self.funding)
            return price_refusal(self.product, price, policy.sales[self.product])
        creator = given.state(Creator, self.creator)
        terms = policy.sales[self.product]
        return party_refusal(self, terms, wallet, creator) or price_refusal(
            self.product, price, terms
        )


class SubscriptionCommand(Command):
    """What every command about a subscription carries."""

    subscription: Id

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The subscription, and its parties."""
        key = subscription_key(self.subscription)
        subscription = states.loaded(Subscription, self.subscription)
        if subscription is None or subscription.status is None:
            return (key,)
        return key, *Subscribed(subscription.user, subscription.creator).parties()

    def invalid_transition(self, status: str | None) -> Rejection:
        """The rejection of a step that `status` does not allow."""
        return reject(INVALID_TRANSITION, subject=f"subscription {self.subscription}", state=status)


@command
class StartSubscription(SubscriptionCommand):
    """Start a subscription, whose periods the processor then charges.

    Without a creator it is one to the platform itself, where the policy has any.
    """

    name = "start-subscription"

    user: Id
    creator: Id | None = None
    price: PositiveAmount
    plan: Id | None = None

    def subjects(self) -> tuple[str, ...]:
        """Its parties."""
        return Subscribed(self.user, self.creator or "").parties()

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (*super().prefetch(states), *self.subjects())

    def decide(self, given: Given) -> Decision:
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        deal = Subscribed(self.user, self.creator or "")
        refusal = deal.refusal(given, version.policy, self.price)
        if refusal is not None:
            return refusal
        status = given.state(Subscription, self.subscription).status
        if (status, self.name) not in TRANSITIONS:
            return self.invalid_transition(status)
        event = SubscriptionStarted(
            subscription_id=self.subscription,
            user=self.user,
            creator=deal.creator,
            price=self.price,
            plan=self.plan,
        )
        return (event,)


class PeriodNotice(SubscriptionCommand):
    """What a processor tells of a period."""

    period_start: Instant
    processor: Id
    processor_ref: Reference
    currency: Currency | None = None

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference."""
        return self.processor, self.processor_ref


@command
class ChargePeriod(PeriodNotice):
    """Record that a period was charged (notice)."""

    name = "charge-period"

    period_end: Instant
    price: PositiveAmount
    country: Country | None = None
    offer: OfferField = None
    platform_discount: PlatformDiscount = 0

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The subscription, its parties, what stands under the reference, invoices, the offer."""
        payment = payment_key(self.processor_ref)
        keys = *super().prefetch(states), payment, *series_keys(self.country)
        if self.offer is None:
            return keys
        subscription = states.loaded(Subscription, self.subscription)
        if subscription is None or subscription.status is None:
            return *keys, offer_key(self.offer)
        return *keys, *offer_keys(self.offer, subscription.user)

    def problems(self) -> Iterable[tuple[str, str]]:
        """A period ends after it begins, and something is left for the card."""
        if self.period_end <= self.period_start:
            yield "/period_end", "is not after period_start"
        yield from discount_problems(self.offer, (self.price, 0, self.platform_discount))

    def decide(self, given: Given) -> Decision:
        """The sale, under the policy in force when the processor was paid; else suspense."""
        prices, offer = (self.price, 0, self.platform_discount), None
        if self.offer is not None:
            offer = given.state(Offer, self.offer)
            if offer.terms is None:
                return Parked(offer_key(self.offer))
            prices = offer.terms.prices(self.price)
        paid = charged(prices)
        other = other_currency(self, given)
        if other is not None:
            return suspended(self, paid, CURRENCY_MISMATCH.code, currency=other)
        subscription = given.state(Subscription, self.subscription)
        if subscription.status is None:
            return Parked(subscription_key(self.subscription))
        version = given.policy_at(self.occurred_at or given.now)
        if version is None:
            return suspended(self, paid, NO_POLICY.code)
        deal = Subscribed(subscription.user, subscription.creator)
        refusal = deal.refusal(given, version.policy, self.price)
        refusal = refusal or tax_refusal(version.policy, self.country)
        if offer is not None and refusal is None:
            wallet = given.state(Wallet, deal.user)
            refusal = offer_refusal(given, offer, deal, wallet, self.occurred_at or given.now)
        if refusal is not None:
            return suspended(self, paid, refusal.reason.code)
        if given.state(PaymentRecord, self.processor_ref).is_another(self.processor):
            return suspended(self, paid, DUPLICATE_PAYMENT)
        if subscription.is_paid(self.period_start):
            return suspended(self, paid, DUPLICATE_PERIOD)
        if subscription.ended_at is not None and self.period_start >= subscription.ended_at:
            return suspended(self, paid, INVALID_TRANSITION.code)
        sale = self._sale(given, version.policy, deal, prices)
        return (sale, *for_sale(given, sale))

    def _sale(
        self, given: Given, policy: Policy, deal: Subscribed, prices: Prices
    ) -> PeriodCharged:
        price, discount, by_platform = prices
        country = policy.tax_country(self.country)
        amounts = card_amounts(
            price - discount,
            ((deal.creator, 1),) if deal.creator else (),
            bps=policy.revenue_share.of(deal.product) if deal.creator else 0,
            vat_bps=policy.vat_bps(country),
        )
        return new_sale(
            PeriodCharged,
            given,
            amounts,
            (given.state(Creator, deal.creator),) if deal.creator else (),
            sold_at=self.occurred_at or given.now,
            maturity_days=policy.maturity_days,
            refund_window_days=policy.refund_window_days,
            sale_id=given.new_id,
            buyer=deal.user,
            creator=deal.creator,
            product=deal.product,
            funding=Funding.CARD,
            gross=price,
            discount=discount,
            platform_discount=by_platform,
            offer_id=self.offer,
            item_id=self.subscription,
            processor=self.processor,
            processor_ref=self.processor_ref,
            country=country,
            subscription_id=self.subscription,
            period_start=self.period_start,
            period_end=self.period_end,
            plan=given.state(Subscription, self.subscription).plan_at(self.period_start),
        )


@command
class FailPeriod(PeriodNotice):
    """Record that a period could not be charged (notice)."""

    name = "fail-period"

    def decide(self, given: Given) -> Decision:
        """The failure. That of a paid period contradicts it; after the end it changes nothing."""
        if other_currency(self, given) is not None:
            return suspended(self, 0, CURRENCY_MISMATCH.code)
        subscription = given.state(Subscription, self.subscription)
        if subscription.status is None:
            return Parked(subscription_key(self.subscription))
        if subscription.is_paid(self.period_start):
            return suspended(self, 0, INVALID_TRANSITION.code)
        if (subscription.status, self.name) not in TRANSITIONS:
            return ()
        event = PeriodFailed(
            subscription_id=self.subscription,
            user=subscription.user,
            creator=subscription.creator,
            period_start=self.period_start,
        )
        return (event,)


@command
class ChangeSubscription(SubscriptionCommand):
    """Sell a subscription as another plan, or at another price, from a period to come.

    Periods that are paid stay as they are; the processor charges what it charges.
    """

    name = "change-subscription"

    plan: Id
    price: PositiveAmount
    from_period: Instant

    def decide(self, given: Given) -> Decision:
        """The change, unless its period or a later one is paid already."""
        subscription = given.state(Subscription, self.subscription)
        if subscription.status is None:
            return reject(UNKNOWN_SUBSCRIPTION, subscription=self.subscription)
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        deal = Subscribed(subscription.user, subscription.creator)
        refusal = deal.refusal(given, version.policy, self.price)
        if refusal is not None:
            return refusal
        if (subscription.status, self.name) not in TRANSITIONS:
            return self.invalid_transition(subscription.status)
        if any(self.from_period <= paid for paid in subscription.periods):
            return self.invalid_transition(f"paid for the period {self.from_period} or a later one")
        event = SubscriptionChanged(
            subscription_id=self.subscription,
            user=subscription.user,
            creator=subscription.creator,
            plan=self.plan,
            price=self.price,
            from_period=self.from_period,
        )
        return (event,)


@command
class CancelSubscription(SubscriptionCommand):
    """Cancel a subscription; the periods that are paid stay."""

    name = "cancel-subscription"

    def decide(self, given: Given) -> Decision:
        """The end of one that runs."""
        subscription = given.state(Subscription, self.subscription)
        if subscription.status is None:
            return reject(UNKNOWN_SUBSCRIPTION, subscription=self.subscription)
        if (subscription.status, self.name) not in TRANSITIONS:
            return self.invalid_transition(subscription.status)
        event = SubscriptionCancelled(
            subscription_id=self.subscription,
            user=subscription.user,
            creator=subscription.creator,
            at=given.now,
        )
        return (event,)


@command
class LapseSubscription(SubscriptionCommand):
    """Lapse a subscription that is not paid: in grace, or past the end of its last period."""

    name = "lapse-subscription"

    def decide(self, given: Given) -> Decision:
        """The lapse, or a rejection while the subscription is paid for."""
        subscription = given.state(Subscription, self.subscription)
        if subscription.status is None:
            return reject(UNKNOWN_SUBSCRIPTION, subscription=self.subscription)
        until = subscription.paid_until
        paid = until is not None and given.now < until
        runs = subscription.status == SubscriptionStatus.ACTIVE and paid
        if runs or (subscription.status, self.name) not in TRANSITIONS:
            return self.invalid_transition(subscription.status)
        event = SubscriptionLapsed(
            subscription_id=self.subscription,
            user=subscription.user,
            creator=subscription.creator,
            at=given.now,
        )
        return (event,)
