"""The process that keeps every book's read models up to date.

One thread and one connection per book; books that appear later are noticed. New events are looked
for by polling: docs/adr/0013 says what `NOTIFY` would cost the writers. A database that goes away,
or a connection that breaks, costs nothing but time: the thread drops what it had in memory,
connects again and goes on from the checkpoints.
"""

import threading
from collections.abc import Callable, Collection, Sequence

import psycopg

from ledger import logs
from ledger.books import Book, list_books
from ledger.postgres import sql_files
from ledger.postgres.database import Database, connect
from projections.catalogue import all_projections
from projections.engine.install import install
from projections.engine.projection import Projection
from projections.engine.runner import Runner

SQL = sql_files.load("checkpoints", "projections")

IDLE_FIRST_S = 0.02
IDLE_MAX_S = 0.05
NOTICE_BOOKS_EVERY_S = 2.0
RECONNECT_S = 0.5

log = logs.get_logger(__name__)


def run(
    database: Database,
    stop: threading.Event,
    *,
    books: Collection[str] | None = None,
    projections: Callable[[], Sequence[Projection]] = all_projections,
) -> None:
    """Serve all books, or those named, until `stop` is set; blocks, and survives the database."""
    threads: dict[str, threading.Thread] = {}
    books_of = _BookList(database)
    while not stop.is_set():
        for book in books_of.now():
            if book.name not in threads and (books is None or book.name in books):
                threads[book.name] = threading.Thread(
                    target=serve_book,
                    args=(database, book, stop, projections),
                    name=f"projections-{book.name}",
                    daemon=True,
                )
                threads[book.name].start()
        stop.wait(NOTICE_BOOKS_EVERY_S if threads else RECONNECT_S)
    for thread in threads.values():
        thread.join()


def serve_book(
    database: Database,
    book: Book,
    stop: threading.Event,
    projections: Callable[[], Sequence[Projection]] = all_projections,
) -> None:
    """Follow one book's log until `stop` is set."""
    said = ""
    while not stop.is_set():
        try:
            _follow(database, book, stop, projections())
        except psycopg.OperationalError as error:
            if str(error) != said:  # a database that is away is away for many tries
                said = str(error)
                log.warning("projections interrupted", book=book.name, error=said.strip())
        except Exception:
            log.exception("projections interrupted", book=book.name)
        stop.wait(RECONNECT_S)


def _follow(
    database: Database, book: Book, stop: threading.Event, projections: Sequence[Projection]
) -> None:
    with connect(
        database.service_url, book.schema, autocommit=True, application="tokenledger-projections"
    ) as connection:
        install(connection, projections)
        connection.execute(SQL["relaxed"])
        runner = Runner(connection, projections)
        idle_s = IDLE_FIRST_S
        while not stop.is_set():
            runner.take_over()
            if runner.step():
                idle_s = IDLE_FIRST_S
            else:
                stop.wait(idle_s)
                idle_s = min(idle_s * 1.2, IDLE_MAX_S)


class _BookList:
    """Lists the books; answers none while the database is unreachable, and warns of that once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._away = False

    def now(self) -> list[Book]:
        try:
            with connect(self._database.service_url, autocommit=True) as connection:
                found = list_books(connection)
        except psycopg.Error as error:
            if not self._away:
                log.warning("books not listed", error=str(error).strip())
            self._away = True
            return []
        self._away = False
        return found
