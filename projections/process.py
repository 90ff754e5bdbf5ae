"""The process that keeps every book's read models up to date.

A few threads with a connection each share all books; books that appear later are noticed. One
query tells a thread which of its books have news, and each of those moves by a page in its turn.
New events are looked for by polling: docs/adr/0013 says what `NOTIFY` would cost the writers. A
database that goes away, or a connection that breaks, costs nothing but time: the thread drops what
it had in memory, connects again and goes on from the checkpoints. Nothing waits without end: a
connection that a step keeps waiting is cut, and while a thread hangs all the same the process gives
no sign of life, so that whoever started it replaces it.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence

import psycopg

from ledger import logs
from ledger.books import Book, list_books
from ledger.postgres import sql_files
from ledger.postgres.database import Connection, Database, connect, search_path
from ledger.postgres.deadlines import within
from projections.catalogue import all_projections
from projections.engine.install import install
from projections.engine.projection import Projection
from projections.engine.runner import Runner

SQL = sql_files.load("checkpoints", "projections")

IDLE_FIRST_S = 0.02
IDLE_MAX_S = 0.05
NOTICE_BOOKS_EVERY_S = 2.0
RECONNECT_S = 0.5
#: Connections of one process, each with a share of the books.
CONNECTIONS_MAX = 4
#: Books of a share whose read models are kept in memory with their locks, and for how long after
#: they last had news.
RUNNERS_MAX = 64
LET_GO_AFTER_S = 30.0
#: Looking for news may take a twentieth of the time; a pause is far shorter than a runner's lease.
LOOKING_SHARE = 20.0
PAUSE_MAX_S = 5.0
#: How long a step with one book may take until its connection is cut, and after how long a thread
#: that has not come round hangs. Listing the books is a moment's work.
STEP_S = 60.0
HANGS_AFTER_S = 90.0
LIST_S = 2.0

log = logs.get_logger(__name__)


def run(
    database: Database,
    stop: threading.Event,
    *,
    books: Collection[str] | None = None,
    projections: Callable[[], Sequence[Projection]] = all_projections,
    connections_max: int = CONNECTIONS_MAX,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Serve all books, or those named, until `stop` is set; blocks, and survives the database.

    `alive` is called every few seconds, unless a thread hangs.
    """
    shares = [_Share(database, stop, projections) for _ in range(connections_max)]
    known: set[str] = set()
    books_of = _BookList(database)
    while not stop.is_set():
        if not any(share.hangs for share in shares):
            alive()
        for book in books_of.now():
            if book.name not in known and (books is None or book.name in books):
                known.add(book.name)
                min(shares, key=lambda share: len(share.books)).add(book)
        stop.wait(NOTICE_BOOKS_EVERY_S if known else RECONNECT_S)
    for share in shares:
        share.join()


def serve_book(
    database: Database,
    book: Book,
    stop: threading.Event,
    projections: Callable[[], Sequence[Projection]] = all_projections,
) -> None:
    """Follow one book's log until `stop` is set."""
    share = _Share(database, stop, projections)
    share.add(book)
    share.join()


class _Share:
    """Some of the books, served in turn by one thread over one connection."""

    def __init__(
        self,
        database: Database,
        stop: threading.Event,
        projections: Callable[[], Sequence[Projection]],
    ) -> None:
        self.books: dict[str, Book] = {}  # by schema
        self._database = database
        self._stop = stop
        self._projections = projections
        self._models = [projection.checkpoint for projection in projections()]
        #: By schema, the one that moved longest ago first; and when each last did.
        self._runners: OrderedDict[str, tuple[Runner, float]] = OrderedDict()
        self._resting: dict[str, float] = {}
        self._entered = ""
        self._came_round = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="projections", daemon=True)

    def add(self, book: Book) -> None:
        """One more book; with the first one the thread begins."""
        first = not self.books
        self.books = {**self.books, book.schema: book}
        if first:
            self._thread.start()

    @property
    def hangs(self) -> bool:
        """Whether the thread has not come round for too long."""
        return self._thread.is_alive() and time.monotonic() - self._came_round > HANGS_AFTER_S

    def join(self) -> None:
        """Wait for the thread's end."""
        if self.books:
            self._thread.join()

    def _run(self) -> None:
        said = ""
        while not self._stop.is_set():
            self._came_round = time.monotonic()
            try:
                self._follow()
            except psycopg.Error as error:
                if str(error) != said:  # a database that is away is away for many tries
                    said = str(error)
                    log.warning("projections interrupted", error=said.strip())
            except Exception:
                log.exception("projections interrupted")
            self._stop.wait(RECONNECT_S)

    def _follow(self) -> None:
        with connect(
            self._database.service_url, autocommit=True, application="tokenledger-projections"
        ) as connection:
            with within(connection, LIST_S):
                connection.execute(SQL["relaxed"])
            self._runners.clear()
            self._entered = ""
            idle_s = IDLE_FIRST_S
            while not self._stop.is_set():
                began = time.monotonic()
                self._came_round = began
                with within(connection, STEP_S):
                    behind = connection.execute(SQL["behind"], (list(self.books), self._models))
                    schemas = [schema for (schema,) in behind]
                looked_s = time.monotonic() - began
                moved = sum(self._serve(connection, self.books[schema]) for schema in schemas)
                self._let_go_idle(connection)
                idle_s = IDLE_FIRST_S if moved else min(idle_s * 1.2, IDLE_MAX_S)
                if not moved or looked_s > IDLE_FIRST_S:
                    self._stop.wait(min(max(idle_s, LOOKING_SHARE * looked_s), PAUSE_MAX_S))

    def _serve(self, connection: Connection, book: Book) -> int:
        """Move one book by a page; what fails with it, fails alone and rests for a while."""
        if self._stop.is_set() or time.monotonic() < self._resting.get(book.schema, 0.0):
            return 0
        self._came_round = time.monotonic()
        try:
            with within(connection, STEP_S):
                self._enter(connection, book.schema)
                runner = self._runner(connection, book)
                runner.take_over()
                return runner.step()
        except Exception as error:
            if connection.closed:
                raise
            if isinstance(error, psycopg.OperationalError):
                log.warning("projections interrupted", book=book.name, error=str(error).strip())
            else:
                log.exception("projections interrupted", book=book.name)
            self._resting[book.schema] = time.monotonic() + RECONNECT_S
            self._let_go(connection, book.schema)
            return 0

    def _runner(self, connection: Connection, book: Book) -> Runner:
        if book.schema in self._runners:
            runner, _ = self._runners.pop(book.schema)
        else:
            projections = self._projections()
            install(connection, projections)
            runner = Runner(connection, projections)
        self._runners[book.schema] = runner, time.monotonic()
        return runner

    def _let_go_idle(self, connection: Connection) -> None:
        """Locks and memory are for books that move."""
        since = time.monotonic() - LET_GO_AFTER_S
        while self._runners:
            schema, (_, moved_at) = next(iter(self._runners.items()))
            if moved_at > since and len(self._runners) <= RUNNERS_MAX:
                return
            with within(connection, STEP_S):
                self._enter(connection, schema)
                self._let_go(connection, schema)

    def _let_go(self, connection: Connection, schema: str) -> None:
        runner, _ = self._runners.pop(schema, (None, 0.0))
        if runner is not None:
            runner.let_go()

    def _enter(self, connection: Connection, schema: str) -> None:
        if schema != self._entered:
            connection.execute(SQL["enter"], [search_path(schema, read_models=True)])
            self._entered = schema


class _BookList:
    """Lists the books; answers none while the database is unreachable, and warns of that once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._away = False

    def now(self) -> list[Book]:
        try:
            with (
                connect(self._database.service_url, autocommit=True) as connection,
                within(connection, LIST_S),
            ):
                found = list_books(connection)
        except psycopg.Error as error:
            if not self._away:
                log.warning("books not listed", error=str(error).strip())
            self._away = True
            return []
        self._away = False
        return found
