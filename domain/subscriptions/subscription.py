"""Subscriptions: a fan pays a creator by the period, or a tenant the platform, until the last ends.

The processor charges and tells; periods may arrive late and in any order, and each is paid once. A
charged period entitles to two items: the subscription and its creator, so that whoever guards
content may ask with whichever id they know.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from domain import accounts
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.sales.entitlement import Entitlement, EntitlementEvent, entitlement_key
from domain.sales.sale import Sale
from domain.transitions import Transitions
from domain.wallets.wallet import Wallet, WalletEvent


class SubscriptionStatus(StrEnum):
    """Where a subscription is in its life."""

    ACTIVE = "ACTIVE"
    GRACE = "GRACE"
    CANCELLED = "CANCELLED"
    LAPSED = "LAPSED"


#: A period from before the end may still be charged after it; that revives nothing.
TRANSITIONS: Transitions[SubscriptionStatus] = {
    (None, "start-subscription"): SubscriptionStatus.ACTIVE,
    (SubscriptionStatus.ACTIVE, "charge-period"): SubscriptionStatus.ACTIVE,
    (SubscriptionStatus.ACTIVE, "fail-period"): SubscriptionStatus.GRACE,
    (SubscriptionStatus.ACTIVE, "change-subscription"): SubscriptionStatus.ACTIVE,
    (SubscriptionStatus.GRACE, "change-subscription"): SubscriptionStatus.GRACE,
    (SubscriptionStatus.ACTIVE, "cancel-subscription"): SubscriptionStatus.CANCELLED,
    (SubscriptionStatus.ACTIVE, "lapse-subscription"): SubscriptionStatus.LAPSED,
    (SubscriptionStatus.GRACE, "charge-period"): SubscriptionStatus.ACTIVE,
    (SubscriptionStatus.GRACE, "fail-period"): SubscriptionStatus.GRACE,
    (SubscriptionStatus.GRACE, "cancel-subscription"): SubscriptionStatus.CANCELLED,
    (SubscriptionStatus.GRACE, "lapse-subscription"): SubscriptionStatus.LAPSED,
    (SubscriptionStatus.CANCELLED, "charge-period"): SubscriptionStatus.CANCELLED,
    (SubscriptionStatus.LAPSED, "charge-period"): SubscriptionStatus.LAPSED,
}


def after(status: SubscriptionStatus | None, step: str) -> SubscriptionStatus | None:
    """The status after `step`; what the step does not concern stays as it was."""
    return TRANSITIONS.get((status, step), status)


def subscription_key(subscription_id: str) -> str:
    """The tag of a subscription."""
    return f"subscription:{subscription_id}"


class SubscriptionEvent(Event, frozen=True):
    """An event in a subscription's life."""

    def in_subscription(self, subscription: "Subscription") -> "Subscription":
        """The subscription after this event."""
        raise NotImplementedError(type(self).__name__)


#: Changes of plan that a subscription remembers, and periods.
PLANS_MAX = 16
PERIODS_MAX = 500


class Plan(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a subscription is sold as from the period `since` on; None: from the first."""

    plan: str | None
    price: int
    since: datetime | None = None


@entity
class Subscription(State, frozen=True, kw_only=True):
    """Who subscribed to whom, which periods are paid, and until when."""

    KIND = "subscription"
    FOLD_VERSION = 3

    status: SubscriptionStatus | None = None
    user: str = ""
    creator: str = ""
    #: The beginnings of the periods that are paid; of very many, the last ones.
    periods: tuple[datetime, ...] = ()
    paid_until: datetime | None = None
    ended_at: datetime | None = None
    #: What it is sold as, from which period on; the last ones, in the order of the periods.
    plans: tuple[Plan, ...] = ()
    #: A period that begins by then may be paid without standing in `periods` any more.
    forgotten: datetime | None = None

    def is_paid(self, period_start: datetime) -> bool:
        """Whether the period that begins then is paid, or may be: what is forgotten counts so."""
        if self.forgotten is not None and period_start <= self.forgotten:
            return True
        return period_start in self.periods

    def with_period(self, period_start: datetime) -> "Subscription":
        """The subscription with one more period paid."""
        periods = (*self.periods, period_start)
        if len(periods) <= PERIODS_MAX:
            return msgspec.structs.replace(self, periods=periods)
        first = min(periods)
        return msgspec.structs.replace(
            self,
            periods=tuple(start for start in periods if start != first),
            forgotten=first if self.forgotten is None else max(first, self.forgotten),
        )

    def plan_at(self, period_start: datetime) -> str | None:
        """The plan of the period that begins then."""
        found = None
        for plan in self.plans:
            if plan.since is None or plan.since <= period_start:
                found = plan.plan
        return found

    def apply(self, key: str, event: Event) -> "Subscription":
        """The subscription after `event`: every event in its life says how."""
        assert isinstance(event, SubscriptionEvent)
        return event.in_subscription(self)


class SubscriptionTurn(SubscriptionEvent, WalletEvent, frozen=True, kw_only=True):
    """A turn in a subscription's life; nothing is paid by it."""

    subscription_id: str
    user: str
    #: Empty: the platform itself.
    creator: str = ""

    def tags(self) -> tuple[str, ...]:
        """The subscription and its fan's wallet."""
        return subscription_key(self.subscription_id), f"wallet:{self.user}"

    def ended(self, wallet: Wallet) -> Wallet:
        """The wallet without this subscription."""
        left = tuple(one for one in wallet.subscriptions if one != self.subscription_id)
        return msgspec.structs.replace(wallet, subscriptions=left)


@stored_as("subscription.started.v1")
class SubscriptionStarted(SubscriptionTurn, frozen=True, kw_only=True):
    """A fan subscribed at `price` a period; access begins with the first period paid."""

    price: int
    plan: str | None = None

    def in_subscription(self, subscription: Subscription) -> Subscription:
        return Subscription(
            status=SubscriptionStatus.ACTIVE,
            user=self.user,
            creator=self.creator,
            plans=(Plan(self.plan, self.price),),
        )

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        more = (*wallet.subscriptions, self.subscription_id)
        return msgspec.structs.replace(wallet, subscriptions=more)


@stored_as("subscription.changed.v1")
class SubscriptionChanged(SubscriptionTurn, frozen=True, kw_only=True):
    """From the period `from_period` on it is another plan, or has another price."""

    plan: str
    price: int
    from_period: datetime

    def in_subscription(self, subscription: Subscription) -> Subscription:
        """What was to come from then on is replaced."""
        before = tuple(
            plan
            for plan in subscription.plans
            if plan.since is None or plan.since < self.from_period
        )
        plans = (*before, Plan(self.plan, self.price, self.from_period))
        return msgspec.structs.replace(subscription, plans=plans[-PLANS_MAX:])

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """It is still charged."""
        return wallet


@stored_as("subscription_period.charged.v1")
class PeriodCharged(Sale, EntitlementEvent, SubscriptionEvent, frozen=True, kw_only=True):
    """A period was paid by card."""

    subscription_id: str
    period_start: datetime
    period_end: datetime
    plan: str | None = None

    @property
    def income(self) -> str | None:
        """The platform's own subscriptions have an account of their own."""
        return None if self.payees else accounts.SUBSCRIPTION_REVENUE

    @property
    def items(self) -> tuple[str, ...]:
        """The subscription, and all that its creator has."""
        return (self.subscription_id, self.creator) if self.creator else (self.subscription_id,)

    @property
    def entitled_until(self) -> datetime:
        return self.period_end

    def tags(self) -> tuple[str, ...]:
        """Those of a sale, the subscription, and both entitlements."""
        return (
            *super().tags(),
            subscription_key(self.subscription_id),
            *(entitlement_key(self.buyer, item) for item in self.items),
        )

    def in_subscription(self, subscription: Subscription) -> Subscription:
        """Paid for longer; what had failed is made good."""
        until = subscription.paid_until
        return msgspec.structs.replace(
            subscription.with_period(self.period_start),
            status=after(subscription.status, "charge-period"),
            paid_until=self.period_end if until is None else max(until, self.period_end),
        )

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """Until the end of this period; whichever ends last counts."""
        return entitlement.granted(self.sale_id, self.period_end)


@stored_as("subscription_period.failed.v1")
class PeriodFailed(SubscriptionTurn, frozen=True, kw_only=True):
    """The processor could not charge a period, at least not yet."""

    period_start: datetime

    def in_subscription(self, subscription: Subscription) -> Subscription:
        """In grace: what is paid stays, and the period may still be charged."""
        status = after(subscription.status, "fail-period")
        return msgspec.structs.replace(subscription, status=status)


@stored_as("subscription.cancelled.v1")
class SubscriptionCancelled(SubscriptionTurn, frozen=True, kw_only=True):
    """No more periods from `at`; what is paid stays."""

    at: datetime

    def in_subscription(self, subscription: Subscription) -> Subscription:
        return msgspec.structs.replace(
            subscription, status=SubscriptionStatus.CANCELLED, ended_at=self.at
        )

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        return self.ended(wallet)


@stored_as("subscription.lapsed.v1")
class SubscriptionLapsed(SubscriptionTurn, frozen=True, kw_only=True):
    """The subscription ended because it was not paid."""

    at: datetime

    def in_subscription(self, subscription: Subscription) -> Subscription:
        return msgspec.structs.replace(
            subscription, status=SubscriptionStatus.LAPSED, ended_at=self.at
        )

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        return self.ended(wallet)
