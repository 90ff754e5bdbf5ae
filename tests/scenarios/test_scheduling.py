"""The scheduler on the real write path: needs nobody, may be late, twice, or dead in between."""

from contextlib import closing

import pytest

from tests.scenarios.policies import LIVE_CALL, PREPAID_CREDITS
from tests.scenarios.scheduling import scheduled, scheduler
from tests.scenarios.steps import events, grant, policy, purchase, wallet
from tests.scenarios.steps_products import at, call, hold, meter, named, turn, verified
from tests.scenarios.write_path import WritePath

BLOCK = "call_block.charged.v1"


@pytest.fixture
def calling(stage: WritePath) -> WritePath:
    stage.given(policy(LIVE_CALL), verified()).later(hours=1)
    return stage.given(grant(1_000), call(60))


def test_calls_are_metered_without_anybody_asking(calling: WritePath) -> None:
    at(calling, 29.9)
    assert scheduled(calling) == 0
    at(calling, 95)
    assert scheduled(calling) == 1
    calling.then(events(BLOCK, 3), wallet(910))
    assert scheduled(calling) == 0
    at(calling, 119.9)
    assert scheduled(calling) == 0
    at(calling, 120.001)
    assert scheduled(calling) == 1
    calling.then(events(BLOCK, 4))


def test_two_schedulers_and_a_tick_by_hand_charge_each_block_once(calling: WritePath) -> None:
    with closing(scheduler(calling)) as one, closing(scheduler(calling)) as other:
        for seconds in range(10, 190, 10):
            at(calling, seconds)
            one.turn()
            calling.when(meter())
            other.turn()
    calling.then(events(BLOCK, 6), wallet(820))


def test_a_scheduler_that_died_is_taken_up_where_it_stopped(calling: WritePath) -> None:
    at(calling, 35)
    scheduled(calling)
    with calling.fresh.connect() as connection:  # it took what was due, and died
        connection.execute("UPDATE agenda SET due_at = due_at - interval '2 hours'")
    calling.restart()
    at(calling, 65)
    scheduled(calling)
    calling.then(events(BLOCK, 2))


def test_the_agenda_is_only_a_list_of_candidates(calling: WritePath) -> None:
    at(calling, 35)
    scheduled(calling)
    with calling.fresh.connect() as connection:
        connection.execute("DELETE FROM agenda")
        connection.execute("UPDATE agenda_read SET position = 0")
    at(calling, 65)
    assert scheduled(calling) == 1
    calling.then(events(BLOCK, 2))


def test_an_ended_call_is_billed_written_off_and_forgotten(calling: WritePath) -> None:
    at(calling, 65).given(turn("end"))
    assert scheduled(calling) == 1
    calling.then(events(BLOCK, 2))
    at(calling, 65 + 1_201)
    scheduled(calling)
    with calling.fresh.connect() as connection:
        assert connection.execute("SELECT count(*) FROM agenda").fetchone() == (0,)
    calling.then(events("call_block.written_off.v1", 0))


def test_what_nobody_paid_is_written_off(stage: WritePath) -> None:
    stage.given(policy(LIVE_CALL), verified()).later(hours=1)
    stage.given(grant(30), call(60))
    at(stage, 70)
    scheduled(stage)
    stage.then(events(BLOCK, 1), events("call.ended.v1", 1))
    at(stage, 60 + 1_201)
    scheduled(stage)
    stage.then(events("call_block.written_off.v1", 1), wallet(0))


def test_schedulers_leave_no_receipts_and_the_log_verifies(calling: WritePath) -> None:
    at(calling, 65)
    with calling.fresh.connect() as connection:
        before = connection.execute("SELECT count(*) FROM receipts").fetchone()
    scheduled(calling)
    with calling.fresh.connect() as connection:
        assert connection.execute("SELECT count(*) FROM receipts").fetchone() == before
    calling.then(events(BLOCK, 2))


def test_a_hold_is_released_when_its_time_is_over(stage: WritePath) -> None:
    stage.given(policy({**PREPAID_CREDITS, "hold_expiry_hours": 2}))
    stage.given(purchase("bulk", price=96_000)).later(hours=1)
    stage.given(hold(100)).then(wallet(11_900))
    assert named(stage, "hold_id")
    stage.later(hours=2, microseconds=-1)
    assert scheduled(stage) == 0
    stage.later(seconds=1)
    assert scheduled(stage) == 1
    stage.then(events("hold.released.v1", 1), wallet(12_000))
    assert scheduled(stage) == 0


def test_many_calls_in_one_turn(stage: WritePath) -> None:
    stage.given(policy(LIVE_CALL), verified()).later(hours=1)
    fans = [f"fan-{number}" for number in range(300)]
    for fan in fans:
        stage.given(grant(100, user=fan), call(60, f"call-of-{fan}", user=fan))
    at(stage, 40)
    assert scheduled(stage) == len(fans)
    stage.then(events(BLOCK, len(fans)))
