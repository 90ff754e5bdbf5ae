"""Every wait has a deadline: a database that is stopped, not gone, holds up nobody for ever."""

import os
import signal
import time
from collections.abc import Callable

import psycopg
import pytest

from api.service import DatabaseAway, Service
from ledger.postgres.database import Database
from ledger.postgres.deadlines import within
from ledger.postgres.embedded import Server
from ledger.settings import Settings
from ledger.write.group import Group
from ledger.write.writer import Unavailable
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import grant, policy, tip, wallet
from tests.scenarios.write_path import WritePath
from tests.support.stopped import stopped
from tests.support.waiting import until_available

SOON_S = 10.0


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, stage: WritePath) -> None:
    monkeypatch.setattr("ledger.write.writer.BATCH_S", 1.0)
    stage.given(policy(MICRO_UNLOCK), grant(100))


def took_s(attempt: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises((Unavailable, DatabaseAway)):
        attempt()
    return time.monotonic() - began


def test_with_postgresql_stopped_everybody_is_told_soon(
    stage: WritePath, server: Server, database: Database
) -> None:
    service = Service(Settings(), database)
    service.start()
    with service.reading() as connection:
        connection.execute("SELECT 1")
    request = stage.request(tip(1))
    with stopped(server):
        assert took_s(lambda: stage.writer.write([request])) < SOON_S
        assert stage.writer.condition.trouble is not None
        assert took_s(lambda: service.reading(within_s=1.0).__enter__()) < SOON_S
        assert took_s(lambda: service.book_of_key(f"tlk_{'a' * 12}_{'b' * 43}")) < SOON_S
        began = time.monotonic()
        service.stop()
        assert time.monotonic() - began < SOON_S
    (answer,) = until_available(lambda: stage.writer.write([request]))
    assert answer.status == 201
    assert stage.writer.condition.trouble is None
    stage.then(wallet(99))


def test_a_writer_stops_in_time_without_a_database(stage: WritePath, server: Server) -> None:
    outcomes: list[object] = []
    requests = [stage.request(tip(1)) for _ in range(10)]
    with stopped(server):
        for request in requests:
            stage.writer.submit(Group([request]), outcomes.append)
        began = time.monotonic()
        stage.close()
        assert time.monotonic() - began < 2 * SOON_S
    assert len(outcomes) == 10
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)


def test_one_backend_that_is_stopped_is_left_behind(stage: WritePath) -> None:
    sequencer = stage.writer._sequencer
    assert sequencer is not None
    pid = sequencer.connection.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        request = stage.request(tip(1))
        began = time.monotonic()
        (answer,) = until_available(lambda: stage.writer.write([request]))
        assert time.monotonic() - began < SOON_S
    finally:
        os.kill(pid, signal.SIGCONT)
    assert answer.status == 201
    stage.then(wallet(99))


def test_a_wait_in_time_is_left_alone(stage: WritePath) -> None:
    with stage.fresh.connect() as connection:
        with within(connection, 0.5):
            connection.execute("SELECT 1")
        time.sleep(1.0)  # longer than the deadline and the watch's look
        connection.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError), within(connection, 0.2):
            connection.execute("SELECT pg_sleep(20)")


def test_a_full_disk_is_told_as_such(stage: WritePath, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(point: str) -> None:
        if point == "after_copy":
            raise psycopg.errors.DiskFull('could not extend file "base/1": No space left on device')

    request = stage.request(tip(1))
    with monkeypatch.context() as patched:
        patched.setattr("ledger.write.sequencer.failpoint", full)
        with pytest.raises(Unavailable, match="disk is full"):
            stage.writer.write([request])
        assert "disk is full" in (stage.writer.condition.trouble or "")
    assert stage.writer.write([request])[0].status == 201
