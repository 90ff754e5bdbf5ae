"""The writer: one thread per book that takes whatever waits through the turnstile.

Group commit without timers: whatever waits when the turnstile opens is the batch, so a lone
command goes at once and batches grow by themselves under load. The queue is bounded; what does
not fit is refused at once. When the database is away everybody is told so within a second, and
the writer goes on by itself when it is back.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import psycopg
import structlog

from domain.catalogue import UnknownEventType
from domain.rejections import INTERNAL, reject
from ledger import queries
from ledger.books import Book
from ledger.database import Connection
from ledger.request import Answer, Request, refused
from ledger.snapshotter import Snapshotter
from ledger.states import StateCache
from ledger.turnstile import ClocksApart, Group, NoPartition, Turnstile

BATCH_COMMANDS_MAX = 4_096
OUTCOME_UNKNOWN_S = 1.0
LOCK_TRIES = 3
RECONNECT_S = 0.2

SQL = queries.load("turnstile")
log = structlog.get_logger()


class Unavailable(Exception):
    """Nothing can be written at present; `reason` for people. Safe to retry with the same key."""

    def __init__(self, reason: str, *, retry_after_s: int = 1) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(reason)


class Submission:
    """A group on its way: `deliver` is called once, in the writer's thread."""

    __slots__ = ("deliver", "group")

    def __init__(self, group: Group, deliver: Callable[[list[Answer] | Unavailable], None]) -> None:
        self.group = group
        self.deliver = deliver


class Writer:
    """Serves one book's queue. `connect` opens a connection to the book as the service's role."""

    def __init__(
        self,
        book: Book,
        connect: Callable[[], Connection],
        *,
        queue_commands_max: int = 50_000,
        cache_entities: int = 200_000,
    ) -> None:
        self.book = book
        self._connect = connect
        self._queue: deque[Submission] = deque()
        self._waiting = 0
        self._queue_max = queue_commands_max
        self._wake = threading.Condition()
        self._stopping = False
        self._away: Unavailable | None = None
        self._cache = StateCache(cache_entities)
        self._turnstile: Turnstile | None = None
        self._connection: Connection | None = None
        self._snapshotter = Snapshotter(connect)
        self._thread = threading.Thread(target=self._run, name=f"writer-{book.name}", daemon=True)

    def start(self) -> "Writer":
        """Begin to serve the queue."""
        self._snapshotter.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Take what waits through the turnstile, write snapshots, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        self._snapshotter.offer(self._cache.flush())
        self._snapshotter.stop()
        if self._connection is not None:
            self._connection.close()

    @property
    def queued(self) -> int:
        """Commands that wait."""
        return self._waiting

    @property
    def cached_entities(self) -> int:
        """Entity states in memory."""
        return len(self._cache)

    def submit(self, group: Group, deliver: Callable[[list[Answer] | Unavailable], None]) -> None:
        """Queue a group; raises Unavailable when the queue is full or the database away."""
        size = len(group.requests)
        with self._wake:
            if self._away is not None:
                raise self._away
            if self._stopping:
                raise Unavailable("the service is shutting down")
            if self._waiting + size > self._queue_max:
                raise Unavailable(f"{self._waiting} commands wait already")
            self._waiting += size
            self._queue.append(Submission(group, deliver))
            self._wake.notify()

    def write(self, requests: Sequence[Request], *, atomic: bool = False) -> list[Answer]:
        """Submit and wait for the answers; raises Unavailable."""
        return self.write_soon(requests, atomic=atomic).result()

    def write_soon(
        self, requests: Sequence[Request], *, atomic: bool = False
    ) -> Future[list[Answer]]:
        """Submit; the future holds the answers, or raises Unavailable."""
        future: Future[list[Answer]] = Future()

        def deliver(outcome: list[Answer] | Unavailable) -> None:
            if isinstance(outcome, Unavailable):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.submit(Group(requests, atomic), deliver)
        return future

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._stopping:
                    self._wake.wait(timeout=None if self._away is None else RECONNECT_S)
                    if self._away is not None:
                        break
                if self._stopping and not self._queue:
                    return
                batch = self._take_batch()
            if batch:
                self._serve(batch)
            elif self._away is not None:
                self._come_back()

    def _take_batch(self) -> list[Submission]:
        batch: list[Submission] = []
        size = 0
        while self._queue:
            more = len(self._queue[0].group.requests)
            if batch and size + more > BATCH_COMMANDS_MAX:
                break
            size += more
            batch.append(self._queue.popleft())
        self._waiting -= size
        return batch

    def _serve(self, batch: list[Submission]) -> None:
        try:
            outcomes = self._pass([submission.group for submission in batch])
        except Unavailable as away:
            for submission in batch:
                self._deliver(submission, away)
            return
        except Exception as error:
            log.exception("writing failed", book=self.book.name)
            for submission in batch:
                self._deliver(submission, Unavailable(f"writing failed: {error!r}"))
            return
        for submission, answers in zip(batch, outcomes, strict=True):
            self._deliver(submission, answers)

    def _deliver(self, submission: Submission, outcome: list[Answer] | Unavailable) -> None:
        """Hand over an outcome; a caller who is gone must not stop the others' writer."""
        try:
            submission.deliver(outcome)
        except Exception:
            log.exception("an outcome could not be delivered", book=self.book.name)

    def _pass(self, groups: list[Group]) -> list[list[Answer]]:
        """Through the turnstile, again after a lost connection until the outcome is known."""
        give_up_at: float | None = None
        known_position = 0
        while True:
            try:
                turnstile = self._at_turnstile()
                answers = self._past_lock(turnstile, groups)
            except psycopg.OperationalError as error:
                if give_up_at is None:
                    log.warning("connection lost", book=self.book.name, error=str(error))
                known_position = known_position or self._leave()
                give_up_at = give_up_at or time.monotonic() + OUTCOME_UNKNOWN_S
                if time.monotonic() >= give_up_at:
                    raise self._unavailable(
                        "the database is away; whether this was written is not known: "
                        "retry with the same key"
                    ) from error
                with self._wake:
                    self._wake.wait(RECONNECT_S / 4)
                continue
            except psycopg.Error as error:
                return self._by_halves(groups, error)
            except (ClocksApart, NoPartition, UnknownEventType) as error:
                log.critical("writing stopped", book=self.book.name, error=repr(error))
                if isinstance(error, NoPartition):
                    self._snapshotter.add_partitions()
                raise Unavailable(str(error)) from error
            if give_up_at is not None:
                _own_outcome(answers, known_position)
            self._keep_behind(turnstile)
            self._away = None
            return answers

    def _past_lock(self, turnstile: Turnstile, groups: list[Group]) -> list[list[Answer]]:
        """Pass; a holder of the lock that is frozen in mid-transaction is cut off."""
        for attempt in range(LOCK_TRIES):
            try:
                return turnstile.pass_batch(groups)
            except psycopg.errors.LockNotAvailable:
                self._cut_off_frozen_holders()
                if attempt == LOCK_TRIES - 1:
                    raise Unavailable("another process holds the book's head") from None
        raise AssertionError("unreachable")

    def _cut_off_frozen_holders(self) -> None:
        assert self._connection is not None
        for pid, _ in self._connection.execute(SQL["stuck_holders"]):
            log.warning("cut off a frozen writer", book=self.book.name, backend=pid)

    def _by_halves(self, groups: list[Group], error: psycopg.Error) -> list[list[Answer]]:
        """PostgreSQL refused a row: find the group that holds it, keep it from the others."""
        if len(groups) > 1:
            middle = len(groups) // 2
            return self._pass(groups[:middle]) + self._pass(groups[middle:])
        (group,) = groups
        if len(group.requests) > 1 and not group.atomic:
            middle = len(group.requests) // 2
            first = self._pass([Group(group.requests[:middle])])
            second = self._pass([Group(group.requests[middle:])])
            return [first[0] + second[0]]
        log.error("PostgreSQL refused a row", book=self.book.name, error=str(error))
        return [[refused(request, reject(INTERNAL), 0) for request in group.requests]]

    def _at_turnstile(self) -> Turnstile:
        if self._turnstile is None or self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._connection.execute(SQL["settle"])
            before = self._turnstile
            self._turnstile = Turnstile(self.book, self._connection, self._cache)
            if before is not None:
                self._turnstile.position = before.position
        return self._turnstile

    def _leave(self) -> int:
        """Give up the broken connection; answers up to which position the cache is current."""
        if self._connection is not None:
            self._connection.close()
        return self._turnstile.position if self._turnstile is not None else 0

    def _unavailable(self, reason: str) -> Unavailable:
        away = Unavailable(reason)
        with self._wake:
            self._away = Unavailable("the database is away; nothing was written")
        return away

    def _come_back(self) -> None:
        """While the database is away: see whether it is back."""
        try:
            self._at_turnstile()
        except psycopg.Error:
            return
        with self._wake:
            self._away = None
        log.info("the database is back", book=self.book.name)

    def _keep_behind(self, turnstile: Turnstile) -> None:
        """What follows a commit without anybody waiting for it."""
        due = self._cache.take_due()
        if due:
            self._snapshotter.offer(due)
        if turnstile.partition_rows and (
            turnstile.position + turnstile.partition_rows > turnstile.partitions_end
        ):
            self._snapshotter.add_partitions()


def _own_outcome(answers: list[list[Answer]], known_position: int) -> None:
    """After a lost COMMIT the receipts are this batch's own: first answers, no replays."""
    for group in answers:
        for answer in group:
            if answer.replayed and answer.position > known_position:
                answer.replayed = False
