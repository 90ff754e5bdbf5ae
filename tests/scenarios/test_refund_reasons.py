"""Refunds are asked for with a reason from the policy's list, where it has one."""

import pytest

from tests.scenarios.over_http import OverHttp
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import Sent, accepted, card_tip, policy, purchase, rejected, tip
from tests.scenarios.steps_money_back import gave_back
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath, OverHttp)
LISTED = {**MICRO_UNLOCK, "refund_reasons": ["DUPLICATE", "NO_SHOW"]}


def back(amount: int, reason: str, **what: str) -> Sent:
    return Sent("refund", {**what, "amount": amount, "reason_code": reason})


@pytest.mark.parametrize(("price", "part"), [(500, 200), (1_000, 1_000), (99, 1), (9_999, 3_333)])
@pytest.mark.parametrize("reason", ["DUPLICATE", "NO_SHOW"])
def test_a_refund_has_a_reason_of_the_list(
    stage: Stage, price: int, part: int, reason: str
) -> None:
    stage.given(policy(LISTED)).when(card_tip(price))
    sale = stage.outcomes[-1].event["sale_id"]
    allowed = "DUPLICATE, NO_SHOW"
    whim = rejected("REFUND_REASON_UNKNOWN", status=422, reason_code="WHIM", allowed=allowed)
    stage.when(back(part, "WHIM", sale=sale)).then(whim)
    stage.when(back(part, reason, sale=sale)).then(accepted())


def test_tokens_and_purchases_go_back_for_a_reason_of_the_list(stage: Stage) -> None:
    stage.given(policy(LISTED)).when(purchase("small", price=999))
    bought = {"purchase": stage.outcomes[-1].event["purchase_id"]}
    stage.when(tip(300))
    sale = stage.outcomes[-1].event["sale_id"]
    for sent in (
        back(300, "WHIM", sale=sale),
        Sent("refund-purchase", {**bought, "reason_code": "WHIM"}),
    ):
        stage.when(sent).then(rejected("REFUND_REASON_UNKNOWN", status=422))
    stage.when(back(300, "NO_SHOW", sale=sale)).then(accepted())
    stage.when(Sent("refund-purchase", {**bought, "reason_code": "DUPLICATE"})).then(accepted())


def test_what_a_processor_reports_needs_no_reason_and_without_a_list_any_will_do(
    stage: Stage,
) -> None:
    stage.given(policy(LISTED)).when(card_tip(500))
    sale = stage.outcomes[-1].event["sale_id"]
    stage.when(gave_back(200, sale=sale)).then(accepted())
    proposal, approval = policy({**MICRO_UNLOCK, "refund_reasons": None})
    stage.given(proposal, approval.but(version=2))
    stage.when(back(300, "WHIM", sale=sale)).then(accepted())
