"""What one serving process holds: books, their writers, API keys and read connections.

A book has one writer per process, started by the first command; all writers share a bounded
number of connections, and all readers another. A book is never deleted, so one that was found
stays cached. A database that does not answer raises `DatabaseAway`.
"""

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import psycopg
from psycopg_pool import PoolTimeout

from ledger.api_keys import Identity, KeyRing, well_formed
from ledger.books import Book, UnknownBook, get_book
from ledger.postgres.database import Connection, Database, connect, pool, search_path
from ledger.postgres.deadlines import within
from ledger.settings import Settings
from ledger.write.connections import connections_of_writers
from ledger.write.writer import Writer

_BOOK = re.compile(r"[A-Za-z0-9_-]{1,40}")
#: How long a query waits for a connection: callers learn of an outage within a second.
CONNECTION_WAIT_S = 0.8
#: How long a query may take until its connection is cut.
READ_S = 20.0
#: How long stopping waits for the pool's own threads.
CLOSE_S = 3.0
#: How long nobody else tries after that, so that many callers do not wait one after another.
AWAY_S = 0.5
#: Keys that are looked up in the database at a time, and that may wait for it.
LOOK_UP_THREADS = 2
LOOK_UPS_MAX = 256


class Service:
    """Everything that requests share; `start` before the first one, `stop` after the last."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self._url = database.service_url
        self._readers = pool(self._url, connections_max=settings.read_connections_max)
        self._readers.timeout = CONNECTION_WAIT_S
        self._connections = connections_of_writers(
            partial(connect, self._url, autocommit=True),
            settings.write_connections_max,
            idle_s=settings.writer_idle_s,
        )
        self._readers_free = threading.BoundedSemaphore(settings.read_connections_max)
        self._keys = KeyRing(self._readers, ttl_s=settings.key_cache_s)
        self._books: dict[str, Book] = {}
        self._writers: dict[str, Writer] = {}
        self._starting = threading.Lock()
        self._away_until = 0.0
        self._look_ups = ThreadPoolExecutor(LOOK_UP_THREADS, thread_name_prefix="keys")
        self._looking_up = 0
        #: Requests that were refused because no good key came with them.
        self.strangers = 0

    def start(self) -> None:
        """Start to connect; does not wait for the database."""
        self._readers.open(wait=False)

    def stop(self) -> None:
        """Let the writers finish what they accepted, then close the connections."""
        stopping = [threading.Thread(target=writer.stop) for writer in self._writers.values()]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        self._look_ups.shutdown()
        self._connections.close_idle(0.0)
        self._readers.close(timeout=CLOSE_S)

    def cached_book(self, name: str) -> Book | None:
        """A book that this process has looked up before; never waits."""
        return self._books.get(name)

    def book(self, name: str) -> Book | None:
        """The book called `name`, if there is one; may ask the database, raises `DatabaseAway`."""
        book = self._books.get(name)
        if book is None and _BOOK.fullmatch(name):  # anything else need not even be valid SQL text
            with self.reading() as connection:
                try:
                    book = get_book(connection, name)
                except UnknownBook:
                    return None
            self._books[name] = book
        return book

    def cached_identity(self, book: str, key: str) -> Identity | None:
        """Whose key this is, from memory alone; never waits."""
        return self._keys.remembered(book, key)

    async def find_caller(self, book: str, key: str) -> tuple[Book, Identity] | None:
        """The book and whose key of it this is; may ask the database, raises `DatabaseAway`."""
        return await self._looked_up(partial(self._find_caller, book), key)

    async def find_holder(self, key: str) -> tuple[Book, Identity] | None:
        """The same of whoever names no book."""
        return await self._looked_up(self._find_holder, key)

    async def _looked_up(
        self, find: Callable[[str], tuple[Book, Identity] | None], key: str
    ) -> tuple[Book, Identity] | None:
        """Strangers' keys wait in a short queue of their own and take no reader's place."""
        if not well_formed(key):
            return None
        if self._looking_up >= LOOK_UPS_MAX:
            raise ReadersBusy("too many keys are being looked up at once")
        self._looking_up += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._look_ups, find, key)
        finally:
            self._looking_up -= 1

    def _find_holder(self, key: str) -> tuple[Book, Identity] | None:
        with self._map_outages():
            opened = self._keys.opened_by(key)
        book = None if opened is None else self.book(opened[0])
        return None if opened is None or book is None else (book, opened[1])

    def _find_caller(self, name: str, key: str) -> tuple[Book, Identity] | None:
        with self._map_outages():
            identity = self._keys.authenticate(name, key)
        book = None if identity is None else self.book(name)
        return None if identity is None or book is None else (book, identity)

    def book_of_key(self, key: str) -> Book | None:
        """The book that a good key opens; may ask the database, raises `DatabaseAway`."""
        with self._map_outages():
            name = self._keys.book_of(key)
        return None if name is None else self.book(name)

    def writer(self, book: Book) -> Writer:
        """The book's writer, started on first use."""
        writer = self._writers.get(book.name)
        if writer is None:
            with self._starting:
                writer = self._writers.get(book.name) or self._start_writer(book)
        return writer

    @property
    def writers(self) -> list[Writer]:
        """The writers that were started."""
        return list(self._writers.values())

    @contextmanager
    def reading(
        self, book: Book | None = None, *, within_s: float = READ_S
    ) -> Iterator[Connection]:
        """A read connection, in the book's schemas if one is given; raises `DatabaseAway`.

        It is cut after `within_s`.
        """
        with (
            self._map_outages(),
            self._readers.connection() as connection,
            within(connection, within_s),
        ):
            if book is not None:
                path = search_path(book.schema, read_models=True)
                connection.execute("SELECT set_config('search_path', %s, false)", [path])
            yield connection

    def _start_writer(self, book: Book) -> Writer:
        writer = Writer(
            book,
            self._connections,
            idle_s=self.settings.writer_idle_s,
            queue_commands_max=self.settings.queue_commands_max,
            queue_bytes_max=self.settings.queue_bytes_max,
            batch_commands_max=self.settings.batch_commands_max,
            batch_bytes_max=self.settings.batch_bytes_max,
            cache_entities=self.settings.cache_entities_max,
            parked_max=self.settings.parked_notices_max,
        ).start()
        self._writers[book.name] = writer
        return writer

    @contextmanager
    def _map_outages(self) -> Iterator[None]:
        if time.monotonic() < self._away_until:
            raise DatabaseAway("the database was away a moment ago")
        if not self._readers_free.acquire(timeout=CONNECTION_WAIT_S):
            raise ReadersBusy(
                f"all {self.settings.read_connections_max} connections for questions are in use"
            )
        try:
            yield
        except (psycopg.OperationalError, PoolTimeout) as error:
            self._away_until = time.monotonic() + AWAY_S
            raise DatabaseAway(str(error)) from error
        finally:
            self._readers_free.release()


class DatabaseAway(Exception):
    """The database does not answer at present."""

    @property
    def what(self) -> str:
        """What is short, for people outside."""
        return "the database is away"


class ReadersBusy(DatabaseAway):
    """The database answers others: every connection that questions share is in use."""

    @property
    def what(self) -> str:
        """How many those are."""
        return str(self)
