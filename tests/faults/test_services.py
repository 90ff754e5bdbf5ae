"""Two `tokenledger serve` processes under HTTP load: one of them, or PostgreSQL, is hit."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from ledger.postgres import embedded
from ledger.verification.log import verify_log
from ledger.verification.snapshots import verify_snapshots
from tests.conftest import FreshBook
from tests.faults.commands import command
from tests.faults.conftest import SOON_S, until
from tests.scenarios.write_path import WritePath
from tests.support.service import Client, Reply, Service

THREADS = 8
#: The workers' tests retry everything; here the last ones, around the fault, are enough.
RETRIED = 300


class Load:
    """Clients in threads that never stop sending, each insisting on an answer."""

    def __init__(self, client: Client) -> None:
        self.replies: dict[int, Reply] = {}
        self._client = client
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        while not self._stop.is_set():
            self.replies[number] = self._client.insist(*command(number), first=number)
            number += THREADS

    def goes_on(self) -> None:
        """Every client gets answers to what it sends from now on."""
        wanted = len(self.replies) + 5 * THREADS
        until(lambda: len(self.replies) >= wanted, timeout_s=SOON_S, what="answers")

    def stop(self) -> None:
        """Let every client have its last answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Scene:
    """Two services on one book, and a load on both."""

    def __init__(self, fresh: FreshBook) -> None:
        self.fresh = fresh
        self.a, self.b = (Service(fresh.service_url, fresh.admin_url) for _ in range(2))
        self.client = Client([self.a, self.b], fresh.book, fresh.admin_url)
        self.load: Load | None = None

    def begin(self, failpoint: str = "") -> Load:
        """Start both services, and the load once both listen."""
        self.b.start()
        self.a.start(failpoint)
        self.load = Load(self.client)
        return self.load

    def examine(self) -> None:
        """Everything answered is in the log once, and is answered so again."""
        assert self.load is not None
        self.load.stop()
        stage = WritePath(self.fresh)
        stage.check()
        effects = Counter(entry.key for entry in stage.entries())
        assert set(effects.values()) == {1}
        before = len(stage.rows())
        for number, first in list(self.load.replies.items())[-RETRIED:]:
            again = self.client.insist(*command(number), first=number // 5)
            assert (again.status, again.body) == (first.status, first.body), number
            assert again.replayed, number
        assert len(stage.rows()) == before
        with self.fresh.connect(autocommit=True) as connection:
            assert not [*verify_log(connection, self.fresh.book), *verify_snapshots(connection)]

    def end(self) -> None:
        """Clean up whatever happened."""
        if self.load is not None:
            self.load.stop()
        self.client.close()
        self.a.kill()
        self.b.kill()


@pytest.fixture
def scene(own_book: FreshBook) -> Iterator[Scene]:
    """Two services that are not started yet."""
    made = Scene(own_book)
    yield made
    made.end()


def test_a_service_is_killed_between_commit_and_answer(scene: Scene) -> None:
    load = scene.begin("after_commit:SIGKILL:20")
    until(scene.a.ended, timeout_s=20, what="the failpoint")
    load.goes_on()
    scene.a.start()
    load.goes_on()
    scene.examine()
    scene.a.stop()
    scene.b.stop()


def test_a_service_is_frozen_and_thaws(scene: Scene) -> None:
    load = scene.begin("after_copy:SIGSTOP:20")
    until(lambda: scene.a.frozen, timeout_s=20, what="the failpoint")
    load.goes_on()
    os.kill(scene.a.pid, signal.SIGCONT)
    load.goes_on()
    scene.examine()


def test_the_postmaster_is_killed_under_both(scene: Scene, own_server: embedded.Server) -> None:
    load = scene.begin()
    load.goes_on()
    pid = own_server.postmaster_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: own_server.postmaster_pid() is None, timeout_s=5, what="its end")
    own_server.start()
    load.goes_on()
    scene.examine()
