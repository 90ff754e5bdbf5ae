"""Payouts: who may take which step when, and what each one books, for every number."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import balanced
from domain.catalogue import read_command
from domain.creators.creator import Creator
from domain.creators.maturity import EarningsMatured
from domain.payouts.payout import TRANSITIONS, PayoutRequested, PayoutStatus, cancelled_by
from domain.rejections import REASONS, Rejection
from tests.domain.in_memory_book import ASSETS, InMemoryBook, code
from tests.domain.payouts.ways import STEPS, WAY, carl, earn, request, take, world
from tests.scenarios.policies import MICRO_UNLOCK

PAYOUT = "payout"


def requested(place: InMemoryBook, amount: int = 5_000, **more: Any) -> str:
    """The id of a payout that fay requested."""
    *_, event = place.happens("request-payout", "fay", **request(amount, **more))
    assert isinstance(event, PayoutRequested)
    return event.payout_id


# Amounts.


@pytest.mark.parametrize(
    ("gross", "fee", "net"), [(5_000, 125, 4_875), (10_010, 250, 9_760), (10_020, 251, 9_769)]
)
def test_an_instant_fee_is_rounded_half_up_and_comes_out_of_gross(
    gross: int, fee: int, net: int
) -> None:
    (event,) = world(gross).happens("request-payout", **request(gross, instant=True))
    assert isinstance(event, PayoutRequested)
    assert (event.gross, event.fee, event.withheld, event.net) == (gross, fee, 0, net)


def test_without_instant_there_is_no_fee() -> None:
    (event,) = world().happens("request-payout", **request(5_000))
    assert isinstance(event, PayoutRequested)
    assert (event.fee, event.net, event.instant) == (0, 5_000, False)


@given(
    gross=st.integers(1, 10**12),
    fee_bps=st.integers(0, 10_000),
    withholding_bps=st.integers(0, 10_000),
    instant=st.booleans(),
)
def test_gross_is_always_fee_and_withheld_and_net(
    gross: int, fee_bps: int, withholding_bps: int, instant: bool
) -> None:
    place = world(
        gross, instant_fee_bps=fee_bps, withholding_bps=withholding_bps, payout_minimum=None
    )
    payout = requested(place, gross, instant=instant)
    (paid,) = take(place, payout, "approve-payout", "submit-payout", "confirm-payout")
    books: dict[str, int] = {}
    for event in place.history:
        for account, _, amount in balanced(event.postings(ASSETS)):
            books[account] = books.get(account, 0) + amount
    fee = round_half_up(gross * fee_bps) if instant else 0
    withheld = min(round_half_up(gross * withholding_bps), gross - fee)
    assert -books.get("rev.fee", 0) == fee
    assert -books.get("withheld.DE", 0) == withheld
    assert -books.get("bank", 0) == gross - fee - withheld >= 0
    assert not books.get("cr.carl.payout") and not books.get("cr.carl.available")
    assert carl(place) == Creator(payouts_enabled=True, country="DE")
    assert paid.type == "payout.paid.v1"


def round_half_up(tenthousandths: int) -> int:
    return (tenthousandths + 5_000) // 10_000


def test_a_return_undoes_fee_and_withholding_as_well() -> None:
    place = world(5_000, withholding_bps=1_050)
    payout = requested(place, instant=True)
    (paid,) = take(place, payout, "approve-payout", "submit-payout", "confirm-payout")
    assert balanced(paid.postings(ASSETS)) == (
        ("cr.carl.payout", "USD", 5_000),
        ("bank", "USD", -4_350),
        ("rev.fee", "USD", -125),
        ("withheld.DE", "USD", -525),
    )
    (returned,) = take(place, payout, "return-payout")
    assert balanced(returned.postings(ASSETS)) == (
        ("cr.carl.available", "USD", -5_000),
        ("bank", "USD", 4_350),
        ("rev.fee", "USD", 125),
        ("withheld.DE", "USD", 525),
    )
    assert (carl(place).available, carl(place).in_payout) == (5_000, 0)


@pytest.mark.parametrize("end", ["rejected", "failed"])
def test_what_was_never_paid_is_available_again_without_a_fee(end: str) -> None:
    place = world()
    payout = requested(place, instant=True)
    assert (carl(place).available, carl(place).in_payout) == (7_345, 5_000)
    take(place, payout, *WAY[end])
    assert (carl(place).available, carl(place).in_payout, carl(place).payout) == (12_345, 0, None)


# Refusals.

WRONGS = (
    "NO_POLICY",
    "ACCOUNT_FROZEN",
    "PRODUCT_DISABLED",
    "NEGATIVE_BALANCE",
    "BELOW_MINIMUM",
    "PAYOUT_ACCOUNT_NOT_READY",
    "PAYOUT_IN_PROGRESS",
    "INSUFFICIENT_AVAILABLE",
)


def request_with(wrongs: tuple[str, ...]) -> str:
    """The answer to a request with which all of this is wrong at once."""
    place = InMemoryBook() if "NO_POLICY" in wrongs else world(20_000)
    if "PAYOUT_IN_PROGRESS" in wrongs and "NO_POLICY" not in wrongs:
        take(place, requested(place), "approve-payout", "submit-payout")
    if "PAYOUT_ACCOUNT_NOT_READY" in wrongs and "NO_POLICY" not in wrongs:
        place.happens("set-payout-account", creator="carl", payouts_enabled=False)
    if "ACCOUNT_FROZEN" in wrongs:
        place.happens(
            "freeze", subject="carl", kind="creator", scope="PAYOUT", reason_code="REVIEW"
        )
    if "NEGATIVE_BALANCE" in wrongs:
        place.states["creator:carl"] = carl(place).earned(-50_000, "available")
    amount = 4_999 if "BELOW_MINIMUM" in wrongs else 5_000
    if "INSUFFICIENT_AVAILABLE" in wrongs and "BELOW_MINIMUM" not in wrongs:
        amount = 50_000
    more: dict[str, Any] = {}
    if "PRODUCT_DISABLED" in wrongs and "NO_POLICY" not in wrongs:
        place.publish({**MICRO_UNLOCK, "instant_fee_bps": None})
        more["instant"] = True
    return code(place.decide("request-payout", **request(amount, **more)))


@pytest.mark.parametrize("first", range(len(WRONGS)))
def test_of_several_reasons_the_first_in_order_is_told(first: int) -> None:
    assert request_with(WRONGS[first:]) == WRONGS[first]


@pytest.mark.parametrize("wrong", WRONGS)
def test_each_reason_is_told_alone(wrong: str) -> None:
    assert request_with((wrong,)) == wrong


def test_reasons_are_declared_in_the_order_in_which_they_are_told() -> None:
    declared = list(REASONS)
    assert sorted(WRONGS, key=declared.index) == list(WRONGS)


def test_with_nothing_wrong_it_is_requested() -> None:
    assert request_with(()) == ""


def test_the_minimum_tests_gross_and_says_what_is_missing() -> None:
    decision = world().decide("request-payout", **request(4_999, instant=True))
    assert isinstance(decision, Rejection)
    assert decision.details == {"minimum": 5_000, "requested": 4_999, "shortfall": 1}
    place = world(1, payout_minimum=None)
    assert code(place.decide("request-payout", **request(1))) == ""


def test_more_than_there_is_cannot_be_requested() -> None:
    decision = world(5_000).decide("request-payout", **request(5_001))
    assert isinstance(decision, Rejection)
    assert (decision.reason.code, decision.details) == (
        "INSUFFICIENT_AVAILABLE",
        {"available": 5_000, "requested": 5_001},
    )


def test_without_an_instant_fee_there_are_no_instant_payouts() -> None:
    place = world(instant_fee_bps=None)
    assert (
        code(place.decide("request-payout", **request(5_000, instant=True))) == "PRODUCT_DISABLED"
    )


def test_withholding_needs_a_country() -> None:
    place = world(ready=False, withholding_bps=100)
    place.happens("set-payout-account", creator="carl", payouts_enabled=True)
    assert code(place.decide("request-payout", **request(5_000))) == "PAYOUT_ACCOUNT_NOT_READY"
    place.happens("set-payout-account", creator="carl", payouts_enabled=True, country="FR")
    assert code(place.decide("request-payout", **request(5_000))) == ""


def test_a_creator_never_seen_is_not_ready() -> None:
    decision = world().decide("request-payout", creator="nobody", amount=5_000)
    assert code(decision) == "PAYOUT_ACCOUNT_NOT_READY"


# What is due counts.


def test_what_is_due_counts_though_nobody_has_posted_it() -> None:
    place = world(0, maturity_days=7)
    earn(place, 6_000)
    assert code(place.decide("request-payout", **request(5_000))) == "INSUFFICIENT_AVAILABLE"
    place.later(days=7, hours=1)
    matured, payout = place.happens("request-payout", **request(5_000))
    assert isinstance(matured, EarningsMatured)
    assert (matured.amount, matured.through) == (6_000, place.now)
    assert isinstance(payout, PayoutRequested)
    assert (carl(place).available, carl(place).pending) == (1_000, 0)


# Steps.


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", WAY)
def test_every_step_from_every_state(state: str, step: str) -> None:
    place = world()
    payout = requested(place)
    take(place, payout, *WAY[state])
    actor, fields = STEPS[step]
    decision = place.decide(step, actor, payout=payout, **fields)
    following = TRANSITIONS.get((PayoutStatus(state), step))
    if following is not None:
        assert isinstance(decision, tuple)
        (event,) = place.record(*decision)
        assert event.type == f"payout.{following}.v1"
    else:
        assert isinstance(decision, Rejection)
        assert decision.reason.code == "INVALID_TRANSITION"
        assert decision.details["state"] == state


@pytest.mark.parametrize("step", STEPS)
def test_a_payout_that_does_not_exist(step: str) -> None:
    actor, fields = STEPS[step]
    assert code(world().decide(step, actor, payout="p0", **fields)) == "UNKNOWN_PAYOUT"


@pytest.mark.parametrize(
    ("actor", "principal"), [("alice", "alice"), ("bob", "bob"), ("zoe", "alice"), ("bob", "zoe")]
)
def test_neither_who_sent_a_request_nor_on_whose_behalf_approves(
    actor: str, principal: str
) -> None:
    place = world()
    asked = read_command("request-payout", request(5_000))
    decision = place.decide_on(asked, "bob", "alice")  # alice's service says that it is for bob
    assert isinstance(decision, tuple)
    *_, event = place.record(*decision)
    assert isinstance(event, PayoutRequested)
    assert (event.requester, event.sender) == ("bob", "alice")
    approval = read_command("approve-payout", {"payout": event.payout_id})
    assert code(place.decide_on(approval, actor, principal)) == "SELF_APPROVAL_FORBIDDEN"
    assert isinstance(place.decide_on(approval, "zoe"), tuple)


@pytest.mark.parametrize("actor", ["fay", "carl"])
def test_neither_requester_nor_creator_approves(actor: str) -> None:
    place = world()
    payout = requested(place)
    decision = place.decide("approve-payout", actor, payout=payout)
    assert code(decision) == "SELF_APPROVAL_FORBIDDEN"


@pytest.mark.parametrize(
    ("state", "step", "stopped"),
    [
        ("requested", "approve-payout", True),
        ("approved", "submit-payout", True),
        ("submitted", "confirm-payout", False),
        ("submitted", "fail-payout", False),
        ("paid", "return-payout", False),
        ("requested", "reject-payout", False),
    ],
)
def test_a_freeze_stops_what_leads_to_the_processor(state: str, step: str, stopped: bool) -> None:
    place = world()
    payout = requested(place)
    take(place, payout, *WAY[state])
    place.happens("freeze", subject="carl", kind="creator", scope="PAYOUT", reason_code="REVIEW")
    actor, fields = STEPS[step]
    decision = place.decide(step, actor, payout=payout, **fields)
    assert code(decision) == ("ACCOUNT_FROZEN" if stopped else "")


@pytest.mark.parametrize("end", ["rejected", "failed", "paid"])
def test_one_payout_at_a_time(end: str) -> None:
    place = world()
    payout = requested(place)
    second = place.decide("request-payout", **request(5_000))
    assert isinstance(second, Rejection)
    assert second.details == {"creator": "carl", "payout": payout}
    take(place, payout, *WAY[end])
    assert code(place.decide("request-payout", **request(5_000))) == ""


# Below zero.


@pytest.mark.parametrize("state", ["requested", "approved", "submitted", "paid"])
@pytest.mark.parametrize("available", [-1, 0])
def test_only_what_the_processor_does_not_have_is_cancelled(state: str, available: int) -> None:
    place = world()
    payout = requested(place)
    take(place, payout, *WAY[state])
    events = cancelled_by(carl(place), "carl", available)
    cancelled = available < 0 and state in ("requested", "approved")
    assert [event.type for event in events] == ["payout.rejected.v1"] * cancelled
    if cancelled:
        place.record(*events)
        assert carl(place).available == 12_345
        again = place.decide("reject-payout", "bob", payout=payout, reason_code="DOUBT")
        assert code(again) == "INVALID_TRANSITION"
