"""Platform B, `live-call`: calls billed in 30-second blocks, 100% of spend to the creator."""

import pytest

from tests.scenarios.policies import LIVE_CALL
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import accepted, creator_has, events, grant, policy, rejected, wallet
from tests.scenarios.steps_products import at, call, meter, turn, verified
from tests.scenarios.write_path import WritePath

BLOCK = "call_block.charged.v1"

pytestmark = plays_on(Pure, WritePath)


@pytest.fixture(autouse=True)
def _calls(stage: Stage) -> None:
    stage.given(policy(LIVE_CALL), verified()).later(hours=1)


def test_b1_a_start_needs_one_block(stage: Stage) -> None:
    stage.given(grant(12))
    stage.when(call(25))
    stage.then(rejected("INSUFFICIENT_TOKENS", status=402, required=13, current=12, shortfall=1))
    stage.given(grant(1))
    stage.when(call(25)).then(accepted(), events("call.started.v1", 1), wallet(13))


def test_b1_what_a_block_costs(stage: Stage) -> None:
    stage.given(grant(100))
    for rate, cost in ((62, 31), (1, 1)):
        stage.when(call(rate, f"call-{rate}")).then(accepted())
        assert stage.outcomes[0].event["block_tokens"] == cost
        stage.given(turn("end", f"call-{rate}"))
    stage.when(call(0, "free")).then(rejected_as_malformed)


def rejected_as_malformed(stage: Stage) -> None:
    (outcome,) = stage.outcomes
    assert (outcome.status, outcome.code) == (400, "INVALID_REQUEST")
    assert [error["pointer"] for error in outcome.json["errors"]] == ["/rate"]


def test_b2_a_call_ends_at_the_boundary_that_is_not_paid(stage: Stage) -> None:
    stage.given(grant(30), call(25))
    for seconds in (30, 60, 90, 120):
        at(stage, seconds).when(meter()).then(accepted())
    stage.then(events(BLOCK, 2), events("call.ended.v1", 1), wallet(4), creator_has(130))
    (ended,) = [entry.event() for entry in stage.entries() if entry.type == "call.ended.v1"]
    started = stage.entries()[4].event()
    assert ended.reason == "INSUFFICIENT_FUNDS"  # type: ignore[attr-defined]
    assert (ended.at - started.at).total_seconds() == 90  # type: ignore[attr-defined]


def test_b2_metered_once_through_120_seconds(stage: Stage) -> None:
    stage.given(grant(30), call(25))
    at(stage, 120).when(meter()).then(accepted())
    stage.then(events(BLOCK, 2), events("call.ended.v1", 1), wallet(4), creator_has(130))


def test_b3_a_pause_is_not_charged(stage: Stage) -> None:
    stage.given(grant(1_000), call(60))
    at(stage, 40).given(turn("pause"))
    at(stage, 99).when(meter()).then(events(BLOCK, 1))
    at(stage, 100).given(turn("resume"))
    at(stage, 119).when(meter()).then(events(BLOCK, 1))
    at(stage, 120).when(meter()).then(events(BLOCK, 2))
    at(stage, 130).given(turn("end"))
    at(stage, 190).when(meter()).then(accepted(), events(BLOCK, 2), wallet(940))


@plays_on(WritePath)
def test_b4_twenty_meters_at_once(stage: WritePath) -> None:
    stage.given(grant(1_000), call(60))
    at(stage, 95).when_at_once([meter() for _ in range(20)])
    stage.then(accepted(20), events(BLOCK, 3), wallet(910), creator_has(450))
    numbers = [e.event().block_no for e in stage.entries() if e.type == BLOCK]
    assert numbers == [1, 2, 3]


def test_b4_late_ticks_and_wrong_clocks(stage: Stage) -> None:
    stage.given(grant(1_000), call(60))
    at(stage, 95).given(meter())
    at(stage, 100).given(turn("end"))
    at(stage, 160).when(meter()).then(accepted(), events(BLOCK, 3))
    stage.when(meter(as_of="2100-01-01T00:00:00Z")).then(rejected("CLOCK_SKEW", status=422))
    at(stage, 100 + 901).when(meter()).then(rejected("CALL_NOT_ACTIVE", status=409))


@plays_on(WritePath)
def test_a_call_survives_a_new_deployment(stage: WritePath) -> None:
    stage.given(grant(1_000), call(60))
    at(stage, 65).given(meter())
    stage.restart()
    at(stage, 95).when(meter()).then(accepted(), events(BLOCK, 3), wallet(910))


def test_five_hours_in_one_tick(stage: Stage) -> None:
    stage.given(grant(50_000), call(60))
    at(stage, 5 * 3600).when(meter()).then(accepted(), events(BLOCK, 480))
    stage.then(events("call.ended.v1", 1), wallet(50_000 - 480 * 30))
