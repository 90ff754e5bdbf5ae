"""Runs of the payout schedule: all there is, once a run, to whoever can be paid."""

from datetime import date
from typing import Any

import pytest

from domain.catalogue import InvalidRequest, read_command
from domain.creators.onboarding import PayoutAccountChanged
from domain.event import Event
from domain.payouts.payout import PayoutRequested
from domain.policy import Policy
from tests.domain.in_memory_book import NOW, InMemoryBook, code
from tests.domain.payouts.ways import WAY, carl, earn, request, take, world
from tests.scenarios.policies import MICRO_UNLOCK


def run(place: InMemoryBook) -> tuple[Event, ...]:
    """A run of the schedule comes by."""
    return place.happens("request-payout", "scheduler", creator="carl", scheduled=True)


def test_a_run_of_the_schedule_pays_all_there_is_once() -> None:
    place = world(6_000, payout_schedule="WEEKLY", maturity_days=1)
    place.later(days=2)
    _, event = run(place)
    assert isinstance(event, PayoutRequested)
    assert (event.gross, event.scheduled_for) == (6_000, date(2026, 11, 16))
    assert run(place) == ()
    take(place, event.payout_id, *WAY["paid"])
    earn(place, 7_000)
    assert run(place) == ()
    place.now = NOW.replace(day=30, hour=0)
    assert code(place.decide("request-payout", **request(5_000))) == ""
    (_, following) = run(place)
    assert isinstance(following, PayoutRequested)
    assert (following.gross, following.scheduled_for) == (7_000, date(2026, 11, 30))


@pytest.mark.parametrize("schedule", [None, "DAILY"])
@pytest.mark.parametrize("available", [-1, 0, 4_999, 5_000])
@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_a_run_passes_over_whom_it_cannot_pay(
    schedule: str | None, available: int, ready: bool, frozen: bool
) -> None:
    place = world(0, ready=ready, payout_schedule=schedule)
    place.states["creator:carl"] = carl(place).earned(available, "available")
    if frozen:
        place.happens(
            "freeze", subject="carl", kind="creator", scope="PAYOUT", reason_code="REVIEW"
        )
    pays = schedule is not None and available == 5_000 and ready and not frozen
    assert len(run(place)) == pays


@pytest.mark.parametrize(
    ("schedule", "today", "day"),
    [
        ("DAILY", date(2026, 11, 20), date(2026, 11, 20)),
        ("WEEKLY", date(2026, 11, 16), date(2026, 11, 16)),
        ("WEEKLY", date(2026, 11, 22), date(2026, 11, 16)),
        ("WEEKLY", date(2027, 1, 1), date(2026, 12, 28)),
        ("MONTHLY", date(2026, 11, 30), date(2026, 11, 1)),
        ("MONTHLY", date(2026, 12, 1), date(2026, 12, 1)),
        (None, date(2026, 12, 1), None),
    ],
)
def test_the_days_of_the_schedule(schedule: str | None, today: date, day: date | None) -> None:
    policy = Policy.model_validate({**MICRO_UNLOCK, "payout_schedule": schedule})
    assert policy.payout_run(today) == day


@pytest.mark.parametrize(
    "fields", [{}, {"scheduled": True, "amount": 1}, {"scheduled": True, "instant": True}]
)
def test_the_schedule_names_no_amount_and_everybody_else_does(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        world().decide("request-payout", creator="carl", **fields)


def test_who_can_be_paid_is_on_the_agenda() -> None:
    place = world(0)
    (event,) = place.happens("set-payout-account", creator="carl", payouts_enabled=False)
    assert isinstance(event, PayoutAccountChanged)
    assert event.agenda() == ("payouts:carl", None)
    (event,) = place.happens("set-payout-account", creator="carl", payouts_enabled=True)
    assert isinstance(event, PayoutAccountChanged)
    _, due = event.agenda()
    assert due is not None and due.every_s == 86_400 and not due.once
    assert read_command(due.command, dict(due.fields))
