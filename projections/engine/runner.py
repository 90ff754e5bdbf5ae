"""One book's read models kept up to date over one connection: page in, tables and checkpoint out.

Every projection has a lock of its own, so several processes may share a book's projections, and
whoever dies is replaced. Whoever hangs is, too: the lock is a lease that every statement of its
session renews, and the session of one that is over is ended by those who stand by.

A page is read and decoded once for all projections that are due, and written with their new
checkpoints: a short one by all of them in one transaction, a long one by each in its own. Where
that fails each goes on alone: one that fails stops at the exact event, and says why in its
checkpoint; it never skips. Whoever rebuilds or verifies may hold a checkpoint for a while; the
others go on meanwhile.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import psycopg

from ledger import logs
from ledger.log import reading
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.entries import PlacedEntry, decoded
from projections.engine.projection import Projection

SQL = sql_files.load("checkpoints", "projections")

#: Events in memory at a time.
READ_EVENTS = 5_000
#: Events that become one transaction of a projection that is far behind.
PAGE_EVENTS_MAX = 16_000
#: Pages up to that long are written by all projections in one transaction.
TOGETHER_EVENTS_MAX = 1_000
TAKE_OVER_EVERY_S = 0.5
#: How long a holder of a lock may ask its session nothing, and how often others look.
LEASE_S = 15.0
LOOK_FOR_STALLED_EVERY_S = 5.0
#: After how long it is tried again to write what somebody else held.
HELD_S = 0.2
RETRY_FIRST_S = 5.0
RETRY_MAX_S = 300.0
FAILURE_CHARS_MAX = 500

log = logs.get_logger(__name__)


class Follower:
    """A projection's place in the log, in this process."""

    def __init__(self, projection: Projection) -> None:
        self.projection = projection
        self.held = False
        self.position = 0
        #: When the checkpoint was last written; another time than ours means other tables.
        self.updated_at: datetime | None = None
        self.failed_at: int | None = None
        self.failure: str | None = None
        #: The version of the tables, if that is not ours.
        self.outdated: int | None = None
        self._failures = 0
        self._retry_at = 0.0

    @property
    def runs(self) -> bool:
        """Whether this process is to move it on now."""
        return self.held and time.monotonic() >= self._retry_at

    @property
    def place(self) -> list[Any]:
        """What its checkpoint says unless the tables were replaced under it."""
        return [self.projection.version, self.position, self.updated_at]

    def moved(self, position: int) -> None:
        """Note that it has reached `position`."""
        self.position = position
        self.failed_at = self.failure = None
        self._failures = 0
        self._retry_at = 0.0

    def wait(self) -> None:
        """Drop what was folded: somebody who rebuilds or verifies holds the checkpoint."""
        self.projection.forget()
        self._retry_at = time.monotonic() + HELD_S

    def stopped(self, position: int, failure: str) -> None:
        """Note that it fails at `position`; it is tried again, each time after a longer pause."""
        self.failed_at, self.failure = position, failure
        pause_s = min(RETRY_FIRST_S * 2**self._failures, RETRY_MAX_S)
        self._failures += 1
        self._retry_at = time.monotonic() + pause_s


class Runner:
    """Moves the projections of one book whose locks it holds.

    `connection`: autocommit, the book's schemas on its search path. After an error of the
    connection the runner is of no more use.
    """

    def __init__(self, connection: Connection, projections: Sequence[Projection]) -> None:
        self.followers = [Follower(projection) for projection in projections]
        self._connection = connection
        self._take_over_at = 0.0
        self._look_for_stalled_at = 0.0

    def take_over(self) -> None:
        """Take the locks that are free; those of other processes are tried again and again."""
        if time.monotonic() < self._take_over_at:
            return
        self._take_over_at = time.monotonic() + TAKE_OVER_EVERY_S
        for follower in self.followers:
            if not follower.held and self._one(SQL["take"], follower)[0]:
                self._start(follower)
        self._end_stalled()

    def _end_stalled(self) -> None:
        """End the sessions of holders that hang; their locks are free at the next try."""
        if time.monotonic() < self._look_for_stalled_at:
            return
        self._look_for_stalled_at = time.monotonic() + LOOK_FOR_STALLED_EVERY_S
        for follower in self.followers:
            if not follower.held:
                values = follower.projection.checkpoint, LEASE_S
                for (pid,) in self._connection.execute(SQL["end_stalled"], values):
                    log.warning("a projector hangs", projection=values[0], backend=pid)

    def follow_alone(self) -> None:
        """Start without locks: for tables that nobody else can see."""
        for follower in self.followers:
            self._start(follower)

    def let_go(self) -> None:
        """Give the locks back, and forget what is in memory."""
        for follower in self.followers:
            if follower.held:
                follower.held = False
                self._one(SQL["release"], follower)

    def step(self, target: int | None = None) -> int:
        """Move every projection that is due by at most one page, up to the head or `target`.

        Answers how many events of the log were passed; 0 when nothing is due.
        """
        head = self.head() if target is None else target
        due = [f for f in self.followers if f.runs and f.position < head]
        if not due:
            return 0
        start = min(follower.position for follower in due)
        end = min(head, start + PAGE_EVENTS_MAX)
        due = [follower for follower in due if follower.position < end]
        self._advance(due, start, end)
        return end - start

    def head(self) -> int:
        """The last position of the log."""
        return reading.head(self._connection)

    def _start(self, follower: Follower) -> None:
        version, position, follower.updated_at = self._one(SQL["read"], follower)
        follower.projection.forget()
        follower.held = True
        follower.moved(position)
        if version != follower.projection.version:
            self._leave_to_others(follower, version)

    def _leave_to_others(self, follower: Follower, version: int) -> None:
        """Tables of another version belong to processes with that code, until a rebuild."""
        follower.held = False
        self._one(SQL["release"], follower)
        if follower.outdated != version:
            follower.outdated = version
            name, ours = follower.projection.name, follower.projection.version
            log.warning("projection of another version", projection=name, here=ours, there=version)

    def _advance(self, due: Sequence[Follower], start: int, end: int) -> None:
        """Read once, fold in memory, then write; one that fails goes on alone."""
        folded = list(due)
        try:
            for page in self._pages(due, start, end):
                for follower in tuple(folded):
                    if not _fold(follower, page):
                        folded.remove(follower)
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 -- an entry that cannot be read; where, below
            log.warning("page not readable", after=start, until=end, error=repr(error))
            folded.clear()
        failed = [follower for follower in due if follower not in folded]
        together = end - start <= TOGETHER_EVENTS_MAX
        for group in [folded] if together else [[follower] for follower in folded]:
            if group and not self._written(group, end):
                failed.extend(group)
        for follower in failed:
            follower.projection.forget()
            self._find_failure(follower, end)

    def _pages(self, due: Sequence[Follower], start: int, end: int) -> Iterator[list[PlacedEntry]]:
        bodies = any(follower.projection.bodies for follower in due)
        for after in range(start, end, READ_EVENTS):
            rows = reading.whole_page(self._connection, after, min(after + READ_EVENTS, end))
            yield decoded(rows, bodies=bodies)

    def _written(self, followers: Sequence[Follower], end: int) -> bool:
        """Write what was folded, or nothing; False if it cannot be written."""
        try:
            self._write(followers, end)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, it stops this one only
            names = [follower.projection.name for follower in followers]
            log.warning("page not written", projections=names, error=repr(error))
            return False
        return True

    def _write(self, followers: Sequence[Follower], end: int) -> None:
        """Write what was folded and the checkpoints, all or nothing.

        What somebody else holds at present is left for later, and whose tables were swapped starts
        anew.
        """
        with self._connection.transaction(), self._connection.cursor() as cursor:
            names = [follower.projection.checkpoint for follower in followers]
            found = cursor.execute(SQL["lock_free"], (names,)).fetchall()
            places = {name: place for name, *place in found}
            ours = [one for one in followers if places.get(one.projection.checkpoint) == one.place]
            for follower in ours:
                follower.projection.write(cursor)
            names = [follower.projection.checkpoint for follower in ours]
            stamp = cursor.execute(SQL["advance"], (end, names)).fetchone()
        for follower in followers:
            if follower in ours and stamp is not None:
                follower.updated_at = stamp[0]
                follower.moved(end)
            elif follower.projection.checkpoint in places:
                log.info("projection swapped", projection=follower.projection.name)
                self._start(follower)
            else:
                follower.wait()

    def _find_failure(self, follower: Follower, end: int) -> None:
        """Halve the page until one event is left that fails; write what precedes it, record it."""
        projection = follower.projection
        size = end - follower.position
        while follower.runs and follower.position < end:
            size = min(size, end - follower.position)
            until = follower.position + size
            try:
                for page in self._pages((follower,), follower.position, until):
                    projection.fold(page)
                self._write((follower,), until)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                raise
            except Exception as error:  # noqa: BLE001 -- recorded with its event below
                projection.forget()
                if size == 1:
                    self._record_failure(follower, until, error)
                    return
                size //= 2

    def _record_failure(self, follower: Follower, position: int, error: Exception) -> None:
        failure = f"{type(error).__name__}: {error}"[:FAILURE_CHARS_MAX]
        name = follower.projection.checkpoint
        log.error("projection failed", projection=name, position=position, failure=failure)
        follower.stopped(position, failure)
        stamp = self._connection.execute(SQL["fail"], (position, failure, name)).fetchone()
        follower.updated_at = stamp[0] if stamp else None

    def _one(self, query: bytes, follower: Follower) -> tuple[Any, ...]:
        row = self._connection.execute(query, (follower.projection.checkpoint,)).fetchone()
        assert row is not None
        return row


def _fold(follower: Follower, page: list[PlacedEntry]) -> bool:
    """Fold what lies beyond the follower's position; False if it fails."""
    if page[-1].position <= follower.position:
        return True
    if page[0].position <= follower.position:
        page = page[follower.position - page[0].position + 1 :]
    try:
        follower.projection.fold(page)
    except Exception as error:  # noqa: BLE001 -- found and recorded with its event later
        log.warning("page not folded", projection=follower.projection.name, error=repr(error))
        return False
    return True
