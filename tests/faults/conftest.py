"""Two service processes on one book, on a PostgreSQL that may be killed, and an examination."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ledger.books import create_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE
from ledger.postgres.migrations import migrate
from ledger.verification.log import verify_log
from ledger.verification.snapshots import verify_snapshots
from tests.conftest import FreshBook
from tests.faults import worker
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import policy
from tests.scenarios.write_path import WritePath

ROOT = Path(__file__).parents[2]
OVERLAP = 30
#: Within seconds: 2 s to notice a frozen holder of the lock, the rest for a busy machine, on which
#: a process may take ten to start and a commit one to reach the disk.
SOON_S = 20


def until(holds: Callable[[], bool], *, timeout_s: float, what: str) -> float:
    """Wait until something holds; answers how many seconds that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < timeout_s, f"in {timeout_s} s not seen: {what}"
        threading.Event().wait(0.01)
    return time.monotonic() - began


class Process:
    """One service process; after its end it can be started again and repeats its last commands."""

    def __init__(self, name: str, book: str, url: str, directory: Path) -> None:
        self.name = name
        self.acks = directory / f"{name}.acks"
        self._book = book
        self._url = url
        self._running: subprocess.Popen[bytes] | None = None

    def start(self, failpoint: str = "") -> "Process":
        """Start it, to be hit at a failpoint if one is named."""
        done = [number for number, _, _ in worker.acknowledged(self.acks)]
        start = max(0, max(done, default=0) // worker.GROUP * worker.GROUP - OVERLAP)
        arguments = [self._url, self._book, self.name, str(self.acks), str(start)]
        self._running = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", *arguments],
            cwd=ROOT,
            env={**os.environ, "TOKENLEDGER_FAILPOINT": failpoint},
            stdout=subprocess.DEVNULL,
        )
        return self

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._running is not None
        return self._running.pid

    @property
    def frozen(self) -> bool:
        """Whether SIGSTOP has stopped it."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def ended(self) -> bool:
        """Whether it is no more."""
        return self._running is None or self._running.poll() is not None

    def stop(self) -> None:
        """Let it finish what is under way."""
        if not self.ended() and self._running is not None:
            self._running.send_signal(signal.SIGCONT)
            self._running.terminate()
            assert self._running.wait(timeout=30) == 0

    def kill(self) -> None:
        """End it whatever it does."""
        if not self.ended() and self._running is not None:
            self._running.kill()
            self._running.wait()

    def goes_on(self, *, within_s: float) -> float:
        """Wait until it gets answers to what it sends from now on; answers how long that took."""
        under_way = worker.IN_FLIGHT * worker.GROUP
        wanted = self._answers() + under_way + worker.GROUP
        return until(
            lambda: self._answers() >= wanted, timeout_s=within_s, what=f"progress of {self.name}"
        )

    def _answers(self) -> int:
        return self.acks.read_bytes().count(b"\n") if self.acks.exists() else 0


class Pair:
    """Two processes on one book under load."""

    def __init__(self, fresh: FreshBook, directory: Path, doors: tuple[str, str]) -> None:
        self.fresh = fresh
        self.a, self.b = (
            Process(name, fresh.book.name, door, directory)
            for name, door in zip(("a", "b"), doors, strict=True)
        )

    def go_on(self, *, within_s: float = SOON_S) -> None:
        """Both get answers."""
        self.a.goes_on(within_s=within_s)
        self.b.goes_on(within_s=within_s)

    def stop(self) -> None:
        """Both finish what is under way."""
        self.a.stop()
        self.b.stop()

    def examine(self) -> None:
        """What must hold after any fault, once both have stopped."""
        stage = WritePath(self.fresh)
        stage.check()
        with self.fresh.connect(autocommit=True) as connection:
            differences = [*verify_log(connection, self.fresh.book), *verify_snapshots(connection)]
        assert not differences
        before = len(stage.rows())
        effects = Counter(entry.key for entry in stage.entries())
        assert set(effects.values()) == {1}, "more than one effect of a key"
        try:
            self._retry_everything(stage)
            assert len(stage.rows()) == before, "a retried key had another effect"
        finally:
            stage.close()

    def _retry_everything(self, stage: WritePath) -> None:
        """Whatever was acknowledged gets its first answer again, byte for byte."""
        for process in (self.a, self.b):
            acks = list(worker.acknowledged(process.acks))
            assert acks, f"{process.name} never got an answer"
            answers = stage.writer.write(
                [worker.request(process.name, number) for number, _, _ in acks]
            )
            for (number, status, body), answer in zip(acks, answers, strict=True):
                assert (answer.status, answer.body.decode()) == (status, body), number
                assert answer.replayed


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """A PostgreSQL of our own: the other tests' one is not to be killed."""
    with embedded.server(tmp_path_factory.mktemp("faults")) as running:
        migrate(running.url())
        yield running


@pytest.fixture
def own_book(own_server: embedded.Server, tmp_path: Path) -> FreshBook:
    """A book on that server, with a policy."""
    name = f"Faults-{tmp_path.name}"[:40]
    book = create_book(own_server.url(), name, currency="USD", time_zone="UTC")
    fresh = FreshBook(book, own_server.url(user=SERVICE_ROLE), own_server.url())
    stage = WritePath(fresh)
    stage.given(policy(MICRO_UNLOCK))
    stage.close()
    return fresh


@pytest.fixture
def pair(own_book: FreshBook, tmp_path: Path) -> Iterator[Pair]:
    """Two processes, not yet started."""
    url = own_book.service_url
    both = Pair(own_book, tmp_path, (url, url))
    yield both
    both.a.kill()
    both.b.kill()
