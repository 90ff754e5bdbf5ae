"""The relay's place in the log, and whose turn it is to publish.

Each function takes an autocommit connection with the book's schema first on its search path. The
turn is a lease: whoever lets it run out, frozen or cut off, loses it to the next, and finds out
because the epoch has moved on.

What can be read on a server need not survive it: after a crash, or a wait for the standby that
somebody cancelled, entries are visible that the standby may lack. PostgreSQL's log is one sequence,
so a commit of the relay's own, confirmed, proves whatever was visible to it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.postgres.warnings import warnings_of

SQL = sql_files.load("relay")


class TurnLost(Exception):
    """Another relay has taken over."""


class Unconfirmed(Exception):
    """PostgreSQL did not wait for its standby: what is visible here may be nowhere else."""


class Turn(msgspec.Struct, frozen=True):
    """The right to publish after `position`. `topic_id`: where that was acknowledged."""

    epoch: int
    position: int
    topic_id: UUID | None


class RelayStatus(msgspec.Struct, frozen=True):
    """How far a book's log is published. `lag_s`: the age of the first event that is not."""

    position: int
    head: int
    lag_s: float
    running: bool
    holder: str | None
    published_at: datetime | None

    @property
    def lag_events(self) -> int:
        """Events that are recorded and not yet published."""
        return max(0, self.head - self.position)

    @property
    def ever_ran(self) -> bool:
        """Whether this book was ever published anywhere."""
        return self.published_at is not None


def take_turn(connection: Connection, holder: str, *, lease_s: float) -> Turn | None:
    """The turn, or None while somebody else has it."""
    row = connection.execute(SQL["take_turn"], {"holder": holder, "lease_s": lease_s}).fetchone()
    return Turn(*row) if row else None


def save(
    connection: Connection, turn: Turn, position: int, topic_id: UUID, *, lease_s: float
) -> int:
    """Everything up to `position` is with the broker.

    Answers up to where the log is safe; raises TurnLost, Unconfirmed.
    """
    values = {"position": position, "topic_id": topic_id, "epoch": turn.epoch, "lease_s": lease_s}
    return _confirmed(connection, "save", turn, values)


def keep_turn(connection: Connection, turn: Turn, *, lease_s: float) -> int:
    """A longer lease. Answers up to where the log is safe; raises TurnLost, Unconfirmed."""
    values: dict[str, Any] = {"epoch": turn.epoch, "lease_s": lease_s}
    return _confirmed(connection, "keep_turn", turn, values)


def _confirmed(connection: Connection, query: str, turn: Turn, values: dict[str, Any]) -> int:
    """The head that was visible to a statement that is committed wherever commits have to be."""
    with warnings_of(connection) as warnings:
        row = connection.execute(SQL[query], values).fetchone()
    if row is None:
        raise TurnLost(turn.epoch)
    if warnings:
        raise Unconfirmed(warnings[0])
    return int(row[0])


def give_turn_back(connection: Connection, turn: Turn) -> None:
    """Let the next relay begin at once."""
    connection.execute(SQL["give_turn_back"], (turn.epoch,))


def set_back(connection: Connection, position: int) -> None:
    """Have everything after `position` published again."""
    connection.execute(SQL["set_back"], (position,))


def status(connection: Connection) -> RelayStatus:
    """How far the book's log is published."""
    row = connection.execute(SQL["status"]).fetchone()
    assert row is not None
    return RelayStatus(row[0], row[1], row[2], bool(row[3]), row[4], row[5])
