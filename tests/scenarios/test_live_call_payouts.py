"""Platform B, `live-call`: earned tokens are paid out at five cents each, bought ones never."""

from tests.scenarios.policies import LIVE_CALL
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    CREATOR,
    accepted,
    creator_has,
    grant,
    policy,
    purchase,
    rejected,
    tip,
)
from tests.scenarios.steps_finance import payout, ready
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)


def test_b6_what_was_earned_is_paid_out_from_a_thousand_tokens_on(stage: Stage) -> None:
    stage.given(policy(LIVE_CALL), ready(), grant(1_000), tip(999))
    stage.then(creator_has(4_995))
    stage.when(payout(4_995)).then(rejected("BELOW_MINIMUM", status=422, shortfall=5))
    stage.given(tip(1))
    stage.when(payout(5_000)).then(accepted(), creator_has(0))


def test_b6_purchased_tokens_are_not_withdrawable(stage: Stage) -> None:
    stage.given(policy(LIVE_CALL), ready(), purchase("hundred", price=999, user=CREATOR))
    stage.when(payout(5_000))
    stage.then(rejected("INSUFFICIENT_AVAILABLE", status=422, available=0, requested=5_000))
