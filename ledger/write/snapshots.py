"""What is written behind the writer's back: snapshots, and partitions ahead of need.

A thread of its own. Losing what it was given costs time on a later load, never truth, so it drops
what it cannot write. Entities with too long a tail are folded here, a page at a time and each in
its turn, so that the writer need not hold the lock for them.
"""

import threading

from ledger import logs
from ledger.postgres import sql_files
from ledger.postgres.book_connections import BookConnections
from ledger.postgres.database import Connection
from ledger.postgres.deadlines import within
from ledger.write.state_cache import Snapshot
from ledger.write.state_loading import shorten, write

SNAPSHOTS_MAX = 200_000
CHUNK = 2_000
#: How long one round of writing may take until its connection is cut, and how long stopping may.
WRITE_S = 30.0
STOP_S = 5.0
#: Entities that wait to have their tails shortened; more are dropped until they are needed again.
LONG_MAX = 10_000

SQL = sql_files.load("sequencer")
log = logs.get_logger(__name__)


class Snapshotter:
    """Writes a book's snapshots and makes its partitions, over connections that books share."""

    def __init__(self, connections: BookConnections, schema: str) -> None:
        self._connections = connections
        self._schema = schema
        self._due: dict[str, Snapshot] = {}
        #: Of the server whose history they are of.
        self._timeline = 0
        self._long: dict[str, None] = {}
        self._partitions_due = False
        self._stopping = False
        self._wake = threading.Condition()
        self._thread = threading.Thread()

    def start(self) -> None:
        """Begin to write, also anew after `stop`."""
        self._thread = threading.Thread(target=self._run, name="snapshotter", daemon=True)
        self._thread.start()

    def offer(self, snapshots: list[Snapshot], timeline: int) -> None:
        """Queue snapshots of what was committed on `timeline`; what is beyond the bound is dropped.

        They are written on no other timeline: after a failover that lost some of it, they would
        tell of what never happened.
        """
        with self._wake:
            if timeline != self._timeline:
                self._due.clear()
                self._timeline = timeline
            room = SNAPSHOTS_MAX - len(self._due)
            self._due.update((snapshot.entity, snapshot) for snapshot in snapshots[:room])
            self._wake.notify()

    def shorten(self, keys: list[str]) -> None:
        """Ask for snapshots of entities whose tails are too long."""
        with self._wake:
            room = LONG_MAX - len(self._long)
            self._long.update(dict.fromkeys(keys[:room]))
            self._wake.notify()

    @property
    def long(self) -> int:
        """Entities whose tails are being shortened."""
        return len(self._long)

    def add_partitions(self) -> None:
        """Ask for two empty partitions ahead of the head."""
        with self._wake:
            self._partitions_due = True
            self._wake.notify()

    def stop(self) -> None:
        """Write what waits, unless that cannot be done at once, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(STOP_S)
        self._stopping = False

    def _run(self) -> None:
        while True:
            with self._wake:
                while not (self._due or self._partitions_due or self._long or self._stopping):
                    self._wake.wait()
                if self._stopping and not (self._due or self._partitions_due):
                    return
                key = next(iter(self._long), None)
                due = [self._due.pop(key) for key in list(self._due)[:CHUNK]]
                timeline = self._timeline
                partitions, self._partitions_due = self._partitions_due, False
            try:
                self._work(due, timeline, key, partitions=partitions)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the next ones may succeed
                log.warning("snapshots or partitions not written", error=repr(error))
                if key is not None:
                    self._long.pop(key, None)  # whoever needs it asks again
                if self._stopping:
                    return

    def _work(
        self, due: list[Snapshot], timeline: int, key: str | None, *, partitions: bool
    ) -> None:
        taken = self._connections.take(self._schema)
        if due and taken.timeline != timeline:
            log.info("snapshots dropped after a failover", count=len(due))
            due = []
        try:
            with within(taken.connection, WRITE_S):
                self._write(taken.connection, due, partitions=partitions)
                if key is not None:
                    self._fold_on(taken.connection, key)
        finally:
            self._connections.give_back(taken)

    def _fold_on(self, connection: Connection, key: str) -> None:
        """One page of a long tail; then it is another's turn."""
        more = shorten(connection, key)
        with self._wake:
            del self._long[key]
            if more:
                self._long[key] = None
        if not more:
            log.info("a long history has a snapshot", entity=key)

    def _write(self, connection: Connection, due: list[Snapshot], *, partitions: bool) -> None:
        if partitions:
            row = connection.execute(SQL["add_partitions"]).fetchone()
            if row is not None and row[0]:
                log.info("partitions made", count=row[0])
        if due:
            write(connection, due)
