"""The agenda of one book: the commands that time has made due, read from the log itself.

A table beside the log with a position of its own, so that a scheduler goes on after a crash where
the last one stopped. Several may use it at once: reading on is one at a time, and what one has
taken the others do not see until its next turn.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from domain.agenda import AGENDA, AgendaEvent, Due
from domain.catalogue import InvalidRequest, read_command
from ledger import logs
from ledger.books import Book
from ledger.clock import ClockGuard
from ledger.log import reading
from ledger.log.entry import decode
from ledger.postgres import sql_files
from ledger.postgres.database import Connection, search_path
from ledger.write.answer import Answer
from ledger.write.request import Request, unremembered

NEWS_MAX = 5_000
SCHEDULER = "scheduler"
NEVER = datetime.min.replace(tzinfo=UTC)

SQL = sql_files.load("agenda")
log = logs.get_logger(__name__)


class TakenItem(msgspec.Struct, frozen=True):
    """One item that has been due for `late_s`, and the request to send for it."""

    item: str
    due_at: datetime
    request: Request
    once: bool
    late_s: float


class Agenda:
    """One book's agenda; sets the search path of `connection`, which is in autocommit mode."""

    def __init__(self, book: Book, connection: Connection, guard: ClockGuard | None = None) -> None:
        self._connection = connection
        #: The clock and the time of the last event, when it was last asked for anything.
        self.seen = NEVER, NEVER
        self._guard = guard or ClockGuard()
        connection.execute(SQL["enter"], [search_path(book.schema)])

    def anything(self) -> bool:
        """Whether anything is due at present; raises ClockJumped."""
        row = self._connection.execute(SQL["anything"]).fetchone()
        assert row is not None
        clock, recorded_at, anything = row
        self._guard.check(clock, recorded_at)
        self.seen = clock, recorded_at
        return bool(anything)

    def read_on(self) -> int:
        """Read the log from where the last call stopped; returns the number of events read."""
        total = 0
        while True:
            count = self._read_page()
            total += count
            if count < NEWS_MAX:
                return total

    def take(self, limit: int) -> list[TakenItem]:
        """At most `limit` items that are due; each comes again at its next turn.

        Raises ClockJumped before any is taken: its next turn would be after the jump.
        """
        return self._take(self._now(), limit)

    def _now(self) -> datetime:
        row = self._connection.execute(SQL["time"]).fetchone()
        assert row is not None
        clock: datetime = row[0]
        self._guard.check(clock, row[1])
        recorded_at: datetime = row[1]
        return max(clock, recorded_at)

    def _take(self, now: datetime, limit: int) -> list[TakenItem]:
        rows = self._connection.execute(SQL["take"], {"now": now, "limit": limit}).fetchall()
        return [taken for row in rows if (taken := _taken(row)) is not None]

    def settle(self, taken: list[TakenItem], answers: list[Answer]) -> None:
        """Forget what was refused, for there is nothing left to do, and what is done once."""
        over = [
            (each.item, each.due_at)
            for each, answer in zip(taken, answers, strict=True)
            if 400 <= answer.status < 500 or (each.once and answer.status < 300)
        ]
        if over:
            items, turns = zip(*over, strict=True)
            self._connection.execute(SQL["settle"], [list(items), list(turns)])

    def _read_page(self) -> int:
        connection = self._connection
        with connection.transaction():
            row = connection.execute(SQL["read_position"]).fetchone()
            assert row is not None
            news = reading.listing(connection, after=row[0], tag=AGENDA, limit=NEWS_MAX)
            if not news:
                return 0
            changes: dict[str, Due | None] = {}
            for _, data in news:
                event = decode(data).event()
                if isinstance(event, AgendaEvent):
                    changes.update(event.agenda_items())
            self._put([(item, due) for item, due in changes.items() if due is not None])
            dropped = [item for item, due in changes.items() if due is None]
            connection.execute(SQL["drop"], [dropped])
            connection.execute(SQL["read_to"], [news[-1][0]])
        return len(news)

    def _put(self, items: list[tuple[str, Due]]) -> None:
        columns: list[list[Any]] = [
            [item for item, _ in items],
            [due.at for _, due in items],
            [due.every_s for _, due in items],
            [due.command for _, due in items],
            [msgspec.json.encode(due.fields).decode() for _, due in items],
            [due.once for _, due in items],
        ]
        self._connection.execute(SQL["put"], columns)


def _taken(row: tuple[Any, ...]) -> TakenItem | None:
    item, due_at, command, fields, once, late_s = row
    try:
        read = read_command(command, msgspec.json.decode(fields))
    except InvalidRequest:
        log.exception("the agenda holds a command that cannot be read", item=item)
        return None
    request = unremembered(read, actor=SCHEDULER, correlation_id=SCHEDULER)
    return TakenItem(item, due_at, request, once, late_s)
