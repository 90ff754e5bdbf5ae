"""Subscriptions: each period is paid once, in whatever order the processor tells of them."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import balanced
from domain.catalogue import InvalidRequest
from domain.command import Decision, Parked, Suspended
from domain.rejections import Rejection
from domain.sales.entitlement import Entitlement
from domain.subscriptions.subscription import PeriodCharged, Subscription
from tests.domain.in_memory_book import ASSETS, NOW, InMemoryBook, code
from tests.scenarios.policies import SUBSCRIPTION

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


def start_of(period: int) -> datetime:
    return BEGIN + timedelta(days=30 * (period - 1))


def text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


class Subscriptions(InMemoryBook):
    """A book with one subscription of 30-day periods."""

    def __init__(self, *, started: bool = True, **policy: Any) -> None:
        super().__init__({**SUBSCRIPTION, **policy})
        if started:
            self.happens("start-subscription", **self.start)

    start: ClassVar = {"subscription": "s1", "user": "ann", "creator": "carl", "price": 999}

    def notice(self, period: int, ref: str | None = None) -> dict[str, Any]:
        return {
            "subscription": "s1",
            "period_start": text(start_of(period)),
            "processor": "stripe",
            "processor_ref": ref or f"in_{period}",
        }

    def charge(self, period: int, price: int = 999, ref: str | None = None) -> Decision:
        end = text(start_of(period + 1))
        decision = self.decide(
            "charge-period", **self.notice(period, ref), period_end=end, price=price
        )
        if isinstance(decision, tuple):
            self.record(*decision)
        elif isinstance(decision, Suspended):
            self.record(*decision.events)
        return decision

    def do(self, what: str) -> None:
        self.happens(f"{what}-subscription", subscription="s1")

    def item(self, item: str = "s1") -> Entitlement:
        found = self.states[f"entitlement:ann:{item}"]
        assert isinstance(found, Entitlement)
        return found

    def until(self, item: str = "s1") -> datetime | None:
        longest = self.item(item).longest
        assert longest is not None
        return longest.valid_until

    @property
    def subscription(self) -> Subscription:
        found = self.states["subscription:s1"]
        assert isinstance(found, Subscription)
        return found

    def balance(self, account: str) -> int:
        legs = (leg for event in self.history for leg in balanced(event.postings(ASSETS)))
        return -sum(amount for name, _, amount in legs if name == account)


def test_period_two_before_period_one() -> None:
    place = Subscriptions()
    for period in (2, 1):
        assert code(place.charge(period)) == ""
    assert place.balance("cr.carl.available") == 1_598
    assert place.balance("rev.commission") == 400
    for item in ("s1", "carl"):
        assert place.until(item) == start_of(3)


def test_a_period_told_again_under_another_reference_is_for_a_person() -> None:
    place = Subscriptions()
    place.charge(1)
    again = place.charge(1, ref="in_1b")
    assert code(again) == "DUPLICATE_PERIOD"
    assert place.balance("suspense") == 999
    assert place.balance("cr.carl.available") == 799


@pytest.mark.parametrize("name", ["charge-period", "fail-period"])
def test_what_is_told_of_a_subscription_that_is_not_here_yet_waits(name: str) -> None:
    place = Subscriptions(started=False)
    fields: dict[str, Any] = place.notice(1)
    if name == "charge-period":
        fields |= {"period_end": text(start_of(2)), "price": 999}
    assert place.decide(name, **fields) == Parked("subscription:s1")


def test_a_failure_is_grace_until_it_is_made_good_or_lapses() -> None:
    place = Subscriptions()
    place.charge(1)
    place.happens("fail-period", **place.notice(2))
    assert place.subscription.status == "GRACE"
    place.happens("fail-period", **place.notice(2, "again"))
    place.charge(2)
    assert place.subscription.status == "ACTIVE"
    place.happens("fail-period", **place.notice(3))
    place.do("lapse")
    assert place.subscription.status == "LAPSED"
    assert place.until() == start_of(3)  # what is paid stays
    assert place.decide("fail-period", **place.notice(4)) == ()


def test_a_failure_of_a_period_that_is_paid_contradicts_and_reverses_nothing() -> None:
    place = Subscriptions()
    place.charge(1)
    decision = place.decide("fail-period", **place.notice(1, "late"))
    assert code(decision) == "INVALID_TRANSITION"
    assert isinstance(decision, Suspended)
    assert all(balanced(event.postings(ASSETS)) == () for event in decision.events)


def test_cancelling_keeps_the_paid_period_and_takes_late_facts_from_before() -> None:
    place = Subscriptions()
    place.charge(1)
    place.do("cancel")
    assert place.item().live(NOW)
    assert code(place.charge(0)) == ""  # began before the end
    assert code(place.charge(2)) == "INVALID_TRANSITION"  # began after it
    assert place.balance("suspense") == 999
    assert place.until() == start_of(2)


def test_every_turn_that_the_state_does_not_allow() -> None:
    place = Subscriptions(started=False)
    for what in ("cancel", "lapse"):
        decision = place.decide(f"{what}-subscription", subscription="s1")
        assert code(decision) == "UNKNOWN_SUBSCRIPTION"
    place.happens("start-subscription", **place.start)
    assert code(place.decide("start-subscription", **place.start)) == "INVALID_TRANSITION"
    place.charge(1)
    lapse = place.decide("lapse-subscription", subscription="s1")
    assert isinstance(lapse, Rejection)
    assert lapse.details == {"subject": "subscription s1", "state": "ACTIVE"}
    place.now = start_of(2)
    place.do("lapse")
    for what in ("cancel", "lapse"):
        decision = place.decide(f"{what}-subscription", subscription="s1")
        assert code(decision) == "INVALID_TRANSITION"
    assert code(place.decide("start-subscription", **place.start)) == "INVALID_TRANSITION"


@pytest.mark.parametrize(
    ("rule", "expected", "bucket"),
    [("REJECT", "CREATOR_FROZEN", "suspense"), ("ESCROW", "", "cr.carl.reserved")],
)
def test_renewals_to_a_frozen_creator(rule: str, expected: str, bucket: str) -> None:
    place = Subscriptions(frozen_creator_rule=rule)
    place.happens("freeze", subject="carl", kind="creator", scope="EARN", reason_code="X")
    assert code(place.charge(1)) == expected
    assert place.balance(bucket) == (999 if expected else 799)


@pytest.mark.parametrize(
    ("fields", "policy", "expected"),
    [
        ({}, {"products_enabled": ["unlock"]}, "PRODUCT_DISABLED"),
        ({"user": "carl"}, {}, "SELF_DEALING"),
        (
            {"price": 99},
            {"price_bounds": {"subscription": {"min": 100, "max": 999}}},
            "PRICE_OUT_OF_RANGE",
        ),
        ({}, {}, ""),
    ],
)
def test_what_stands_against_a_start(
    fields: dict[str, Any], policy: dict[str, Any], expected: str
) -> None:
    place = Subscriptions(started=False, **policy)
    start = {**place.start, **fields}
    assert code(place.decide("start-subscription", **start)) == expected
    place.happens("freeze", subject="carl", kind="creator", scope="EARN", reason_code="X")
    assert code(place.decide("start-subscription", **start)) == "CREATOR_FROZEN"


def test_a_charge_when_no_policy_was_in_force() -> None:
    place = Subscriptions()
    fields = {**place.notice(1), "period_end": text(start_of(2)), "price": 999}
    assert code(place.decide("charge-period", **fields, occurred_at="1969-01-01T00:00:00Z")) == (
        "NO_POLICY"
    )


def test_a_period_ends_after_it_begins() -> None:
    place = Subscriptions()
    fields = {**place.notice(1), "period_end": text(start_of(1)), "price": 999}
    with pytest.raises(InvalidRequest):
        place.decide("charge-period", **fields)


def test_tax_comes_out_of_a_period_first() -> None:
    place = Subscriptions(vat={"DE": 1900}, default_country="DE")
    charged = place.charge(1, price=1_190)
    assert isinstance(charged, tuple)
    assert isinstance(charged[0], PeriodCharged)
    assert (charged[0].tax, charged[0].creator_share, charged[0].platform_share) == (190, 800, 200)


@given(
    order=st.lists(st.integers(0, 6), min_size=1, max_size=20),
    failed=st.sets(st.integers(0, 6)),
    price=st.integers(1, 10**6),
)
def test_periods_in_any_order_and_number_end_in_the_same_books(
    order: list[int], failed: set[int], price: int
) -> None:
    place, straight = Subscriptions(), Subscriptions()
    told = itertools.count()
    for period in order:
        if period in failed:
            place.decide("fail-period", **place.notice(period, f"f{period}"))
        place.charge(period, price, ref=f"t{next(told)}")
    for period in sorted(set(order)):
        straight.charge(period, price)
    for account in ("cr.carl.available", "rev.commission"):
        assert place.balance(account) == straight.balance(account)
    assert place.balance("suspense") == price * (len(order) - len(set(order)))
    assert place.until() == start_of(max(order) + 1)
    assert set(place.subscription.periods) == {start_of(period) for period in order}
