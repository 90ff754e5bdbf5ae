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
from ledger.postgres.book_connections import BookConnection, BookConnections, NoConnectionFree
from ledger.postgres.database import Connection
from ledger.postgres.deadlines import within
from ledger.write.answer import Answer, own_outcome, refused
from ledger.write.commit import OutcomeUnknown
from ledger.write.condition import Condition
from ledger.write.connections import connections_of_writers
from ledger.write.group import Group
from ledger.write.head import ClocksApart
from ledger.write.request import Request
from ledger.write.sequencer import NoPartition, Sequencer
from ledger.write.snapshots import Snapshotter
from ledger.write.state_cache import StateCache
from ledger.write.state_loading import LogUnreadable, LongTails
from ledger.write.submission import Outcome, Submission
from ledger.write.unavailable import NotWritten, Unavailable

OUTCOME_UNKNOWN_S = 0.8
#: How long a batch may take until its connection is cut, and stopping until it gives up.
BATCH_S, STOP_S = 20.0, 28.0
LOCK_TRIES = 3
RECONNECT_S = 0.2
#: How long a batch is taken apart to find the commands that need long histories.
PARTS_S = 5.0
NOT_KNOWN = "whether this was written is not known: retry with the same key"
#: The database is away, full, or a standby that is not promoted yet: no command is to blame.
AWAY = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction)

SQL = sql_files.load("sequencer")
log = logs.get_logger(__name__)


class Writer:
    """Serves one book's queue over `connections`: shared ones, or how to open its own.

    After `idle_s` without a command its threads end and its cache is dropped; the next command
    starts anew. So a book that nobody writes to costs nothing.
    """

    def __init__(
        self,
        book: Book,
        connections: BookConnections | Callable[[], Connection],
        *,
        idle_s: float = 60.0,
        queue_commands_max: int = 50_000,
        queue_bytes_max: int = 67_108_864,
        batch_commands_max: int = 4_096,
        batch_bytes_max: int = 8_388_608,
        cache_entities: int = 200_000,
        parked_max: int = 100_000,
    ) -> None:
        self.book = book
        self._own = not isinstance(connections, BookConnections)
        self._connections, self._idle_s = connections_of_writers(connections), idle_s
        self._queue: deque[Submission] = deque()
        self._waiting = self._waiting_bytes = 0
        self._queue_max, self._queue_bytes_max = queue_commands_max, queue_bytes_max
        self._batch_max, self._batch_bytes_max = batch_commands_max, batch_bytes_max
        self._parked_max = parked_max
        self._wake = threading.Condition()
        self._stopping = self._away = False
        self._cache = StateCache(cache_entities)
        self._guard = ClockGuard()
        self.condition, self._give_up_at = Condition(), 0.0
        self._sequencer: Sequencer | None = None
        self._new_sequencer: Callable[..., Sequencer] = Sequencer
        self._taken: BookConnection | None = None
        #: Whether anything of the batch was sent to PostgreSQL.
        self._attempted = False
        self._snapshotter = Snapshotter(self._connections, book.schema)
        self._thread = threading.Thread()
        self._asleep = False

    def start(self) -> "Writer":
        """Begin to serve the queue."""
        self._asleep = False
        self._snapshotter.start()
        self._thread = threading.Thread(target=self._run, name=self.book.schema, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Commit what waits, write snapshots, and end; within STOP_S whatever happens."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            log.error("the writer did not end in time", book=self.book.name)
            return
        self._rest()
        if self._own:
            self._connections.close_idle(0.0)

    def _rest(self) -> None:
        """Write snapshots of what is in memory, and forget it."""
        if self._sequencer is not None:
            self._snapshotter.offer(self._cache.flush(), self._sequencer.timeline)
        self._snapshotter.stop()
        self._connections.close_idle()

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
            if self._asleep:
                self.start()

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
                pause_s = RECONNECT_S if self._away else self._idle_s
                work = self._wake.wait_for(lambda: self._queue or self._stopping, pause_s)
                if self._stopping and not self._queue:
                    return
                batch = self._take_batch()
            if batch:
                self._serve(batch)
            elif self._away:
                self._come_back()
            elif not work and self._slept():
                return

    def _slept(self) -> bool:
        """Nobody has come for long: rest, and end the thread unless somebody has come meanwhile."""
        self._rest()
        with self._wake:
            self._asleep = not self._queue and not self._stopping
            if not self._asleep:
                self._snapshotter.start()
            return self._asleep

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
        self._give_up_at, self._attempted = time.monotonic() + PARTS_S, False
        self.condition.begin()
        try:
            outcomes = self._commit([submission.group for submission in batch])
        except Unavailable as away:
            self._excuse(batch, away.reason)
            return
        except Exception:
            log.exception("writing failed", book=self.book.name)
            self._excuse(batch, "writing failed; the service's log says why")
            return
        finally:
            self._leave()
            self.condition.end()
        self.condition.passed()
        for submission, outcome in zip(batch, outcomes, strict=True):
            self._deliver(submission, outcome)

    def _excuse(self, batch: list[Submission], reason: str) -> None:
        """Give every caller an exception of its own: raised again, one would keep all frames."""
        self.condition.failed(reason)
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
            except psycopg.errors.DiskFull as error:
                log.critical("writing stopped", book=self.book.name, error=repr(error))
                raise Unavailable("the database's disk is full; nothing was written") from error
            except (*AWAY, OutcomeUnknown) as error:
                if give_up_at is None:
                    log.warning("connection lost", book=self.book.name, error=str(error))
                    give_up_at = time.monotonic() + OUTCOME_UNKNOWN_S
                if isinstance(error, OutcomeUnknown):
                    in_doubt = own_outcome(error.answers, in_doubt)
                self._leave(broken=True)
                if time.monotonic() >= give_up_at:
                    with self._wake:
                        self._away = True
                    raise Unavailable(f"the database is away; {NOT_KNOWN}") from error
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
            except NoConnectionFree as short:
                written = NOT_KNOWN if self._attempted else "nothing was written"
                raise Unavailable(f"{short}; {written}") from short
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 -- told where it is found, in `_in_parts`
                return self._in_parts(groups, error)
            else:
                self._keep_behind(sequencer)
                self._away = False
                return own_outcome(answers, in_doubt)

    def _commit_past_lock(self, sequencer: Sequencer, groups: list[Group]) -> list[list[Answer]]:
        """Commit a batch; a frozen session that holds the lock on the head is terminated."""
        self._attempted = True
        for attempt in range(LOCK_TRIES):
            try:
                with within(sequencer.connection, BATCH_S):
                    return sequencer.commit_batch(groups)
            except psycopg.errors.LockNotAvailable:
                self._cut_off_frozen_holders()
                if attempt == LOCK_TRIES - 1:
                    raise Unavailable("another process holds the book's head") from None
        raise AssertionError("unreachable")

    def _cut_off_frozen_holders(self) -> None:
        assert self._taken is not None
        for pid, _ in self._taken.connection.execute(SQL["stuck_holders"]):
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
        assert self._taken is not None
        log.warning("the log has no room; making partitions", book=self.book.name)
        try:
            row = self._taken.connection.execute(SQL["add_partitions"]).fetchone()
        except psycopg.Error as error:
            log.critical("writing stopped", book=self.book.name, error=repr(error))
            raise Unavailable("the log has no room") from error
        return row is not None and row[0] > 0

    def _sequencer_at_work(self) -> Sequencer:
        """The sequencer over a connection, which is ours until `_leave`."""
        if self._taken is not None and self._taken.connection.closed:
            self._leave()
        if self._taken is None:
            self._taken = self._connections.take(self.book.schema)
        connection = self._taken.connection
        if self._sequencer is None:
            self._sequencer = self._new_sequencer(
                self.book, connection, self._cache, guard=self._guard, parked_max=self._parked_max
            )
        self._sequencer.work_over(connection, self._taken.timeline)
        return self._sequencer

    def _leave(self, *, broken: bool = False) -> None:
        """Give the connection back; one that is of no more use, closed."""
        if self._taken is not None:
            self._connections.give_back(self._taken, broken=broken)
            self._taken = None

    def _come_back(self) -> None:
        """While the database is away: see whether it is back."""
        try:
            self._sequencer_at_work()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the next try may succeed
            log.debug("the database is still away", book=self.book.name, error=repr(error))
            return
        finally:
            self._leave()
        with self._wake:
            self._away = False
        log.info("the database is back", book=self.book.name)

    def _keep_behind(self, sequencer: Sequencer) -> None:
        """Queue what follows a commit and nobody waits for: snapshots, and partitions ahead."""
        due = self._cache.take_due()
        if due:
            self._snapshotter.offer(due, sequencer.timeline)
        if sequencer.partition_rows and (
            sequencer.position + sequencer.partition_rows > sequencer.partitions_end
        ):
            self._snapshotter.add_partitions()
