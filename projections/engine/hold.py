"""Holds a read model's checkpoint still while its tables are compared or swapped.

Its runner leaves it out meanwhile. A holder that is frozen loses its session, and with it the
checkpoint, by PostgreSQL's limit for sessions that are idle within a transaction; one that works
elsewhere in the meantime says so now and then.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from ledger.failpoints import failpoint
from ledger.postgres import database, sql_files
from ledger.postgres.database import Connection

SQL = sql_files.load("checkpoints", "projections")


@contextmanager
def held(holder: Connection, checkpoint: str, *, wait_s: float | None = None) -> Iterator[int]:
    """The position at which `checkpoint` is held until the end of the block; 0 if there is none.

    All that `holder` does in the block is one transaction. Raises LockNotAvailable if somebody
    else holds it, or one of its tables, for over `wait_s`.
    """
    with holder.transaction():
        if wait_s is not None:
            holder.execute(SQL["limit_lock_wait"], [f"{wait_s:g}s"])
        row = holder.execute(SQL["lock"], [checkpoint]).fetchone()
        failpoint("checkpoint_held")
        done = threading.Event()
        renewing = threading.Thread(target=_renew, args=(holder, done), daemon=True)
        renewing.start()
        try:
            yield 0 if row is None else row[1]
        finally:
            done.set()
            renewing.join()


def _renew(holder: Connection, done: threading.Event) -> None:
    while not done.wait(database.IDLE_IN_TRANSACTION_S / 3):
        with suppress(psycopg.Error):  # whoever uses the connection next learns of it
            holder.execute("SELECT")
