"""The stage in memory: every decision is the domain's own, and nothing is stored anywhere.

It answers in the words of the write path. A notice about something unknown waits until one of the
events that it awaits has happened; whoever sends the same request again gets the same answer.
"""

import itertools
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, Self

from domain.accounts import Posting, balanced
from domain.command import Command, Ignored, Parked, Suspended
from domain.event import Event
from domain.rejections import AWAITING_REFERENT, Rejection
from ledger.log.entry import body_of
from ledger.write.admission import Denied
from ledger.write.answer import Answer, AnsweredEvent, ReleasedNotice, problem
from tests.domain.in_memory_book import ASSETS, InMemoryBook
from tests.scenarios.stage import Outcome, Stage, admitted, flat
from tests.scenarios.steps import Sent


class Decided(NamedTuple):
    """An event with the time of its decision."""

    happened: Event
    recorded_at: datetime

    @property
    def type(self) -> str:
        """Its name."""
        return self.happened.type

    @property
    def body(self) -> bytes:
        """Its JSON."""
        return body_of(self.happened)

    @property
    def postings(self) -> tuple[Posting, ...]:
        """What it books; it must balance."""
        return balanced(self.happened.postings(ASSETS))

    def event(self) -> Event:
        """The event itself."""
        return self.happened


class Pure(Stage):
    """A book in memory."""

    name = "demo"

    def __init__(self) -> None:
        super().__init__()
        self.book = InMemoryBook()
        self._log: list[Decided] = []
        self._answers: dict[bytes, Outcome] = {}
        self._waiting: list[tuple[str, Command, str]] = []
        self._numbers = itertools.count(1)

    def send(self, sent: Sent) -> Outcome:
        """Decide one command, or answer again what was answered to the same request."""
        try:
            request = admitted(sent, f"key-{next(self._numbers)}")
        except Denied as denied:
            return Outcome(sent, denied.rejection.reason.status, denied.document("c1"))
        if request.key and request.key in self._answers:
            return replace(self._answers[request.key], replayed=True)
        outcome = self._answers[request.key] = self._play(sent, request.command)
        return outcome

    def _play(self, sent: Sent, command: Command) -> Outcome:
        before = len(self._log)
        code = self._decide(command, sent.actor)
        if isinstance(code, Rejection):
            return Outcome(sent, code.reason.status, problem(code, "c1"))
        events = tuple(
            AnsweredEvent(before + nth, f"event-{before + nth}", each.type, each.body)
            for nth, each in enumerate(self._log[before:], 1)
        )
        answer = Answer(
            202 if code else 201, len(self._log), sent.command, self.book.now, events, code
        )
        answer.released = self._hear_again([each.happened for each in self._log[before:]])
        return Outcome(sent, answer.status, answer.body)

    def _decide(self, command: Command, actor: str) -> Rejection | str | None:
        """Why not or why suspended; None if accepted. As on the write path, time has passed."""
        self.book.later(microseconds=1)
        decision = self.book.decide_on(command, actor)
        if isinstance(decision, Rejection):
            return decision
        if isinstance(decision, Parked):
            self._waiting.append((decision.awaits, command, actor))
            return AWAITING_REFERENT
        kept = isinstance(decision, Suspended | Ignored)
        for event in self.book.record(*(decision.events if kept else decision)):
            self._log.append(Decided(event, self.book.now))
        return decision.code if kept else None

    def _hear_again(self, events: list[Event]) -> list[ReleasedNotice]:
        """Decide again what had waited for one of the events, and what waits for that."""
        released = []
        tags = {tag for event in events for tag in event.tags()}
        due = [one for one in self._waiting if one[0] in tags]
        self._waiting = [one for one in self._waiting if one[0] not in tags]
        for _, command, actor in due:
            before = len(self._log)
            code = self._decide(command, actor)
            assert not isinstance(code, Rejection), "a notice is never rejected"
            if code != AWAITING_REFERENT:
                processor, ref = command.notice_id() or ("", "")
                released.append(ReleasedNotice(processor, command.name, ref, len(self._log)))
            released += self._hear_again([each.happened for each in self._log[before:]])
        return released

    def when_at_once(self, *sent: Sent | list[Sent]) -> Self:
        """One after the other: what happens at once has to end as in some order."""
        return self.when(list(flat(sent)))

    def entries(self) -> list[Decided]:
        """Everything that has happened."""
        return self._log

    def later(self, **delta: float) -> Self:
        """Let time pass."""
        self.book.later(**delta)
        return self

    def clock(self, now: datetime) -> Self:
        """The next command is decided a microsecond after `now`."""
        self.book.now = now
        return self

    def close(self) -> None:
        """Nothing runs."""
