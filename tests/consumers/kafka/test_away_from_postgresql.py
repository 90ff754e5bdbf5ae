"""PostgreSQL is frozen, or lost to its standby: nobody waits for ever, and nothing is published
that a failover takes back.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers import books
from consumers.kafka.intake import Intake
from consumers.kafka.relay import Relay
from consumers.kafka.sources import SOURCES
from consumers.kafka.topics import COMMANDS, EVENTS
from ledger.books import create_book
from ledger.postgres.database import Database
from ledger.postgres.embedded import Server
from ledger.settings import Settings
from ledger.write import writer
from tests.conftest import FreshBook
from tests.consumers.kafka.edge import Edge
from tests.consumers.kafka.published import assert_whole
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import grant, policy
from tests.scenarios.write_path import WritePath
from tests.support.stopped import stopped
from tests.support.two_servers import TwoServers, two_servers
from tests.support.waiting import until, until_available

ANSWER_S = 1.0
SOON_S = 20


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "ANSWER_S", ANSWER_S)
    monkeypatch.setattr(writer, "BATCH_S", ANSWER_S)


@contextmanager
def at_work(serve: Callable[[threading.Event], None]) -> Iterator[None]:
    """A thread of this process that follows the book."""
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(3 * SOON_S)
    assert not thread.is_alive()


def said(logged: list[Any], event: str) -> Callable[[], bool]:
    """Whether this stands in the log."""
    return lambda: any(line["event"] == event for line in logged)


def relay(edge: Edge, database: Database) -> Callable[[threading.Event], None]:
    """The relay of the edge's book."""
    return lambda stop: Relay(edge.settings, database, edge.fresh.book, stop).run()


def test_a_relay_says_that_postgresql_is_frozen_and_resumes_by_itself(
    edge: Edge, server: Server, database: Database
) -> None:
    edge.stage.given(grant(5))
    with capture_logs() as logged, at_work(relay(edge, database)):
        edge.await_published()
        with stopped(server):
            until(said(logged, "relay interrupted"), "a word about it", timeout_s=SOON_S)
        edge.hang_up()
        edge.stage.given(grant(7))
        edge.await_published()
    assert_whole(edge)


def test_a_consumer_says_that_postgresql_is_frozen_and_resumes_by_itself(
    edge: Edge, server: Server, database: Database
) -> None:
    key = edge.key()
    edge.make_topics()

    def intake(stop: threading.Event) -> None:
        Intake(edge.settings, database, edge.fresh.book, SOURCES["commands"], stop).run()

    def command(number: int) -> tuple[bytes | None, bytes, list[tuple[str, bytes]]]:
        fields = {"user": "ann", "tokens": 1, "reason_code": "GIFT"}
        named = {"command": "grant-promo", "idempotency_key": f"grant-{number}", **fields}
        return edge.signed(COMMANDS, key, b"ann", named)

    with capture_logs() as logged, at_work(intake):
        edge.send(COMMANDS, [command(1)])
        edge.await_consumed("commands", 1)
        with stopped(server):
            edge.send(COMMANDS, [command(2)])
            until(said(logged, "consumer interrupted"), "a word about it", timeout_s=SOON_S)
        edge.hang_up()
        edge.await_consumed("commands", 2)


@pytest.fixture
def servers() -> Iterator[TwoServers]:
    """A primary and its synchronous standby, at work."""
    with two_servers(Path(tempfile.mkdtemp(prefix="tl"))) as servers:
        servers.start()
        yield servers


def test_what_the_standby_lacks_is_not_published(
    servers: TwoServers, bootstrap: str, tmp_path: Path
) -> None:
    admin = servers.url("postgres")
    book = create_book(admin, "Standby", currency="USD", time_zone="UTC")
    stage = WritePath(FreshBook(book, servers.url(), admin))
    stage.given(policy(MICRO_UNLOCK), grant(5))
    settings = Settings(kafka_bootstrap=bootstrap, kafka_partitions=3, relay_lease_s=1.0)
    edge = Edge(stage, settings, tmp_path)
    edge.make_topics()
    with capture_logs() as logged, at_work(relay(edge, Database(servers.url(), admin))):
        edge.await_published()
        before = edge.published()
        servers.standby.freeze_receiver()
        stage.writer.write_soon([stage.request(grant(7))])
        until(servers.waiting_for_standby, "the wait for the standby", timeout_s=SOON_S)
        for waiting in servers.waiting_for_standby():
            servers.primary.execute(f"SELECT pg_cancel_backend({waiting})")
        until(lambda: edge.head() > before, "what is here and nowhere else", timeout_s=SOON_S)
        logged.clear()
        until(said(logged, "relay interrupted"), "a word about it", timeout_s=SOON_S)
        edge.hang_up()
        servers.fail_over()
        again = stage.request(grant(9))
        until_available(lambda: stage.writer.write([again]), timeout_s=SOON_S)
        edge.await_published()
    assert_whole(edge)
    assert {message.sequence for message in edge.messages(EVENTS)} == {*range(1, edge.head() + 1)}
    edge.close()
    stage.close()
