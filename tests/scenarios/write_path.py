"""The stage on PostgreSQL: a book of its own, and a writer in front of it."""

import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Self

import pytest

from ledger.log.entry import Entry, decode, faults
from ledger.verification.log import verify_log
from ledger.write.admission import Denied
from ledger.write.answer import Answer
from ledger.write.request import Request
from ledger.write.writer import Writer
from tests.conftest import FreshBook
from tests.scenarios.stage import Outcome, Stage, admitted, flat
from tests.scenarios.steps import Sent


class OnPostgreSQL(Stage):
    """A stored book, and what can be read of it behind the back of whoever writes it."""

    def __init__(self, fresh: FreshBook) -> None:
        super().__init__()
        self.fresh = fresh
        self.book = fresh.book
        self.name = fresh.book.name
        self.currency = fresh.book.currency
        self.numbers = itertools.count(1)

    @abstractmethod
    def processes(self) -> tuple[Callable[[Sent], Outcome], Callable[[Sent], Outcome]]:
        """How to send a command to each of two processes."""

    def when_at_once(self, *sent: Sent | list[Sent]) -> Self:
        """What happens at the same time, to two processes in turn."""
        pair = itertools.cycle(self.processes())
        with ThreadPoolExecutor(32) as pool:
            doing = [pool.submit(next(pair), each) for each in flat(sent)]
            self.outcomes = [done.result() for done in doing]
        return self

    def later(self, **delta: float) -> Self:
        """Let time pass: recorded times rise from the last one, which is put into the future."""
        with self.fresh.connect_admin(autocommit=True) as admin:
            admin.execute(
                "UPDATE head SET recorded_at = greatest(recorded_at, clock_timestamp()) + %s",
                [timedelta(**delta)],
            )
        return self

    def clock(self, now: datetime) -> Self:
        """The next command is decided a microsecond after `now`, which lies ahead."""
        with self.fresh.connect_admin(autocommit=True) as admin:
            admin.execute("UPDATE head SET recorded_at = %s", [now])
        return self

    def rows(self) -> list[tuple[int, bytes]]:
        """The log: (position, entry)."""
        with self.fresh.connect() as connection:
            found = connection.execute("SELECT position, data FROM events ORDER BY position")
            return found.fetchall()

    def entries(self) -> list[Entry]:
        """The log, decoded."""
        return [decode(data) for _, data in self.rows()]

    def check(self) -> None:
        """Positions are dense, every entry is sound, and the log is true, too.

        That the head is ahead of the last entry is how these stages let time pass.
        """
        rows = self.rows()
        assert [position for position, _ in rows] == list(range(1, len(rows) + 1))
        for position, data in rows:
            assert not list(faults(data)), position
        with self.fresh.connect(autocommit=True) as connection:
            found = list(verify_log(connection, self.book))
        wrong = [one for one in found if one.what != "head recorded_at"]
        assert not wrong, wrong
        super().check()


class WritePath(OnPostgreSQL):
    """A stored book with writers of this process in front of it."""

    def __init__(self, fresh: FreshBook) -> None:
        super().__init__(fresh)
        self._writers: list[Writer] = []

    @property
    def writer(self) -> Writer:
        """The writer; started on first use."""
        return self._writers[0] if self._writers else self.another_writer()

    def another_writer(self, **limits: int) -> Writer:
        """One more writer on the book, as another process would have."""
        writer = Writer(self.book, lambda: self.fresh.connect(autocommit=True), **limits)
        self._writers.append(writer.start())
        return writer

    def close(self) -> None:
        """Stop every writer."""
        while self._writers:
            self._writers.pop().stop()

    def restart(self) -> None:
        """As after a new deployment: nothing is in memory any more."""
        self.close()

    def send(self, sent: Sent, writer: Writer | None = None) -> Outcome:
        """Send one command as an edge would."""
        try:
            request = self.request(sent)
        except Denied as denied:
            return Outcome(sent, denied.rejection.reason.status, denied.document("c1"))
        answer: Answer = (writer or self.writer).write([request])[0]
        return Outcome(sent, answer.status, answer.body, answer.replayed)

    def request(self, sent: Sent) -> Request:
        """The command as it stands before the sequencer; raises Denied."""
        return admitted(sent, f"key-{next(self.numbers)}")

    def processes(self) -> tuple[Callable[[Sent], Outcome], Callable[[Sent], Outcome]]:
        """To the first writer, and to another."""
        one, other = self.writer, self.another_writer()
        return lambda sent: self.send(sent, one), lambda sent: self.send(sent, other)


@pytest.fixture
def stage(fresh_book: FreshBook) -> Iterator[WritePath]:
    """A new book without a policy."""
    running = WritePath(fresh_book)
    yield running
    running.close()
