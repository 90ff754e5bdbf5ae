"""Adjustments: what two people may post together, and what even they may not."""

from collections import Counter
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalogue import InvalidRequest
from domain.command import COMMANDS
from domain.controls.adjustments import AdjustmentApproved, AdjustmentProposed
from domain.creators.creator import Creator
from domain.rejections import Rejection
from domain.texts import sealed
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import ASSETS, InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

PAID, PROMO = ASSETS.paid, ASSETS.promo
GOODWILL = [["exp.goodwill", "USD", 2_500], ["cr.carl.available", "USD", -2_500]]


def world() -> InMemoryBook:
    return InMemoryBook(MICRO_UNLOCK)


def propose(place: InMemoryBook, postings: Any, actor: str = "fay", **more: Any) -> Any:
    return place.decide(
        "propose-adjustment", actor, postings=postings, reason_code="GOODWILL", **more
    )


def proposed(place: InMemoryBook, postings: Any, **more: Any) -> str:
    decision = propose(place, postings, **more)
    assert isinstance(decision, tuple), decision
    (event,) = place.record(*decision)
    assert isinstance(event, AdjustmentProposed)
    assert event.postings(ASSETS) == ()
    return event.adjustment_id


def approve(place: InMemoryBook, adjustment: str, actor: str = "bob") -> Any:
    return place.decide("approve-adjustment", actor, adjustment=adjustment)


def booked(place: InMemoryBook, postings: Any, **more: Any) -> AdjustmentApproved:
    decision = approve(place, proposed(place, postings, **more))
    assert isinstance(decision, tuple), decision
    event, *_ = place.record(*decision)
    assert isinstance(event, AdjustmentApproved)
    return event


def carl(place: InMemoryBook) -> Creator:
    creator = place.states["creator:carl"]
    assert isinstance(creator, Creator)
    return creator


def ann(place: InMemoryBook) -> Wallet:
    wallet = place.states["wallet:ann"]
    assert isinstance(wallet, Wallet)
    return wallet


def buy(place: InMemoryBook) -> None:
    fields: dict[str, Any] = {"user": "ann", "package": "small", "price": 999}
    place.happens("record-purchase", **fields, processor="stripe", processor_ref="p1")


# Two people.


def test_one_proposes_another_approves() -> None:
    place = world()
    adjustment = proposed(place, GOODWILL)
    assert carl(place).available == 0
    assert code(approve(place, adjustment, "fay")) == "SELF_APPROVAL_FORBIDDEN"
    assert code(approve(place, adjustment, "carl")) == "SELF_APPROVAL_FORBIDDEN"
    (event,) = place.record(*approve(place, adjustment))
    assert isinstance(event, AdjustmentApproved)
    assert event.postings(ASSETS) == tuple(tuple(leg) for leg in GOODWILL)
    assert (event.proposer, event.approver, event.reason) == ("fay", "bob", "GOODWILL")
    assert carl(place).available == 2_500
    assert code(approve(place, adjustment)) == "INVALID_TRANSITION"


def test_a_rejected_one_is_over() -> None:
    place = world()
    adjustment = proposed(place, GOODWILL)
    fields = {"adjustment": adjustment, "reason_code": "NO"}
    place.happens("reject-adjustment", "bob", **fields)
    assert code(approve(place, adjustment)) == "INVALID_TRANSITION"
    assert code(place.decide("reject-adjustment", "bob", **fields)) == "INVALID_TRANSITION"
    assert carl(place).available == 0


def test_what_was_never_proposed() -> None:
    assert code(approve(world(), "a0")) == "UNKNOWN_ADJUSTMENT"


def test_evidence_stays_outside_the_log() -> None:
    place = world()
    (event,) = propose(place, GOODWILL, evidence="a letter of Carl's")
    assert event.evidence == sealed("salt", "a letter of Carl's")
    assert event.evidence != sealed("other", "a letter of Carl's")
    assert COMMANDS["propose-adjustment"].text_fields == ("evidence",)


# Postings.


@pytest.mark.parametrize(
    ("account", "message"),
    [
        ("w.ann.held", "commands of its own"),
        ("cr.carl.pending", "commands of its own"),
        ("cr.carl.payout", "commands of its own"),
        ("cr.carl.reserved", "commands of its own"),
        ("cr.carl.savings", "no account"),
        ("rev.luck", "no account"),
        ("vat.GERMANY", "no account"),
        ("cr.c:1.available", "no account"),
        ("psp.", "no account"),
        ("", "no account"),
    ],
)
def test_accounts_that_nobody_may_name(account: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        propose(world(), [[account, "USD", 1], ["bank", "USD", -1]])
    (problem,) = error.value.problems
    assert problem.pointer == "/postings/0/0" and message in problem.message


@pytest.mark.parametrize(
    "postings",
    [[], [["bank", "USD", 1]], [["bank", "USD", 0], ["suspense", "USD", 0]], [["bank", "USD"]] * 2],
)
def test_postings_that_say_nothing(postings: Any) -> None:
    with pytest.raises(InvalidRequest):
        propose(world(), postings)


def test_an_adjustment_moves_no_more_than_any_other_command() -> None:
    legs = [["bank", "USD", 10**12], ["bank", "USD", 1], ["exp.goodwill", "USD", -(10**12)]]
    assert code(propose(world(), [*legs, ["suspense", "USD", -1]])) == "INVALID_AMOUNT"
    assert isinstance(propose(world(), [legs[0], legs[2]]), tuple)


def test_what_does_not_sum_to_zero_says_by_how_much() -> None:
    decision = propose(world(), [["bank", "USD", 5], ["exp.goodwill", "USD", -3]])
    assert isinstance(decision, Rejection)
    assert decision.details == {"account": "the sum", "asset": "USD", "difference": 2}


@pytest.mark.parametrize(
    "postings",
    [
        [["bank", "EUR", 1], ["suspense", "EUR", -1]],
        [["bank", PAID, 1], ["suspense", PAID, -1]],
        [["supply", "USD", 1], ["w.ann.free", "USD", -1]],
        [["supply", "other.PAID", 1], ["w.ann.free", "other.PAID", -1]],
    ],
)
def test_assets_that_are_not_those_of_the_account(postings: Any) -> None:
    assert code(propose(world(), postings)) == "CURRENCY_MISMATCH"


# Wallets.


def test_promotional_tokens_are_a_new_lot() -> None:
    place = world()
    booked(place, [["supply", PROMO, 10], ["w.ann.free", PROMO, -10]])
    (lot,) = ann(place).lots
    assert (lot.kind, lot.tokens, lot.price) == ("PROMO", 10, 0)


def test_paid_tokens_take_over_what_was_deferred_for_them() -> None:
    place = world()
    legs = [["supply", PAID, 100], ["w.ann.free", PAID, -100]]
    money = [["suspense", "USD", 99], ["deferred", "USD", -99]]
    booked(place, legs + money)
    (lot,) = ann(place).lots
    assert (lot.kind, lot.tokens, lot.price) == ("PAID", 100, 99)


def test_taking_tokens_releases_what_was_paid_for_them() -> None:
    place = world()
    buy(place)
    tokens = [["w.ann.free", PAID, 333], ["supply", PAID, -333]]
    decision = propose(place, tokens)
    assert isinstance(decision, Rejection)
    assert decision.details == {"account": "deferred", "asset": "USD", "difference": -332}
    booked(place, [*tokens, ["deferred", "USD", 332], ["exp.goodwill", "USD", -332]])
    assert [(lot.kind, lot.left) for lot in ann(place).lots] == [("PROMO", 100), ("PAID", 667)]


def test_tokens_that_went_to_the_wrong_wallet() -> None:
    place = world()
    buy(place)
    event = booked(place, [["w.ann.free", PAID, 1_000], ["w.eve.free", PAID, -1_000]])
    assert {"wallet:ann", "wallet:eve"} < set(event.tags())
    (lot,) = place.states["wallet:eve"].lots  # type: ignore[attr-defined]
    assert (lot.tokens, lot.price) == (1_000, 999)


def test_no_wallet_goes_below_zero() -> None:
    place = world()
    buy(place)
    decision = propose(place, [["w.ann.free", PROMO, 101], ["supply", PROMO, -101]])
    assert isinstance(decision, Rejection)
    assert decision.details == {"required": 101, "current": 100, "shortfall": 1}


def test_what_was_spent_since_the_proposal_cannot_be_taken() -> None:
    place = world()
    buy(place)
    adjustment = proposed(place, [["w.ann.free", PROMO, 100], ["supply", PROMO, -100]])
    place.happens("send-tip", user="ann", creator="carl", funding="TOKEN", amount=1)
    assert code(approve(place, adjustment)) == "INSUFFICIENT_TOKENS"


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["ann", "eve", "tom"]), st.integers(1, 900)),
        min_size=1,
        max_size=3,
        unique_by=lambda move: move[0],
    ),
    price=st.integers(0, 10_000),
)
def test_new_lots_share_exactly_what_is_deferred(moves: list[tuple[str, int]], price: int) -> None:
    place = world()
    whole = sum(tokens for _, tokens in moves)
    legs: list[Any] = [["supply", PAID, whole]]
    legs += [[f"w.{user}.free", PAID, -tokens] for user, tokens in moves]
    if price:
        legs += [["bank", "USD", price], ["deferred", "USD", -price]]
    event = booked(place, legs)
    lots = [lot for made in event.made.values() for lot in made]
    assert sum(lot.price for lot in lots) == price
    assert Counter({user: lot.tokens for user, (lot,) in event.made.items()}) == dict(moves)


# Creators.


def test_a_creator_may_fall_below_zero_and_a_payout_goes() -> None:
    place = world()
    booked(place, [["exp.goodwill", "USD", 6_000], ["cr.carl.available", "USD", -6_000]])
    place.happens("set-payout-account", creator="carl", payouts_enabled=True)
    place.happens("request-payout", "fay", creator="carl", amount=5_000)
    back = [["cr.carl.available", "USD", 1_001], ["exp.goodwill", "USD", -1_001]]
    decision = approve(place, proposed(place, back))
    assert isinstance(decision, tuple)
    assert [event.type for event in place.record(*decision)] == [
        "adjustment.approved.v1",
        "payout.rejected.v1",
    ]
    assert (carl(place).available, carl(place).in_payout) == (4_999, 0)
    more = [["cr.carl.available", "USD", 5_000], ["exp.goodwill", "USD", -5_000]]
    booked(place, more)
    assert carl(place).available == -1
    booked(place, [["exp.baddebt", "USD", 1], ["cr.carl.available", "USD", -1]])
    assert carl(place).available == 0


# Dates.


def test_a_named_date_is_the_business_date() -> None:
    event = booked(world(), GOODWILL, effective_on="2026-10-15")
    assert event.stated_date() == date(2026, 10, 15)
    assert booked(world(), GOODWILL).stated_date() is None


def test_a_closed_date_is_refused() -> None:
    place = world()
    adjustment = proposed(place, GOODWILL, effective_on="2026-10-15")
    place.happens("close-period", "fay", period="2026-10")
    decision = propose(place, GOODWILL, effective_on="2026-10-31")
    assert isinstance(decision, Rejection)
    assert decision.details == {"date": date(2026, 10, 31), "first_open": date(2026, 11, 1)}
    assert code(approve(place, adjustment)) == "PERIOD_CLOSED"
    assert code(propose(place, GOODWILL, effective_on="2026-11-01")) == ""


def test_a_date_to_come_is_refused() -> None:
    assert code(propose(world(), GOODWILL, effective_on="2026-11-21")) == "CLOCK_SKEW"
    assert code(propose(world(), GOODWILL, effective_on="2026-11-20")) == ""
