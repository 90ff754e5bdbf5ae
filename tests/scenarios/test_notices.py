"""Notices: by what they are known, what releases them, and what an answer covers."""

import pytest

from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Outcome, Stage, plays_on
from tests.scenarios.steps import (
    Sent,
    accepted,
    card_tip,
    debit,
    events,
    policy,
    purchase,
    suspended,
    suspense,
)
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)
#: Price, what a processor refunds of it at first, and by then in all.
FIGURES = [(1_000, 400, 1_000), (399, 1, 399), (9_999, 9_998, 9_999), (5_001, 2_500, 2_501)]


@pytest.fixture(autouse=True)
def _open(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK))


def back(ref: str, cumulative: int, sale: str, processor: str = "stripe") -> Sent:
    """A processor has refunded so much of a sale."""
    fields = {"sale": sale, "cumulative": cumulative}
    return Sent("record-refund", {**fields, "processor": processor, "processor_ref": ref})


def released(outcome: Outcome) -> list[tuple[str, str, int]]:
    """(command, reference, position) of what a command released."""
    return [
        (one["command"], one["processor_ref"], one["position"])
        for one in outcome.json.get("released", ())
    ]


@pytest.mark.parametrize(("price", "first", "then"), FIGURES)
def test_6_21_a_refund_may_carry_the_reference_of_its_charge(
    stage: Stage, price: int, first: int, then: int
) -> None:
    charge = card_tip(price, processor_ref="pi_1")
    stage.when(charge, back("pi_1", first, "pi_1"), back("pi_1-b", then, "pi_1"))
    stage.then(accepted(3), debit("psp.stripe", price - then))
    stage.when(charge, back("pi_1", first, "pi_1"))
    assert [outcome.replayed for outcome in stage.outcomes] == [True, True]
    stage.then(events("refund.recorded.v1", 2), debit("psp.stripe", price - then))


@pytest.mark.parametrize("ref", ["ch.1", "a:b", "x=@+"])
def test_6_21_a_reference_is_unique_over_payments_whatever_they_buy(stage: Stage, ref: str) -> None:
    stage.when(
        card_tip(500, processor_ref=ref),
        purchase("small", price=999, ref=ref),
        card_tip(700, processor_ref=ref).but(processor="adyen"),
    )
    stage.then(accepted(1), suspended("DUPLICATE_PAYMENT", 2))
    stage.then(debit("psp.stripe", 1_499), debit("psp.adyen", 700), debit(suspense, -1_699))


@pytest.mark.parametrize(("price", "amount", "fee"), [(1_000, 400, 15), (399, 399, 0), (99, 1, 7)])
def test_6_9_a_dispute_is_known_by_its_processor_and_its_reference(
    stage: Stage, price: int, amount: int, fee: int
) -> None:
    """Two processors number their disputes alike; each has its own, and its own end."""
    sides = ("stripe", "adyen")
    for processor in sides:
        stage.given(card_tip(price, processor_ref=f"p:{processor}").but(processor=processor))
        reported = {"processor": processor, "processor_ref": "d:1"}
        disputed = {"payment_ref": f"p:{processor}", "amount": amount, "fee": fee}
        stage.given(Sent("open-dispute", {**disputed, **reported}))
    stage.then(events("dispute.opened.v1", 2), debit("disputed", 2 * amount))
    ends = [
        Sent(
            "close-dispute",
            {"dispute": "d:1", "outcome": end, "processor": side, "processor_ref": f"e:{end}"},
        )
        for side, end in zip(sides, ("WON", "LOST"), strict=True)
    ]
    stage.when(*ends).then(accepted(2), debit("disputed", 0))
    stage.then(debit("psp.stripe", price - fee), debit("psp.adyen", price - amount - fee))


@pytest.mark.parametrize(("price", "first", "then"), FIGURES)
def test_6_9_a_reference_is_that_of_the_processor_that_speaks(
    stage: Stage, price: int, first: int, then: int
) -> None:
    stage.given(card_tip(price, processor_ref="p:1"))
    refund = back("r:1", first, "p:1").but(processor="adyen")
    stage.when(refund)
    assert stage.outcomes[0].json["outcome"] == "parked"
    stage.then(debit("psp.stripe", price), events("refund.recorded.v1", 0))
    stage.when(card_tip(then, processor_ref="p:1").but(processor="adyen"))
    stage.then(suspended("DUPLICATE_PAYMENT"), debit("psp.stripe", price))
    stage.then(debit("psp.adyen", then - first), debit(suspense, first - then))


def test_6_9_an_id_of_ours_is_tried_before_a_reference(stage: Stage) -> None:
    stage.given(card_tip(1_000, processor_ref="p:1"))
    disputed = {"payment_ref": "p:1", "amount": 400, "fee": 0, "processor": "stripe"}
    stage.when(Sent("open-dispute", {**disputed, "processor_ref": "d:1"}))
    own = stage.outcomes[0].event["dispute_id"]
    ended = {"dispute": own, "outcome": "WON", "processor": "adyen", "processor_ref": "e:1"}
    stage.when(Sent("close-dispute", ended)).then(accepted(), debit("psp.stripe", 1_000))


@pytest.mark.parametrize(("price", "first", "then"), FIGURES)
def test_6_20_an_answer_covers_what_its_command_released(
    stage: Stage, price: int, first: int, then: int
) -> None:
    parked = stage.send(back("r:1", first, "pi:1")), stage.send(back("r:2", then, "pi:1"))
    assert [each.json["outcome"] for each in parked] == ["parked", "parked"]
    stage.when(card_tip(price, processor_ref="pi:1")).then(accepted())
    (sold,) = stage.outcomes
    at = sold.json["events"][-1]["position"]
    assert released(sold) == [("record-refund", "r:1", at + 1), ("record-refund", "r:2", at + 2)]
    assert sold.json["position"] == at + 2 == len(stage.entries())
    stage.when(card_tip(price, processor_ref="pi:1"))
    assert (stage.outcomes[0].body, stage.outcomes[0].replayed) == (sold.body, True)


def test_6_20_what_is_released_may_release_further_notices(stage: Stage) -> None:
    dispute = {"amount": 500, "fee": 0, "processor": "stripe", "processor_ref": "d:1"}
    ended = {"dispute": "d:1", "outcome": "LOST", "processor": "stripe", "processor_ref": "e:1"}
    stage.when(
        Sent("close-dispute", ended), Sent("open-dispute", {**dispute, "payment_ref": "pi:1"})
    )
    sold = stage.send(card_tip(500, processor_ref="pi:1"))
    assert [ref for _, ref, _ in released(sold)] == ["d:1", "e:1"]
    assert sold.json["position"] == len(stage.entries())


def test_6_20_an_answer_without_a_released_notice_says_nothing_of_it(stage: Stage) -> None:
    sold = stage.send(card_tip(500))
    assert "released" not in sold.json
    assert sold.json["position"] == sold.json["events"][-1]["position"]
