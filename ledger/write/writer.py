"""The writer: one thread per book that commits whatever waits.

Group commit without timers: whatever waits when a batch is committed is the next one, so a lone
command goes at once and batches grow by themselves under load. The queue is bounded; what does
not fit is unavailable at once. When the database is away everybody is told so within a second,
and the writer goes on by itself when it is back.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import psycopg

from domain.rejections import INTERNAL, UNAVAILABLE, reject
from ledger import logs
from ledger.books import Book
from ledger.clock import ClockGuard, ClockJumped
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.write.answer import Answer, refused
from ledger.write.group import Group
from ledger.write.head import ClocksApart
from ledger.write.request import Request
from ledger.write.sequencer import NoPartition, OutcomeUnknown, Sequencer
from ledger.write.snapshots import Snapshotter
from ledger.write.state_cache import StateCache
from ledger.write.state_loading import LogUnreadable, LongTails

OUTCOME_UNKNOWN_S = 0.8
LOCK_TRIES = 3
RECONNECT_S = 0.2
#: How long a batch is taken apart to find the commands that need long histories.
PARTS_S = 5.0
#: The database is away, full, or a standby that is not promoted yet: no command is to blame.
AWAY = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction)

SQL = sql_files.load("sequencer")
log = logs.get_logger(__name__)


class Unavailable(Exception):
    """Nothing can be written at present; `reason` for people. Safe to retry with the same key."""

    def __init__(self, reason: str, *, retry_after_s: int = 1) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(reason)


class NotWritten(Unavailable):
    """A group that something is written along with cannot be committed; `error` says why.

    It is not taken apart: only its caller knows what belongs to which part of it.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(repr(error))


Outcome = list[Answer] | Unavailable


class Submission:
    """A group on its way: `deliver` is called once, in the writer's thread."""

    __slots__ = ("deliver", "group")

    def __init__(self, group: Group, deliver: Callable[[Outcome], None]) -> None:
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
        queue_bytes_max: int = 67_108_864,
        batch_commands_max: int = 4_096,
        batch_bytes_max: int = 8_388_608,
        cache_entities: int = 200_000,
    ) -> None:
        self.book = book
        self._connect = connect
        self._queue: deque[Submission] = deque()
        self._waiting = 0
        self._waiting_bytes = 0
        self._queue_max = queue_commands_max
        self._queue_bytes_max = queue_bytes_max
        self._batch_max = batch_commands_max
        self._batch_bytes_max = batch_bytes_max
        self._wake = threading.Condition()
        self._stopping = False
        self._away = False
        self._cache = StateCache(cache_entities)
        self._guard = ClockGuard()
        self._give_up_at = 0.0
        self._sequencer: Sequencer | None = None
        self._connection: Connection | None = None
        self._snapshotter = Snapshotter(connect)
        self._thread = threading.Thread(target=self._run, name=f"writer-{book.name}", daemon=True)

    def start(self) -> "Writer":
        """Begin to serve the queue."""
        self._snapshotter.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Commit what waits, write snapshots, and end."""
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

    @property
    def missing_states(self) -> int:
        """States that decisions missed because no command had asked for them ahead."""
        return 0 if self._sequencer is None else self._sequencer.missing_states

    @property
    def clock_behind_s(self) -> float:
        """How far the database's clock was behind the log at the last batch, in seconds."""
        return 0.0 if self._sequencer is None else self._sequencer.clock_behind.total_seconds()

    def submit(self, group: Group, deliver: Callable[[Outcome], None]) -> None:
        """Queue a group; raises Unavailable when the queue is full or the database away."""
        size = len(group.requests)
        with self._wake:
            if self._away:
                raise Unavailable("the database is away; nothing was written")
            if self._stopping:
                raise Unavailable("the service is shutting down")
            full = self._waiting + size > self._queue_max
            large = self._waiting_bytes + group.size_bytes > self._queue_bytes_max
            if full or (large and self._queue):
                raise Unavailable(f"{self._waiting} commands wait already")
            self._waiting += size
            self._waiting_bytes += group.size_bytes
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

        def deliver(outcome: Outcome) -> None:
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
                    self._wake.wait(timeout=RECONNECT_S if self._away else None)
                    if self._away:
                        break
                if self._stopping and not self._queue:
                    return
                batch = self._take_batch()
            if batch:
                self._serve(batch)
            elif self._away:
                self._come_back()

    def _take_batch(self) -> list[Submission]:
        batch: list[Submission] = []
        size = size_bytes = 0
        while self._queue:
            group = self._queue[0].group
            more, more_bytes = len(group.requests), group.size_bytes
            if batch and (
                size + more > self._batch_max or size_bytes + more_bytes > self._batch_bytes_max
            ):
                break
            size += more
            size_bytes += more_bytes
            batch.append(self._queue.popleft())
        self._waiting -= size
        self._waiting_bytes -= size_bytes
        return batch

    def _serve(self, batch: list[Submission]) -> None:
        self._give_up_at = time.monotonic() + PARTS_S
        try:
            outcomes = self._commit([submission.group for submission in batch])
        except Unavailable as away:
            self._excuse(batch, away.reason)
            return
        except Exception:
            log.exception("writing failed", book=self.book.name)
            self._excuse(batch, "writing failed; the service's log says why")
            return
        for submission, outcome in zip(batch, outcomes, strict=True):
            self._deliver(submission, outcome)

    def _excuse(self, batch: list[Submission], reason: str) -> None:
        """Give every caller an exception of its own.

        One that is raised again and again would keep the frames of everybody who raised it.
        """
        for submission in batch:
            self._deliver(submission, Unavailable(reason))

    def _deliver(self, submission: Submission, outcome: Outcome) -> None:
        """Hand over an outcome; a caller who is gone must not stop the others' writer."""
        try:
            submission.deliver(outcome)
        except Exception:
            log.exception("an outcome could not be delivered", book=self.book.name)

    def _commit(self, groups: list[Group]) -> Sequence[Outcome]:
        """Commit the groups; after a lost connection try again until the outcome is known."""
        give_up_at: float | None = None
        in_doubt: list[list[Answer]] = []
        while True:
            try:
                sequencer = self._sequencer_at_work()
                answers = self._commit_past_lock(sequencer, groups)
            except (*AWAY, OutcomeUnknown) as error:
                if give_up_at is None:
                    log.warning("connection lost", book=self.book.name, error=str(error))
                    give_up_at = time.monotonic() + OUTCOME_UNKNOWN_S
                if isinstance(error, OutcomeUnknown):
                    in_doubt = _own_outcome(error.answers, in_doubt)
                self._leave()
                if time.monotonic() >= give_up_at:
                    with self._wake:
                        self._away = True
                    raise Unavailable(
                        "the database is away; whether this was written is not known: "
                        "retry with the same key"
                    ) from error
                with self._wake:
                    self._wake.wait(RECONNECT_S / 4)
            except NoPartition as error:
                if not self._made_room():
                    return self._in_parts(groups, error)
            except (ClocksApart, ClockJumped, LogUnreadable) as error:
                log.critical("writing stopped", book=self.book.name, error=repr(error))
                raise Unavailable(str(error)) from error
            except LongTails as error:
                self._snapshotter.shorten(error.keys)
                return self._in_parts(groups, error)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 -- told where it is found, in `_in_parts`
                return self._in_parts(groups, error)
            else:
                self._keep_behind(sequencer)
                self._away = False
                return _own_outcome(answers, in_doubt)

    def _commit_past_lock(self, sequencer: Sequencer, groups: list[Group]) -> list[list[Answer]]:
        """Commit a batch; a frozen session that holds the lock on the head is terminated."""
        for attempt in range(LOCK_TRIES):
            try:
                return sequencer.commit_batch(groups)
            except psycopg.errors.LockNotAvailable:
                self._cut_off_frozen_holders()
                if attempt == LOCK_TRIES - 1:
                    raise Unavailable("another process holds the book's head") from None
        raise AssertionError("unreachable")

    def _cut_off_frozen_holders(self) -> None:
        assert self._connection is not None
        for pid, _ in self._connection.execute(SQL["stuck_holders"]):
            log.warning("cut off a frozen writer", book=self.book.name, backend=pid)

    def _in_parts(self, groups: list[Group], error: Exception) -> Sequence[Outcome]:
        """Commit by halves what cannot be committed whole, so that what is wrong fails alone."""
        if isinstance(error, LongTails) and time.monotonic() > self._give_up_at:
            return [Unavailable(str(error)) for _ in groups]
        if len(groups) > 1:
            middle = len(groups) // 2
            return [*self._commit(groups[:middle]), *self._commit(groups[middle:])]
        (group,) = groups
        if len(group.requests) > 1 and not group.atomic and group.alongside is None:
            middle = len(group.requests) // 2
            halves = group.requests[:middle], group.requests[middle:]
            return [[answer for half in halves for answer in self._answers(half)]]
        if isinstance(error, LongTails):
            return [Unavailable(str(error))]
        if group.alongside is not None and not isinstance(error, NoPartition):
            return [NotWritten(error)]
        if isinstance(error, NoPartition):
            log.critical("writing stopped", book=self.book.name, error=repr(error))
            raise Unavailable(str(error)) from error
        log.error("a command cannot be written", book=self.book.name, exc_info=error)
        return [[refused(request, reject(INTERNAL), 0) for request in group.requests]]

    def _answers(self, requests: Sequence[Request]) -> list[Answer]:
        """Commit a part of a group; what cannot be written now is an answer that is not kept."""
        (outcome,) = self._commit([Group(requests)])
        if isinstance(outcome, Unavailable):
            away = reject(UNAVAILABLE, what=outcome.reason)
            return [refused(request, away, 0) for request in requests]
        return outcome

    def _made_room(self) -> bool:
        """Make the partitions that were not made in time; returns whether any were missing."""
        assert self._connection is not None
        log.warning("the log has no room; making partitions", book=self.book.name)
        try:
            row = self._connection.execute(SQL["add_partitions"]).fetchone()
        except psycopg.Error as error:
            log.critical("writing stopped", book=self.book.name, error=repr(error))
            raise Unavailable("the log has no room") from error
        return row is not None and row[0] > 0

    def _sequencer_at_work(self) -> Sequencer:
        if self._sequencer is None or self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._connection.execute(SQL["settle"])
            before = self._sequencer
            self._sequencer = Sequencer(self.book, self._connection, self._cache, guard=self._guard)
            if before is not None:
                self._sequencer.position = before.position
                self._sequencer.missing_states = before.missing_states
        return self._sequencer

    def _leave(self) -> None:
        """Give up the broken connection."""
        if self._connection is not None:
            self._connection.close()

    def _come_back(self) -> None:
        """While the database is away: see whether it is back."""
        try:
            self._sequencer_at_work()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the next try may succeed
            log.debug("the database is still away", book=self.book.name, error=repr(error))
            return
        with self._wake:
            self._away = False
        log.info("the database is back", book=self.book.name)

    def _keep_behind(self, sequencer: Sequencer) -> None:
        """Queue what follows a commit and nobody waits for: snapshots, and partitions ahead."""
        due = self._cache.take_due()
        if due:
            self._snapshotter.offer(due)
        if sequencer.partition_rows and (
            sequencer.position + sequencer.partition_rows > sequencer.partitions_end
        ):
            self._snapshotter.add_partitions()


def _own_outcome(answers: list[list[Answer]], in_doubt: list[list[Answer]]) -> list[list[Answer]]:
    """`answers`, where those are no replays that a lost COMMIT had been the first to give."""
    for group, first in zip(answers, in_doubt, strict=False):
        for answer, before in zip(group, first, strict=True):
            if answer.replayed and not before.replayed and answer.body == before.body:
                answer.replayed = False
    return answers
