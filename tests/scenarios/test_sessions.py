"""Platform E, `session-booking`: authorised before a session, captured after it, tiered."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.scenarios.platform import Platform
from tests.scenarios.policies import SESSION_BOOKING
from tests.scenarios.steps import Sent, accepted, events, policy, rejected, split
from tests.scenarios.steps_products import authorize, capture, named
from tests.scenarios.test_scheduling import scheduled

CAPTURED = "payment.captured.v1"


@pytest.fixture(autouse=True)
def _sessions(platform: Platform) -> None:
    platform.given(policy(SESSION_BOOKING))


def test_e1_the_tier_at_authorisation_holds(platform: Platform) -> None:
    platform.given(authorize(10_000, "STANDARD", "pi-1"))
    first = named(platform, "payment_id")
    platform.given(authorize(10_000, "VERIFIED", "pi-2"))  # promoted before the capture
    second = named(platform, "payment_id")
    platform.when(capture(first, 10_000)).then(split(7_000, 3_000))
    platform.when(capture(second, 10_000)).then(split(7_500, 2_500))
    platform.given(authorize(10_000, "EXPERT", "pi-3"))
    platform.when(capture(named(platform, "payment_id"), 10_000)).then(split(8_000, 2_000))
    platform.given(authorize(4_999, "STANDARD", "pi-4"))
    platform.when(capture(named(platform, "payment_id"), 4_999)).then(split(3_499, 1_500))


def test_e2_waiting_exactly_a_day_is_kept_and_a_second_more_is_voided(platform: Platform) -> None:
    platform.later(hours=1).given(authorize(10_000, "STANDARD", "pi-1"))
    payment = named(platform, "payment_id")
    platform.later(hours=24, microseconds=-1)
    assert scheduled(platform) == 0
    platform.then(events("payment.voided.v1", 0))
    platform.later(seconds=1)
    platform.when(capture(payment, 10_000)).then(rejected("HOLD_NOT_OPEN", status=409))
    assert scheduled(platform) == 1
    platform.then(events("payment.voided.v1", 1))
    voided = platform.entries()[-1]
    assert (voided.postings, voided.event().reason) == ((), "CANCELLED")
    platform.when(capture(payment, 10_000)).then(rejected("HOLD_NOT_OPEN"), events(CAPTURED, 0))


def test_e2_a_session_that_runs_for_over_four_hours_is_abandoned(platform: Platform) -> None:
    in_four_hours = datetime.now(UTC) + timedelta(hours=4)
    until = f"{in_four_hours:%Y-%m-%dT%H:%M:%SZ}"
    platform.given(authorize(10_000, "STANDARD", "pi-1", expires_at=until))
    payment = named(platform, "payment_id")
    platform.later(hours=4, seconds=1)
    assert scheduled(platform) == 1
    platform.then(events("payment.voided.v1", 1))
    assert platform.entries()[-1].event().reason == "ABANDONED"  # type: ignore[attr-defined]
    platform.when(capture(payment, 10_000)).then(rejected("HOLD_NOT_OPEN", status=409))


def test_e2_a_capture_of_more_than_was_authorised(platform: Platform) -> None:
    platform.given(authorize(10_000, "STANDARD", "pi-1"))
    payment = named(platform, "payment_id")
    platform.when(capture(payment, 10_001))
    platform.then(rejected("CAPTURE_EXCEEDS_HOLD", status=422, held=10_000), events(CAPTURED, 0))


def test_a_capture_and_a_void_at_once_are_one_or_the_other(platform: Platform) -> None:
    platform.given(authorize(10_000, "STANDARD", "pi-1"))
    payment = named(platform, "payment_id")
    void = Sent("void", {"payment": payment, "reason_code": "CANCELLED"})
    platform.when_at_once([capture(payment, 10_000), void] * 5)
    platform.then(accepted(1), rejected("HOLD_NOT_OPEN", times=9))
