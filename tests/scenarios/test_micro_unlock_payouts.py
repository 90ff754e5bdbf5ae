"""Platform A, `micro-unlock`: what creators are paid out, and what refunds do to it."""

import pytest

from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    accepted,
    card_tip,
    card_unlock,
    creator_has,
    credit,
    events,
    policy,
    rejected,
)
from tests.scenarios.steps_finance import paid_out, payout, ready, refunded, says
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)


@pytest.fixture(autouse=True)
def _eighty_twenty(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK), ready())


def available(stage: Stage, amount: int) -> None:
    """Let the creator have earned so much, by one tip."""
    stage.given(card_tip((amount * 10_000 + 4_000) // 8_000))
    stage.then(creator_has(amount))


def test_a5_an_instant_payout_costs_its_fee(stage: Stage) -> None:
    available(stage, 12_345)
    stage.when(payout(4_999, instant=True))
    stage.then(rejected("BELOW_MINIMUM", status=422, shortfall=1, minimum=5_000))

    stage.when(payout(5_000, instant=True)).then(accepted())
    stage.then(says("payout.requested.v1", gross=5_000, fee=125, net=4_875))
    stage.then(creator_has(7_345), creator_has(5_000, bucket="payout"))

    paid_out(stage)
    stage.then(
        credit("rev.fee", 125),
        credit("bank", 4_875),
        creator_has(7_345),
        creator_has(0, bucket="payout"),
    )


@pytest.mark.parametrize(("gross", "fee"), [(10_010, 250), (10_020, 251)])
def test_a5_the_fee_is_rounded_half_up(stage: Stage, gross: int, fee: int) -> None:
    available(stage, 12_345)
    stage.when(payout(gross, instant=True))
    stage.then(says("payout.requested.v1", fee=fee, net=gross - fee))


@plays_on(WritePath)
def test_a5_of_concurrent_requests_one_wins(stage: WritePath) -> None:
    available(stage, 12_345)
    stage.when_at_once([payout(5_000) for _ in range(10)])
    stage.then(accepted(1), rejected("PAYOUT_IN_PROGRESS", times=9, status=409))
    stage.then(creator_has(7_345), creator_has(5_000, bucket="payout"))


def test_a6_a_refund_after_the_payout(stage: Stage) -> None:
    stage.when(card_unlock(399))
    sale = stage.outcomes[0].event["sale_id"]
    stage.given(card_unlock(5_851))
    stage.then(creator_has(319 + 4_681))
    stage.given(payout(5_000))
    paid_out(stage)

    stage.given(refunded(sale, 399)).then(creator_has(-319))
    stage.when(payout(5_000)).then(rejected("NEGATIVE_BALANCE", status=422))

    stage.given(card_unlock(999)).then(creator_has(480))
    stage.when(payout(480)).then(rejected("BELOW_MINIMUM", shortfall=4_520, requested=480))


def test_a6_a_refund_before_the_payout_is_submitted_cancels_it(stage: Stage) -> None:
    stage.when(card_unlock(399))
    sale = stage.outcomes[0].event["sale_id"]
    stage.given(card_unlock(5_851), payout(5_000))
    stage.given(refunded(sale, 399))
    stage.then(
        events("payout.rejected.v1", 1),
        creator_has(4_681),
        creator_has(0, bucket="payout"),
    )
