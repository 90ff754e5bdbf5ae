"""PostgreSQL is killed under a relay and a consumer at work; both go on when it is back."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.kafka.topics import COMMANDS, EVENTS, RECEIPTS
from ledger.books import create_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE
from ledger.postgres.migrations import migrate
from ledger.settings import Settings
from tests.conftest import FreshBook
from tests.consumers.kafka.edge import Edge
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import grant, policy
from tests.scenarios.write_path import WritePath
from tests.support.waiting import until


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """A PostgreSQL of our own: the other tests' one is not to be killed."""
    with embedded.server(tmp_path_factory.mktemp("mortal")) as running:
        migrate(running.url())
        yield running


@pytest.fixture
def on_mortal(mortal: embedded.Server, bootstrap: str, tmp_path: Path) -> Iterator[Edge]:
    """A book on it, with a policy and a fan who has tokens."""
    book = create_book(mortal.url(), "Mortal", currency="USD", time_zone="UTC")
    stage = WritePath(FreshBook(book, mortal.url(user=SERVICE_ROLE), mortal.url()))
    stage.given(policy(MICRO_UNLOCK), grant(100_000, user="fan"))
    settings = Settings(
        kafka_bootstrap=bootstrap, kafka_partitions=2, relay_lease_s=1.0, kafka_session_s=6
    )
    edge = Edge(stage, settings, tmp_path)
    edge.make_topics()
    yield edge
    edge.close()
    stage.close()


def tips(edge: Edge, api_key: str, first: int, count: int) -> None:
    """Send tips as commands."""
    body = {"command": "send-tip", "user": "fan", "creator": "c", "funding": "TOKEN", "amount": 1}
    edge.send(
        COMMANDS,
        [
            edge.signed(COMMANDS, api_key, b"k%d" % (n % 4), {**body, "idempotency_key": f"t{n}"})
            for n in range(first, first + count)
        ],
    )


def test_everything_goes_on_when_it_is_back(on_mortal: Edge, mortal: embedded.Server) -> None:
    edge, api_key = on_mortal, on_mortal.key()
    consumer = edge.process("consume", "commands").start()
    relay = edge.process("relay").start()
    tips(edge, api_key, 0, 300)
    edge.await_consumed("commands", 300)
    tips(edge, api_key, 300, 2_000)
    edge.stage.close()
    edge.hang_up()
    pid = mortal.postmaster_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: mortal.postmaster_pid() is None, "its end")
    mortal.start()
    tips(edge, api_key, 2_300, 100)
    edge.await_consumed("commands", 2_400)
    edge.await_published()
    assert not consumer.ended() and not relay.ended()
    edge.stage.check()
    sent = [entry for entry in edge.stage.entries() if entry.type == "tip.sent.v1"]
    assert len(sent) == 2_400
    assert set(Counter(entry.key for entry in sent).values()) == {1}
    assert {m.sequence for m in edge.messages(EVENTS)} == set(range(1, edge.head() + 1))
    answered = {m.headers["idempotency-key"].decode() for m in edge.messages(RECEIPTS)}
    assert answered == {f"t{n}" for n in range(2_400)}
