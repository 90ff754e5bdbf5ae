"""The log as the `eventsourcing` library sees it: its `DCBRecorder`, over a book's own tables.

`BookLog` reads and follows. It refuses to append: an event of a book is born at the sequencer,
where it is decided, encoded and checked, and nowhere else. `PlainLog` also appends, to a log
without a catalogue, whose data are bytes that nobody decodes; it refuses a log that a book writes.
Unlike the library's own recorders it locks one row instead of the table, and no transaction
stays open between pages.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import psycopg
from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBReadResponse,
    DCBRecorder,
    DCBSequencedEvent,
    DCBSubscription,
)
from eventsourcing.persistence import IntegrityError, OperationalError, ProgrammingError
from psycopg_pool import ConnectionPool

from ledger.log import copy_rows as rows
from ledger.log import reading
from ledger.log.entry import leaf_hash
from ledger.log.event_ids import event_ids
from ledger.postgres import sql_files
from ledger.postgres.database import Connection

PAGE_EVENTS = 2_000
POLL_S = 0.1
TICK = timedelta(microseconds=1)

SQL = sql_files.load("recorder")
LOG = sql_files.load("sequencer")

Pool = ConnectionPool[Connection]


class BookLog(DCBRecorder):
    """A book's log, to read. `pool`: autocommit connections with the book's schema first."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def read(
        self, query: DCBQuery | None = None, *, after: int | None = None, limit: int | None = None
    ) -> DCBReadResponse:
        """Events that match, in order, up to what is the head now."""
        return LogPages(self, query, after or 0, limit)

    def append(
        self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None
    ) -> int:
        """Always refused."""
        raise ProgrammingError("a book's log grows only at its sequencer: send a command")

    def subscribe(
        self, query: DCBQuery | None = None, *, after: int | None = None
    ) -> "LogSubscription":
        """Events that match, and then those still to come."""
        return LogSubscription(self, query, after)

    def head(self) -> int:
        """The last position; 0 while the log is empty."""
        with _translated(), self._pool.connection() as connection:
            return reading.head(connection)

    def page(
        self, query: DCBQuery | None, *, after: int, until: int, limit: int
    ) -> list[DCBSequencedEvent]:
        """At most `limit` events that match, after one position and up to another."""
        with _translated(), self._pool.connection() as connection:
            return _matching(connection, query, after=after, until=until, limit=limit)


class PlainLog(BookLog):
    """A log without a catalogue: any bytes, under any type and tags."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self._new_id = event_ids()
        self._partitions_end = 0

    def append(
        self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None
    ) -> int:
        """Append all or nothing, and answer the last position.

        Raises IntegrityError if recorded events match the condition; it is tested under the
        lock, so nothing can slip in between.
        """
        if not events:
            raise ProgrammingError("there is nothing to append")
        with _translated(), self._pool.connection() as connection:
            with connection.transaction():
                position, partition_rows = self._append(connection, events, condition)
            if position + partition_rows > self._partitions_end:
                connection.execute(LOG["add_partitions"])
                end = connection.execute(LOG["partitions_end"]).fetchone()
                self._partitions_end = end[0] if end else 0
        return position

    def _append(
        self,
        connection: Connection,
        events: Sequence[DCBEvent],
        condition: DCBAppendCondition | None,
    ) -> tuple[int, int]:
        head = connection.execute(SQL["lock_head"]).fetchone()
        locked = connection.execute(SQL["under_lock"]).fetchone()
        assert head is not None and locked is not None
        position, recorded_at, partition_rows = head
        clock, book_writes_here = locked
        if book_writes_here:
            raise ProgrammingError("this log is a book's: it grows only at its sequencer")
        if condition is not None and _matching(
            connection,
            condition.fail_if_events_match,
            after=condition.after or 0,
            until=position,
            limit=1,
        ):
            raise IntegrityError(condition)
        clock = max(clock, recorded_at + TICK)
        packed: list[bytes] = []
        for position, event in enumerate(events, position + 1):  # noqa: B020 -- the last stays
            packed.append(
                rows.event_row(
                    position,
                    self._new_id(rows.microseconds(clock))[1],
                    event.type.encode(),
                    event.tags,
                    occurred_us=rows.microseconds(clock),
                    recorded_us=rows.microseconds(clock),
                    data=event.data,
                    leaf_hash=leaf_hash(event.data),
                )
            )
            clock += TICK
        _copy(connection, SQL["copy_events"], packed)
        connection.execute(LOG["count_commit"], (0,))
        return position, partition_rows


class LogPages(DCBReadResponse):
    """What a read answers: pages fetched as they are needed, with no transaction in between."""

    def __init__(self, log: BookLog, query: DCBQuery | None, after: int, limit: int | None) -> None:
        self._log = log
        self._query = query
        self._after = after
        self._left = limit
        self._until = log.head()
        self._last: int | None = None
        self._page: Iterator[DCBSequencedEvent] = iter(())
        self._more = limit is None or limit > 0

    @property
    def head(self) -> int | None:
        """The log's last position as the read began; with a limit, that of the last event read."""
        if self._left is None:
            return self._until or None
        return self._last

    def __next__(self) -> DCBSequencedEvent:
        event = next(self._page, None)
        if event is None:
            event = self._first_of_next_page()
        self._last = event.position
        return event

    def _first_of_next_page(self) -> DCBSequencedEvent:
        if not self._more:
            raise StopIteration
        size = PAGE_EVENTS if self._left is None else min(PAGE_EVENTS, self._left)
        page = self._log.page(self._query, after=self._after, until=self._until, limit=size)
        self._more = len(page) == size
        if not page:
            raise StopIteration
        self._after = page[-1].position
        if self._left is not None:
            self._left -= len(page)
            self._more = self._more and self._left > 0
        self._page = iter(page)
        return next(self._page)


class LogSubscription(DCBSubscription[BookLog]):
    """Follows a log by a timed poll, so that a lost connection shows instead of stalling."""

    def __init__(
        self, log: BookLog, query: DCBQuery | None = None, after: int | None = None
    ) -> None:
        super().__init__(log, query, after)
        self._stopped = threading.Event()
        self._page: Iterator[DCBSequencedEvent] = iter(())

    def stop(self) -> None:
        """End the iteration, also of a thread that waits in it."""
        super().stop()
        self._stopped.set()

    def __next__(self) -> DCBSequencedEvent:
        while not self._stopped.is_set():
            event = next(self._page, None)
            if event is not None:
                self._last_position = event.position
                return event
            self._page = self._fetch()
        raise StopIteration

    def _fetch(self) -> Iterator[DCBSequencedEvent]:
        after, until = self._last_position, self._recorder.head()
        page = (
            self._recorder.page(self._query, after=after, until=until, limit=PAGE_EVENTS)
            if until > after
            else []
        )
        if len(page) < PAGE_EVENTS:
            # Nothing that matches is left before `until`, so it need not be read again.
            self._last_position = max(after, until) if not page else after
        if not page:
            self._stopped.wait(POLL_S)
        return iter(page)


def _matching(
    connection: Connection, query: DCBQuery | None, *, after: int, until: int, limit: int
) -> list[DCBSequencedEvent]:
    items: list[reading.QueryItem] = [
        {"types": item.types, "tags": item.tags} for item in (query.items if query else ())
    ]
    found = reading.matching(connection, items, after=after, until=until, limit=limit)
    return [
        DCBSequencedEvent(DCBEvent(type_name, data, tags), position)
        for position, type_name, data, tags in found
    ]


def _copy(connection: Connection, statement: bytes, packed: list[bytes]) -> None:
    if packed:
        with connection.cursor().copy(statement) as copy:
            copy.write(rows.HEADER + b"".join(packed) + rows.TRAILER)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the library's own errors, as its recorders do."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise OperationalError(str(error)) from error
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        raise IntegrityError(str(error)) from error
    except psycopg.Error as error:
        raise ProgrammingError(str(error)) from error
