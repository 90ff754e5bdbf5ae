"""Subscribing: subscriptions are started, charged by the period, failed, cancelled and lapsed.

Charges and failures are notices: they are facts, so what contradicts the policy or the state is
kept in suspense for a person, and what speaks of a subscription that is not here yet waits for it.
"""

from collections.abc import Iterable

from domain.command import Command, Decision, Given, Parked, command
from domain.creators.creator import Creator
from domain.entity import LoadedStates
from domain.fields import Country, Currency, Funding, Id, Instant, PositiveAmount, Reference
from domain.payments.payment import PaymentRecord, payment_key
from domain.payments.suspense import other_currency, suspended
from domain.policy import Policy
from domain.rejections import (
    CURRENCY_MISMATCH,
    DUPLICATE_PAYMENT,
    DUPLICATE_PERIOD,
    INVALID_TRANSITION,
    NO_POLICY,
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

    def __init__(self, user: str, creator: str) -> None:
        self.user = user
        self.creator = creator

    def refusal(self, given: Given, policy: Policy, price: int) -> Rejection | None:
        """Parties, product and price, as for any sale."""
        wallet = given.state(Wallet, self.user)
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
        return key, f"wallet:{subscription.user}", f"creator:{subscription.creator}"

    def invalid_transition(self, status: str | None) -> Rejection:
        """The rejection of a step that `status` does not allow."""
        return reject(INVALID_TRANSITION, subject=f"subscription {self.subscription}", state=status)


@command
class StartSubscription(SubscriptionCommand):
    """Start a subscription, whose periods the processor then charges."""

    name = "start-subscription"

    user: Id
    creator: Id
    price: PositiveAmount

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (*super().prefetch(states), f"wallet:{self.user}", f"creator:{self.creator}")

    def decide(self, given: Given) -> Decision:
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        refusal = Subscribed(self.user, self.creator).refusal(given, version.policy, self.price)
        if refusal is not None:
            return refusal
        status = given.state(Subscription, self.subscription).status
        if (status, self.name) not in TRANSITIONS:
            return self.invalid_transition(status)
        event = SubscriptionStarted(
            subscription_id=self.subscription,
            user=self.user,
            creator=self.creator,
            price=self.price,
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

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The subscription, its parties, what stands under the reference, and the invoices."""
        payment = payment_key(self.processor_ref)
        return *super().prefetch(states), payment, *series_keys(self.country)

    def problems(self) -> Iterable[tuple[str, str]]:
        """A period ends after it begins."""
        if self.period_end <= self.period_start:
            yield "/period_end", "is not after period_start"

    def decide(self, given: Given) -> Decision:
        """The sale, under the policy in force when the processor was paid; else suspense."""
        other = other_currency(self, given)
        if other is not None:
            return suspended(self, self.price, CURRENCY_MISMATCH.code, currency=other)
        subscription = given.state(Subscription, self.subscription)
        if subscription.status is None:
            return Parked(subscription_key(self.subscription))
        version = given.policy_at(self.occurred_at or given.now)
        if version is None:
            return suspended(self, self.price, NO_POLICY.code)
        deal = Subscribed(subscription.user, subscription.creator)
        refusal = deal.refusal(given, version.policy, self.price)
        refusal = refusal or tax_refusal(version.policy, self.country)
        if refusal is not None:
            return suspended(self, self.price, refusal.reason.code)
        if given.state(PaymentRecord, self.processor_ref).is_another(self.processor):
            return suspended(self, self.price, DUPLICATE_PAYMENT)
        if self.period_start in subscription.periods:
            return suspended(self, self.price, DUPLICATE_PERIOD)
        if subscription.ended_at is not None and self.period_start >= subscription.ended_at:
            return suspended(self, self.price, INVALID_TRANSITION.code)
        sale = self._sale(given, version.policy, deal)
        return (sale, *for_sale(given, sale))

    def _sale(self, given: Given, policy: Policy, deal: Subscribed) -> PeriodCharged:
        country = policy.tax_country(self.country)
        amounts = card_amounts(
            self.price,
            ((deal.creator, 1),),
            bps=policy.revenue_share.of(deal.product),
            vat_bps=policy.vat_bps(country),
        )
        return new_sale(
            PeriodCharged,
            given,
            amounts,
            (given.state(Creator, deal.creator),),
            sold_at=self.occurred_at or given.now,
            maturity_days=policy.maturity_days,
            refund_window_days=policy.refund_window_days,
            sale_id=given.new_id,
            buyer=deal.user,
            creator=deal.creator,
            product=deal.product,
            funding=Funding.CARD,
            gross=self.price,
            item_id=self.subscription,
            processor=self.processor,
            processor_ref=self.processor_ref,
            country=country,
            subscription_id=self.subscription,
            period_start=self.period_start,
            period_end=self.period_end,
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
        if self.period_start in subscription.periods:
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
