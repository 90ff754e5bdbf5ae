"""Where the benchmarks play: one embedded PostgreSQL of their own, books made on it as needed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.load import publish_policy
from ledger import embedded
from ledger.books import Book, create_book
from ledger.database import SERVICE_ROLE, Connection, connect
from ledger.migrate import migrate
from ledger.writer import Writer


class Stage:
    """A migrated database and the doors to it."""

    def __init__(self, server: embedded.Server) -> None:
        self.server = server
        self.admin_url = server.url()
        self.service_url = server.url(user=SERVICE_ROLE)

    def book(self, name: str, *, policy: bool = False, partition_rows: int = 1_000_000) -> Book:
        """A new book, with the benchmarks' policy if asked for."""
        book = create_book(
            self.admin_url, name, currency="USD", time_zone="UTC", partition_rows=partition_rows
        )
        if policy:
            with self.writer(book) as writer:
                publish_policy(writer)
        return book

    def connect(self, book: Book) -> Connection:
        """A connection of the service."""
        return connect(self.service_url, book.schema, autocommit=True)

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
        row = connection.execute("SELECT position FROM head").fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def stage() -> Iterator[Stage]:
    """The stage, gone afterwards with all that was written on it."""
    with tempfile.TemporaryDirectory(prefix="tokenledger-bench-") as directory:
        with embedded.server(Path(directory)) as server:
            migrate(server.url())
            yield Stage(server)
