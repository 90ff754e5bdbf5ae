"""Where the benchmarks play: one embedded PostgreSQL of their own, books made on it as needed."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.load import POLICY, publish_policy
from ledger.api_keys import Role, create_key
from ledger.books import PARTITION_ROWS, Book, create_book
from ledger.log import reading
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, Connection, Database, connect
from ledger.postgres.migrations import migrate
from ledger.write.writer import Writer

_ADDRESS = re.compile(rb"http://127\.0\.0\.1:(\d+)")


class Stage:
    """A migrated database and the doors to it."""

    def __init__(self, server: embedded.Server) -> None:
        self.database = Database(server.url(user=SERVICE_ROLE), server.url(), server)

    def book(
        self,
        name: str,
        *,
        policy: dict[str, object] | None = POLICY,
        partition_rows: int = PARTITION_ROWS,
        simulated: bool = False,
    ) -> Book:
        """A new book, with the benchmarks' policy unless it is to stay empty."""
        book = create_book(
            self.database.admin_url,
            name,
            currency="USD",
            time_zone="UTC",
            partition_rows=partition_rows,
            simulated=simulated,
        )
        if policy:
            with self.writer(book) as writer:
                publish_policy(writer, policy)
        return book

    def key(self, book: Book) -> str:
        """An API key of the role service."""
        with connect(self.database.admin_url) as admin:
            return create_key(admin, book.name, role=Role.SERVICE, actor="bench").key

    def connect(self, book: Book) -> Connection:
        """A connection of the service."""
        return connect(self.database.service_url, book.schema, read_models=True, autocommit=True)

    def connect_unchecked(self, book: Book) -> Connection:
        """A superuser's connection to a book whose tables take rows as they come."""
        admin = connect(self.database.admin_url, book.schema, autocommit=True)
        admin.execute("ALTER TABLE events DISABLE TRIGGER append")
        return admin

    @contextmanager
    def writer(self, book: Book, *, cache_entities: int = 200_000) -> Iterator[Writer]:
        """A writer of this process on the book."""
        writer = Writer(book, lambda: self.connect(book), cache_entities=cache_entities).start()
        try:
            yield writer
        finally:
            writer.stop()

    def head(self, connection: Connection) -> int:
        """The book's last position."""
        return reading.head(connection)

    @contextmanager
    def served(self, *options: str) -> Iterator["Served"]:
        """`tokenledger serve` as a process of its own, on a free port."""
        environment = {
            **os.environ,
            "TOKENLEDGER_DATABASE_URL": self.database.service_url,
            "TOKENLEDGER_ADMIN_DATABASE_URL": self.database.admin_url,
            "TOKENLEDGER_LOG_LEVEL": "warning",
            "TOKENLEDGER_BULK_BODY_BYTES_MAX": str(64 * 1024 * 1024),
        }
        command = [sys.executable, "-m", "api", "serve", "--port", "0", *options]
        with running(command, environment) as served:
            yield served


class Served:
    """A process that serves HTTP."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.port = port

    def pss_mb(self) -> float:
        """Proportional set size of the process and its children, PostgreSQL aside."""
        family = psutil.Process(self.process.pid)
        members = [family, *family.children(recursive=True)]
        ours = [p for p in members if "postgres" not in p.name()]
        return sum(p.memory_full_info().pss for p in ours) / 1024 / 1024


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[Served]:
    """A process that prints the address it serves; stopped by SIGTERM."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            yield Served(process, _port_of(process, said.fileno()))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _port_of(process: "subprocess.Popen[bytes]", said: int) -> int:
    """The port that the process prints; waits for it as long as the process lives."""
    while True:
        text = os.pread(said, 65_536, 0)
        found = _ADDRESS.search(text)
        if found is not None:
            return int(found[1])
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        raise RuntimeError(f"the service did not start: {text.decode(errors='replace')}")


@contextmanager
def stage() -> Iterator[Stage]:
    """The stage, gone afterwards with all that was written on it."""
    with (
        tempfile.TemporaryDirectory(prefix="tokenledger-bench-") as directory,
        embedded.server(Path(directory)) as server,
    ):
        migrate(server.url())
        yield Stage(server)
