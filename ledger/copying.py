"""What PostgreSQL takes in on its own processor while we decide the next commands.

Jobs, which are COPYs and statements without an answer, wait in a queue; `pump` moves the one at
its front a step further without ever waiting, and is called between decisions. `drain` waits for
all of them; no other statement may run on the connection before that. An error of PostgreSQL is
raised by whichever call learns of it.
"""

import select
from collections import deque
from typing import NamedTuple

import psycopg
from psycopg import pq

from ledger import rows
from ledger.database import Connection
from ledger.failpoints import failpoint

_ASKED = "asked"  # COPY is sent; PostgreSQL has not yet said that it is ready for rows
_SENT = "sent"  # rows and their end are sent; PostgreSQL has not yet said that it has them


class _Job(NamedTuple):
    statement: bytes
    packed: list[bytes] | None
    parameters: list[bytes]


class CopyQueue:
    """Jobs, one after another, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._pgconn = connection.pgconn
        self._jobs: deque[_Job] = deque()
        self._state: str | None = None

    def copy(self, statement: bytes, packed: list[bytes]) -> None:
        """Queue packed rows for a COPY … FROM STDIN (FORMAT binary)."""
        if packed:
            self._jobs.append(_Job(statement, packed, []))
            self.pump()

    def run(self, statement: bytes, *parameters: int) -> None:
        """Queue a statement that answers nothing; its parameters are $1, $2 …"""
        self._jobs.append(_Job(statement, None, [b"%d" % value for value in parameters]))
        self.pump()

    def pump(self) -> None:
        """Go on as far as possible without waiting."""
        while self._jobs or self._state is not None:
            if not self._step():
                return

    def drain(self) -> None:
        """Wait until PostgreSQL has taken in everything."""
        while self._jobs or self._state is not None:
            if not self._step():
                self._wait()

    def abandon(self) -> None:
        """Forget the queue and end a COPY that is under way with an error."""
        self._jobs.clear()
        if self._state is None:
            return
        try:
            self.drain_asked()
            if self._pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                while self._pgconn.get_result():
                    pass
        finally:
            self._state = None

    def drain_asked(self) -> None:
        """Refuse to send rows for a COPY that PostgreSQL is ready for."""
        if self._state == _ASKED:
            self._pgconn.get_result()
            self._pgconn.put_copy_end(b"the batch is abandoned")
            self._flush_all()

    def _step(self) -> bool:
        """One step; False if it has to wait for PostgreSQL."""
        pgconn = self._pgconn
        if self._state is None:
            self._begin(self._jobs[0])
        if pgconn.flush():
            return False
        pgconn.consume_input()
        if pgconn.is_busy():
            return False
        result = pgconn.get_result()
        if self._state == _ASKED:
            _expect(result, pq.ExecStatus.COPY_IN)
            packed = self._jobs.popleft().packed or []
            pgconn.put_copy_data(b"".join((rows.HEADER, *packed, rows.TRAILER)))
            pgconn.put_copy_end()
            pgconn.flush()
            failpoint("inside_copy")
            self._state = _SENT
        elif result is not None:
            _expect(result, pq.ExecStatus.COMMAND_OK)
        else:
            self._state = None
        return True

    def _begin(self, job: _Job) -> None:
        if job.packed is not None:
            self._pgconn.send_query(job.statement)
            self._state = _ASKED
        else:
            self._jobs.popleft()
            self._pgconn.send_query_params(job.statement, job.parameters)
            self._state = _SENT

    def _wait(self) -> None:
        events = select.POLLIN | (select.POLLOUT if self._pgconn.flush() else 0)
        poll = select.poll()
        poll.register(self._pgconn.socket, events)
        poll.poll()

    def _flush_all(self) -> None:
        while self._pgconn.flush():
            self._wait()


def _expect(result: "pq.abc.PGresult | None", status: pq.ExecStatus) -> None:
    if result is None or result.status != status:
        message = "the connection broke" if result is None else result.get_error_message()
        state = None if result is None else result.error_field(pq.DiagnosticField.SQLSTATE)
        error = psycopg.OperationalError if state is None else psycopg.errors.lookup(state.decode())
        raise error(message)
