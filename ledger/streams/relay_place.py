"""The relay's place in the log, and whose turn it is to publish.

Each function takes an autocommit connection with the book's schema first on its search path. The
turn is a lease: whoever lets it run out, frozen or cut off, loses it to the next, and finds out
because the epoch has moved on.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from ledger.postgres import sql_files
from ledger.postgres.database import Connection

SQL = sql_files.load("relay")


class TurnLost(Exception):
    """Another relay has taken over."""


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
) -> None:
    """Everything up to `position` is with the broker; raises TurnLost."""
    values = {"position": position, "topic_id": topic_id, "epoch": turn.epoch, "lease_s": lease_s}
    if connection.execute(SQL["save"], values).fetchone() is None:
        raise TurnLost(turn.epoch)


def keep_turn(connection: Connection, turn: Turn, *, lease_s: float) -> None:
    """A longer lease; raises TurnLost."""
    values = {"epoch": turn.epoch, "lease_s": lease_s}
    if connection.execute(SQL["keep_turn"], values).fetchone() is None:
        raise TurnLost(turn.epoch)


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
