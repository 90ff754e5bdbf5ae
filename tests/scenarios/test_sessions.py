"""Platform E, `session-booking`: authorised before a session, captured after it, tiered."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.scenarios.policies import SESSION_BOOKING
from tests.scenarios.pure import Pure
from tests.scenarios.scheduling import scheduled
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import Sent, accepted, events, policy, rejected, split
from tests.scenarios.steps_products import authorize, capture, named
from tests.scenarios.write_path import WritePath

CAPTURED = "payment.captured.v1"

pytestmark = plays_on(Pure, WritePath)


@pytest.fixture(autouse=True)
def _sessions(stage: Stage) -> None:
    stage.given(policy(SESSION_BOOKING))


def test_e1_the_tier_at_authorisation_holds(stage: Stage) -> None:
    stage.given(authorize(10_000, "STANDARD", "pi-1"))
    first = named(stage, "payment_id")
    stage.given(authorize(10_000, "VERIFIED", "pi-2"))  # promoted before the capture
    second = named(stage, "payment_id")
    stage.when(capture(first, 10_000)).then(split(7_000, 3_000))
    stage.when(capture(second, 10_000)).then(split(7_500, 2_500))
    stage.given(authorize(10_000, "EXPERT", "pi-3"))
    stage.when(capture(named(stage, "payment_id"), 10_000)).then(split(8_000, 2_000))
    stage.given(authorize(4_999, "STANDARD", "pi-4"))
    stage.when(capture(named(stage, "payment_id"), 4_999)).then(split(3_499, 1_500))


@plays_on(WritePath)
def test_e2_waiting_exactly_a_day_is_kept_and_a_second_more_is_voided(stage: WritePath) -> None:
    stage.later(hours=1).given(authorize(10_000, "STANDARD", "pi-1"))
    payment = named(stage, "payment_id")
    stage.later(hours=24, microseconds=-1)
    assert scheduled(stage) == 0
    stage.then(events("payment.voided.v1", 0))
    stage.later(seconds=1)
    stage.when(capture(payment, 10_000)).then(rejected("HOLD_NOT_OPEN", status=409))
    assert scheduled(stage) == 1
    stage.then(events("payment.voided.v1", 1))
    voided = stage.entries()[-1]
    assert (voided.postings, voided.event().reason) == ((), "CANCELLED")
    stage.when(capture(payment, 10_000)).then(rejected("HOLD_NOT_OPEN"), events(CAPTURED, 0))


@plays_on(WritePath)
def test_e2_a_session_that_runs_for_over_four_hours_is_abandoned(stage: WritePath) -> None:
    in_four_hours = datetime.now(UTC) + timedelta(hours=4)
    until = f"{in_four_hours:%Y-%m-%dT%H:%M:%SZ}"
    stage.given(authorize(10_000, "STANDARD", "pi-1", expires_at=until))
    payment = named(stage, "payment_id")
    stage.later(hours=4, seconds=1)
    assert scheduled(stage) == 1
    stage.then(events("payment.voided.v1", 1))
    assert stage.entries()[-1].event().reason == "ABANDONED"  # type: ignore[attr-defined]
    stage.when(capture(payment, 10_000)).then(rejected("HOLD_NOT_OPEN", status=409))


def test_e2_a_capture_of_more_than_was_authorised(stage: Stage) -> None:
    stage.given(authorize(10_000, "STANDARD", "pi-1"))
    payment = named(stage, "payment_id")
    stage.when(capture(payment, 10_001))
    stage.then(rejected("CAPTURE_EXCEEDS_HOLD", status=422, held=10_000), events(CAPTURED, 0))


@plays_on(WritePath)
def test_a_capture_and_a_void_at_once_are_one_or_the_other(stage: WritePath) -> None:
    stage.given(authorize(10_000, "STANDARD", "pi-1"))
    payment = named(stage, "payment_id")
    void = Sent("void", {"payment": payment, "reason_code": "CANCELLED"})
    stage.when_at_once([capture(payment, 10_000), void] * 5)
    stage.then(accepted(1), rejected("HOLD_NOT_OPEN", times=9))
