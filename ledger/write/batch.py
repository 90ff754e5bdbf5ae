"""One batch's decisions: commands in order, each on what its predecessors left.

No SQL here: states are looked up in a working set, and what is to be written is collected. A
rejection or a bug in one command leaves no trace in its neighbours. Deciding runs ahead of
encoding, which is done for many events together; should any of them fail, the whole batch is
decided again one by one: then a command's effects are merged only once its entries are encoded.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

from domain.accounts import Assets
from domain.command import Given, Parked
from domain.controls.periods import PERIODS, Periods
from domain.controls.second_persons import decide
from domain.entity import KINDS, MissingState, State
from domain.event import EVENTS, Event
from domain.payments.payment import ReleasesNotice
from domain.rejections import (
    AWAITING_REFERENT,
    BATCH_ABORTED,
    CLOCK_SKEW,
    INTERNAL,
    LIMIT_REACHED,
    UNAVAILABLE,
    Rejection,
    reject,
)
from domain.texts import ErasesTexts
from ledger import logs
from ledger.books import Book
from ledger.log.copy_rows import microseconds
from ledger.log.event_ids import EventId
from ledger.write.answer import Answer, AnsweredEvent, malformed, refused
from ledger.write.business_days import BusinessDays
from ledger.write.encoding import (
    CommandContext,
    EntryTooLarge,
    PendingEvent,
    Unencodable,
    event_rows,
    receipt_rows,
)
from ledger.write.inbox import TOO_MANY_PARKED, DueNotice, Inbox, NoticeStatus, no_room, status_of
from ledger.write.labelling import labelled_event
from ledger.write.policies import PublishedPolicies
from ledger.write.receipts import KnownAnswers, key_taken
from ledger.write.request import Request
from ledger.write.state_cache import WorkingStates
from ledger.write.texts import Texts, new_salt
from ledger.write.volume import VOLUME_MAX, VolumeExceeded, limit_of, raised

TICK = timedelta(microseconds=1)
SKEW_MAX = timedelta(seconds=5)

#: What a group changed: each entity's state and mark in `touched` as they were.
Changed = dict[str, tuple[State, tuple[int, int] | None]]

log = logs.get_logger(__name__)


class Batch:
    """The commands of one transaction on one book."""

    def __init__(
        self,
        book: Book,
        states: WorkingStates,
        *,
        position: int,
        volume: int,
        clock: datetime,
        new_id: Callable[[int], EventId],
        inbox: Inbox,
    ) -> None:
        self.position, self.volume = position, volume
        self.states = states
        self.known = KnownAnswers()
        #: Encode each command before its effects are merged, so that it can fail alone.
        self.one_by_one = False
        self._pending: list[PendingEvent] = []
        self._event_rows: list[bytes] = []
        self._receipts: list[tuple[Request, Answer]] = []
        self.touched: dict[str, tuple[int, int]] = {}
        self.clock = clock
        self._clock_us = microseconds(clock)
        self.inbox = inbox
        self._book = book
        self._assets = Assets.of(book.name, book.currency)
        self.texts = Texts()
        self._dates = BusinessDays(book.time_zone)
        self._today = self._dates.of(clock)
        self._open_today: tuple[State | None, date] = (None, self._today)
        self._new_id = new_id
        self._answered = 0
        self._applying: DueNotice | None = None
        self._changed: Changed | None = None
        self._policies = PublishedPolicies(states)

    @property
    def recorded_at(self) -> datetime:
        """When the batch's last event was recorded."""
        return self.clock - TICK

    def answer(self, request: Request) -> Answer:
        """Decide one request, or find what it was answered before; may raise MissingState."""
        known = self.known.get(request.key)
        if known is not None or request.former_key:
            known = self.known.to(request)
        if known is not None:
            fingerprint, answer = known
            if fingerprint == request.fingerprint:
                return answer.again()
            return self._refused(request, key_taken(request))
        if request.refused:
            return malformed(request, self.position)
        try:
            answer = self._decide(request)
        except MissingState:
            raise
        except (EntryTooLarge, VolumeExceeded) as error:
            return self._refused(request, error.rejection)
        except Exception:
            log.exception(
                "decision failed",
                command=request.name,
                correlation_id=request.correlation_id,
            )
            return self._refused(request, reject(INTERNAL))
        if not request.key or answer.code == UNAVAILABLE.code:  # that is decided anew next time
            self._answered += len(answer.events)
            return answer
        self.known[request.key] = request.fingerprint, answer
        self._answered += 1
        self._receipts.append((request, answer))
        return answer

    @property
    def anything_new(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._answered)

    def encode(self) -> None:
        """Make the rows of what is decided; may raise Unencodable."""
        try:
            rows, moved = event_rows(self._pending)
            self.volume = raised(self.volume, moved, VOLUME_MAX)
        except Exception as error:
            raise Unencodable from error
        self._event_rows += rows
        self._pending = []

    def take_rows(self) -> tuple[list[bytes], list[bytes]]:
        """Rows of events and receipts decided since the last call; may raise Unencodable."""
        self.encode()
        ready, held = self._receipts, []
        if self.inbox.due or self.inbox.unknown:  # answers are complete with what they released
            held = [pair for pair in ready if pair[1].released is not None]
            ready = [pair for pair in ready if pair[1].released is None]
        events, receipts = self._event_rows, receipt_rows(ready)
        self._event_rows, self._receipts = [], held
        return events, receipts

    def apply_due(self, due: DueNotice) -> None:
        """Decide a notice again now that what it awaited is here; may raise MissingState."""
        self._applying = due
        notice = due.notice
        try:
            answer = self._decide(notice.request)
        except MissingState:
            raise
        except Exception:
            log.exception("a parked notice stays parked", processor_ref=notice.processor_ref)
            self.inbox.conclude(due, NoticeStatus.PARKED, notice.awaits, self.position)
        else:
            if any(other is due for other in self.inbox.due):
                awaits = notice.awaits if answer.code == UNAVAILABLE.code else None
                self.inbox.conclude(due, status_of(answer.code), awaits, answer.position)
        finally:
            self._applying = None

    def answer_all_or_none(self, requests: Sequence[Request]) -> list[Answer]:
        """Decide requests that stand or fall together; may raise MissingState."""
        before = (self.position, self.clock, self._clock_us, self._answered, self.volume)
        pending, rows, receipts = len(self._pending), len(self._event_rows), len(self._receipts)
        inbox, texts = self.inbox.save(), self.texts.save()
        changed = self._changed = {}  # not a copy of all states: many small groups share a batch
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
            self._changed = None
            if len(answers) < len(requests) or not all(a.accepted for a in answers[-1:]):
                self.position, self.clock, self._clock_us, self._answered, self.volume = before
                self._put_back(changed)
                for request, _ in self._receipts[receipts:]:
                    del self.known[request.key]
                del self._pending[pending:]
                del self._event_rows[rows:]
                del self._receipts[receipts:]
                self.inbox.restore(inbox)
                self.texts.restore(texts)
        failed = len(answers) - 1
        return [
            answers[failed]
            if line == failed
            else self._refused(request, reject(BATCH_ABORTED, line=failed + 1))
            for line, request in enumerate(requests)
        ]

    def _remember(self, changed: Changed, keys: Iterable[str]) -> None:
        """States and marks as they were before this group changed them."""
        for key in keys:
            changed.setdefault(key, (self.states[key], self.touched.get(key)))

    def _put_back(self, changed: Changed) -> None:
        """States and marks as they were before a group that falls."""
        for key, (state, mark) in changed.items():
            self.states[key] = state
            if mark is None:
                del self.touched[key]
            else:
                self.touched[key] = mark

    def _refused(self, request: Request, rejection: Rejection) -> Answer:
        if rejection.reason is LIMIT_REACHED and request.command.notice_id() is not None:
            return no_room(request, rejection.detail, self.position)
        return refused(request, rejection, self.position)

    def _decide(self, request: Request) -> Answer:
        command, now = request.command, self.clock
        occurred_at = command.occurred_at
        if occurred_at is None:
            occurred_at = now
        elif occurred_at > now + SKEW_MAX:
            if command.notice_id() is None:
                skew = reject(CLOCK_SKEW, field="occurred_at", given=occurred_at, now=now)
                return self._refused(request, skew)
            # A notice is never refused; nor may it choose a policy that is not in force yet.
            occurred_at = now
            command = command.model_copy(update={"occurred_at": now})
        event_id = self._new_id(self._clock_us)
        salt = new_salt() if command.text_fields else ""
        policies, policy = self._policies.at(now)
        given = Given(
            self.states,
            policies,
            policy,
            now,
            event_id[0],
            request.actor,
            self._assets,
            self._today,
            salt,
            request.principal,
            request.role,
        )
        decision = decide(command, given)
        code: str | None = None
        if not isinstance(decision, tuple):
            if isinstance(decision, Rejection):
                return self._refused(request, decision)
            if isinstance(decision, Parked):
                if self._applying is None and not self.inbox.has_room(decision.awaits):
                    return no_room(request, TOO_MANY_PARKED, self.position)
                self._keep(request, NoticeStatus.PARKED, decision.awaits, now)
                return self._without_events(request, now, AWAITING_REFERENT)
            code, decision = decision.code, decision.events
        if not decision:
            if code is not None:
                self._keep(request, status_of(code), None, now)
            return self._without_events(request, now, code)
        context = CommandContext(
            request,
            self._book.name,
            self._assets,
            occurred_at,
            self._effective_on(None if occurred_at is now else occurred_at),
            None if policy is None else policy.version,
            code,
        )
        answer = self._record(decision, event_id, context)
        if code is not None:  # not before: what cannot be recorded must leave no trace here either
            self._keep(request, status_of(code), None, now)
        if salt:
            self.texts.keep(command, decision, event_id[0], salt)
        return answer

    def _record(
        self, events: tuple[Event, ...], event_id: EventId, context: CommandContext
    ) -> Answer:
        """Fix the events' places and merge their effects; nothing is changed if one fails."""
        states, views = self.states, self.states.views
        changes: dict[str, State] = {}
        recorded, count = [], len(events)
        pending: list[PendingEvent] = []
        position, clock, recorded_us = self.position, self.clock, self._clock_us
        occurred_at, labels = context.occurred_at, context.request.command.__dict__["labels"]
        occurred_us = recorded_us if occurred_at is clock else microseconds(occurred_at)
        for event in events:
            position += 1
            if labels is not None or type(event) in _INHERITING:
                event = labelled_event(event, labels, pending, changes, states)  # noqa: PLW2901
            tags = event.tags()
            for key in tags:
                state = states.get(key)
                if state is not None:
                    changes[key] = changes.get(key, state).apply(key, event)
                elif key[:4] in _CARRIED_BEGIN and key.startswith(_CARRIED):
                    changes[key] = states[key].apply(key, event)
                if views and key in views:
                    for view in views[key]:
                        changes[view] = (changes.get(view) or states[view]).apply(view, event)
            text, raw = event_id
            fact = AnsweredEvent(position, text, event.type)
            recorded.append(fact)
            pending.append(
                PendingEvent(event, tags, context, fact, raw, clock, occurred_us, recorded_us)
            )
            last, clock, recorded_us = clock, clock + TICK, recorded_us + 1
            if position - self.position < count:
                event_id = self._new_id(recorded_us)
        if self.one_by_one:
            rows, moved = event_rows(pending)
            self.volume = raised(self.volume, moved, limit_of(context.request.command))
            self._event_rows += rows
        else:
            self._pending += pending
        touched = self.touched
        if self._changed is not None:
            self._remember(self._changed, changes)
        states.update(changes)
        for key in changes:
            touched[key] = position, touched.get(key, _UNTOUCHED)[1] + count
        for event in events:
            if type(event) in _BESIDE:
                self._act_beside(event, position)
        self.position, self.clock, self._clock_us = position, clock, recorded_us
        code = context.code
        status, name = 201 if code is None else 202, context.request.name
        answer = Answer(status, position, name, last, tuple(recorded), code)
        if self.inbox.parked:
            self._wake(events, answer)
        return answer

    def _wake(self, events: tuple[Event, ...], answer: Answer) -> None:
        cause = answer if self._applying is None else self._applying.cause
        tags = (tag for event in events for tag in event.tags())
        self.inbox.wake(tags, cause, answer.events[0].event_id)

    def _act_beside(self, event: Event, position: int) -> None:
        if isinstance(event, ReleasesNotice):
            self.inbox.release(event, position)
        if isinstance(event, ErasesTexts):
            self.texts.erase(event)

    def _keep(
        self, request: Request, status: NoticeStatus, awaits: str | None, now: datetime
    ) -> None:
        if self._applying is None:
            self.inbox.keep(request, status, awaits, now)
        elif status is NoticeStatus.PARKED:
            self.inbox.conclude(self._applying, status, awaits, self.position)

    def _without_events(self, request: Request, now: datetime, code: str | None = None) -> Answer:
        """Nothing happened: there was nothing to do, or a notice waits or says nothing new."""
        status = 201 if code is None else 202
        answer = Answer(status, self.position, request.name, now, code=code)
        answer.rendered = answer.body
        return answer

    def _effective_on(self, instant: datetime | None) -> date:
        """The business date of `instant` (None: now), or the first open day if it is closed."""
        periods = self.states[PERIODS]
        if instant is None and periods is self._open_today[0]:
            return self._open_today[1]
        assert isinstance(periods, Periods)
        if instant is not None:
            return periods.open_day(self._dates.of(instant))
        self._open_today = periods, periods.open_day(self._today)
        return self._open_today[1]


_UNTOUCHED = (0, 0)
#: How the keys of entities begin that every event carries along, whoever needs them.
_CARRIED = tuple(f"{name}:" for name, kind in KINDS.items() if kind.CACHED)
#: Four letters of each: those of a sale tell at half the cost that it is none of them.
_CARRIED_BEGIN = {name[:4] for name in _CARRIED}
#: Events that carry the labels of what they undo or document.
_INHERITING = {kind for kind in EVENTS.values() if kind.labelled_by is not Event.labelled_by}
#: Events after which something kept beside the log changes; there are few of them.
_BESIDE = {kind for kind in EVENTS.values() if issubclass(kind, ReleasesNotice | ErasesTexts)}
