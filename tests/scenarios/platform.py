"""A platform under test: a book of its own, a writer in front of it, and what people can see of it.

`given`, `when` and `then` take sentences made by `words`. Balances are summed here from the
postings in the log, never asked of the code under test.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ledger.log.entry import Entry, decode, faults
from ledger.write.admission import Denied, admit
from ledger.write.answer import Answer
from ledger.write.request import Request
from ledger.write.writer import Writer
from tests.conftest import FreshBook
from tests.scenarios.steps import Sent


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever sends a command."""

    role: str
    actor: str
    client: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sender got back."""

    sent: Sent
    status: int
    body: bytes
    replayed: bool = False

    @property
    def json(self) -> Any:
        """The body, read."""
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str | None:
        """Why it was refused or suspended; None where it was simply accepted."""
        code: str | None = self.json.get("code")
        return code

    @property
    def event(self) -> dict[str, Any]:
        """The body of its only event."""
        (event,) = self.json["events"]
        body: dict[str, Any] = event["body"]
        return body


Expectation = Callable[["Platform"], None]


class Platform:
    """One book with one writer; `outcomes` are those of the last `when`."""

    def __init__(self, fresh: FreshBook) -> None:
        self.fresh = fresh
        self.book = fresh.book
        self.outcomes: list[Outcome] = []
        self._numbers = itertools.count(1)
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

    def given(self, *sent: Sent | list[Sent]) -> "Platform":
        """What happened before; all of it must be accepted."""
        for each in _flat(sent):
            outcome = self.send(each)
            assert outcome.status == 201, outcome.body
        return self

    def when(self, *sent: Sent | list[Sent]) -> "Platform":
        """What happens, one after the other."""
        self.outcomes = [self.send(each) for each in _flat(sent)]
        return self

    def when_at_once(self, *sent: Sent | list[Sent]) -> "Platform":
        """What happens at the same time, to two processes in turn."""
        pair = itertools.cycle([self.writer, self.another_writer()])
        with ThreadPoolExecutor(32) as pool:
            doing = [pool.submit(self.send, each, next(pair)) for each in _flat(sent)]
            self.outcomes = [done.result() for done in doing]
        return self

    def then(self, *expectations: Expectation) -> "Platform":
        """What is seen; the books must always be in order, too."""
        for expectation in expectations:
            expectation(self)
        self.check()
        return self

    def later(self, **delta: float) -> "Platform":
        """Let time pass: recorded times rise from the last one, which is put into the future."""
        with self.fresh.connect_admin(autocommit=True) as admin:
            admin.execute(
                "UPDATE head SET recorded_at = greatest(recorded_at, clock_timestamp()) + %s",
                [timedelta(**delta)],
            )
        return self

    def send(self, sent: Sent, writer: Writer | None = None) -> Outcome:
        """Send one command as an edge would."""
        try:
            request = self.request(sent)
        except Denied as refused:
            return Outcome(sent, refused.rejection.reason.status, refused.document("c1"))
        answer: Answer = (writer or self.writer).write([request])[0]
        return Outcome(sent, answer.status, answer.body, answer.replayed)

    def request(self, sent: Sent) -> Request:
        """The command as it stands before the sequencer; raises Denied."""
        return admit(
            sent.command,
            sent.fields,
            Person(sent.role, sent.actor, sent.client),
            idempotency_key=sent.key or f"key-{next(self._numbers)}",
            correlation_id="c1",
        )

    def rows(self) -> list[tuple[int, bytes]]:
        """The log: (position, entry)."""
        with self.fresh.connect() as connection:
            found = connection.execute("SELECT position, data FROM events ORDER BY position")
            return found.fetchall()

    def entries(self) -> list[Entry]:
        """The log, decoded."""
        return [decode(data) for _, data in self.rows()]

    def balances(self) -> Counter[tuple[str, str]]:
        """What stands on each (account, asset); a debit is positive."""
        sums: Counter[tuple[str, str]] = Counter()
        for entry in self.entries():
            for account, asset, amount in entry.postings:
                sums[account, asset] += amount
        return sums

    def balance(self, account: str, asset: str | None = None) -> int:
        """One account's balance in money, or in the asset named."""
        return self.balances()[account, asset or self.book.currency]

    def check(self) -> None:
        """Positions are dense, every entry is sound, each asset sums to zero, no wallet owes."""
        rows = self.rows()
        assert [position for position, _ in rows] == list(range(1, len(rows) + 1))
        for position, data in rows:
            assert not list(faults(data)), position
        totals: Counter[str] = Counter()
        for (account, asset), amount in self.balances().items():
            totals[asset] += amount
            assert amount <= 0 or not account.startswith("w."), (account, amount)
        assert not any(totals.values()), totals


def _flat(sent: tuple[Sent | list[Sent], ...]) -> Iterator[Sent]:
    for each in sent:
        yield from [each] if isinstance(each, Sent) else each


@pytest.fixture
def platform(fresh_book: FreshBook) -> Iterator[Platform]:
    """A new platform without a policy."""
    running = Platform(fresh_book)
    yield running
    running.close()
