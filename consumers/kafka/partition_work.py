"""One claimed partition: messages wait, fly through the sequencer in groups, and are answered.

A group's effect, how far the partition is taken and what is put aside commit together. A group that
fails comes back with those behind it, and nothing overtakes it: it is tried again, taken apart to
find what breaks it, and what stays broken is put aside with its key, so that other keys go on.
"""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from consumers.kafka.inbound import Item
from consumers.kafka.replies import STALE, Settling
from domain.rejections import INTERNAL
from ledger.failpoints import failpoint
from ledger.postgres.database import Connection
from ledger.streams import consumed, parked
from ledger.streams.consumed import Claim, Fenced, OutOfTurn
from ledger.write.answer import Answer
from ledger.write.group import Alongside, Group
from ledger.write.submission import Outcome
from ledger.write.unavailable import NotWritten, Unavailable

GROUP_MESSAGES_MAX = 1_000
GROUP_BYTES_MAX = 4_194_304
FLIGHTS_MAX = 2
TRIES = 4
RETRY_FIRST_S = 0.2
RETRY_MAX_S = 5.0
FOLLOWS = "FOLLOWS"
AWAITING = "AWAITING_REFERENT"


class Vetoed(Exception):
    """A group holds what cannot be applied as things are: (index, code) each."""

    def __init__(self, found: Sequence[tuple[int, str]]) -> None:
        self.found = found
        super().__init__(str(found))


class Flight(msgspec.Struct, eq=False):
    """Messages that go together. `going`: those that are decided. Offsets `first` to `until`."""

    items: list[Item]
    going: list[Item]
    first: int
    until: int


class PartitionWork:
    """The work of one partition, in the thread of its consumer; only `alongside` runs elsewhere.

    `early`: answers of status 404 mean that something has not arrived yet.
    """

    def __init__(
        self, claim: Claim, *, early: bool, held: Mapping[bytes, bool], dropped: Iterable[int]
    ) -> None:
        self.claim = claim
        self.expected = claim.settled_offset
        self.settling = Settling(claim.settled_offset)
        self.flying: deque[Flight] = deque()
        self.lost = False
        #: Nothing more flies until what was released has had its turn.
        self.held_back = False
        self.queued_bytes = 0
        self.revisions: dict[str, int] = {}
        self.hold(held)
        self._queue: deque[Item] = deque()
        self._returned: list[Flight] = []
        self._submitted = claim.settled_offset
        self._limit = GROUP_MESSAGES_MAX
        self._paused_until = 0.0
        self._failures = 0
        self._early = early
        self._dropped = set(dropped)

    @property
    def queued(self) -> int:
        """Messages that wait."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Whether nothing waits or flies."""
        return not self._queue and not self.flying

    def hold(self, held: Mapping[bytes, bool]) -> None:
        """The keys that are put aside; True: their later messages wait, too."""
        self.blocked = {key for key, blocks in held.items() if blocks}
        self.awaited = {key for key, blocks in held.items() if not blocks}

    def take(self, item: Item) -> None:
        """One more message, in the order of the partition; one that was taken before is not."""
        if item.offset >= self.expected:
            self._queue.append(item)
            self.queued_bytes += len(item.value)
            self.expected = item.offset + 1

    def subjects(self) -> set[str]:
        """Subjects of the next messages whose last revision is not known here."""
        waiting = (item.subject for item, _ in zip(self._queue, range(self._limit), strict=False))
        return {subject for subject in waiting if subject and subject not in self.revisions}

    def next_flight(self) -> Flight | None:
        """What may go now."""
        ready = not self._returned and len(self.flying) < FLIGHTS_MAX and bool(self._queue)
        if not ready or self.held_back or time.monotonic() < self._paused_until:
            return None
        items: list[Item] = []
        size = 0
        while self._queue and len(items) < self._limit:
            item = self._queue[0]
            size += len(item.value)
            if items and size > GROUP_BYTES_MAX:
                break
            self._classify(item)
            items.append(self._queue.popleft())
            self.queued_bytes -= len(item.value)
        flight = Flight(items, [i for i in items if goes(i)], self._submitted, items[-1].offset + 1)
        self._submitted = flight.until
        self.flying.append(flight)
        return flight

    def group(self, flight: Flight) -> Group:
        """The flight as the writer takes it."""
        requests = [item.request for item in flight.going if item.request is not None]
        size = sum(len(item.value) for item in flight.going)
        return Group(requests, size_bytes=size, alongside=self._alongside(flight))

    def landed(self, flight: Flight, outcome: Outcome) -> list[Answer] | None:
        """What became of it: answers of `going`; None where it comes back."""
        self.flying.remove(flight)
        if isinstance(outcome, list):
            self._failures = 0
            self._limit = min(GROUP_MESSAGES_MAX, self._limit * 2)
            return outcome
        self._fail(flight, outcome)
        self._returned.append(flight)
        if not self.flying:
            self._requeue()
        return None

    def _classify(self, item: Item) -> None:
        if item.parked is not None and item.parked[0] == FOLLOWS:
            item.parked = None
        if item.request is None or item.direct is not None:
            return
        if item.offset in self._dropped:
            item.request = None
        elif item.parked is not None:
            if item.key is not None:
                (self.awaited if item.awaiting else self.blocked).add(item.key)
        elif item.key in self.blocked:
            item.parked = FOLLOWS, "an earlier message of this key waits"
        elif item.subject is not None:
            if item.revision <= self.revisions.get(item.subject, -1):
                item.direct = 202, STALE
            else:
                self.revisions[item.subject] = item.revision

    def _alongside(self, flight: Flight) -> Alongside:
        settled = self.settling.settled

        def write(connection: Connection, answers: Sequence[Answer]) -> None:
            failpoint("before_commit")
            veto(answers, early=self._early)
            claim = self.claim
            consumed.advance(
                connection, claim, first=flight.first, until=flight.until, settled=settled
            )
            for item in flight.items:
                if item.parked is not None:
                    park(connection, claim, item)
            revise(connection, claim, flight.going)

        return write

    def _fail(self, flight: Flight, outcome: Unavailable) -> None:
        error = outcome.error if isinstance(outcome, NotWritten) else None
        if isinstance(error, Fenced):
            self.lost = True
        elif isinstance(error, OutOfTurn):
            pass  # what was before it failed, and says why
        elif isinstance(error, Vetoed):
            for index, code in error.found:
                self._mark(flight.going[index], code, "the ledger's log says why")
        elif error is None or not flight.going:
            self._pause()
        elif len(flight.going) > 1:
            self._limit = max(1, len(flight.going) // 2)
        else:
            self._mark(flight.going[0], INTERNAL.code, repr(error))

    def _mark(self, item: Item, code: str, detail: str) -> None:
        """It cannot be applied: try again, put it aside, or let it wait for what it speaks of."""
        if code != INTERNAL.code:
            item.parked, item.awaiting = (AWAITING, code), True
            return
        item.tries += 1
        if item.tries >= TRIES:
            item.parked = code, detail[:500]
        else:
            self._pause()

    def _pause(self) -> None:
        pause_s = min(RETRY_FIRST_S * 2**self._failures, RETRY_MAX_S)
        self._failures += 1
        self._paused_until = time.monotonic() + pause_s

    def _requeue(self) -> None:
        """Everything that came back goes to the front, in its order."""
        self._returned.sort(key=lambda flight: flight.first)
        self._submitted = self._returned[0].first
        for flight in reversed(self._returned):
            self._queue.extendleft(reversed(flight.items))
            self.queued_bytes += sum(len(item.value) for item in flight.items)
        self._returned.clear()
        self.revisions.clear()


def goes(item: Item) -> bool:
    """Whether it is to be decided."""
    return item.request is not None and item.parked is None and item.direct is None


def veto(answers: Sequence[Answer], *, early: bool) -> None:
    """Raise Vetoed where an answer must not be the last word."""
    found = [
        (index, answer.code or INTERNAL.code)
        for index, answer in enumerate(answers)
        if answer.status == INTERNAL.status
        or (early and answer.status == 404 and not answer.replayed)
    ]
    if found:
        raise Vetoed(found)


def park(connection: Connection, claim: Claim, item: Item) -> None:
    """Put a message aside, in the caller's transaction."""
    assert item.parked is not None
    values = {
        "offset": item.offset,
        "key": item.key,
        "headers": parked.stored_headers(item.headers),
        "value": item.value,
        "sent_at": datetime.fromtimestamp(item.sent_at_ms / 1_000, UTC),
        "reason": item.parked[0],
        "detail": item.parked[1],
        "tries": item.tries,
        "awaiting": item.awaiting,
    }
    connection.execute(parked.SQL["park"], claim.values | values)


def revise(connection: Connection, claim: Claim, items: Iterable[Item]) -> None:
    """Remember which revision of a subject was told last, in the caller's transaction."""
    for item in items:
        if item.subject is not None:
            told = claim.consumer, item.subject, item.revision
            connection.execute(parked.SQL["revise"], told)
