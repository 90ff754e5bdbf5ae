"""What a scenario plays on: `given`, `when` and `then` take the sentences of `steps*.py`.

There are three stages, and a sentence means the same on each: `Pure` decides in memory, `WritePath`
writes to PostgreSQL, `OverHttp` asks running services. Balances are summed here from postings,
never asked of the code under test.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

import msgspec
import pytest

from domain.accounts import Posting
from domain.catalogue import read_command
from domain.event import Event
from ledger.scheduling.agenda import SCHEDULER
from ledger.write.admission import admit
from ledger.write.request import Request, unremembered
from tests.scenarios.steps import Sent


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever sends a command."""

    role: str
    actor: str
    client: str

    @property
    def is_person(self) -> bool:
        """Only services are machines."""
        return self.role != "service"


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


class Logged(Protocol):
    """An event as every stage keeps it."""

    @property
    def type(self) -> str:
        """Its name."""

    @property
    def body(self) -> bytes:
        """Its JSON."""

    @property
    def postings(self) -> tuple[Posting, ...]:
        """What it books: (account, asset, amount), a debit positive."""

    @property
    def recorded_at(self) -> datetime:
        """When it was decided, in UTC."""

    def event(self) -> Event:
        """The event itself."""


Expectation = Callable[["Stage"], None]


class Stage(ABC):
    """One book, named `name`; `outcomes` are those of the last `when`."""

    name: str
    currency = "USD"

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    @abstractmethod
    def send(self, sent: Sent) -> Outcome:
        """Send one command as an edge would."""

    @abstractmethod
    def entries(self) -> Sequence[Logged]:
        """Everything that has happened."""

    @abstractmethod
    def later(self, **delta: float) -> Self:
        """Let time pass: hours, minutes, seconds."""

    @abstractmethod
    def clock(self, now: datetime) -> Self:
        """The next command is decided a microsecond after `now`."""

    @abstractmethod
    def close(self) -> None:
        """Stop whatever runs."""

    def given(self, *sent: Sent | list[Sent]) -> Self:
        """What happened before; all of it must be accepted."""
        for each in flat(sent):
            outcome = self.send(each)
            assert outcome.status == 201, outcome.body
        return self

    def when(self, *sent: Sent | list[Sent]) -> Self:
        """What happens, one after the other."""
        self.outcomes = [self.send(each) for each in flat(sent)]
        return self

    @abstractmethod
    def when_at_once(self, *sent: Sent | list[Sent]) -> Self:
        """What happens at the same time."""

    def then(self, *expectations: Expectation) -> Self:
        """What is seen; the books must always be in order, too."""
        for expectation in expectations:
            expectation(self)
        self.check()
        return self

    def balances(self) -> Counter[tuple[str, str]]:
        """What stands on each (account, asset); a debit is positive."""
        sums: Counter[tuple[str, str]] = Counter()
        for entry in self.entries():
            for account, asset, amount in entry.postings:
                sums[account, asset] += amount
        return sums

    def balance(self, account: str, asset: str | None = None) -> int:
        """One account's balance in money, or in the asset named."""
        return self.balances()[account, asset or self.currency]

    def check(self) -> None:
        """Each asset sums to zero, and no wallet owes."""
        totals: Counter[str] = Counter()
        for (account, asset), amount in self.balances().items():
            totals[asset] += amount
            assert amount <= 0 or not account.startswith("w."), (account, amount)
        assert not any(totals.values()), totals


def plays_on(*stages: type[Stage]) -> pytest.MarkDecorator:
    """Play a test, or every test of a module, on each of these; see `conftest.py`."""
    return pytest.mark.plays_on(stages=stages)


def flat(sent: tuple[Sent | list[Sent], ...]) -> Iterator[Sent]:
    """One command after the other."""
    for each in sent:
        yield from [each] if isinstance(each, Sent) else each


def admitted(sent: Sent, key: str) -> Request:
    """The command as it stands before the sequencer; raises Denied."""
    if sent.role == SCHEDULER:
        command = read_command(sent.command, sent.fields)
        return unremembered(command, actor=SCHEDULER, correlation_id="c1")
    person = Person(sent.role, sent.actor, sent.client)
    return admit(
        sent.command, sent.fields, person, idempotency_key=sent.key or key, correlation_id="c1"
    )
