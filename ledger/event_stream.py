"""A COPY into the log that stays open while its rows are still being decided.

PostgreSQL takes in the first rows of a batch on its own processor while the next commands are
being decided on ours. It has to be closed before the connection can run any other statement.
"""

from contextlib import AbstractContextManager, suppress

import psycopg
from psycopg import Copy

from ledger import rows
from ledger.database import Connection
from ledger.failpoints import failpoint


class EventStream:
    """Rows into `statement`, a COPY … FROM STDIN (FORMAT binary); opened by the first write."""

    def __init__(self, connection: Connection, statement: bytes) -> None:
        self._cursor = connection.cursor()
        self._statement = statement
        self._manager: AbstractContextManager[Copy] | None = None
        self._copy: Copy | None = None

    def write(self, packed: list[bytes]) -> None:
        """Send the rows and empty the list."""
        if not packed:
            return
        data = b"".join(packed)
        packed.clear()
        if self._copy is None:
            self._manager = self._cursor.copy(self._statement)
            self._copy = self._manager.__enter__()
            data = rows.HEADER + data
        self._copy.write(data)
        failpoint("inside_copy")

    def close(self) -> None:
        """End the COPY; raises what PostgreSQL had against its rows."""
        if self._copy is None or self._manager is None:
            return
        copy, manager = self._copy, self._manager
        self._copy = self._manager = None
        copy.write(rows.TRAILER)
        manager.__exit__(None, None, None)

    def abandon(self) -> None:
        """Leave an open COPY, so that the connection can roll back."""
        manager, self._copy, self._manager = self._manager, None, None
        if manager is not None:
            reason = psycopg.errors.QueryCanceled("the batch is abandoned")
            with suppress(psycopg.Error):
                manager.__exit__(type(reason), reason, None)
