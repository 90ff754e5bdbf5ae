"""Platform B, `live-call`: calls billed in 30-second blocks, 100% of spend to the creator."""

import pytest

from tests.scenarios.platform import Platform
from tests.scenarios.policies import LIVE_CALL
from tests.scenarios.steps import accepted, creator_has, events, grant, policy, rejected, wallet
from tests.scenarios.steps_products import at, call, meter, turn, verified

BLOCK = "call_block.charged.v1"


@pytest.fixture(autouse=True)
def _calls(platform: Platform) -> None:
    platform.given(policy(LIVE_CALL), verified()).later(hours=1)


def test_b1_a_start_needs_one_block(platform: Platform) -> None:
    platform.given(grant(12))
    platform.when(call(25))
    platform.then(rejected("INSUFFICIENT_TOKENS", status=402, required=13, current=12, shortfall=1))
    platform.given(grant(1))
    platform.when(call(25)).then(accepted(), events("call.started.v1", 1), wallet(13))


def test_b1_what_a_block_costs(platform: Platform) -> None:
    platform.given(grant(100))
    for rate, cost in ((62, 31), (1, 1)):
        platform.when(call(rate, f"call-{rate}")).then(accepted())
        assert platform.outcomes[0].event["block_tokens"] == cost
        platform.given(turn("end", f"call-{rate}"))
    platform.when(call(0, "free")).then(rejected_as_malformed)


def rejected_as_malformed(platform: Platform) -> None:
    (outcome,) = platform.outcomes
    assert (outcome.status, outcome.code) == (400, "INVALID_REQUEST")
    assert [error["pointer"] for error in outcome.json["errors"]] == ["/rate"]


def test_b2_a_call_ends_at_the_boundary_that_is_not_paid(platform: Platform) -> None:
    platform.given(grant(30), call(25))
    for seconds in (30, 60, 90, 120):
        at(platform, seconds).when(meter()).then(accepted())
    platform.then(events(BLOCK, 2), events("call.ended.v1", 1), wallet(4), creator_has(130))
    (ended,) = [entry.event() for entry in platform.entries() if entry.type == "call.ended.v1"]
    started = platform.entries()[4].event()
    assert ended.reason == "INSUFFICIENT_FUNDS"  # type: ignore[attr-defined]
    assert (ended.at - started.at).total_seconds() == 90  # type: ignore[attr-defined]


def test_b2_metered_once_through_120_seconds(platform: Platform) -> None:
    platform.given(grant(30), call(25))
    at(platform, 120).when(meter()).then(accepted())
    platform.then(events(BLOCK, 2), events("call.ended.v1", 1), wallet(4), creator_has(130))


def test_b3_a_pause_is_not_charged(platform: Platform) -> None:
    platform.given(grant(1_000), call(60))
    at(platform, 40).given(turn("pause"))
    at(platform, 99).when(meter()).then(events(BLOCK, 1))
    at(platform, 100).given(turn("resume"))
    at(platform, 119).when(meter()).then(events(BLOCK, 1))
    at(platform, 120).when(meter()).then(events(BLOCK, 2))
    at(platform, 130).given(turn("end"))
    at(platform, 190).when(meter()).then(accepted(), events(BLOCK, 2), wallet(940))


def test_b4_twenty_meters_at_once(platform: Platform) -> None:
    platform.given(grant(1_000), call(60))
    at(platform, 95).when_at_once([meter() for _ in range(20)])
    platform.then(accepted(20), events(BLOCK, 3), wallet(910), creator_has(450))
    numbers = [e.event().block_no for e in platform.entries() if e.type == BLOCK]
    assert numbers == [1, 2, 3]


def test_b4_late_ticks_and_wrong_clocks(platform: Platform) -> None:
    platform.given(grant(1_000), call(60))
    at(platform, 95).given(meter())
    at(platform, 100).given(turn("end"))
    at(platform, 160).when(meter()).then(accepted(), events(BLOCK, 3))
    platform.when(meter(as_of="2100-01-01T00:00:00Z")).then(rejected("CLOCK_SKEW", status=422))
    at(platform, 100 + 901).when(meter()).then(rejected("CALL_NOT_ACTIVE", status=409))


def test_a_call_survives_a_new_deployment(platform: Platform) -> None:
    platform.given(grant(1_000), call(60))
    at(platform, 65).given(meter())
    platform.restart()
    at(platform, 95).when(meter()).then(accepted(), events(BLOCK, 3), wallet(910))


def test_five_hours_in_one_tick(platform: Platform) -> None:
    platform.given(grant(50_000), call(60))
    at(platform, 5 * 3600).when(meter()).then(accepted(), events(BLOCK, 480))
    platform.then(events("call.ended.v1", 1), wallet(50_000 - 480 * 30))
