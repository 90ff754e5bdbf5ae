"""A few connections that many books take in turn, so that books cost PostgreSQL no sessions.

A book takes a connection for one transaction and gives it back. While there are enough for all,
each book finds the one that it had before as it left it; a book that is busy alone takes and gives
back without a word to PostgreSQL. When there are not, a connection is moved to the book's schema:
one that has served the book before if there is one, because it remembers the book's tables and
functions, else the one whose last user is longest away. Who has to wait is served in the order of
coming, for a bounded time.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

import psycopg

from ledger.postgres import sql_files
from ledger.postgres.database import Connection, search_path
from ledger.postgres.deadlines import within

SQL = sql_files.load("connections")

#: How long a book waits for its turn.
WAIT_S = 4.0
#: How long a connection may take to be ready for a book until it is cut.
ENTER_S = 2.0
#: How long nobody tries to connect after it failed, so that a thousand books do not all try.
AWAY_S = 0.05
#: How long no more connections are opened after PostgreSQL had none left.
SHORT_S = 1.0
#: A session keeps in memory what it learned of the tables of each book; after that many different
#: ones it ends.
BOOKS_EACH = 200
NONE_LEFT = "PostgreSQL has no connection left for the service"
_TOO_MANY = ("too many clients", "too many connections", "connection slots are reserved")


class NoConnectionFree(Exception):
    """There is no connection to be had at present."""


class BookConnection:
    """A connection on loan, in the schema of the book that took it.

    `known`: the schemas that its session has been in. `timeline`: the server's. What is known over
    a connection of another one may not be true there: the server may be a standby that was promoted
    before it had everything.
    """

    __slots__ = ("connection", "free_since", "known", "schema", "timeline")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.schema = ""
        self.known: set[str] = set()
        self.free_since = 0.0
        self.timeline = 0

    def enter(self, schema: str) -> None:
        """Make the book's schema the first on the search path."""
        if self.schema != schema:
            with within(self.connection, ENTER_S):
                row = self.connection.execute(SQL["enter"], [search_path(schema)]).fetchone()
            assert row is not None
            self.timeline = row[0]
            self.schema = schema
            self.known.add(schema)


class BookConnections:
    """At most `connections_max` connections; `connect` opens one as the service's role.

    One that nobody took for `idle_s` is closed at the next `close_idle`.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        connections_max: int,
        idle_s: float = 60.0,
        wait_s: float = WAIT_S,
    ) -> None:
        self._connect = connect
        self._max = connections_max
        self._idle_s = idle_s
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._free: list[BookConnection] = []  # the one that is free longest comes first
        self._open = 0
        self._waiting: deque[Future[BookConnection | None]] = deque()
        self._away_until = self._short_until = 0.0
        self._away = ""

    def take(self, schema: str) -> BookConnection:
        """A connection in the book's schema, to be given back whatever happens.

        Raises NoConnectionFree, or what psycopg raises when the database is away.
        """
        taken = self._take(schema, time.monotonic() + self._wait_s)
        try:
            taken.enter(schema)
        except BaseException:
            taken.connection.close()
            self.give_back(taken)
            raise
        return taken

    def give_back(self, taken: BookConnection, *, broken: bool = False) -> None:
        """Let the next one have it; one that is `broken` or in a transaction is closed.

        One that is broken means that all may be: those that are free are closed with it.
        """
        connection = taken.connection
        if broken or not _reusable(taken):
            if broken or connection.closed:
                self.close_idle(0.0)
            with suppress(psycopg.Error):
                connection.close()
            self._pass_on(None)
            return
        taken.free_since = time.monotonic()
        self._pass_on(taken)

    def close_idle(self, idle_s: float | None = None) -> None:
        """Close the connections that nobody took for `idle_s`, by default the usual time."""
        since = time.monotonic() - (self._idle_s if idle_s is None else idle_s)
        with self._lock:
            idle = [free for free in self._free if free.free_since <= since]
            self._free = [free for free in self._free if free.free_since > since]
            self._open -= len(idle)
        for free in idle:
            with suppress(psycopg.Error):
                free.connection.close()

    def _take(self, schema: str, give_up_at: float) -> BookConnection:
        turn: Future[BookConnection | None] | None
        while True:
            with self._lock:
                found = None if self._waiting else self._free_for(schema)
                if found is not None:
                    return found
                now = time.monotonic()
                room = self._open < self._max and now >= self._short_until
                if room:
                    self._may_connect(now)
                    self._open += 1
                    turn = None
                elif not self._open:
                    raise NoConnectionFree(NONE_LEFT)
                else:
                    turn = Future()
                    self._waiting.append(turn)
            if turn is not None:
                passed_on = self._wait(turn, give_up_at)
                if passed_on is not None:
                    return passed_on
            opened = self._opened()
            if opened is not None:
                return opened

    def _free_for(self, schema: str) -> BookConnection | None:
        """The free connection that the book had last; another only if no more may be opened.

        Which one then: see the top of this file.
        """
        for at in range(len(self._free) - 1, -1, -1):
            if self._free[at].schema == schema:
                return self._free.pop(at)
        if self._free and (self._open >= self._max or time.monotonic() < self._short_until):
            knowing = (at for at, free in enumerate(self._free) if schema in free.known)
            return self._free.pop(next(knowing, 0))
        return None

    def _may_connect(self, now: float) -> None:
        if now < self._away_until:
            raise psycopg.OperationalError(self._away)

    def _opened(self) -> BookConnection | None:
        """A new connection in the place that was kept for it; None if PostgreSQL has none left."""
        try:
            return BookConnection(self._connect())
        except psycopg.OperationalError as error:
            if any(text in str(error) for text in _TOO_MANY):
                self._do_with_fewer()
                return None
            self._away, self._away_until = str(error), time.monotonic() + AWAY_S
            self._pass_on(None)
            raise
        except BaseException:
            self._pass_on(None)
            raise

    def _do_with_fewer(self) -> None:
        """PostgreSQL refused one more: those that we have must do, if we have any."""
        with self._lock:
            self._short_until = time.monotonic() + SHORT_S
            self._open -= 1
            while self._waiting and not self._open:
                self._waiting.popleft().set_exception(NoConnectionFree(NONE_LEFT))

    def _wait(
        self, turn: "Future[BookConnection | None]", give_up_at: float
    ) -> BookConnection | None:
        """What was passed on to us: a connection, or the place to open one (None)."""
        try:
            return turn.result(max(0.0, give_up_at - time.monotonic()))
        except TimeoutError:
            with self._lock:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                    raise NoConnectionFree(
                        f"all {self._open} connections that books share have been in use "
                        f"for {self._wait_s:g} s"
                    ) from None
            return turn.result()

    def _pass_on(self, taken: BookConnection | None) -> None:
        """Give a connection, or the place of one that is no more, to whoever waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set_result(taken)
            elif taken is None:
                self._open -= 1
            else:
                self._free.append(taken)


def _reusable(taken: BookConnection) -> bool:
    status = taken.connection.info.transaction_status
    return status == psycopg.pq.TransactionStatus.IDLE and len(taken.known) < BOOKS_EACH
