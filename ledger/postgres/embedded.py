"""The embedded PostgreSQL: a real server, started from the binaries of a Python package.

It lives in `<data_dir>/pg`, listens on a Unix socket only and is shared by every tokenledger
process on the same `data_dir`. Who uses it holds a shared lock on a file; the kernel drops that
lock when a process dies, however it dies, so whoever leaves last knows it and stops the server.
The server runs in a session of its own: no signal meant for a user reaches it.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from urllib.parse import quote

import psutil

from ledger.postgres import embedded_host as host
from ledger.postgres.embedded_watch import watched

#: Crash recovery may have to read all of `max_wal_size` again.
_START_TIMEOUT_S = 600
_SHARED_BUFFERS_MIN_MB = 64


class EmbeddedServerFailed(RuntimeError):
    """The embedded PostgreSQL does not start; the message carries the end of its log."""


class Server:
    """One embedded PostgreSQL as one process sees it; made by `server()`."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.pgdata = data_dir / "pg"
        self.users_path = data_dir / "pg.users"
        self.log_path = self.pgdata / "server.log"
        self.socket_dir = host.socket_dir(self.pgdata)

    def url(self, user: str = "postgres", dbname: str = "tokenledger") -> str:
        """A libpq URL; the socket's directory travels as a parameter because it holds slashes."""
        return f"postgresql://{quote(user)}@/{quote(dbname)}?host={quote(str(self.socket_dir))}"

    def postmaster_pid(self) -> int | None:
        """The process id of the running postmaster; None when there is none."""
        process = self._postmaster()
        return process.pid if process else None

    def start(self) -> None:
        """Start the server unless it runs; recovers from whatever killed the last one."""
        with self._guard():
            self._start()

    def stop(self) -> None:
        """Stop the server, breaking off what its clients are doing."""
        with self._guard():
            self._stop()

    def stop_if_unused(self) -> None:
        """Stop the server unless somebody holds the lock of its users.

        Whoever comes takes that lock first and starts second: either this sees the lock and
        leaves the server alone, or the newcomer waits for the guard and starts it again.
        """
        alone = fcntl.LOCK_EX | fcntl.LOCK_NB
        with self._guard(), suppress(BlockingIOError), _locked(self.users_path, alone):
            self._stop()

    def kill(self) -> None:
        """SIGKILL the postmaster and all its children, so that shared memory is released."""
        while doomed := self._processes():  # the postmaster first: it would replace the others
            for process in doomed:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(doomed, timeout=0.02)

    def _start(self) -> None:
        if self._postmaster() is not None:
            return
        self._clear_remains()
        owner = host.owner_of(self.pgdata)
        owner.prepare(self.data_dir)
        if not self.pgdata.exists():
            self._initdb(owner)
        host.make_socket_dir(self.socket_dir, owner)
        shared_buffers_mb = host.shared_buffers_mb()
        while not self._launch(owner, shared_buffers_mb):
            shared_buffers_mb //= 2
            if shared_buffers_mb < _SHARED_BUFFERS_MIN_MB:
                raise EmbeddedServerFailed(f"PostgreSQL does not start:\n{self._end_of_log()}")

    def _initdb(self, owner: host.Owner) -> None:
        unfinished = self.pgdata.with_name("pg.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        owner.give(unfinished)
        arguments = ["-D", str(unfinished), "-U", "postgres", "--auth=trust", "--no-locale"]
        owner.run("initdb", *arguments, "--encoding=UTF8", "--data-checksums", timeout_s=120)
        with (unfinished / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude_if_exists = 'tokenledger.conf'\n")
        single_user = ("--single", "-D", str(unfinished), "postgres")
        owner.run("postgres", *single_user, timeout_s=120, stdin="CREATE DATABASE tokenledger;\n")
        unfinished.rename(self.pgdata)

    def _launch(self, owner: host.Owner, shared_buffers_mb: int) -> bool:
        conf = self.pgdata / "tokenledger.conf"
        conf.write_text(host.configuration(self.socket_dir, shared_buffers_mb))
        owner.give(conf)
        wait = ("-w", "-t", str(_START_TIMEOUT_S), "-s")
        try:
            owner.run(
                "pg_ctl",
                "start",
                *wait,
                "-D",
                str(self.pgdata),
                "-l",
                str(self.log_path),
                timeout_s=_START_TIMEOUT_S + 10,
            )
        except subprocess.CalledProcessError:
            return False
        return True

    def _stop(self) -> None:
        if self._postmaster() is not None:
            owner = host.owner_of(self.pgdata)
            with suppress(subprocess.CalledProcessError):  # died meanwhile: then it is stopped
                owner.run(
                    "pg_ctl", "stop", "-w", "-s", "-m", "fast", "-D", str(self.pgdata), timeout_s=60
                )

    def _clear_remains(self) -> None:
        """A killed postmaster may leave backends behind that keep its shared memory in use, and
        lock files whose number is a zombie's or a stranger's; each would refuse a new start."""
        self.kill()
        (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
        (self.socket_dir / f"{host.SOCKET_NAME}.lock").unlink(missing_ok=True)

    def _postmaster(self) -> psutil.Process | None:
        try:
            pid = int((self.pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return process if self._is_ours(process) else None

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and process.name() == "postgres" and Path(process.cwd()) == self.pgdata
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def _processes(self) -> list[psutil.Process]:
        ours = [process for process in psutil.process_iter() if self._is_ours(process)]
        return sorted(ours, key=lambda process: process.pid != self.postmaster_pid())

    def _end_of_log(self) -> str:
        with suppress(OSError):
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-15:])
        return "(no log was written)"

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Only one process at a time starts or stops the server."""
        with _locked(self.data_dir / "pg.guard", fcntl.LOCK_EX):
            yield


@contextmanager
def server(data_dir: Path | str, *, supervise: bool = False) -> Iterator[Server]:
    """Use the embedded PostgreSQL of `data_dir`, starting it first if nobody has.

    With `supervise` a thread starts it again whenever it dies. On leaving it is stopped if no
    other process uses it; a forked child that leaves this block stops nothing.
    """
    directory = Path(data_dir).expanduser().resolve()
    directory.mkdir(parents=True, exist_ok=True)
    ours = Server(directory)
    user = os.getpid()
    held = _lock(ours.users_path, fcntl.LOCK_SH)
    try:
        ours.start()
        with watched(ours) if supervise else nullcontext():
            yield ours
    finally:
        os.close(held)
        if os.getpid() == user:
            ours.stop_if_unused()


@contextmanager
def _locked(path: Path, operation: int) -> Iterator[None]:
    descriptor = _lock(path, operation)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, operation: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
