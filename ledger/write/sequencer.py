"""The sequencer: the one door through which a batch of commands becomes events of a book.

`commit_batch` is the whole write path, top to bottom. Whoever holds the lock on the book's head
row decides on the current truth, so there are no optimistic conflicts and no retries. Several
processes may stand at one sequencer; each keeps its cached states current with what the others
appended.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import ClassVar, TypeVar

import psycopg
from psycopg.rows import TupleRow

from domain.controls.periods import PERIODS
from domain.controls.policy_changes import POLICIES
from domain.entity import MissingState
from domain.rejections import UNAVAILABLE
from ledger import logs
from ledger.books import Book
from ledger.clock import ClockGuard
from ledger.failpoints import failpoint
from ledger.log import reading
from ledger.log.entry import decode
from ledger.log.event_ids import event_ids
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.write.answer import Answer
from ledger.write.batch import SKEW_MAX, TICK, Batch
from ledger.write.commit import commit
from ledger.write.copy_queue import CopyQueue
from ledger.write.encoding import Unencodable
from ledger.write.group import Group
from ledger.write.head import Head, check_clock
from ledger.write.inbox import PARKED_MAX, Inbox, InboxTable, NoRoomToPark, awaited
from ledger.write.request import Request
from ledger.write.state_cache import StateCache, WorkingStates
from ledger.write.state_loading import (
    LOADED_MAX,
    TAIL_MAX,
    LoadedRow,
    check_tails,
    folded,
    named,
    reading_the_log,
)

CATCH_UP_MAX = 20_000
#: Commands whose rows are sent to PostgreSQL together while the next are decided.
CHUNK_COMMANDS = 256
#: Commands that are encoded together: so few that what was decided is still in the cache.
ENCODE_COMMANDS = 16

_LIMITS = TAIL_MAX + 1, LOADED_MAX + 1

SQL = sql_files.load("sequencer")
log = logs.get_logger(__name__)


T = TypeVar("T")
R = TypeVar("R")


class NoPartition(Exception):
    """The log has no partition for the next positions."""


class Sequencer:
    """One process's place at one book's sequencer, over one connection at a time.

    `connection` must be in autocommit mode with the book's schema on its search path.
    """

    batch_class: ClassVar[type[Batch]] = Batch

    def __init__(
        self,
        book: Book,
        connection: Connection,
        cache: StateCache,
        *,
        guard: ClockGuard | None = None,
        parked_max: int = PARKED_MAX,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.partitions_end = 0
        self.partition_rows = 0
        self.position = 0
        self.missing_states = 0
        #: How far the database's clock was behind the log at the last batch.
        self.clock_behind = timedelta(0)
        self._guard = guard or ClockGuard()
        self._book = book
        self._cache = cache
        #: The count of commits that is in our cache, and that this connection saw confirmed.
        self._commits = self._confirmed = -1
        self._now = now
        self._new_id = event_ids()
        self._handed_over: Collection[str] = ()
        self._loaded = 0
        self._inbox, self._parked_max = InboxTable(), parked_max
        self.timeline = 0
        self.connection = connection
        self.work_over(connection)

    def work_over(self, connection: Connection, timeline: int = 0) -> None:
        """Go on over another connection, between batches; what is known of the book stays.

        But not on another timeline: a promoted standby may have another history.
        """
        if connection is not self.connection:
            self._confirmed = -1
        if timeline != self.timeline:
            self.timeline, self._commits = timeline, -1
            self._cache.drop()
        self.connection = connection
        self._cursor = connection.cursor()
        self._copies = CopyQueue(connection)

    def commit_batch(self, groups: Sequence[Group]) -> list[list[Answer]]:
        """Take `groups` through the sequencer in one transaction; answers in their order.

        Raises what psycopg raises; OutcomeUnknown until the same requests pass again on a new
        connection: their receipts then say what happened.
        """
        try:
            return self._attempt(groups)
        except Unencodable:
            return self._attempt(groups, one_by_one=True)

    def _attempt(self, groups: Sequence[Group], *, one_by_one: bool = False) -> list[list[Answer]]:
        requests = [request for group in groups for request in group.requests]
        self._handed_over, self._loaded = (), 0
        try:
            head, batch = self._open_batch(requests)
            batch.one_by_one = one_by_one
            self._find_room(head, len(requests))
            self._prefetch(batch, requests)
            self._look_up_parked(batch, awaited(requests, batch.states))
            answers = self._decide(batch, groups)
            self._append(batch)
            written_along = self._write_along(groups, answers)
            self._commit(batch, head, answers, anything_new=batch.anything_new or written_along)
        except BaseException:
            self._roll_back()
            raise
        return answers

    def _open_batch(self, requests: Sequence[Request]) -> tuple[Head, Batch]:
        """Lock the head and open the batch.

        The receipts and states that the requests need are asked for in the same round trip.
        """
        execute, before = self.connection.execute, self._now()
        keys = [key for one in requests for key in (one.key, one.former_key) if key]
        needed = [POLICIES, PERIODS, *chain.from_iterable(request.needs for request in requests)]
        with self.connection.pipeline():
            execute("BEGIN")
            locked, clock = execute(SQL["lock_head"]), execute(SQL["clock"])
            receipts = execute(SQL["receipts"], (b"".join(keys), len(keys)), binary=True)
            states = WorkingStates(self._cache)
            lacking = states.lacking(needed)
            tails = execute(SQL["states"], (*named(lacking), *_LIMITS), binary=True)
            head = self._head(locked.fetchone(), clock.fetchone(), before)
            answered, loaded = receipts.fetchall(), tails.fetchall()
        caught_up = self._catch_up(head)
        if caught_up:
            states = WorkingStates(self._cache)  # what was at hand before may be out of date
        states.committed = head.position
        batch = self._new_batch(head, states)
        self._take_in(batch, lacking, loaded)
        if caught_up:
            self._load(batch, states.lacking(needed))
        self._recall(batch, answered)
        return head, batch

    def _head(self, row: TupleRow | None, clock: TupleRow | None, before: datetime) -> Head:
        assert row is not None and clock is not None
        head = Head(*row, *clock)
        self.partition_rows = head.partition_rows
        check_clock(head, self._guard, before, self._now())
        self._watch(head.recorded_at - head.clock)
        return head

    def _watch(self, behind: timedelta) -> None:
        """Tell once when the clock falls behind the log; the log's own time goes on by ticks."""
        behind = max(behind, timedelta(0))
        if behind > SKEW_MAX >= self.clock_behind:
            log.critical("the clock is behind the log", book=self._book.name, behind=str(behind))
        self.clock_behind = behind

    def _catch_up(self, head: Head) -> bool:
        """Fold into the cache what other processes appended since our last batch, if they did.

        A head behind our position is another history, as after a failover that lost some of ours.
        """
        if head.commits == self._commits:
            return False
        if not 0 <= head.position - self.position <= CATCH_UP_MAX:
            self._cache.drop()
        elif head.position > self.position and len(self._cache):
            since = reading.page(self.connection, self.position, head.position)
            with reading_the_log():
                for position, data in since:
                    self._cache.fold(position, decode(data).event())
        self.position = head.position
        return True

    def _new_batch(self, head: Head, states: WorkingStates) -> Batch:
        return self.batch_class(
            self._book,
            states,
            position=head.position,
            volume=head.volume,
            clock=max(head.clock, head.recorded_at + TICK),
            new_id=self._new_id,
            inbox=Inbox(head.parked, self._parked_max),
        )

    def _recall(self, batch: Batch, receipts: Sequence[TupleRow]) -> None:
        """The answers that these receipts stand for."""
        if not receipts:
            return
        positions = [
            position - before for _, _, position, events, *_ in receipts for before in range(events)
        ]
        batch.known.recall(receipts, reading.entries(self.connection, positions))

    def _prefetch(self, batch: Batch, requests: Sequence[Request]) -> None:
        """Load the states that those loaded so far lead to, until they lead to nothing new."""
        ahead = [
            request.command
            for request in requests
            if request.looks_ahead and batch.known.to(request) is None
        ]
        while ahead:
            states = batch.states
            needed = states.lacking(chain.from_iterable(each.prefetch(states) for each in ahead))
            if not needed:
                return
            self._load(batch, needed)

    def _look_up_parked(self, batch: Batch, tags: Iterable[str]) -> None:
        """Find the notices that await one of `tags`, where any notice waits at all."""
        found = batch.inbox.to_look_up(tags)
        if found:
            self._copies.drain()
            batch.inbox.looked_up(found, self._inbox.parked(self._cursor, found))

    def _load(self, batch: Batch, keys: list[str]) -> None:
        if keys:
            self._cursor.execute(SQL["states"], (*named(keys), *_LIMITS), binary=True)
            self._take_in(batch, keys, self._cursor.fetchall())

    def _take_in(self, batch: Batch, keys: list[str], rows: list[LoadedRow]) -> None:
        """Fold what was read, unless that would keep the lock for too long."""
        self._loaded += len(rows)
        if len(rows) > TAIL_MAX or self._loaded > LOADED_MAX:
            check_tails(rows, self._loaded)
        with reading_the_log():
            for key, held in folded(keys, rows):
                batch.states.load(key, held)

    def _decide(self, batch: Batch, groups: Sequence[Group]) -> list[list[Answer]]:
        """Decide in order, while PostgreSQL takes in the rows of what is decided already."""
        answers, decided = [], 0
        for group in groups:
            if group.atomic:
                answers.append(self._with_states(batch, batch.answer_all_or_none, group.requests))
                self._apply_due(batch)
                decided += len(group.requests)
                if decided % CHUNK_COMMANDS < len(group.requests):  # not a COPY a small group
                    self._send(batch)
                continue
            answered = []
            for request in group.requests:
                try:
                    answered.append(batch.answer(request))
                except MissingState:
                    answered.append(self._with_states(batch, batch.answer, request))
                if batch.inbox.due or batch.inbox.unknown:
                    self._apply_due(batch)
                decided += 1
                if decided % ENCODE_COMMANDS == 0:
                    batch.encode()
                    self._copies.pump()
                    if decided % CHUNK_COMMANDS == 0:
                        self._send(batch)
            answers.append(answered)
        return answers

    def _apply_due(self, batch: Batch) -> None:
        """Notices that awaited what was just recorded; they may let further ones follow."""
        inbox = batch.inbox
        while inbox.due or inbox.unknown:
            self._look_up_parked(batch, inbox.unknown)
            if inbox.due:
                self._with_states(batch, batch.apply_due, inbox.due[0])

    def _with_states(self, batch: Batch, decide: Callable[[T], R], asked: T) -> R:
        """`decide(asked)`, loading what it misses."""
        while True:
            try:
                return decide(asked)
            except MissingState as missing:
                self.missing_states += len(missing.keys)
                self._send(batch)  # so that the load sees what this batch has decided
                self._copies.drain()
                self._load(batch, list(missing.keys))
                self._look_up_parked(batch, missing.keys)

    def _send(self, batch: Batch) -> None:
        """Hand what is decided so far to PostgreSQL: events and receipts."""
        if batch.position > self.partitions_end:
            self._copies.drain()
            self._reach(batch.position)
        events, receipts = batch.take_rows()
        if events or receipts:
            self._copies.send(SQL["append"], events, receipts)

    def _append(self, batch: Batch) -> None:
        """The rest of the rows; then wait until PostgreSQL has them all.

        Meanwhile the cache takes over the states; rolling back makes it forget them.
        """
        self._send(batch)
        self._handed_over = batch.touched
        batch.states.hand_over(batch.touched)
        self._copies.drain()

    def _write_along(self, groups: Sequence[Group], answers: list[list[Answer]]) -> bool:
        """Let callers write what must commit with their groups; whether any did."""
        written = False
        for group, answered in zip(groups, answers, strict=True):
            if group.alongside is not None:
                if any(answer.code == UNAVAILABLE.code for answer in answered):
                    raise NoRoomToPark("a notice finds no room")
                group.alongside(self.connection, answered)
                written = True
        return written

    def _commit(
        self, batch: Batch, head: Head, answers: list[list[Answer]], *, anything_new: bool
    ) -> None:
        if not anything_new and not self._must_confirm(head, answers):
            self.connection.execute("ROLLBACK")
            self._commits, self.position = head.commits, head.position
            return
        self._inbox.write(self._cursor, batch.inbox, batch.recorded_at)
        batch.texts.write(self._cursor)
        self._cursor.execute(SQL["count_commit"], (batch.volume - head.volume,))
        failpoint("after_copy")
        commit(self.connection, answers)
        self._commits = self._confirmed = head.commits + 1
        self.position = batch.position

    def _must_confirm(self, head: Head, answers: list[list[Answer]]) -> bool:
        """Whether replays rest on what this connection never saw confirmed.

        After a crash or a wait for a standby that was broken off, what is visible here may be
        nowhere else. The log of PostgreSQL is one sequence: a commit behind it confirms all.
        """
        return head.commits != self._confirmed and any(
            answer.replayed for answered in answers for answer in answered
        )

    def _find_room(self, head: Head, commands: int) -> None:
        """See in good time how far the log reaches; what needs more is found when it is sent."""
        if head.position + 2 * commands > self.partitions_end:
            self._reach(head.position)

    def _reach(self, position: int) -> None:
        """There must be a partition, or else the row that finds none fails its batch."""
        row = self._cursor.execute(SQL["partitions_end"]).fetchone()
        assert row is not None
        self.partitions_end = row[0]
        if position > self.partitions_end:
            raise NoPartition(f"position {position} is beyond {self.partitions_end}")

    def _roll_back(self) -> None:
        """Leave the transaction if the connection still answers; a broken one is replaced.

        The cache forgets what did not come true and no more, so that one bad command costs nobody
        else a load. Without a connection it cannot be known what came true.
        """
        self._commits = -1
        try:
            self._copies.abandon()
            self.connection.execute("ROLLBACK")
        except psycopg.Error:
            self.connection.close()
            self._cache.drop()
        else:
            self._cache.forget(self._handed_over, self.position)
