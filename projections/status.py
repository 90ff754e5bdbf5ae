"""How far the read models are, and waiting for them: read your writes, health, metrics."""

import time
from datetime import datetime

import msgspec

from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.catalogue import PROJECTIONS
from projections.engine.checkpoints import checkpoint

SQL = sql_files.load("checkpoints", "projections")

POLL_S = 0.01
_VERSIONS = {projection.name: projection.version for projection in PROJECTIONS}


class Status(msgspec.Struct, frozen=True):
    """One read model. `lag_events`: events of the log that it has not folded yet; `lag_s`: the age
    of the first of them in seconds.
    """

    name: str
    version: int
    position: int
    lag_events: int
    lag_s: float
    failed_at: int | None
    failure: str | None
    updated_at: datetime
    head: int

    @property
    def outdated(self) -> bool:
        """Whether its tables are of another version than this code."""
        return self.version != _VERSIONS.get(self.name)

    @property
    def healthy(self) -> bool:
        """Whether it has not failed and its tables are of this code's version."""
        return self.failed_at is None and not self.outdated


def status(connection: Connection) -> list[Status]:
    """Every read model of the connection's book, by name; empty before the first is installed."""
    return [Status(*row) for row in connection.execute(SQL["status"])]


def wait_for(connection: Connection, projection: str, min_position: int, timeout_s: float) -> bool:
    """Wait until `projection` has reached `min_position`; False if it has not within the time.

    `connection` must be in autocommit mode. At least one look, whatever the time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        if checkpoint(connection, projection).position >= min_position:
            return True
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(POLL_S, left_s))
