"""Subscriptions: who subscribed to whom, as what, which periods are paid, and until when."""

from dataclasses import dataclass
from datetime import datetime

from domain.subscriptions.subscription import (
    Subscription,
    SubscriptionEvent,
    SubscriptionStatus,
)
from projections.engine.columns import INTEGER, TEXT, TIME, kept
from projections.engine.register import Detail, Register, lives


@dataclass(frozen=True)
class PlanSince:
    """What a subscription is sold as from a period on; none: from the first."""

    plan: str | None
    price: int
    since: datetime | None


class Subscriptions(Register):
    """Subscriptions; `price` is that of a period, in minor units, as it was agreed last."""

    name, item = "subscriptions", "subscription"
    version = 1
    state = Subscription
    statuses = tuple(SubscriptionStatus)
    branches = lives(SubscriptionEvent)
    amount = "price"
    columns = (
        kept("user", TEXT, by="user"),
        kept(
            "creator",
            TEXT,
            lambda subscription: subscription.creator or None,
            nullable=True,
            by="creator",
            text="none: the platform itself",
        ),
        kept(
            "plan", TEXT, lambda subscription: subscription.plans[-1].plan, nullable=True, by="plan"
        ),
        kept("price", INTEGER, lambda subscription: subscription.plans[-1].price),
        kept("periods_paid", INTEGER, lambda subscription: len(subscription.periods)),
        kept("paid_until", TIME, nullable=True),
        kept("ended_at", TIME, nullable=True),
    )
    details = (
        Detail("periods", list[datetime], lambda subscription: sorted(subscription.periods)),
        Detail(
            "plans",
            list[PlanSince],
            lambda subscription: [
                PlanSince(one.plan, one.price, one.since) for one in subscription.plans
            ],
        ),
    )
