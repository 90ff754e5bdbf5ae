"""Subscriptions to the platform itself, and plans that change from a period to come."""

from typing import Any

import pytest

from domain.command import Suspended
from domain.refunds.refund import RefundRecorded
from domain.sales.entitlement import Entitlement
from domain.subscriptions.subscription import PLANS_MAX, PeriodCharged, SubscriptionChanged
from tests.domain.books import balances
from tests.domain.in_memory_book import InMemoryBook, code
from tests.scenarios.policies import PREPAID_CREDITS

STRIPE = {"processor": "stripe"}


class Tenants(InMemoryBook):
    """A platform without creators that sells subscriptions of its own."""

    def __init__(self, **policy: Any) -> None:
        super().__init__({**PREPAID_CREDITS, "platform_subscriptions": True, **policy})

    def start(self, price: int = 4_900, **more: Any) -> None:
        self.happens("start-subscription", subscription="s", user="ten", price=price, **more)

    def period(self, month: int, price: int) -> dict[str, Any]:
        return {
            "subscription": "s",
            "period_start": f"2026-{month:02d}-01T00:00:00Z",
            "period_end": f"2026-{month + 1:02d}-01T00:00:00Z",
            "price": price,
            "processor_ref": f"in-{month}",
            **STRIPE,
        }

    def charge(self, month: int, price: int) -> PeriodCharged:
        event = self.happens("charge-period", **self.period(month, price))[0]
        assert isinstance(event, PeriodCharged)
        return event

    def change(self, plan: str, price: int, month: int) -> dict[str, Any]:
        since = f"2026-{month:02d}-01T00:00:00Z"
        return {"subscription": "s", "plan": plan, "price": price, "from_period": since}

    def accounts(self) -> dict[str, int]:
        return {name: amount for (name, _), amount in balances(self.history).items() if amount}


@pytest.mark.parametrize(
    ("price", "vat", "tax"), [(4_900, 0, 0), (4_900, 1900, 782), (1, 1900, 0), (999, 700, 65)]
)
def test_6_29_a_period_of_the_platforms_own_is_its_income(price: int, vat: int, tax: int) -> None:
    place = Tenants(vat={"DE": vat}, default_country="DE")
    place.start(price)
    sale = place.charge(1, price)
    assert (sale.creator, sale.payees, sale.tax) == ("", (), tax)
    expected = {"psp.stripe": price, "vat.DE": -tax, "rev.subscription": tax - price}
    assert place.accounts() == {name: amount for name, amount in expected.items() if amount}
    access = place.states["entitlement:ten:s"]
    assert isinstance(access, Entitlement) and access.live(sale.period_start) is not None


def test_6_29_what_goes_back_goes_out_of_the_same_income() -> None:
    place = Tenants()
    place.start()
    place.charge(1, 4_900)
    back = {"payment_ref": "in-1", "amount": 900, "processor_ref": "r1", **STRIPE}
    (event,) = place.happens("record-refund", **back)
    assert isinstance(event, RefundRecorded) and event.income == "rev.subscription"
    assert place.accounts() == {"psp.stripe": 4_000, "rev.subscription": -4_000}
    disputed = {"payment_ref": "in-1", "amount": 4_000, "fee": 1_500, "processor_ref": "d1"}
    place.happens("open-dispute", **disputed, **STRIPE)
    place.happens("close-dispute", dispute="d1", outcome="LOST", processor_ref="d1l", **STRIPE)
    assert place.accounts() == {"psp.stripe": -1_500, "exp.dispute": 1_500}
    place.happens("close-dispute", dispute="d1", outcome="WON", processor_ref="d1w", **STRIPE)
    assert place.accounts()["rev.subscription"] == -4_000


def test_6_29_a_charge_that_bounces_leaves_nothing() -> None:
    place = Tenants()
    place.start()
    place.charge(1, 4_900)
    bounced = {"payment_ref": "in-1", "reason_code": "BOUNCED", "processor_ref": "f1", **STRIPE}
    place.happens("fail-payment", **bounced)
    assert place.accounts() == {}


@pytest.mark.parametrize(
    ("policy", "fields", "expected"),
    [
        ({"platform_subscriptions": False}, {}, "PRODUCT_DISABLED"),
        ({}, {"creator": "carl"}, "PRODUCT_DISABLED"),
        (
            {"price_bounds": {"subscription": {"min": 5_000, "max": 9_000}}},
            {},
            "PRICE_OUT_OF_RANGE",
        ),
        ({}, {}, ""),
    ],
)
def test_6_29_the_policy_says_whether_it_is_sold(
    policy: dict[str, Any], fields: dict[str, Any], expected: str
) -> None:
    terms = {"subscription": "s", "user": "ten", "price": 4_900, **fields}
    assert code(Tenants(**policy).decide("start-subscription", **terms)) == expected


def test_6_29_a_frozen_tenant_starts_none_and_what_was_charged_waits() -> None:
    place = Tenants()
    place.start()
    frozen = {"subject": "ten", "kind": "wallet", "scope": "SPEND", "reason_code": "X"}
    place.happens("freeze", **frozen)
    terms = {"subscription": "t", "user": "ten", "price": 1}
    assert code(place.decide("start-subscription", **terms)) == "ACCOUNT_FROZEN"
    decision = place.decide("charge-period", **place.period(1, 4_900))
    assert isinstance(decision, Suspended) and decision.code == "ACCOUNT_FROZEN"


def test_6_29_a_plan_changes_from_a_period_to_come() -> None:
    place = Tenants()
    place.start(plan="basic")
    assert place.charge(1, 4_900).plan == "basic"
    (event,) = place.happens("change-subscription", **place.change("plus", 9_900, 3))
    assert isinstance(event, SubscriptionChanged) and event.postings(place.assets) == ()
    assert place.charge(2, 4_900).plan == "basic"
    sale = place.charge(3, 9_900)
    assert (sale.plan, sale.gross) == ("plus", 9_900)


@pytest.mark.parametrize(("month", "expected"), [(1, "INVALID_TRANSITION"), (2, ""), (3, "")])
def test_6_29_what_is_paid_keeps_its_plan(month: int, expected: str) -> None:
    place = Tenants()
    place.start(plan="basic")
    place.charge(1, 4_900)
    decision = place.decide("change-subscription", **place.change("plus", 9_900, month))
    assert code(decision) == expected


def test_6_29_a_later_change_replaces_what_was_to_come() -> None:
    place = Tenants()
    place.start(plan="basic")
    for plan, month in (("plus", 4), ("huge", 3), ("small", 5)):
        place.happens("change-subscription", **place.change(plan, 100, month))
    plans = [place.charge(month, 100).plan for month in (1, 2, 3, 4, 5, 6)]
    assert plans == ["basic", "basic", "huge", "huge", "small", "small"]


def test_6_29_only_a_subscription_that_runs_is_changed() -> None:
    place = Tenants()
    change = place.change("plus", 100, 4)
    assert code(place.decide("change-subscription", **change)) == "UNKNOWN_SUBSCRIPTION"
    place.start()
    place.happens("cancel-subscription", subscription="s")
    assert code(place.decide("change-subscription", **change)) == "INVALID_TRANSITION"


def test_6_29_so_many_changes_are_remembered() -> None:
    place = Tenants()
    place.start()
    for day in range(1, 2 * PLANS_MAX):
        since = f"2026-06-{day % 28 + 1:02d}T{day // 28:02d}:00:00Z"
        fields = {"subscription": "s", "plan": f"p{day}", "price": 1, "from_period": since}
        place.happens("change-subscription", **fields)
    assert len(place.states["subscription:s"].plans) <= PLANS_MAX  # type: ignore[attr-defined]
