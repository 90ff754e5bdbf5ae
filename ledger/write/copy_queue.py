"""What PostgreSQL takes in on its own processor while we decide the next commands.

Queries wait in a line. A query is one or more statements, each COPY … FROM STDIN among them
taking the next of its lists of rows; PostgreSQL goes from one statement to the next by itself.
`pump` moves the query at the front a step further without ever waiting, and is called between
decisions. `drain` waits for all of them; no other statement may run on the connection before
that. An error of PostgreSQL is raised by whichever call learns of it.
"""

import select
from collections import deque

import psycopg
from psycopg import pq

from ledger.failpoints import failpoint
from ledger.log import copy_rows as rows
from ledger.postgres.database import Connection


class CopyQueue:
    """Queries, one after another, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._pgconn = connection.pgconn
        self._waiting: deque[tuple[bytes, tuple[list[bytes], ...]]] = deque()
        self._running = False
        self._packed: deque[list[bytes]] = deque()

    def send(self, query: bytes, *packed: list[bytes]) -> None:
        """Queue a query and the packed rows of each COPY … FROM STDIN (FORMAT binary) in it."""
        self._waiting.append((query, packed))
        self.pump()

    def pump(self) -> None:
        """Go on as far as possible without waiting."""
        while self._waiting or self._running:
            if not self._step():
                return

    def drain(self) -> None:
        """Wait until PostgreSQL has taken in everything."""
        while self._waiting or self._running:
            if not self._step():
                self._wait()

    def abandon(self) -> None:
        """Forget the queue and end what is under way; a COPY that waits for rows, with an error."""
        self._waiting.clear()
        running, self._running = self._running, False
        while running and (result := self._pgconn.get_result()):
            if result.status == pq.ExecStatus.COPY_IN:
                self._pgconn.put_copy_end(b"the batch is abandoned")

    def _step(self) -> bool:
        """One step; False if it has to wait for PostgreSQL."""
        pgconn = self._pgconn
        if not self._running:
            query, packed = self._waiting.popleft()
            self._packed = deque(packed)
            self._running = True
            pgconn.send_query(query)
        if pgconn.flush():
            return False
        pgconn.consume_input()
        if pgconn.is_busy():
            return False
        result = pgconn.get_result()
        if result is None:
            self._running = False
        elif result.status == pq.ExecStatus.COPY_IN:
            pgconn.put_copy_data(b"".join((rows.HEADER, *self._packed.popleft(), rows.TRAILER)))
            pgconn.put_copy_end()
            pgconn.flush()
            failpoint("inside_copy")
        elif result.status != pq.ExecStatus.COMMAND_OK:
            raise _error(result)
        return True

    def _wait(self) -> None:
        events = select.POLLIN | (select.POLLOUT if self._pgconn.flush() else 0)
        poll = select.poll()
        poll.register(self._pgconn.socket, events)
        poll.poll()


def _error(result: "pq.abc.PGresult") -> psycopg.Error:
    message = result.get_error_message()
    state = result.error_field(pq.DiagnosticField.SQLSTATE)
    error = psycopg.OperationalError if state is None else psycopg.errors.lookup(state.decode())
    return error(message)
