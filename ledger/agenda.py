"""The agenda of one book: who has to be sent a command by now, read from the log itself.

A table beside the log with a position of its own, so that a scheduler goes on after a crash where
the last one stopped. Several may use it at once: reading on is one at a time, and what one has
taken the others do not see until its next turn.
"""

from typing import Any

import msgspec
import structlog

from domain.agenda import AgendaEvent, Due
from domain.catalogue import InvalidRequest, read_command
from ledger import queries
from ledger.database import Connection
from ledger.entry import decode
from ledger.request import Answer, Request, unremembered

NEWS_MAX = 5_000
SCHEDULER = "scheduler"

SQL = queries.load("agenda")
log = structlog.get_logger()


class Taken(msgspec.Struct, frozen=True):
    """One item whose time has come, and the request to send for it."""

    item: str
    request: Request


class Agenda:
    """One book's agenda over a connection in autocommit mode, in the book's schema."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read_on(self) -> int:
        """Take in what the log says since the last time; answers how many events that were."""
        total = 0
        while True:
            count = self._read_page()
            total += count
            if count < NEWS_MAX:
                return total

    def take(self, limit: int) -> list[Taken]:
        """At most `limit` items that are due; each comes again at its next turn."""
        rows = self._connection.execute(SQL["take"], [limit]).fetchall()
        return [Taken(item, request) for item, request in map(_requested, rows) if request]

    def settle(self, taken: list[Taken], answers: list[Answer]) -> None:
        """Forget the items whose commands were refused: there is nothing left to do for them."""
        refused = [
            each.item
            for each, answer in zip(taken, answers, strict=True)
            if 400 <= answer.status < 500
        ]
        if refused:
            self._connection.execute(SQL["drop"], [refused])

    def _read_page(self) -> int:
        connection = self._connection
        with connection.transaction():
            row = connection.execute(SQL["read_position"]).fetchone()
            assert row is not None
            news = connection.execute(SQL["news"], [row[0], NEWS_MAX]).fetchall()
            if not news:
                return 0
            changes: dict[str, Due | None] = {}
            for _, data in news:
                event = decode(data).event()
                if isinstance(event, AgendaEvent):
                    item, due = event.agenda()
                    changes[item] = due
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
        ]
        self._connection.execute(SQL["put"], columns)


def _requested(row: tuple[Any, ...]) -> tuple[str, Request | None]:
    item, command, fields = row
    try:
        read = read_command(command, fields)
    except InvalidRequest:
        log.exception("the agenda holds a command that cannot be read", item=item)
        return item, None
    return item, unremembered(read, actor=SCHEDULER, correlation_id=SCHEDULER)
