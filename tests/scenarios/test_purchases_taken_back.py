"""Purchases of tokens that banks and processors take back: money back never exceeds money in."""

import pytest

from tests.scenarios.policies import LIVE_CALL, MICRO_UNLOCK
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    FAN,
    Sent,
    accepted,
    creator_has,
    credit,
    debit,
    deferred,
    margin,
    policy,
    purchase,
    rejected,
    tip,
)
from tests.scenarios.steps_disputes import asks_back, disputed, won
from tests.scenarios.steps_finance import BOB, FAY, approval
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)


def bought(stage: Stage, sent: Sent) -> str:
    """The id of a purchase that is made."""
    stage.when(sent).then(accepted())
    purchase_id: str = stage.outcomes[0].event["purchase_id"]
    return purchase_id


def back(purchase_id: str) -> Sent:
    """The rest of a purchase shall go back."""
    return Sent("refund-purchase", {"purchase": purchase_id, "reason_code": "REQUESTED"})


@pytest.mark.parametrize("part", [47, 1, 500, 998])
def test_6_1_of_a_purchase_lost_in_part_the_rest_goes_back(stage: Stage, part: int) -> None:
    stage.given(policy(LIVE_CALL))
    purchase_id = bought(stage, purchase("hundred", price=999))
    stage.given(disputed(part, purchase=purchase_id, fee=0, final=True))
    stage.when(back(purchase_id)).then(accepted(), credit(deferred, 0), debit("psp.stripe", 0))
    stage.when(back(purchase_id)).then(rejected("REFUND_EXCEEDS_REMAINING", remaining=0))


def test_6_1_a_tip_that_comes_back_after_the_loss_ends_the_debt(stage: Stage) -> None:
    stage.given(policy(LIVE_CALL))
    purchase_id = bought(stage, purchase("hundred", price=999))
    stage.when(tip(60)).then(accepted(), creator_has(300), credit(margin, 299))
    sale: str = stage.outcomes[0].event["sale_id"]
    stage.given(disputed(999, purchase=purchase_id, fee=0, final=True))
    stage.when(asks_back(sale, 60)).then(
        accepted(), creator_has(0), credit(margin, 0), credit(deferred, 0)
    )


def test_6_2_the_processor_refunds_a_purchase(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK))
    purchase_id = bought(stage, purchase("small", price=999))
    stage.given(tip(400))
    figure = {"purchase": purchase_id, "cumulative": 999}
    notice = {"processor": "stripe", "processor_ref": "refund"}
    stage.when(Sent("record-refund", {**figure, **notice})).then(
        accepted(), credit(deferred, 0), credit(margin, 0)
    )
    stage.when(back(purchase_id)).then(rejected("REFUND_EXCEEDS_REMAINING", remaining=0))


@pytest.mark.parametrize(("spent", "debt"), [(60, 599), (1, 9), (33, 329), (100, 999)])
def test_6_1_a_debt_that_was_written_off_is_recovered_when_its_cause_is_undone(
    stage: Stage, spent: int, debt: int
) -> None:
    stage.given(policy({**LIVE_CALL, "dispute_bearer": "PLATFORM"}))
    purchase_id = bought(stage, purchase("hundred", price=999))
    stage.given(tip(spent), disputed(999, purchase=purchase_id, fee=0, final=True))
    stage.then(debit(f"fan_debt.{FAN}", debt))
    written_off = [["exp.baddebt", "USD", debt], [f"fan_debt.{FAN}", "USD", -debt]]
    terms = {"postings": written_off, "reason_code": "WRITE_OFF"}
    stage.given(Sent("propose-adjustment", terms, *FAY)).given(approval(stage, *BOB))
    stage.then(debit(f"fan_debt.{FAN}", 0), debit("exp.baddebt", debt))
    stage.given(won()).then(debit(f"fan_debt.{FAN}", 0), debit("exp.baddebt", 0))
    stage.then(debit("psp.stripe", 999), creator_has(5 * spent))


def test_a_write_off_of_more_than_is_owed_is_a_credit_and_the_log_is_true(stage: Stage) -> None:
    written_off = [["exp.baddebt", "USD", 399], [f"fan_debt.{FAN}", "USD", -399]]
    terms = {"postings": written_off, "reason_code": "WRITE_OFF"}
    stage.given(policy(LIVE_CALL), Sent("propose-adjustment", terms, *FAY))
    stage.given(approval(stage, *BOB)).then(credit(f"fan_debt.{FAN}", 399))
    stage.check()
