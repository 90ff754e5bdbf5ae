"""A PostgreSQL and its synchronous standby, made from the embedded binaries; nobody minds them.

Both listen on sockets of their own and do what a test lets happen to them: freeze, crash, be
promoted. They never wait for the disk, for no test takes the machine's power away.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from ledger.postgres import embedded_host as host
from ledger.postgres.database import SERVICE_ROLE
from ledger.postgres.migrations import migrate
from tests.support.waiting import until

SETTINGS = """
listen_addresses = ''
fsync = off
shared_buffers = 32MB
max_connections = 60
wal_receiver_status_interval = 1
"""
START_S = 30


class BareServer:
    """One server in `directory`, whose path must be short: its socket is there, too."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "pg"
        self.owner = host.owner_of(self.data)

    def url(self, user: str = "postgres") -> str:
        """To this server alone."""
        return url(self, user=user)

    def make(self) -> None:
        """Make an empty cluster with a database called `tokenledger`."""
        self._prepare()
        arguments = ("-D", str(self.data), "-U", "postgres", "--auth=trust", "--no-locale")
        self.owner.run(
            "initdb",
            *arguments,
            "--encoding=UTF8",
            "--no-sync",
            "--wal-segsize=1",
            timeout_s=START_S,
        )
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write(SETTINGS)
        self.start()
        self.execute("CREATE DATABASE tokenledger", database="postgres")

    def copy(self, primary: "BareServer") -> None:
        """Become a standby of `primary`."""
        self._prepare()
        source = f"host={primary.directory} user=postgres application_name=standby"
        arguments = ("-D", str(self.data), "-d", source, "-R", "-c", "fast", "--no-sync")
        self.owner.run("pg_basebackup", *arguments, timeout_s=START_S)
        self.start()

    def start(self) -> None:
        """Start, recovering from whatever happened."""
        for lock in (self.data / "postmaster.pid", self.directory / f"{host.SOCKET_NAME}.lock"):
            lock.unlink(missing_ok=True)  # of a zombie that was killed
        socket = f"-c unix_socket_directories={self.directory}"
        log = str(self.directory / "log")
        arguments = ("-w", "-s", "-t", str(START_S), "-D", str(self.data), "-o", socket, "-l", log)
        try:
            self.owner.run("pg_ctl", "start", *arguments, timeout_s=START_S + 5)
        except subprocess.CalledProcessError as error:
            error.add_note(Path(log).read_text()[-2_000:])
            raise

    def stop(self) -> None:
        """Stop, in good order."""
        arguments = ("stop", "-w", "-s", "-m", "fast", "-D", str(self.data))
        self.owner.run("pg_ctl", *arguments, timeout_s=START_S)

    def keep(self) -> None:
        """Keep what it holds, to be put back."""
        subprocess.run(["cp", "-a", self.data, self.directory / "kept"], check=True)

    def put_back(self) -> None:
        """Hold what was kept, whatever happened since."""
        shutil.rmtree(self.data)
        subprocess.run(["cp", "-a", self.directory / "kept", self.data], check=True)

    def promote(self) -> None:
        """Become a primary."""
        arguments = ("promote", "-w", "-s", "-D", str(self.data))
        self.owner.run("pg_ctl", *arguments, timeout_s=START_S)

    def kill(self) -> None:
        """End every process at once, stopped ones too."""
        while doomed := self.processes():  # the postmaster first: it would replace the others
            for process in doomed:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(doomed, timeout=0.02)

    def freeze(self) -> None:
        """No process answers any more, and none hangs up."""
        for process in self.processes():
            process.suspend()

    def freeze_receiver(self) -> None:
        """A standby takes in nothing more."""
        (receiver,) = (p for p in self.processes() if "walreceiver" in " ".join(p.cmdline()))
        receiver.suspend()

    def processes(self) -> list[psutil.Process]:
        """All that live, the postmaster first: it is the oldest."""
        return sorted(filter(self._is_ours, psutil.process_iter()), key=lambda p: p.create_time())

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and process.name() == "postgres" and Path(process.cwd()) == self.data
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def execute(self, statement: str, *, database: str = "tokenledger") -> list[tuple[object, ...]]:
        """Run a statement as the superuser; its rows."""
        address = {"host": str(self.directory), "user": "postgres", "dbname": database}
        with psycopg.connect(**address, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _prepare(self) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.owner.give(self.directory)
        self.owner.prepare(self.directory)


class TwoServers:
    """A primary and a standby that every COMMIT waits for."""

    def __init__(self, directory: Path) -> None:
        self.primary = BareServer(directory / "a")
        self.standby = BareServer(directory / "b")

    def make(self) -> None:
        """Make both, with the schema of the ledger; afterwards neither runs."""
        self.primary.make()
        migrate(self.primary.url())
        self.standby.copy(self.primary)
        self.primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        for server in (self.primary, self.standby):
            server.stop()
            server.keep()

    def start(self) -> None:
        """Both as they were made."""
        for server in (self.primary, self.standby):
            server.kill()
            server.put_back()
            server.start()
        until(self._in_step, timeout_s=START_S, what="the standby")

    def url(self, user: str = SERVICE_ROLE) -> str:
        """To whichever of the two is the primary; the standby is named first."""
        return url(self.standby, self.primary, user=user)

    def fail_over(self) -> None:
        """The primary is no more; the standby has what it had written down, and takes its place.

        It is killed first: else its kernel would hand over, after a freeze, what it had received.
        """
        self.primary.kill()
        self.standby.kill()
        self.standby.start()
        self.standby.promote()

    def waiting_for_standby(self) -> list[int]:
        """The sessions whose COMMIT waits for the standby."""
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        return [int(str(pid)) for (pid,) in self.primary.execute(waiting)]

    def _in_step(self) -> bool:
        state = "SELECT pid FROM pg_stat_replication WHERE sync_state = 'sync'"
        return bool(self.primary.execute(state))


def url(*servers: BareServer, user: str) -> str:
    """A URL that names several servers."""
    hosts = ",".join(quote(str(server.directory), safe="") for server in servers)
    return f"postgresql://{quote(user)}@/tokenledger?host={hosts}"


@contextmanager
def two_servers(directory: Path) -> Iterator[TwoServers]:
    """Both, made and not started, as long as the block lasts."""
    servers = TwoServers(directory)
    try:
        servers.make()
        yield servers
    finally:
        servers.primary.kill()
        servers.standby.kill()
        shutil.rmtree(directory, ignore_errors=True)
