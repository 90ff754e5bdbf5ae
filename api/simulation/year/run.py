"""Sends a simulated year through the write path, and what time makes due between.

Time passes in windows. What somebody sends in a window and what falls due in it pass the sequencer
together, each at its own time. A window ends before anything can fall due twice in it, and with
whatever may make something due soon, such as the start of a call.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush

from api.simulation.year.platform import Act, text
from ledger.log.reading import head
from ledger.postgres.database import Connection
from ledger.scheduling.agenda import TakenItem
from ledger.simulation import SimulatedAgenda, SimulatedWriter, TimedRequest
from ledger.write.admission import Denied, admit
from ledger.write.answer import Answer

#: So many commands pass together at most.
WINDOW_COMMANDS = 1_000
#: After these something is due within the day.
URGENT = frozenset({"start-call", "resume-call", "start-session"})
#: Before the end of a day: what was recorded on it is read by then.
MOMENT = timedelta(seconds=1)
#: Commands of calls go by the server's clock alone.
_TIMELESS = ("call",)

Send = Callable[[Act], None]


class PlanRefused(Exception):
    """The plan made a command that no client could send."""


@dataclass(slots=True)
class YearTallies:
    """What was sent. `outcomes`: how often, by (command, outcome, code)."""

    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    commands: int = 0
    scheduled: int = 0
    position: int = 0
    elapsed_s: float = 0.0


class Year:
    """One run over a book, whose `connection` is the agenda's."""

    def __init__(
        self, writer: SimulatedWriter, connection: Connection, *, seed: str, begins: datetime
    ) -> None:
        #: Told of each scheduled command that was answered, and when it was due.
        self.on_scheduled: Callable[[str, datetime, Answer], None] = lambda *_: None
        #: What a read model says is due by a time; asked at the end of each day.
        self.foreseen: Callable[[datetime], list[TakenItem]] = lambda _: []
        self.tallies = YearTallies()
        self._writer, self._connection, self._seed = writer, connection, seed
        self._agenda = SimulatedAgenda(writer.book, connection)
        self._waiting: list[tuple[datetime, int, Act]] = []
        self._numbers = 0
        self._now = begins

    def send(self, act: Act) -> None:
        """Let it happen at its time, or now where that has passed."""
        self._numbers += 1
        heappush(self._waiting, (max(act.at, self._now), self._numbers, act))

    def run(self, days: Iterator[datetime], plan: Callable[[datetime], None]) -> Iterator[datetime]:
        """Live through the days, each planned as it begins; yields each as it ends."""
        began = time.perf_counter()
        for day in days:
            plan(day)
            ends = day + timedelta(days=1)
            while self._now < ends:
                self._window(ends)
            self._send_foreseen(ends - MOMENT)
            self.tallies.elapsed_s = time.perf_counter() - began
            yield day
        self.tallies.position = head(self._connection)

    def _window(self, ends: datetime) -> None:
        until = min(ends, max(self._now, self._agenda.until_again()))
        acts, until = self._pop(until)
        due = self._agenda.take_until(until, WINDOW_COMMANDS)
        if len(due) == WINDOW_COMMANDS and due[-1][1] < until:  # the rest, before anything else
            until = due[-1][1]
            for at, number, act in acts:
                heappush(self._waiting, (at, number, act))
            acts = []
        self._now = until
        if acts or due:
            self._pass(acts, due)

    def _send_foreseen(self, until: datetime) -> None:
        """What is due by a read model, and what is due after that."""
        while due := self.foreseen(until):
            answers = self._writer.write([TimedRequest.of(one.request, until) for one in due])
            self.tallies.commands += len(due)
            self.tallies.scheduled += len(due)
            for one, answer in zip(due, answers, strict=True):
                self.tallies.outcomes[one.request.name, _outcome(answer), answer.code or ""] += 1
                if not answer.events:
                    raise PlanRefused(f"{one.item} was due and nothing came of it")

    def _pop(self, until: datetime) -> tuple[list[tuple[datetime, int, Act]], datetime]:
        acts = []
        while self._waiting and self._waiting[0][0] <= until:
            acts.append(heappop(self._waiting))
            at, _, act = acts[-1]
            if act.command in URGENT or len(acts) == WINDOW_COMMANDS:
                return acts, at
        return acts, until

    def _pass(
        self,
        acts: list[tuple[datetime, int, Act]],
        due: list[tuple[TakenItem, datetime]],
    ) -> None:
        """Write what was sent and what is due, in the order of time; then tell who waits for it."""
        sent: list[tuple[datetime, int, TimedRequest, Act | TakenItem]] = [
            (at, 1, self._request(at, number, act), act) for at, number, act in acts
        ]
        sent += [(at, 0, TimedRequest.of(item.request, at), item) for item, at in due]
        sent.sort(key=lambda each: each[:2])
        answers = self._writer.write([request for _, _, request, _ in sent])
        taken: list[TakenItem] = []
        answered: list[Answer] = []
        self.tallies.commands += len(sent)
        self.tallies.scheduled += len(due)
        for (at, _, request, who), answer in zip(sent, answers, strict=True):
            self.tallies.outcomes[request.name, _outcome(answer), answer.code or ""] += 1
            if isinstance(who, TakenItem):
                taken.append(who)
                answered.append(answer)
                self.on_scheduled(request.name, at, answer)
            elif who.then is not None:
                who.then(answer)
        if taken:
            self._agenda.settle(taken, answered)
        self._agenda.read_on()

    def _request(self, at: datetime, number: int, act: Act) -> TimedRequest:
        fields = dict(act.fields)
        if not act.command.endswith(_TIMELESS):
            fields.setdefault("occurred_at", text(at))
        if act.labels:
            fields["labels"] = act.labels
        try:
            request = admit(
                act.command,
                fields,
                act.by,
                idempotency_key=f"{self._seed}-{number}",
                correlation_id=f"year-{number}",
            )
        except Denied as denied:
            wrong = "; ".join(f"{each.pointer} {each.message}" for each in denied.problems)
            code = denied.rejection.reason.code
            raise PlanRefused(f"{act.command} {fields}: {code} {wrong}") from None
        return TimedRequest.of(request, at)


def _outcome(answer: Answer) -> str:
    if answer.status == 202:
        return {"AWAITING_REFERENT": "parked", "STALE_FIGURE": "ignored"}.get(
            answer.code or "", "suspended"
        )
    return "accepted" if answer.accepted else "rejected"
