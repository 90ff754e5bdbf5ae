"""Authorised before a session, captured after it: no money before, no more than authorised."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import balanced
from domain.authorizations.authorization import PaymentAuthorized, PaymentCaptured, PaymentVoided
from domain.catalogue import InvalidRequest
from domain.command import Parked
from domain.event import Event
from tests.domain.authorizations.booked_sessions import Sessions
from tests.domain.in_memory_book import ASSETS, NOW, code
from tests.scenarios.policies import SESSION_BOOKING

TIERS = SESSION_BOOKING["revenue_share"]["tiers"]


def parts(sale: PaymentCaptured) -> tuple[int, int]:
    return sale.creator_share, sale.platform_share


@pytest.mark.parametrize(
    ("tier", "amount", "expected"),
    [
        ("STANDARD", 10_000, (7_000, 3_000)),
        ("VERIFIED", 10_000, (7_500, 2_500)),
        ("EXPERT", 10_000, (8_000, 2_000)),
        ("STANDARD", 4_999, (3_499, 1_500)),
        ("EXPERT", 1, (1, 0)),
    ],
)
def test_the_tier_says_how_it_is_divided(tier: str, amount: int, expected: tuple[int, int]) -> None:
    place = Sessions()
    assert parts(place.capture(place.authorize(amount, tier), amount)) == expected


def test_the_terms_are_those_of_the_authorisation() -> None:
    place = Sessions(vat={"DE": 1900}, maturity_days=2)
    payment = place.authorize(11_900, country="DE")
    everything_else = {"default": 100, "tiers": {"STANDARD": 100}}
    place.publish(
        {**SESSION_BOOKING, "revenue_share": everything_else, "products_enabled": ["tip"]}
        | {"tip_minimum": 1}
    )
    captured = place.capture(payment, 11_900)
    assert (captured.tax, *parts(captured)) == (1_900, 7_000, 3_000)
    assert captured.mature_at == NOW + timedelta(days=2)


def test_what_is_not_captured_is_voided_and_nothing_is_captured_twice() -> None:
    place = Sessions()
    payment = place.authorize()
    exceeds = place.refused("capture", payment=payment, amount=10_001)
    assert exceeds == ("CAPTURE_EXCEEDS_HOLD", {"requested": 10_001, "held": 10_000})
    assert place.capture(payment, 9_000).voided == 1_000
    again = place.refused("capture", payment=payment, amount=1_000)
    assert again == ("HOLD_NOT_OPEN", {"hold": payment, "state": "CAPTURED"})
    assert place.refused("void", payment=payment, reason_code="X")[0] == "HOLD_NOT_OPEN"


def test_waiting_ends_a_moment_after_the_policys_hours() -> None:
    place = Sessions()
    payment = place.authorize()
    place.later(hours=24)
    assert code(place.decide("capture", payment=payment, amount=1)) == ""
    place.later(seconds=1)
    late = place.refused("capture", payment=payment, amount=1)
    assert late == ("HOLD_NOT_OPEN", {"hold": payment, "state": "EXPIRED"})


def due(event: Event) -> tuple[timedelta, str, str]:
    assert isinstance(event, PaymentAuthorized)
    _, found = event.agenda()
    assert found is not None
    return found.at - NOW, found.command, found.fields["reason_code"]


def test_what_the_agenda_says_of_sessions_that_wait_and_of_one_that_runs() -> None:
    place = Sessions()
    tick = timedelta(microseconds=1)
    (waiting,) = place.happens("authorize", **place.fields())
    assert due(waiting) == (timedelta(hours=24) + tick, "void", "CANCELLED")
    four_hours = "2026-11-20T16:00:00Z"
    (running,) = place.happens("authorize", **place.fields(expires_at=four_hours))
    assert due(running) == (timedelta(hours=4) + tick, "void", "ABANDONED")
    place.later(hours=4, seconds=1)
    assert isinstance(running, PaymentAuthorized)
    (voided,) = place.happens("void", payment=running.payment_id, reason_code="ABANDONED")
    assert isinstance(voided, PaymentVoided)
    assert voided.postings(ASSETS) == ()
    assert voided.agenda()[1] is None
    late = place.refused("capture", payment=running.payment_id, amount=1)
    assert late[0] == "HOLD_NOT_OPEN"


def test_the_processor_withdraws() -> None:
    place = Sessions()
    notice = {"reason_code": "DECLINED", "processor": "stripe", "processor_ref": "n1"}
    unknown = place.decide("fail-payment", payment="p", **notice)
    assert unknown == Parked("payment:p")
    payment = place.authorize()
    place.happens("fail-payment", payment=payment, **notice)
    assert place.decide("fail-payment", payment=payment, **notice) == ()
    assert place.refused("capture", payment=payment, amount=1)[1]["state"] == "FAILED"


def test_a_failure_after_the_capture_takes_it_back() -> None:
    place = Sessions()
    payment = place.authorize()
    captured = place.capture(payment, 10_000)
    notice = {"reason_code": "LATE", "processor": "stripe", "processor_ref": captured.processor_ref}
    (failed,) = place.happens("fail-payment", payment=payment, **notice)
    legs = {account: amount for account, _, amount in balanced(failed.postings(ASSETS))}
    assert legs["psp.stripe"] == -10_000
    assert place.decide("fail-payment", payment=payment, **notice) == ()
    assert place.states[f"payment:{captured.processor_ref}"].sale_id == captured.sale_id


def test_a_reference_stands_for_one_payment() -> None:
    place = Sessions()
    fields = place.fields()
    place.happens("authorize", **fields)
    assert place.refused("authorize", **{**fields, "session": "s9"})[0] == "INVALID_TRANSITION"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tier": "GURU"}, "UNKNOWN_TIER"),
        ({"user": "carl"}, "SELF_DEALING"),
        ({"amount": 99}, "PRICE_OUT_OF_RANGE"),
        ({"expires_at": "2026-11-20T12:00:00Z"}, "OFFER_EXPIRED"),
        ({}, ""),
    ],
)
def test_what_stands_against_an_authorisation(fields: dict[str, Any], expected: str) -> None:
    place = Sessions(price_bounds={"session": {"min": 100, "max": 50_000}})
    assert code(place.decide("authorize", **{**place.fields(), **fields})) == expected
    group = [{"creator": "carl", "weight": 1}, {"creator": "cora", "weight": 1}]
    asked = {**place.fields(), "payees": group}
    assert code(place.decide("authorize", **{**asked, "user": "cora"})) == "SELF_DEALING"
    place.happens("freeze", subject="cora", kind="creator", scope="EARN", reason_code="X")
    assert place.refused("authorize", **asked)[1]["creator"] == "cora"
    place.happens("freeze", subject="ann", kind="wallet", scope="SPEND", reason_code="X")
    assert code(place.decide("authorize", **asked)) == "ACCOUNT_FROZEN"


@pytest.mark.parametrize("payees", [[], ["cora"], ["carl", "carl"]])
def test_payees_are_the_payee_and_others_each_once(payees: list[str]) -> None:
    place = Sessions()
    group = [{"creator": creator, "weight": 1} for creator in payees]
    with pytest.raises(InvalidRequest):
        place.decide("authorize", **place.fields(payees=group))


@pytest.mark.parametrize(("rule", "expected"), [("REJECT", "CREATOR_FROZEN"), ("ESCROW", "")])
def test_a_creator_frozen_before_the_capture(rule: str, expected: str) -> None:
    place = Sessions(frozen_creator_rule=rule)
    payment = place.authorize()
    place.happens("freeze", subject="carl", kind="creator", scope="EARN", reason_code="X")
    assert code(place.decide("capture", payment=payment, amount=10_000)) == expected
    if not expected:
        captured = place.capture(payment, 10_000)
        assert ("cr.carl.reserved", "USD", -7_000) in captured.postings(ASSETS)


def test_captures_of_what_nobody_authorised() -> None:
    place = Sessions()
    assert place.refused("capture", payment="p", amount=1)[0] == "UNKNOWN_AUTHORIZATION"
    assert place.refused("void", payment="p", reason_code="X")[0] == "UNKNOWN_AUTHORIZATION"


def test_several_payees_share_by_successive_splits_in_the_order_of_their_ids() -> None:
    place = Sessions()
    group = [{"creator": "cora", "weight": 1}, {"creator": "carl", "weight": 1}]
    group.append({"creator": "alma", "weight": 1})
    captured = place.capture(place.authorize(100, payees=group), 100)
    found = [(payee.creator, payee.share) for payee in captured.payees]
    assert found == [("alma", 23), ("carl", 24), ("cora", 23)]  # 70: 23.3; of 47 half, tie up
    assert captured.creator_share == 70
    for creator, share in found:
        assert place.states[f"creator:{creator}"].available == share  # type: ignore[attr-defined]


@given(
    amount=st.integers(1, 10**12),
    weights=st.lists(st.integers(1, 10**6), min_size=1, max_size=6),
    vat=st.integers(0, 5_000),
    bps=st.integers(0, 10_000),
)
def test_a_capture_is_divided_without_remainder(
    amount: int, weights: list[int], vat: int, bps: int
) -> None:
    place = Sessions(vat={"DE": vat}, revenue_share={"default": 0, "tiers": {"STANDARD": bps}})
    group = [{"creator": f"c{n}", "weight": weight} for n, weight in enumerate(weights)]
    payment = place.authorize(amount, payee="c0", payees=group, country="DE")
    captured = place.capture(payment, amount)
    assert captured.tax + captured.creator_share + captured.platform_share == amount
    shares = [payee.share for payee in captured.payees]
    assert sum(shares) == captured.creator_share
    assert min(*shares, captured.tax, captured.platform_share) >= 0
    exact = [captured.creator_share * weight / sum(weights) for weight in weights]
    assert all(abs(share - part) <= len(weights) for share, part in zip(shares, exact, strict=True))
