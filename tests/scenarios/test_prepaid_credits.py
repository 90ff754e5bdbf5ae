"""Platform D, `prepaid-credits`: credits held for a campaign and consumed in batches."""

import pytest

from tests.scenarios.policies import PREPAID_CREDITS
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    accepted,
    credit,
    deferred,
    events,
    policy,
    purchase,
    rejected,
    wallet,
)
from tests.scenarios.steps_products import hold, named, release, settle
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)


def test_d1_a_campaign_of_three_batches(stage: Stage) -> None:
    stage.given(policy(PREPAID_CREDITS), purchase("bulk", price=96_000), hold(11_500))
    stage.then(wallet(500))
    campaign = named(stage, "hold_id")
    for batch, used, revenue in ((1, 4990, 39_920), (2, 5000, 40_000)):
        stage.when(settle(campaign, batch, used)).then(accepted())
        assert stage.outcomes[0].event["released"] == revenue
    stage.when(settle(campaign, 2, 5000)).then(accepted(), credit("rev.usage", 79_920))
    stage.when(settle(campaign, 3, 1480)).then(accepted(), credit("rev.usage", 91_760))
    stage.when(release(campaign)).then(accepted(), wallet(530), credit(deferred, 4_240))
    assert stage.outcomes[0].event["tokens"] == 30
    stage.when(hold(531)).then(
        rejected("INSUFFICIENT_TOKENS", status=402, required=531, current=530, shortfall=1)
    )


@plays_on(WritePath)
def test_two_campaigns_cannot_hold_the_same_credits(stage: WritePath) -> None:
    stage.given(policy(PREPAID_CREDITS), purchase("bulk", price=96_000))
    stage.when_at_once([hold(5_000) for _ in range(10)])
    stage.then(accepted(2), rejected("INSUFFICIENT_TOKENS", times=8), wallet(2_000))


@plays_on(WritePath)
def test_one_batch_settled_at_once_by_many(stage: WritePath) -> None:
    stage.given(policy(PREPAID_CREDITS), purchase("bulk", price=96_000), hold(5_000))
    campaign = named(stage, "hold_id")
    stage.when_at_once([settle(campaign, 1, 100) for _ in range(20)])
    stage.then(accepted(20), credit("rev.usage", 800))


@pytest.mark.parametrize(
    ("batches", "size", "price"), [(200, 5_000, 8_000_000), (3, 7, 40), (16, 1, 1), (50, 999, 77)]
)
def test_6_32_a_million_messages_are_one_hold(
    stage: Stage, batches: int, size: int, price: int
) -> None:
    tokens = batches * size
    offer = {**PREPAID_CREDITS, "packages": {"whole": {"tokens": tokens, "price": price}}}
    stage.given(policy(offer), purchase("whole", price=price))
    stage.when(hold(tokens)).then(accepted(), events("credits.held.v1", 1), wallet(0))
    campaign = named(stage, "hold_id")
    stage.when([settle(campaign, number, size) for number in range(1, batches + 1)])
    stage.then(accepted(batches), events("hold.settled.v1", batches))
    stage.then(credit("rev.usage", price), credit(deferred, 0))
    stage.when([settle(campaign, number, size) for number in (1, batches)])
    stage.then(accepted(2), events("hold.settled.v1", batches))
    stage.when(settle(campaign, batches + 1, 1))
    stage.then(rejected("CAPTURE_EXCEEDS_HOLD", status=422, requested=1, held=0))
    stage.when(release(campaign)).then(accepted(), wallet(0), credit("rev.usage", price))
