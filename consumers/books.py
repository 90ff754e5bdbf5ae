"""One thread per book, for as long as the process runs; books that appear later are noticed."""

import threading
from collections.abc import Callable, Collection

import psycopg

from ledger import logs
from ledger.books import Book, list_books
from ledger.postgres.database import Database, connect

NOTICE_BOOKS_EVERY_S = 2.0
#: How long PostgreSQL may take for one answer until the connection is cut and all begins anew; for
#: a page of read models, and for the list of books.
ANSWER_S, PAGE_ANSWER_S, LIST_ANSWER_S = 20.0, 60.0, 2.0

log = logs.get_logger(__name__)


def serve_books(
    database: Database,
    stop: threading.Event,
    books: Collection[str] | None,
    serve: Callable[[Book], None],
) -> None:
    """Run `serve` for every book, or those named, until `stop` is set; blocks.

    `serve` blocks until `stop` is set, too, and survives whatever comes.
    """
    threads: dict[str, threading.Thread] = {}
    told: set[str] = set()
    while not stop.is_set():
        known = known_books(database)
        if known and books and (lacking := set(books) - {book.name for book in known} - told):
            told |= lacking
            log.warning("there is no such book", books=sorted(lacking))
        for book in known:
            if book.name not in threads and (books is None or book.name in books):
                thread = threading.Thread(target=serve, args=(book,), name=book.name, daemon=True)
                threads[book.name] = thread
                thread.start()
        stop.wait(NOTICE_BOOKS_EVERY_S)
    for thread in threads.values():
        thread.join()


def known_books(database: Database) -> list[Book]:
    """Every book; none while the database is away."""
    try:
        with connect(database.service_url, autocommit=True, answer_s=LIST_ANSWER_S) as connection:
            return list_books(connection)
    except psycopg.Error as error:
        log.warning("books not listed", error=str(error).strip())
        return []
