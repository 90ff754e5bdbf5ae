"""What can happen in a storm, and what it takes: a disk that can be full, a clock that jumps."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, connect
from tests.faults.storm_clients import Target

DISK_MB = 1_500
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


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
