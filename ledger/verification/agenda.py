"""The agenda: what is due at some time is what the log's events put there, and all of it.

A row that is gone may have been dealt with, for a command that finds nothing to do leaves no trace;
one that has not come due yet cannot have been.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from domain.agenda import AGENDA, AgendaEvent, Due
from domain.event import Event
from ledger.log import reading
from ledger.log.entry import decode
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.verification.decisions import Placed
from ledger.verification.difference import LISTED_MAX, Difference

SQL = sql_files.load("verify_beside")
PAGE = 5_000
#: How often it is compared anew because the scheduler has read on meanwhile.
TRIES_MAX = 20


class AgendaCheck:
    """What the events say is due, in a temporary table of this session, until it is compared."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._created = False

    def page(self, page: Sequence[Placed]) -> None:
        """Take in what these entries put on the agenda or take off it."""
        self._take_in([(one.position, one.event) for one in page if AGENDA in one.entry.tags])

    def compare(self, last: int) -> Iterator[Difference]:
        """Where the agenda differs, as far as it has read the log; `last`: what was taken in."""
        self._create()
        for _ in range(TRIES_MAX):
            last = self._read_on(last)
            rows = self._connection.execute(SQL["agenda"], (LISTED_MAX,)).fetchall()
            read = self._connection.execute(SQL["agenda_read"]).fetchone()
            if read is not None and read[0] > last:
                continue  # it was read on meanwhile, and what was compared may be of two moments
            for position, item, expected, found in rows:
                what = "nothing is due" if expected is None else expected
                yield Difference(position, "agenda", f"{item}: {what}", found or "nothing")
            return

    def _read_on(self, last: int) -> int:
        """Take in what has come since; answers how far that goes."""
        head = max(last, reading.head(self._connection))
        while True:
            rows = reading.listing(self._connection, after=last, tag=AGENDA, limit=PAGE)
            self._take_in([(position, decode(data).event()) for position, data in rows])
            if len(rows) < PAGE:
                return head
            last = rows[-1][0]

    def _take_in(self, events: Sequence[tuple[int, Event]]) -> None:
        items: dict[str, tuple[int, Due | None]] = {}
        for position, event in events:
            if isinstance(event, AgendaEvent):
                items.update((item, (position, due)) for item, due in event.agenda_items())
        if not items:
            return
        self._create()
        columns: list[list[Any]] = [[], [], [], [], [], [], []]
        for item, (position, due) in items.items():
            fields = None if due is None else msgspec.json.encode(due.fields).decode()
            values = (
                (item, None, None, None, fields, None, position)
                if due is None
                else (item, due.at, due.every_s, due.command, fields, due.once, position)
            )
            for column, value in zip(columns, values, strict=True):
                column.append(value)
        self._connection.execute(SQL["put_agenda"], columns)

    def _create(self) -> None:
        if not self._created:
            self._connection.execute(SQL["create_agenda"])
            self._created = True
