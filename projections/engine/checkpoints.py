"""Where a projection stands."""

from typing import NamedTuple

from ledger.postgres import sql_files
from ledger.postgres.database import Connection

SQL = sql_files.load("checkpoints", "projections")


class Checkpoint(NamedTuple):
    """Of which version a projection's tables are, and up to where in the log they are kept."""

    version: int
    position: int


def checkpoint(connection: Connection, name: str) -> Checkpoint:
    """That of the projection called `name`; zeros where there is none."""
    row = connection.execute(SQL["read"], (name,)).fetchone()
    return Checkpoint(*row[:2]) if row else Checkpoint(0, 0)
