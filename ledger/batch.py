"""One batch's decisions: commands in order, each on what its predecessors left.

No SQL here: states are looked up in a working set, and what is to be written is collected. A
rejection or a bug in one command leaves no trace in its neighbours: its effects are merged only
once all its entries are encoded.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog

from domain.accounts import Assets, balanced
from domain.command import Command, Given, Suspended
from domain.entity import MissingState, State, kind_of
from domain.event import Event
from domain.policies import POLICIES, Policies
from domain.policy import PolicyVersion
from domain.rejections import (
    BATCH_ABORTED,
    BODY_TOO_LARGE,
    CLOCK_SKEW,
    IDEMPOTENCY_KEY_REUSED,
    INTERNAL,
    Rejection,
    reject,
)
from ledger.books import Book
from ledger.entry import ENTRY_BYTES_MAX, ENVELOPE_VERSION, Entry, canonical
from ledger.request import Answer, Recorded, Request, refused
from ledger.rows import event_row, microseconds, receipt_row
from ledger.states import WorkingStates

TICK = timedelta(microseconds=1)
SKEW_MAX = timedelta(seconds=5)

log = structlog.get_logger()


class EntryTooLarge(ValueError):
    """An entry over the limit that proofs can carry."""


class Batch:
    """The commands of one transaction on one book."""

    def __init__(
        self,
        book: Book,
        states: WorkingStates,
        *,
        position: int,
        clock: datetime,
        new_id: Callable[[datetime], str],
    ) -> None:
        self.position = position
        self.states = states
        self.known: dict[bytes, tuple[bytes, Answer]] = {}
        self.event_rows: list[bytes] = []
        self.tags: list[tuple[bytes, int]] = []
        self.receipt_rows: list[bytes] = []
        self.touched: dict[str, tuple[int, int]] = {}
        self.clock = clock
        self._book = book
        self._assets = Assets.of(book.name, book.currency)
        self._zone = ZoneInfo(book.time_zone)
        self._new_id = new_id

    @property
    def recorded_at(self) -> datetime:
        """When the batch's last event was recorded."""
        return self.clock - TICK

    def answer(self, request: Request) -> Answer:
        """Decide one request, or find what it was answered before; may raise MissingState."""
        known = self.known.get(request.key)
        if known is not None:
            fingerprint, answer = known
            if fingerprint == request.fingerprint:
                return answer.again()
            return self._refused(request, reject(IDEMPOTENCY_KEY_REUSED))
        try:
            answer = self._decide(request)
        except MissingState:
            raise
        except EntryTooLarge as error:
            size = error.args[0]
            return self._refused(
                request,
                reject(BODY_TOO_LARGE, what="the entry", bytes=size, limit=ENTRY_BYTES_MAX),
            )
        except Exception:
            log.exception(
                "decision failed",
                command=request.command.name,
                correlation_id=request.correlation_id,
            )
            return self._refused(request, reject(INTERNAL))
        self.known[request.key] = request.fingerprint, answer
        self.receipt_rows.append(
            receipt_row(
                request.key,
                request.fingerprint,
                answer.position,
                len(answer.events),
                status=answer.status,
                code=answer.code,
                body=answer.rendered,
            )
        )
        return answer

    def answer_all_or_none(self, requests: Sequence[Request]) -> list[Answer]:
        """Decide requests that stand or fall together; may raise MissingState."""
        before = (self.position, self.clock, dict(self.states), dict(self.touched))
        known, rows = dict(self.known), (len(self.event_rows), len(self.tags))
        receipts = len(self.receipt_rows)
        answers: list[Answer] = []
        try:
            for request in requests:
                answers.append(self.answer(request))
                if not answers[-1].accepted:
                    break
            else:
                return answers
        except MissingState:
            answers.clear()
            raise
        finally:
            if len(answers) < len(requests) or not answers[-1].accepted:
                self.position, self.clock, states, self.touched = before
                self.states.clear()
                self.states.update(states)
                self.known = known
                del self.event_rows[rows[0] :], self.tags[rows[1] :]
                del self.receipt_rows[receipts:]
        failed = len(answers) - 1
        return [
            answers[failed]
            if line == failed
            else self._refused(request, reject(BATCH_ABORTED, line=failed + 1))
            for line, request in enumerate(requests)
        ]

    def _refused(self, request: Request, rejection: Rejection) -> Answer:
        return refused(request, rejection, self.position)

    def _decide(self, request: Request) -> Answer:
        command, now = request.command, self.clock
        occurred_at = command.occurred_at or now
        if occurred_at > now + SKEW_MAX:
            if command.notice_id() is None:
                skew = reject(CLOCK_SKEW, field="occurred_at", given=occurred_at, now=now)
                return self._refused(request, skew)
            occurred_at = now
        event_id = self._new_id(now)
        given = Given(
            self.states,
            self._policies(),
            now,
            event_id,
            request.actor,
            self._assets,
        )
        decision = command.decide(given)
        if isinstance(decision, Rejection):
            return self._refused(request, decision)
        code = None
        if isinstance(decision, Suspended):
            code, decision = decision.code, decision.events
        if not decision:
            return self._nothing_to_do(command, now)
        policy = given.policy_at(now)
        envelope: dict[str, Any] = {
            "envelope_version": ENVELOPE_VERSION,
            "book": self._book.name,
            "currency": self._book.currency,
            "occurred_at": occurred_at,
            "effective_on": _local_date(occurred_at, self._zone),
            "principal": request.principal,
            "client": request.client,
            "command": command.name,
            "key": request.key.hex(),
            "fingerprint": request.fingerprint.hex(),
            "correlation_id": request.correlation_id,
            "policy_version": policy and policy.version,
            "on_behalf_of": command.on_behalf_of,
        }
        return self._record(decision, event_id, envelope, code)

    def _record(
        self, events: tuple[Event, ...], event_id: str, envelope: dict[str, Any], code: str | None
    ) -> Answer:
        """Encode the events, then merge their effects; nothing is changed if one fails."""
        changes = _Changes(self.states)
        recorded: list[Recorded] = []
        rows: list[bytes] = []
        index: list[tuple[bytes, int]] = []
        position, clock = self.position, self.clock
        for event in events:
            position += 1
            tags = event.tags()
            body = canonical(event)
            data = canonical(
                Entry(
                    event_id=event_id,
                    type=event.type,
                    tags=tags,
                    recorded_at=clock,
                    body=msgspec.Raw(body),
                    postings=balanced(event.postings(self._assets)),
                    **envelope,
                )
            )
            if len(data) > ENTRY_BYTES_MAX:
                raise EntryTooLarge(len(data))
            for key in tags:
                if kind_of(key) is not None:
                    changes[key] = changes[key].apply(key, event)
            encoded = [tag.encode() for tag in tags]
            rows.append(
                event_row(
                    position,
                    bytes.fromhex(event_id.replace("-", "")),
                    event.type.encode(),
                    encoded,
                    occurred_us=microseconds(envelope["occurred_at"]),
                    recorded_us=microseconds(clock),
                    data=data,
                    leaf_hash=sha256(b"\x00" + data).digest(),
                )
            )
            index += [(tag, position) for tag in encoded]
            recorded.append(Recorded(position, event_id, event.type, body))
            clock += TICK
            if len(events) > 1:
                event_id = self._new_id(clock)
        self._merge(changes, position, len(events))
        self.event_rows += rows
        self.tags += index
        self.position, self.clock = position, clock
        return Answer(
            status=201 if code is None else 202,
            position=position,
            command=envelope["command"],
            recorded_at=clock - TICK,
            events=tuple(recorded),
            code=code,
        )

    def _merge(self, changes: dict[str, State], position: int, events: int) -> None:
        for key, state in changes.items():
            self.states[key] = state
            self.touched[key] = position, self.touched.get(key, (0, 0))[1] + events

    def _nothing_to_do(self, command: Command, now: datetime) -> Answer:
        answer = Answer(
            status=201, position=self.position, command=command.name, recorded_at=now
        )
        answer.rendered = answer.body
        return answer

    def _policies(self) -> tuple[PolicyVersion, ...]:
        state = self.states[POLICIES]
        assert isinstance(state, Policies)
        return _versions(state)


class _Changes(dict[str, State]):
    """States changed by one command, over the batch's."""

    def __init__(self, states: WorkingStates) -> None:
        super().__init__()
        self._states = states

    def __missing__(self, key: str) -> State:
        return self._states[key]


_parsed: list[tuple[Policies, tuple[PolicyVersion, ...]]] = []


def _versions(state: Policies) -> tuple[PolicyVersion, ...]:
    """The state's parsed policies; parsed anew only when the state is another."""
    for parsed, versions in _parsed:
        if parsed is state:
            return versions
    versions = state.versions()
    _parsed.append((state, versions))
    del _parsed[:-8]
    return versions


@lru_cache(maxsize=4096)
def _date_of_hour(hour: datetime, zone: ZoneInfo) -> tuple[date, date]:
    return hour.astimezone(zone).date(), (hour + timedelta(minutes=59)).astimezone(zone).date()


def _local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The date of `instant` in the book's time zone."""
    hour = instant.replace(minute=0, second=0, microsecond=0)
    first, last = _date_of_hour(hour, zone)
    return first if first == last else instant.astimezone(zone).date()
