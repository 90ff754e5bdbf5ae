"""Parked notices that are given up: what they speak of will never come.

Nothing was ever posted for them, so nothing is now. They stay in the inbox, as ignored ones, and
what they await does not release them any more, should it come after all.
"""

from ledger.postgres import sql_files
from ledger.postgres.database import Connection

SQL = sql_files.load("inbox")


def drop(connection: Connection, processor: str, command: str, processor_ref: str) -> str | None:
    """Give up a parked notice; the tag that it awaited, None where no such notice is parked.

    `connection` is in the book's schema and in no transaction. Raises psycopg's `LockNotAvailable`
    where whoever writes to the book holds it for too long.
    """
    named = {"processor": processor, "command": command, "processor_ref": processor_ref}
    with connection.transaction():
        connection.execute(SQL["patience"])
        connection.execute(SQL["lock"])
        row = connection.execute(SQL["drop"], named).fetchone()
    return None if row is None else str(row[0])
