"""The scheduler: sends, for every book, the commands that time alone makes due.

It meters calls, releases holds, voids authorisations. It holds nothing that matters: the agenda is
read from the log, and every command decides by itself whether there is anything to do. So it may
die at any moment, be late, and run in several processes at once.
"""

import threading
from collections.abc import Callable, Collection
from contextlib import suppress

import psycopg
import structlog

from ledger.agenda import Agenda
from ledger.books import Book, list_books
from ledger.database import Connection, Database, connect
from ledger.writer import Unavailable, Writer

TURN_EVERY_S = 1.0
COMMANDS_MAX = 4_096

log = structlog.get_logger()


class Scheduler:
    """Turns every second over all books, or over those named; `writer_of` as the service has it."""

    def __init__(
        self,
        database: Database,
        writer_of: Callable[[Book], Writer],
        *,
        books: Collection[str] | None = None,
    ) -> None:
        self._url = database.service_url
        self._writer_of = writer_of
        self._books = books
        self._connections: dict[str, Connection] = {}
        self._stopping = threading.Event()
        self._interrupted: set[str] = set()

    def run(self) -> None:
        """Turn until `stop`; blocks, and survives whatever the database does."""
        try:
            while not self._stopping.is_set():
                self.turn()
                self._stopping.wait(TURN_EVERY_S)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the database."""
        while self._connections:
            self._connections.popitem()[1].close()

    def stop(self) -> None:
        """Finish the command that is under way, then end."""
        self._stopping.set()

    def turn(self) -> int:
        """Send what is due in every book; answers how many commands that were."""
        sent = 0
        for book in self._known_books():
            try:
                sent += self._serve(book)
                self._interrupted.discard(book.name)
            except (psycopg.Error, Unavailable) as error:
                self._lose(book.name, str(error))
            except Exception:
                log.exception("a book's agenda was not served", book=book.name)
                self._lose(book.name, "")
        return sent

    def _serve(self, book: Book) -> int:
        agenda = Agenda(self._connection(book))
        agenda.read_on()
        sent = 0
        while not self._stopping.is_set():
            taken = agenda.take(COMMANDS_MAX)
            if taken:
                answers = self._writer_of(book).write([each.request for each in taken])
                agenda.settle(taken, answers)
                agenda.read_on()
                sent += len(taken)
            if len(taken) < COMMANDS_MAX:
                break
        return sent

    def _known_books(self) -> list[Book]:
        """The books there are; none while the database is away."""
        try:
            books = list_books(self._connection(None))
        except psycopg.Error as error:
            self._lose("", str(error))
            return []
        self._interrupted.discard("")
        return [book for book in books if self._books is None or book.name in self._books]

    def _connection(self, book: Book | None) -> Connection:
        name, schema = (book.name, book.schema) if book is not None else ("", None)
        found = self._connections.get(name)
        if found is None or found.closed:
            found = connect(self._url, schema, autocommit=True, application="tokenledger-scheduler")
            self._connections[name] = found
        return found

    def _lose(self, name: str, error: str) -> None:
        """Connect anew next time; an outage is told once."""
        connection = self._connections.pop(name, None)
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
        if name not in self._interrupted:
            self._interrupted.add(name)
            log.warning("scheduling interrupted", book=name or None, error=error.strip())
