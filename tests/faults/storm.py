"""An hour of hard days, run by hand: two services under load, and one fault after the other.

    python -m tests.faults.storm --minutes 60 --seed 1

Services are killed and frozen; PostgreSQL is killed and frozen, its sessions are ended, its disk is
full, its clock jumps. Clients insist on an answer to every command and note how long they waited.
In the end everything that was acknowledged must be in the log once, with the answer that was given.

A full disk needs a file system of its own, so root; a jumping clock needs libfaketime. Without one
of them its faults are left out, and the storm says so. Ends with 1 if anything was lost, doubled or
answered with what no client expects.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import psutil
import psycopg
import typer
from rich.progress import track

from ledger.api_keys import Role, create_key
from ledger.books import create_book
from ledger.log.verify import verify_log, verify_snapshots
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, connect
from ledger.postgres.migrations import migrate
from tests.conftest import FreshBook
from tests.faults.test_services import command
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import policy
from tests.scenarios.write_path import WritePath
from tests.support.service import Service

THREADS = 8
PAUSE_S = 0.1
ATTEMPT_MAX_S = 30.0
#: What a client may get; 503 says that the outcome is unknown or that nothing was written.
EXPECTED = {200, 201, 402, 409, 422, 503}
DISK_MB = 1_500
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
#: Asked again at the end, byte for byte: the last ones and a sample of all others.
ASKED_AGAIN = 5_000


@dataclass
class Seen:
    """What the clients saw."""

    answers: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    cut_off: int = 0
    strange: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    longest: str = ""


class Target:
    """One service, and when it could not be expected to answer."""

    def __init__(self, service: Service) -> None:
        self.service = service
        #: Moments at which it was hit or healed: an attempt that spans one proves nothing.
        self.hits = 0
        self.well = True
        #: One fault at a time.
        self.suffering = threading.Lock()


class Storm:
    """Clients in threads in front of two targets."""

    def __init__(self, fresh: FreshBook, targets: list[Target]) -> None:
        self.seen = Seen()
        self._path = f"/v1/books/{fresh.book.name}/commands/"
        self._targets = targets
        with connect(fresh.admin_url, autocommit=True) as admin:
            key = create_key(admin, fresh.book.name, role=Role.SERVICE, actor="storm").key
        self._headers = {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=4 * THREADS)
        self._http = httpx.Client(timeout=ATTEMPT_MAX_S, limits=limits)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every client have its last answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self, within_s: float) -> float:
        """Wait until every client got further answers; answers seconds; raises TimeoutError."""
        began, wanted = time.monotonic(), len(self.seen.answers) + 3 * THREADS
        while len(self.seen.answers) < wanted:
            if time.monotonic() - began > within_s:
                raise TimeoutError(f"no answers for {within_s} s")
            time.sleep(0.02)
        return time.monotonic() - began

    def send(self, number: int, target: Target) -> tuple[int, bytes] | None:
        """One attempt; None if it did not tell what became of it."""
        what, fields, key = command(number)
        hits, well, began = target.hits, target.well, time.monotonic()
        headers = {**self._headers, "Idempotency-Key": key}
        status, body = 0, b""
        with suppress(httpx.TransportError):
            url = target.service.address + self._path + what
            reply = self._http.post(url, json=fields, headers=headers)
            status, body = reply.status_code, reply.content
        took_s = time.monotonic() - began
        calm = well and hits == target.hits
        self._note(number, status, body, took_s, calm=calm)
        return None if status in {0, 503} else (status, body)

    def _note(self, number: int, status: int, body: bytes, took_s: float, *, calm: bool) -> None:
        with self._lock:
            self.seen.statuses[status] += 1
            if status == 0:
                self.seen.cut_off += 1
                if calm:
                    self.seen.strange.append(f"{number}: cut off without a reason, {took_s:.1f} s")
            elif status not in EXPECTED:
                self.seen.strange.append(f"{number}: {status} {body[:300]!r}")
            if calm and took_s > self.seen.longest_s:
                self.seen.longest_s, self.seen.longest = took_s, f"{number}: {status}"

    def _run(self, number: int) -> None:
        while not self._stop.is_set():
            attempt = number
            while True:
                told = self.send(number, self._targets[attempt % 2])
                if told is not None:
                    break
                attempt += 1
                time.sleep(0.05)
            with self._lock:
                self.seen.answers[number] = told
            number += THREADS
            time.sleep(PAUSE_S)


class Faults:
    """Everything that can happen; each method does it and undoes it."""

    def __init__(
        self, targets: list[Target], server: embedded.Server, clock: Path | None, disk: bool
    ) -> None:
        self._targets = targets
        self._server = server
        self._clock = clock
        self._random = random.Random(0)
        self.kinds: list[Callable[[], None]] = [
            *(self.kill_a_service, self.freeze_a_service, self.kill_both_services),
            *(self.kill_the_postmaster, self.freeze_postgresql, self.end_sessions),
        ]
        if disk:
            self.kinds.append(self.fill_the_disk)
        if clock is not None:
            self.kinds += [self.clock_a_year_ahead, self.clock_an_hour_behind]

    def kill_a_service(self) -> None:
        """One, started again."""
        self._kill(self._random.choice(self._targets))

    def kill_both_services(self) -> None:
        """At once."""
        threads = [threading.Thread(target=self._kill, args=(each,)) for each in self._targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def freeze_a_service(self) -> None:
        """As a machine without CPU time would."""
        target = self._random.choice(self._targets)
        with target.suffering:
            _hit(target, well=False)
            os.kill(target.service.pid, signal.SIGSTOP)
            time.sleep(self._random.uniform(0.5, 8))
            os.kill(target.service.pid, signal.SIGCONT)
            _hit(target, well=True)

    def kill_the_postmaster(self) -> None:
        """And start it again."""
        pid = self._server.postmaster_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        time.sleep(self._random.uniform(0, 2))
        self._server.start()

    def freeze_postgresql(self) -> None:
        """All its processes, longer than anybody waits."""
        frozen = self._server._processes()
        for process in frozen:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        time.sleep(self._random.uniform(1, 8))
        for process in frozen:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def end_sessions(self) -> None:
        """Of all services."""
        with connect(self._server.url(), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
                [SERVICE_ROLE],
            )

    def fill_the_disk(self) -> None:
        """To the last block."""
        filler = self._server.data_dir / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 1_048_576)
        with suppress(OSError), filler.open("ab", buffering=0) as file:
            while True:
                file.write(b"\0" * 4_096)
        time.sleep(self._random.uniform(1, 4))
        filler.unlink()
        with suppress(Exception):
            self._server.start()  # it ends where its log cannot be written

    def clock_a_year_ahead(self) -> None:
        """For seconds."""
        self._jump("+365d")

    def clock_an_hour_behind(self) -> None:
        """For seconds."""
        self._jump("-1h")

    def _jump(self, offset: str) -> None:
        assert self._clock is not None
        self._clock.write_text(offset)
        with suppress(psycopg.OperationalError), connect(self._server.url()) as admin:
            row = admin.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
            assert row is not None and abs(row[0] - time.time()) > 1_000, "the clock stays"
        time.sleep(self._random.uniform(1, 4))
        self._clock.write_text("+0")

    def _kill(self, target: Target) -> None:
        with target.suffering:
            _hit(target, well=False)
            target.service.kill()
            time.sleep(self._random.uniform(0, 1))
            for _ in range(20):
                with suppress(AssertionError):
                    target.service.start()
                    break
                target.service.kill()
            _hit(target, well=True)


def _hit(target: Target, *, well: bool) -> None:
    target.well = well
    target.hits += 1


@contextmanager
def a_disk(directory: Path) -> Iterator[bool]:
    """A small file system at `directory`; answers False where there can be none."""
    size = f"size={DISK_MB}m"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tokenledger-storm", str(directory)]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(directory)], check=False)


@contextmanager
def a_clock(directory: Path) -> Iterator[Path | None]:
    """A file that says how far PostgreSQL's clock is off, for a server started in this block."""
    if not FAKETIME.exists():
        yield None
        return
    file = directory / "clock"
    file.write_text("+0")
    file.chmod(0o644)
    faked = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    start = embedded.Server._start

    def started(server: embedded.Server) -> None:
        os.environ.update(faked)
        try:
            start(server)
        finally:
            for name in faked:
                os.environ.pop(name, None)

    embedded.Server._start = started  # type: ignore[method-assign]
    try:
        yield file
    finally:
        embedded.Server._start = start  # type: ignore[method-assign]


def examine(fresh: FreshBook, storm: Storm, targets: list[Target]) -> list[str]:
    """What was lost, doubled or changed, a sentence each."""
    stage = WritePath(fresh)
    stage.check()
    effects = Counter(entry.key for entry in stage.entries())
    wrong = [f"{key} has {n} effects" for key, n in effects.items() if n > 1]
    by_position = dict(enumerate(stage.entries(), 1))
    accepted = {n: told for n, told in storm.seen.answers.items() if told[0] == 201}
    for number, (_, body) in accepted.items():
        for event in json.loads(body)["events"]:
            entry = by_position.get(event["position"])
            if entry is None or str(entry.event_id) != event["event_id"]:
                wrong.append(f"{number}: {event} is not in the log")
    with fresh.connect(autocommit=True) as connection:
        found = [*verify_log(connection, fresh.book), *verify_snapshots(connection)]
    wrong += map(str, found)
    again = deque(storm.seen.answers.items(), maxlen=ASKED_AGAIN // 2)
    sample = random.Random(1).sample(
        sorted(storm.seen.answers.items()), min(ASKED_AGAIN // 2, len(storm.seen.answers))
    )
    for number, told in track([*again, *sample], "asking again"):
        if storm.send(number, targets[number % 2]) != told:
            wrong.append(f"{number}: another answer than before")
    return wrong


def main(
    minutes: Annotated[float, typer.Option(help="how long faults go on")] = 60.0,
    seed: Annotated[int, typer.Option(help="of the faults' order")] = 1,
) -> None:
    """Raise the storm, examine what is left, and print the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="tl-storm-") as name,
        a_disk(Path(name)) as disk,
        a_clock(Path(name)) as clock,
        embedded.server(Path(name) / "data") as server,
    ):
        for what, there in (("full disks", disk), ("jumping clocks", clock)):
            if not there:
                print(f"without {what}", file=sys.stderr)
        Path(name).chmod(0o755)  # PostgreSQL runs as another user than root
        migrate(server.url())
        book = create_book(server.url(), "Storm", currency="USD", time_zone="UTC")
        fresh = FreshBook(book, server.url(user=SERVICE_ROLE), server.url())
        stage = WritePath(fresh)
        stage.given(policy(MICRO_UNLOCK))
        stage.close()
        targets = [Target(Service(fresh.service_url, fresh.admin_url).start()) for _ in range(2)]
        storm = Storm(fresh, targets)
        faults = Faults(targets, server, clock, disk)
        rounds = _blow(storm, faults, minutes, random.Random(seed))
        storm.stop()
        wrong = [*storm.seen.strange, *examine(fresh, storm, targets)]
        for target in targets:
            target.service.stop()
        figures: dict[str, Any] = {
            "faults": dict(rounds[0]),
            "answers": len(storm.seen.answers),
            "accepted": sum(1 for status, _ in storm.seen.answers.values() if status == 201),
            "attempts_by_status": dict(storm.seen.statuses),
            "longest_wait_s": round(storm.seen.longest_s, 2),
            "longest_wait": storm.seen.longest,
            "longest_recovery_s": round(rounds[1], 2),
            "wrong": wrong[:50],
        }
        print(json.dumps(figures, indent=2))
    sys.exit(1 if wrong else 0)


def _blow(
    storm: Storm, faults: Faults, minutes: float, chance: random.Random
) -> tuple[Counter[str], float]:
    """Round after round; answers what happened how often, and the longest recovery in seconds."""
    happened: Counter[str] = Counter()
    slowest_s = 0.0
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        kinds = chance.sample(faults.kinds, 2 if chance.random() < 0.25 else 1)
        threads = [threading.Thread(target=kind) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        happened.update(kind.__name__ for kind in kinds)
        slowest_s = max(slowest_s, storm.goes_on(60))
        print(f"{sum(happened.values())} faults, last {[kind.__name__ for kind in kinds]}, "
              f"{len(storm.seen.answers)} answers, longest wait {storm.seen.longest_s:.2f} s "
              f"({storm.seen.longest}), strange {len(storm.seen.strange)}",
              file=sys.stderr, flush=True)  # fmt: skip
    return happened, slowest_s


if __name__ == "__main__":
    typer.run(main)
