"""Refunds: every part of a sale goes back where it came from, whatever the order."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import balanced
from domain.command import Ignored, Parked
from domain.money import split_among
from domain.refunds.refund import RefundRecorded
from domain.rejections import Rejection
from domain.sales.entitlement import Entitlement, Grant
from domain.sales.sale import PayeeShare, Sale
from tests.domain.books import balances
from tests.domain.card_sales import CARD, creator, refund, reported, world
from tests.domain.in_memory_book import ASSETS, InMemoryBook, code


def sold(place: InMemoryBook, name: str = "unlock", price: int = 399, **more: Any) -> Sale:
    """Ann pays Carl by card."""
    fields: dict[str, Any] = {"user": "ann", "creator": "carl", **CARD, **more}
    if name == "send-tip":
        events = place.happens(name, amount=price, **fields)
    else:
        events = place.happens(name, price=price, item="photo", **fields)
    sale = events[0]
    assert isinstance(sale, Sale)
    return sale


def recorded(place: InMemoryBook, cumulative: int) -> RefundRecorded:
    event = place.happens("record-refund", **reported(cumulative))[0]
    assert isinstance(event, RefundRecorded)
    return event


def test_a_refund_by_card_counts_from_its_request_and_posts_when_it_is_confirmed() -> None:
    place = world()
    sale = sold(place)
    place.happens("refund", sale=sale.sale_id, amount=200, reason_code="ASKED")
    assert creator(place).available == 319
    assert refund(place, sale, 200).details["remaining"] == 199
    event = recorded(place, 200)
    assert balanced(event.postings(ASSETS)) == (
        ("cr.carl.available", "USD", 160),
        ("rev.commission", "USD", 40),
        ("psp.stripe", "USD", -200),
    )
    assert refund(place, sale, 200).details["remaining"] == 199
    assert code(refund(place, sale, 199)) == ""


def test_a_failed_refund_may_be_asked_for_again() -> None:
    place = world()
    sale = sold(place)
    (asked,) = place.happens("refund", sale=sale.sale_id, amount=399, reason_code="ASKED")
    failure = {"reason_code": "CARD_EXPIRED", "processor": "stripe", "processor_ref": "f1"}
    assert code(refund(place, sale, 1)) == "REFUND_EXCEEDS_REMAINING"
    refund_id = asked.refund_id  # type: ignore[attr-defined]
    place.happens("fail-refund", refund=refund_id, **failure)
    assert place.decide("fail-refund", refund=refund_id, **failure) == ()
    assert code(refund(place, sale, 399)) == ""
    recorded(place, 399)
    assert code(refund(place, sale, 1)) == "REFUND_EXCEEDS_REMAINING"


def test_of_what_cannot_be_refunded_the_first_reason_is_told() -> None:
    place = world(refund_window_days=14)
    sale = sold(place)
    assert code(place.decide("refund", sale="nothing", amount=1, reason_code="X")) == "UNKNOWN_SALE"
    assert code(refund(place, sale, 400)) == "REFUND_EXCEEDS_REMAINING"
    place.later(days=14)
    decision = refund(place, sale, 1)
    assert isinstance(decision, Rejection)
    assert code(decision) == "REFUND_WINDOW_CLOSED"
    assert "refunds ended at" in decision.detail


def test_the_processor_knows_no_window() -> None:
    place = world(refund_window_days=14)
    sold(place)
    place.later(days=30)
    assert recorded(place, 399).amount == 399


def test_a_full_refund_revokes_and_a_partial_one_does_not() -> None:
    place = world()
    sold(place)
    recorded(place, 398)
    assert place.states["entitlement:ann:photo"] != Entitlement()
    recorded(place, 399)
    assert place.states["entitlement:ann:photo"] == Entitlement()


def test_a_later_sale_of_the_item_is_not_revoked_with_the_first() -> None:
    place = world()
    sold(place, access_until="2026-11-21T00:00:00Z")
    place.later(days=2)
    second = sold(place, processor_ref="r2")
    recorded(place, 399)
    held = place.states["entitlement:ann:photo"]
    assert isinstance(held, Entitlement)
    assert held.grants == (Grant(second.sale_id),)


def test_figures_are_cumulative_and_a_stale_one_changes_nothing() -> None:
    place = world()
    sold(place)
    recorded(place, 300)
    for stale in (reported(200), reported(300, ref="again")):
        decision = place.decide("record-refund", **stale)
        assert isinstance(decision, Ignored) and decision.code == "STALE_FIGURE"
    assert recorded(place, 399).amount == 99


def test_a_refund_that_is_reported_before_its_payment_waits_for_it() -> None:
    place = world()
    assert place.decide("record-refund", **reported(100)) == Parked("payment:r1")
    assert place.decide(
        "fail-refund", refund="r", reason_code="X", processor="stripe", processor_ref="f"
    ) == Parked("refund:stripe:r")


def test_a_refund_that_failed_after_it_was_recorded_is_reversed() -> None:
    place = world()
    sale = sold(place)
    (asked,) = place.happens("refund", sale=sale.sale_id, amount=100, reason_code="ASKED")
    recorded(place, 100)
    failed = {"refund": asked.refund_id, "reason_code": "X"}  # type: ignore[attr-defined]
    failure = {**failed, "processor": "stripe", "processor_ref": "f"}
    (event,) = place.happens("fail-refund", **failure)
    assert balanced(event.postings(ASSETS)) == (
        ("psp.stripe", "USD", 100),
        ("cr.carl.available", "USD", -80),
        ("rev.commission", "USD", -20),
    )
    assert place.decide("fail-refund", **failure) == ()


def test_a_refund_of_vat_issues_a_credit_note() -> None:
    place = world(vat={"DE": 2000}, revenue_share={"default": 7000})
    sold(place, "send-tip", 10_000, country="DE")
    for cumulative, parts in ((3333, (556, 1944, 833)), (10_000, (1111, 3889, 1667))):
        event, note = place.happens("record-refund", **reported(cumulative))
        assert isinstance(event, RefundRecorded)
        assert (event.tax, event.creators_part, event.platform_share) == parts
        assert note.vat == event.tax  # type: ignore[attr-defined]
        assert note.net == event.amount - event.tax  # type: ignore[attr-defined]


def test_after_the_payout_the_balance_goes_below_zero_and_ends_the_next_payout() -> None:
    place = world(payout_minimum=100)
    sold(place)
    place.happens("set-payout-account", creator="carl", payouts_enabled=True, country="US")
    place.happens("verify-creator", creator="carl", verified=True)
    place.happens("request-payout", creator="carl", amount=300)
    *_, cancelled = place.happens("record-refund", **reported(399))
    assert cancelled.type == "payout.rejected.v1"
    assert creator(place).available == 0
    assert creator(place).in_payout == 0


@pytest.mark.parametrize(
    ("days", "then", "bucket"), [(0, 0, "available"), (7, 0, "pending"), (7, 8, "available")]
)
def test_a_clawback_hits_the_bucket_where_the_sale_is_now(
    days: int, then: int, bucket: str
) -> None:
    place = world(maturity_days=days)
    sold(place)
    if then:
        place.later(days=then)
        place.happens("mature-earnings", creator="carl")
    event = recorded(place, 100)
    assert [claw.bucket for claw in event.shares] == [bucket]
    recorded(place, 399)
    assert not creator(place).owed


def test_a_clawback_of_escrowed_earnings_hits_the_escrow() -> None:
    place = world(frozen_creator_rule="ESCROW")
    frozen = {"subject": "carl", "kind": "creator", "scope": "EARN", "reason_code": "X"}
    place.happens("freeze", **frozen)
    sold(place)
    assert [claw.bucket for claw in recorded(place, 100).shares] == ["reserved"]
    place.happens("unfreeze", **frozen)
    place.happens("release-escrow", creator="carl")
    assert [claw.bucket for claw in recorded(place, 399).shares] == ["available"]
    assert not creator(place).owed


@given(
    price=st.integers(1, 10**9),
    vat=st.integers(0, 10_000),
    bps=st.integers(0, 10_000),
    cuts=st.lists(st.integers(1, 10**9), max_size=8),
)
def test_refunds_by_card_take_back_exactly_what_was_shared(
    price: int, vat: int, bps: int, cuts: list[int]
) -> None:
    place = world(revenue_share={"default": bps}, vat={"DE": vat}, price_bounds={})
    sale = sold(place, "send-tip", price, country="DE")
    tax = share = platform = 0
    for cumulative in sorted({cut % price for cut in cuts} - {0} | {price}):
        event = recorded(place, cumulative)
        balanced(event.postings(ASSETS))
        assert min(event.tax, event.creators_part, event.platform_share) >= 0
        assert event.excess == 0
        tax, share = tax + event.tax, share + event.creators_part
        platform += event.platform_share
        assert share <= sale.creator_share
    assert (tax, share, platform) == (sale.tax, sale.creator_share, sale.platform_share)
    assert not any(balances(place.history).values())


@given(
    price=st.integers(1, 10**6),
    weights=st.lists(st.integers(0, 100), min_size=2, max_size=4).filter(any),
    cuts=st.lists(st.integers(1, 10**6), max_size=6),
)
def test_several_payees_give_back_in_every_order_what_they_got(
    price: int, weights: list[int], cuts: list[int]
) -> None:
    place = world(revenue_share={"default": 8000}, price_bounds={})
    one = sold(place, "send-tip", price)
    names = [f"c{nth}" for nth in reversed(range(len(weights)))]
    shares = split_among(one.creator_share, weights)
    payees = tuple(PayeeShare(name, share) for name, share in zip(names, shares, strict=True))
    place = world(revenue_share={"default": 8000}, price_bounds={})
    place.record(msgspec.structs.replace(one, payees=payees))
    for cumulative in sorted({cut % price for cut in cuts} - {0} | {price}):
        recorded(place, cumulative)
        assert all(creator(place, name).available >= 0 for name in names)
    assert not any(balances(place.history).values())


def period(place: InMemoryBook, number: int) -> Sale:
    """A month of a subscription is paid."""
    months = [f"2026-{month:02d}-01T00:00:00Z" for month in (11, 12)] + ["2027-01-01T00:00:00Z"]
    charged: dict[str, Any] = {
        "subscription": "sub",
        "period_start": months[number - 1],
        "period_end": months[number],
        "price": 999,
        "processor": "stripe",
        "processor_ref": f"r{number}",
    }
    sale = place.happens("charge-period", **charged)[0]
    assert isinstance(sale, Sale)
    return sale


def test_a_refunded_period_leaves_the_periods_before_it() -> None:
    place = world(products_enabled=["subscription"])
    place.happens("start-subscription", subscription="sub", user="ann", creator="carl", price=999)
    period(place, 1)
    period(place, 2)
    place.happens("record-refund", **reported(999, sale="r2"))
    held = place.states["entitlement:ann:sub"]
    assert isinstance(held, Entitlement)
    assert held.longest is not None
    assert f"{held.longest.valid_until:%Y-%m-%d}" == "2026-12-01"
    place.happens("open-dispute", payment_ref="r1", amount=999, fee=0, **DISPUTE)
    place.happens(
        "close-dispute", dispute="d1", outcome="LOST", **{**DISPUTE, "processor_ref": "l"}
    )
    assert not creator(place).owed
    assert place.states["entitlement:ann:sub"] == Entitlement()


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_periods_refunded_in_any_order_leave_what_the_others_paid(order: tuple[int, ...]) -> None:
    place = world(products_enabled=["subscription"])
    for sub in ("sub", "other"):
        fields = {"subscription": sub, "user": "ann", "creator": "carl", "price": 999}
        place.happens("start-subscription", **fields)
    ends = {}
    for number, sub in ((1, "sub"), (2, "sub"), (3, "other")):
        until = ends[number] = f"2026-{13 - number}-01T00:00:00Z"  # the latest ends first
        place.happens(
            "charge-period",
            subscription=sub,
            period_start=f"2026-0{number}-01T00:00:00Z",
            period_end=until,
            price=999,
            processor="stripe",
            processor_ref=f"r{number}",
        )
    for number in order:
        held = place.states["entitlement:ann:carl"]
        assert isinstance(held, Entitlement)
        assert held.longest is not None
        assert f"{held.longest.valid_until:%Y-%m-%dT%H:%M:%SZ}" == max(ends.values())
        place.happens("record-refund", **reported(999, sale=f"r{number}"))
        del ends[number]
    assert place.states["entitlement:ann:carl"] == Entitlement()


DISPUTE = {"processor": "stripe", "processor_ref": "d1"}
