"""Platform B, `live-call`: tokens, tips and tickets; 100% of spend to the creator, 5 cents each."""

import pytest

from tests.scenarios.over_http import OverHttp
from tests.scenarios.policies import LIVE_CALL
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    FAN,
    accepted,
    commission,
    creator_has,
    credit,
    deferred,
    events,
    margin,
    policy,
    purchase,
    rejected,
    sold,
    ticket,
    tip,
    wallet,
)
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)


@pytest.fixture(autouse=True)
def _all_to_the_creator(stage: Stage) -> None:
    stage.given(policy(LIVE_CALL))


def test_b5_a_tip_of_a_hundred_tokens(stage: Stage) -> None:
    stage.given(purchase("hundred", price=999))
    stage.when(tip(100)).then(sold(creator_share=500, released=999, platform_share=499))
    stage.then(creator_has(500), credit(margin, 499), credit(commission, 0), credit(deferred, 0))
    stage.when(tip(1))
    stage.then(rejected("INSUFFICIENT_TOKENS", status=402, required=1, current=0, shortfall=1))


def test_b5_nobody_tips_themselves(stage: Stage) -> None:
    stage.given(purchase("hundred", price=999))
    stage.when(tip(10, creator=FAN)).then(rejected("SELF_DEALING", status=422), wallet(100))


@plays_on(WritePath, OverHttp)
def test_b5_fifty_concurrent_tips_of_thirty(stage: WritePath) -> None:
    stage.given(purchase("hundred", price=999))
    stage.when_at_once([tip(30) for _ in range(50)])
    stage.then(accepted(3), rejected("INSUFFICIENT_TOKENS", times=47), wallet(10))
    stage.then(events("tip.sent.v1", 3), creator_has(450))


def test_b6_a_ticket_that_is_one_token_too_dear(stage: Stage) -> None:
    stage.given(purchase("forty-nine", price=490))
    stage.when(ticket(50))
    stage.then(
        rejected("INSUFFICIENT_TOKENS", status=402, required=50, current=49, shortfall=1),
        wallet(49),
    )


def test_b6_a_ticket_for_all_there_is(stage: Stage) -> None:
    stage.given(purchase("fifty", price=500))
    stage.when(ticket(50)).then(accepted(), wallet(0), creator_has(250))


def test_b6_a_public_stream_is_free_and_still_one_ticket_each(stage: Stage) -> None:
    stage.when(ticket(0, item="public")).then(accepted(), sold(creator_share=0, released=0))
    (entry,) = [entry for entry in stage.entries() if entry.type == "ticket.sold.v1"]
    assert entry.postings == ()
    stage.when(ticket(0, item="public")).then(rejected("ALREADY_ENTITLED"))
