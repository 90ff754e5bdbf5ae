"""Books: which exist, and how one comes into being.

A book is one platform's ledger in a PostgreSQL schema of its own. This module makes the schema,
its tables and its empty log; the first policy is an event and therefore the write path's.
"""

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledger.postgres import sql_files
from ledger.postgres.database import Connection, connect
from ledger.postgres.migrations import as_owner, locked, migrate_book

SQL = sql_files.load("books")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_CURRENCY = re.compile(r"[A-Z]{3}")

#: Events per partition of the log, unless a book asks otherwise. Of a power of two, every partition
#: is a whole subtree of the log's Merkle tree, so that it can be archived with its own root.
PARTITION_ROWS = 2**20


#: So begin the names of simulated books, whose log is written at told times, and of no others.
#: A book's name stands in its every entry, asset, answer and proof: none passes for a real one.
SIMULATED = "sim-"


class BookRefused(Exception):
    """A book that cannot be made or found."""


class UnknownBook(BookRefused):
    """There is no book of this name."""


class BookExists(BookRefused):
    """There is a book of this name already."""


class InvalidBook(BookRefused):
    """A book cannot be made with this name, currency, time zone or partition size."""


@dataclass(frozen=True, slots=True)
class Book:
    """One book as every layer above knows it."""

    name: str
    schema: str
    currency: str  # ISO 4217
    time_zone: str  # IANA name; business days are cut in it

    @property
    def simulated(self) -> bool:
        """Whether its log may be written at told times."""
        return self.name.startswith(SIMULATED)


def create_book(
    admin_url: str,
    name: str,
    *,
    currency: str,
    time_zone: str,
    partition_rows: int = PARTITION_ROWS,
    simulated: bool = False,
) -> Book:
    """Make an empty book, whole or not at all; needs a migrated database."""
    book = Book(name, f"book_{name}", currency, time_zone)
    _check(book, partition_rows)
    if book.simulated != simulated:
        raise InvalidBook(f"{SIMULATED} begins the names of simulated books, and of no others")
    with (
        connect(admin_url, autocommit=True) as connection,
        locked(connection),
        connection.transaction(),
    ):
        _create(connection, book, partition_rows)
    return book


def get_book(connection: Connection, name: str) -> Book:
    """The book of this name; raises `UnknownBook`."""
    row = connection.execute(SQL["get"], [name]).fetchone()
    if row is None:
        raise UnknownBook(f"there is no book named {name!r}")
    return Book(*row)


def list_books(connection: Connection) -> list[Book]:
    """Every book, by name."""
    return [Book(*row) for row in connection.execute(SQL["list"])]


def _check(book: Book, partition_rows: int) -> None:
    if not _NAME.fullmatch(book.name):
        raise InvalidBook("a book's name is 1 to 40 of A-Z a-z 0-9 _ -")
    if not _CURRENCY.fullmatch(book.currency):
        raise InvalidBook(f"{book.currency!r} is not an ISO 4217 code such as USD")
    if partition_rows < 1:
        raise InvalidBook("a partition holds at least one event")
    try:
        ZoneInfo(book.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidBook(f"{book.time_zone!r} is not an IANA time zone") from None


def _create(connection: Connection, book: Book, partition_rows: int) -> None:
    values = {
        "name": book.name,
        "schema": book.schema,
        "currency": book.currency,
        "time_zone": book.time_zone,
    }
    if connection.execute(SQL["register"], values).fetchone() is None:
        raise BookExists(f"there is a book named {book.name!r} already")
    connection.execute(SQL["name_schema"], [book.schema])
    connection.execute(SQL["create_schema"])
    migrate_book(connection, book.name, book.schema)
    with as_owner(connection, book.schema):
        connection.execute(SQL["open_head"], [partition_rows])
        connection.execute(SQL["open_partitions"])
