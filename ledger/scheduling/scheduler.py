"""The scheduler: sends, for every book, the commands that time alone makes due.

It meters calls, releases holds, voids authorisations, changes tiers. It holds nothing that matters:
the agenda is read from the log, a forecast from a read model, and every command decides by itself
whether there is anything to do. So it may die at any moment, be late, and run in several processes
at once.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import psycopg

from ledger import logs
from ledger.books import Book, list_books
from ledger.clock import ClockGuard, ClockJumped
from ledger.postgres.database import Connection, Database, connect
from ledger.scheduling.agenda import Agenda, TakenItem
from ledger.write.answer import Answer
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer

TURN_EVERY_S = 1.0
#: How long the database may take for an answer until the connection is cut.
ANSWER_S = 20.0
COMMANDS_FIRST = 32
COMMANDS_MAX = 4_096
#: A turn begins with no more, so that the writer is at work while the next are taken.
COMMANDS_BEGIN = 512
#: Commands of one book until it is another's turn.
SLICE_COMMANDS = 16_384
#: Where commands make more events than this they have time to catch up with: fewer at once, lest
#: they hold up everybody else at the sequencer.
EVENTS_EACH = 2
#: After a pause of that long there may be much to catch up with.
CAUTIOUS_AFTER_S = 30.0

log = logs.get_logger(__name__)


class Observer(Protocol):
    """Somebody who counts what a scheduler does."""

    def sent(
        self, book: str, answers: Sequence[Answer], *, late_s: float, answered_s: float
    ) -> None:
        """Commands were answered after `answered_s`, `late_s` after the first of them was due."""

    def interrupted(self, book: str) -> None:
        """A book (or, without a name, every book) was not served."""


class NullObserver:
    """Nobody counts."""

    def sent(
        self, book: str, answers: Sequence[Answer], *, late_s: float, answered_s: float
    ) -> None:
        """Nothing."""

    def interrupted(self, book: str) -> None:
        """Nothing."""


class Forecast(Protocol):
    """What is due besides, as somebody who reads the log has worked it out."""

    def due(
        self, connection: Connection, book: Book, clock: datetime, recorded_at: datetime
    ) -> list[TakenItem]:
        """What is due now in a book whose last event is of `recorded_at`; may set the search path
        of `connection`. It is asked once a turn, and forgets by itself what was answered."""


class Scheduler:
    """Turns every second over all books, or over those named; `writer_of` as the service has it.

    Besides the agenda it sends what the `forecasts` say is due.
    """

    def __init__(
        self,
        database: Database,
        writer_of: Callable[[Book], Writer],
        *,
        books: Collection[str] | None = None,
        observer: Observer | None = None,
        forecasts: Sequence[Forecast] = (),
    ) -> None:
        self._url = database.service_url
        self._writer_of = writer_of
        self._books = books
        self._observer = observer or NullObserver()
        self._forecasts = tuple(forecasts)
        self._asked: set[str] = set()
        self._connection: Connection | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._interrupted: set[str] = set()
        self._guards: defaultdict[str, ClockGuard] = defaultdict(ClockGuard)
        self._at_once = COMMANDS_FIRST
        self._turned_at = time.monotonic()

    def start(self) -> None:
        """Begin to turn, in a thread of its own; survives whatever the database does."""
        self._thread.start()
        log.info("scheduling")

    def stop(self) -> None:
        """Finish the commands that are under way, then end; before the writers do."""
        self._stopping.set()
        self._thread.join()

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def turn(self) -> int:
        """Send what is due in every book; answers how many commands that were."""
        sent = 0
        if time.monotonic() - self._turned_at > CAUTIOUS_AFTER_S:
            self._at_once = COMMANDS_FIRST
        self._asked.clear()
        books = self._known_books()
        while books:  # round after round, so that one book's backlog keeps no other waiting
            served = [(book, self._served(book)) for book in books]
            sent += sum(count for _, count in served if count is not None)
            books = [book for book, count in served if count is not None]
        return sent

    def _served(self, book: Book) -> int | None:
        """As `_serve`; None also when the book cannot be served now."""
        try:
            sent = self._serve(book)
            self._interrupted.discard(book.name)
            self._turned_at = time.monotonic()
        except (psycopg.Error, Unavailable, ClockJumped) as error:
            self._lose(book.name, str(error))
        except Exception:
            log.exception("a book's agenda was not served", book=book.name)
            self._lose(book.name, "")
        else:
            return sent
        return None

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.turn()
            self._stopping.wait(TURN_EVERY_S)
        self.close()

    def _serve(self, book: Book) -> int | None:
        """Send at most a slice of what is due; None when nothing was."""
        agenda = Agenda(book, self._connected(), self._guards[book.name])
        anything = agenda.anything()
        if self._stopping.is_set():
            return None
        foreseen = self._send_foreseen(agenda, book)
        if not anything:
            return foreseen or None
        agenda.read_on()
        return foreseen + self._send_due(agenda, book)

    def _send_foreseen(self, agenda: Agenda, book: Book) -> int:
        """Send what the forecasts say is due, once a turn: they see what came of it later."""
        if book.name in self._asked:
            return 0
        self._asked.add(book.name)
        sent = 0
        for forecast in self._forecasts:
            taken = forecast.due(self._connected(), book, *agenda.seen)
            if taken:
                self._send(book, taken)
                sent += len(taken)
        return sent

    def _send(self, book: Book, taken: Sequence[TakenItem]) -> None:
        began = time.monotonic()
        answers = self._writer_of(book).write_soon([each.request for each in taken]).result()
        answered_s = time.monotonic() - began
        late_s = max(each.late_s for each in taken) + answered_s
        self._observer.sent(book.name, answers, late_s=late_s, answered_s=answered_s)

    def _send_due(self, agenda: Agenda, book: Book) -> int:
        """Send what is due, about a slice, taking the next while the last are on their way.

        The log is not read on meanwhile: what is settled is what was due when it was taken.
        """
        sent = 0
        begin = COMMANDS_BEGIN
        taken = agenda.take(min(begin, self._at_once))
        while taken:
            began = time.monotonic()
            answering = self._writer_of(book).write_soon([each.request for each in taken])
            begin *= 2
            limit = min(begin, self._at_once)
            enough = self._stopping.is_set() or sent + len(taken) >= SLICE_COMMANDS
            following = [] if enough else agenda.take(limit)
            answers = answering.result()
            answered_s = time.monotonic() - began
            late_s = max(each.late_s for each in taken) + answered_s
            self._observer.sent(book.name, answers, late_s=late_s, answered_s=answered_s)
            agenda.settle(taken, answers)
            self._pace(len(taken), sum(len(answer.events) for answer in answers))
            sent += len(taken)
            taken = following
        return sent

    def _pace(self, commands: int, events: int) -> None:
        """As many commands at once as there is little to catch up with."""
        if events > EVENTS_EACH * commands:
            self._at_once = max(COMMANDS_FIRST, self._at_once // 2)
        else:
            self._at_once = min(COMMANDS_MAX, self._at_once * 2)

    def _known_books(self) -> list[Book]:
        """The books there are; none while the database is away."""
        try:
            books = list_books(self._connected())
        except psycopg.Error as error:
            self._lose("", str(error))
            return []
        self._interrupted.discard("")
        return [book for book in books if self._books is None or book.name in self._books]

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(
                self._url,
                autocommit=True,
                application="tokenledger-scheduler",
                answer_s=ANSWER_S,
            )
        return self._connection

    def _lose(self, name: str, error: str) -> None:
        """Connect anew next time; an outage is told once."""
        self.close()
        self._observer.interrupted(name)
        if name not in self._interrupted:
            self._interrupted.add(name)
            log.warning("scheduling interrupted", book=name or None, error=error.strip())
