"""Simulated books: their log is written at told times, so that a year takes minutes.

The write path is the real one, from admission to commit; only the clock is told instead of read,
and event ids follow from a seed. Neither is possible in a book whose name does not say that it is
simulated, and the checks of the real clock are not touched: `docs/adr/0030`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Any, ClassVar

import msgspec
from psycopg.rows import TupleRow

from ledger.books import SIMULATED, Book, BookRefused
from ledger.log.copy_rows import microseconds
from ledger.log.event_ids import event_ids
from ledger.postgres.database import Connection
from ledger.scheduling.agenda import SQL, Agenda, TakenItem
from ledger.write.answer import Answer
from ledger.write.batch import Batch
from ledger.write.head import Head
from ledger.write.request import Request
from ledger.write.sequencer import Sequencer
from ledger.write.writer import Writer

_MICROSECOND = timedelta(microseconds=1)


class NotSimulated(BookRefused):
    """Only a book whose name begins with `sim-` is written at told times."""


class TimedRequest(Request, frozen=True, kw_only=True):
    """A request that passes the sequencer at a told time."""

    at: datetime

    @classmethod
    def of(cls, request: Request, at: datetime) -> "TimedRequest":
        """`request`, at `at`."""
        return cls(*msgspec.structs.astuple(request), at=at)


class SimulatedBatch(Batch):
    """A batch whose clock each request moves on to its own time; it never goes back."""

    def answer(self, request: Request) -> Answer:
        """Decide the request at its time."""
        if isinstance(request, TimedRequest) and request.at > self.clock:
            self.clock, self._clock_us = request.at, microseconds(request.at)
            self._today = self._dates.of(request.at)
            self._open_today = None, self._today
        return super().answer(request)


class SimulatedSequencer(Sequencer):
    """A place at the sequencer of a simulated book; raises NotSimulated at any other's."""

    batch_class: ClassVar[type[Batch]] = SimulatedBatch

    def __init__(self, book: Book, *args: Any, seed: str, begins: datetime, **more: Any) -> None:
        _check(book)
        super().__init__(book, *args, **more)
        self._begins = begins
        self._new_id = event_ids(
            lambda ms: blake2b(f"{seed} {ms}".encode(), digest_size=8).digest()
        )

    def _head(self, row: TupleRow | None, clock: TupleRow | None, before: datetime) -> Head:
        """The head; the time is that of its last event until a request tells another."""
        assert row is not None
        told: tuple[datetime, ...] = (max(row[1], self._begins),)
        head = Head(*row, *told)
        self.partition_rows = head.partition_rows
        return head


class SimulatedWriter(Writer):
    """The writer of a simulated book, of which nothing is before `begins`.

    The same requests and seed write the same log, but for the salts of texts.
    """

    def __init__(
        self, book: Book, connections: Callable[[], Connection], *, seed: str, begins: datetime
    ) -> None:
        _check(book)
        super().__init__(book, connections)
        self._new_sequencer = partial(SimulatedSequencer, seed=seed, begins=begins)


class SimulatedAgenda(Agenda):
    """What time makes due in a simulated book, by a told time."""

    def __init__(self, book: Book, connection: Connection) -> None:
        _check(book)
        super().__init__(book, connection)

    def until_again(self) -> datetime:
        """Until when everything comes at most once."""
        row = self._connection.execute(SQL["until_again"]).fetchone()
        assert row is not None
        return datetime.max.replace(tzinfo=UTC) if row[0] is None else row[0] - _MICROSECOND

    def take_until(self, until: datetime, limit: int) -> list[tuple[TakenItem, datetime]]:
        """At most `limit` items that are due by `until`, the first first, with their times."""
        taken = [
            (item, until - timedelta(seconds=item.late_s)) for item in self._take(until, limit)
        ]
        return sorted(taken, key=lambda each: (each[1], each[0].item))


def _check(book: Book) -> None:
    if not book.simulated:
        raise NotSimulated(f"{book.name} is a real book: {SIMULATED} begins no name of one")
