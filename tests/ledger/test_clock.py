"""A wrong clock moves no book's time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from ledger.clock import JUMP_MAX, PAUSE_MAX, ClockGuard, ClockJumped, accept
from ledger.postgres import sql_files
from ledger.write.sequencer import Sequencer
from ledger.write.unavailable import Unavailable
from tests.conftest import FreshBook
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.scheduling import scheduled, scheduler
from tests.scenarios.steps import events, grant, policy, tip, wallet
from tests.scenarios.write_path import WritePath

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Machine:
    """A machine's two clocks, one of which can be set."""

    def __init__(self) -> None:
        self.passed_s = 1_000.0
        self.ahead = timedelta(0)
        self.guard = ClockGuard(lambda: self.passed_s)

    def reads(self, recorded_at: datetime = NOON) -> None:
        """Check the clock in a book whose last event is of `recorded_at`."""
        now = NOON + timedelta(seconds=self.passed_s - 1_000) + self.ahead
        self.guard.check(now, recorded_at)


def test_a_clock_that_goes_with_the_time_is_believed() -> None:
    machine = Machine()
    for _ in range(1_000):
        machine.passed_s += 3_600
        machine.reads()


@pytest.mark.parametrize("ahead", [timedelta(seconds=61), YEAR])
def test_a_clock_that_was_set_ahead_is_not_believed_until_it_is_set_back(ahead: timedelta) -> None:
    machine = Machine()
    machine.reads()
    machine.ahead = ahead
    for _ in range(3):
        with pytest.raises(ClockJumped, match="tokenledger clock --accept"):
            machine.reads()
    machine.ahead = timedelta(0)
    machine.reads()


def test_many_small_jumps_come_no_further_than_one() -> None:
    machine = Machine()
    machine.reads()
    for _ in range(2):
        machine.ahead += JUMP_MAX / 2
        machine.reads()
    machine.ahead += JUMP_MAX / 2
    with pytest.raises(ClockJumped):
        machine.reads()


def test_a_clock_that_was_set_back_is_followed() -> None:
    machine = Machine()
    machine.ahead = YEAR
    machine.reads(NOON + YEAR)
    machine.ahead = timedelta(0)
    machine.reads(NOON + YEAR)
    machine.ahead = timedelta(days=1)
    machine.reads(NOON + YEAR)  # the book's own time is further ahead, whatever the clock does
    machine.ahead = YEAR * 2
    with pytest.raises(ClockJumped):
        machine.reads(NOON + YEAR)


def test_after_a_long_pause_a_person_has_to_say_that_the_clock_is_right() -> None:
    late = NOON + PAUSE_MAX + timedelta(days=1)
    guard = ClockGuard()
    with pytest.raises(ClockJumped, match="last event"):
        guard.check(late, NOON)
    guard.check(late, late)
    ClockGuard().check(late, NEVER)  # a new book has no time of its own


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Set the clock of this machine, the database's included."""

    def set_ahead(ahead: timedelta) -> None:
        monkeypatch.undo()
        late = f"clock_timestamp() + interval '{ahead.total_seconds()} s'".encode()
        for name in ("sequencer", "agenda"):
            queries = sql_files.load(name)
            for key, query in list(queries.items()):
                monkeypatch.setitem(queries, key, query.replace(b"clock_timestamp()", late))
        defaults: Any = Sequencer.__init__.__kwdefaults__
        monkeypatch.setitem(defaults, "now", lambda: datetime.now(UTC) + ahead)

    return set_ahead


@pytest.fixture
def promised(stage: WritePath) -> WritePath:
    """A fan has tokens that expire in a week."""
    soon = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}"
    stage.given(policy(MICRO_UNLOCK), grant(10, expires_at=soon))
    return stage


def test_a_year_ahead_for_three_seconds_leaves_nothing_behind(
    promised: WritePath, set_clock: Callable[[timedelta], None]
) -> None:
    stage = promised
    one = scheduler(stage)
    one.turn()
    request = stage.request(tip(1))
    set_clock(YEAR)
    sequencer = stage.writer._sequencer
    assert sequencer is not None
    sequencer._now = lambda: datetime.now(UTC) + YEAR
    with pytest.raises(Unavailable, match="the database's clock says"):
        stage.writer.write([request])
    with capture_logs() as logged:
        assert one.turn() == 0
    assert [line["event"] for line in logged] == ["scheduling interrupted"]
    set_clock(timedelta(0))
    sequencer._now = lambda: datetime.now(UTC)
    assert one.turn() == 0
    one.close()
    assert stage.writer.write([request])[0].status == 201
    stage.then(wallet(9), events("promo_tokens.expired.v1", 0))
    now = datetime.now(UTC)
    assert all(abs(entry.recorded_at - now) < timedelta(hours=1) for entry in stage.entries())
    stage.later(days=8)
    assert scheduled(stage) == 1, "its turn was not moved to after the jump"


def test_a_person_may_say_that_the_clock_is_right(fresh_book: FreshBook) -> None:
    stage = WritePath(fresh_book)
    stage.given(policy(MICRO_UNLOCK), grant(10))
    stage.restart()
    long_ago = datetime.now(UTC) - PAUSE_MAX - timedelta(days=1)
    stage.clock(long_ago)
    request = stage.request(tip(1))
    with pytest.raises(Unavailable, match="the last event was recorded at"):
        stage.writer.write([request])
    with fresh_book.connect_admin(autocommit=True) as admin:
        accept(admin)
    assert stage.writer.write([request])[0].status == 201
    stage.close()


def test_a_clock_behind_the_log_is_told_once(promised: WritePath) -> None:
    promised.later(hours=1)
    with capture_logs() as logged:
        promised.given(tip(1), tip(1))
    told = [line for line in logged if line["event"] == "the clock is behind the log"]
    assert len(told) == 1
    assert 3_590 < promised.writer.clock_behind_s <= 3_600
