"""A primary and its synchronous standby: what was acknowledged survives a failover, whatever came
before it; and nobody waits for a server that is frozen.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.service import DatabaseAway, Service
from ledger.books import create_book
from ledger.postgres.database import Database
from ledger.scheduling import scheduler
from ledger.scheduling.scheduler import Scheduler
from ledger.settings import Settings
from ledger.write import writer
from ledger.write.request import Request
from ledger.write.unavailable import Unavailable
from projections import process
from tests.conftest import FreshBook
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import grant, policy
from tests.scenarios.write_path import WritePath
from tests.support.two_servers import TwoServers, two_servers
from tests.support.waiting import until, until_available

pytestmark = pytest.mark.xdist_group("standby")

#: Of one wait; several of them make a test.
SOON_S = 20
BATCH_S = 1.0


@pytest.fixture(scope="module")
def made() -> Iterator[TwoServers]:
    """A primary and its standby, in a directory whose name is short."""
    with two_servers(Path(tempfile.mkdtemp(prefix="tl"))) as servers:
        yield servers


@pytest.fixture
def servers(made: TwoServers) -> TwoServers:
    """The two as they were made, at work."""
    made.start()
    return made


@pytest.fixture
def stage(servers: TwoServers, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritePath]:
    """A book with a policy, and a writer that knows both servers."""
    monkeypatch.setattr(writer, "BATCH_S", BATCH_S)
    admin = servers.url("postgres")
    book = create_book(admin, "Standby", currency="USD", time_zone="UTC")
    stage = WritePath(FreshBook(book, servers.url(), admin))
    stage.given(policy(MICRO_UNLOCK))
    yield stage
    stage.close()


def acknowledged(stage: WritePath, request: Request, *, within_s: float) -> bool:
    """Whether a client that asks again and again for so long is told that it was written."""
    give_up_at = time.monotonic() + within_s
    while time.monotonic() < give_up_at:
        try:
            (answer,) = stage.writer.write([request])
        except Unavailable:
            time.sleep(0.02)
        else:
            return answer.accepted
    return False


def assert_written_once(stage: WritePath, request: Request) -> None:
    """The client asks once more; then, and only once, it is in the log."""
    (answer,) = until_available(lambda: stage.writer.write([request]), timeout_s=SOON_S)
    assert answer.status == 201
    keys = [entry.key for entry in stage.entries()]
    assert keys.count(request.key.hex()) == 1
    stage.check()


def test_a_cancelled_wait_for_the_standby_acknowledges_nothing(
    stage: WritePath, servers: TwoServers
) -> None:
    request = stage.request(grant(7))
    servers.standby.freeze_receiver()
    answering = stage.writer.write_soon([request])
    until(servers.waiting_for_standby, "the wait for the standby", timeout_s=SOON_S)
    (first,) = servers.waiting_for_standby()
    servers.primary.execute(f"SELECT pg_cancel_backend({first})")
    until(
        lambda: answering.done() or [pid for pid in servers.waiting_for_standby() if pid != first],
        "an answer, or another wait",
        timeout_s=SOON_S,
    )
    told = answering.done() and answering.exception() is None
    servers.fail_over()
    assert not told, "the standby had taken in nothing"
    assert_written_once(stage, request)


def test_what_only_a_recovered_primary_has_is_not_acknowledged_by_a_replay(
    stage: WritePath, servers: TwoServers
) -> None:
    request = stage.request(grant(7))
    servers.standby.freeze_receiver()
    stage.writer.write_soon([request])
    until(servers.waiting_for_standby, "the wait for the standby", timeout_s=SOON_S)
    servers.primary.kill()
    servers.primary.start()
    known = f"SELECT FROM receipts WHERE key = decode('{request.key.hex()}', 'hex')"
    with stage.fresh.connect() as connection:
        assert connection.execute(known).fetchone() is not None
    told = acknowledged(stage, request, within_s=3 * BATCH_S)
    servers.fail_over()
    assert not told, "the standby had taken in nothing"
    assert_written_once(stage, request)


def test_a_frozen_primary_is_left_for_the_standby_that_was_promoted(
    stage: WritePath, servers: TwoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STEP_S", BATCH_S)
    database = Database(servers.url(), servers.url("postgres"))
    stop = threading.Event()
    following = threading.Thread(target=process.serve_book, args=(database, stage.book, stop))
    following.start()
    service = Service(Settings(), database)
    service.start()
    try:
        stage.given(grant(1))
        until(lambda: followed(service, stage), "the read models", timeout_s=SOON_S)
        request = stage.request(grant(7))
        servers.primary.freeze()
        answering = stage.writer.write_soon([request])
        servers.standby.promote()
        until(answering.done, "the batch's deadline", timeout_s=SOON_S)
        assert_written_once(stage, request)
        until(lambda: followed(service, stage), "the read models", timeout_s=SOON_S)
    finally:
        stop.set()
        following.join(SOON_S)
        service.stop()
    assert not following.is_alive()


def test_a_scheduler_leaves_a_frozen_primary_for_the_standby_that_was_promoted(
    stage: WritePath, servers: TwoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but its own deadline ends its wait: the frozen session stays open."""
    monkeypatch.setattr(scheduler, "ANSWER_S", BATCH_S)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    stage.given(grant(1, expires_at=soon.isoformat().replace("+00:00", "Z")))
    database = Database(servers.url(), servers.url("postgres"))
    with closing(Scheduler(database, lambda _: stage.writer, books=[stage.book.name])) as one:
        one.turn()
        servers.primary.freeze()
        turning = threading.Thread(target=one.turn, daemon=True)
        turning.start()
        servers.standby.promote()
        turning.join(SOON_S)
        assert not turning.is_alive()
        until(
            lambda: one.turn() or stage.entries()[-1].type == "promo_tokens.expired.v1",
            "what is due",
            timeout_s=SOON_S,
        )
    stage.check()


def followed(service: Service, stage: WritePath) -> bool:
    """Whether a reader finds every read model at the head of the log."""
    query = "SELECT min(p.position) = max(h.position) FROM projections p, head h"
    try:
        with service.reading(stage.book) as connection:
            return connection.execute(query).fetchone() == (True,)
    except DatabaseAway:
        return False
