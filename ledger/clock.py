"""Whether the database's clock can be believed.

Nothing in a log is undone, so a clock that stood a year ahead for three seconds would leave the
year ahead in the book for ever, and everything that has an end would be over. What the clock says
is therefore measured against a second one that nobody can set: the time since the machine began.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ledger.postgres import sql_files
from ledger.postgres.database import Connection

SQL = sql_files.load("sequencer")
#: So far ahead of what has passed since it was first read a clock may be, and this share of it.
JUMP_MAX = timedelta(seconds=60)
DRIFT_MAX = 0.001
#: So long after the last event of its book a clock may be when a process reads it first.
PAUSE_MAX = timedelta(days=31)
#: Before this nothing was recorded: the book is new.
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)


class ClockJumped(Exception):
    """The database's clock is further ahead than time can have passed."""


def since_boot_s() -> float:
    """Seconds since the machine began, those in which it was suspended included."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class ClockGuard:
    """What one process knows of the time in one book."""

    def __init__(self, elapsed_s: Callable[[], float] = since_boot_s) -> None:
        self._elapsed_s = elapsed_s
        self._began: tuple[datetime, float] | None = None

    def check(self, clock: datetime, recorded_at: datetime) -> None:
        """Raise ClockJumped if `clock` cannot be right in a book whose last event is of
        `recorded_at`.

        A clock that was set back is followed. One that is set ahead is believed once the book's
        own time is there: an administrator's word is to put it there.
        """
        now_s = self._elapsed_s()
        if self._began is None:
            if recorded_at > _FIRST and clock > recorded_at + PAUSE_MAX:
                raise ClockJumped(_told(clock, recorded_at, "the last event was recorded at"))
            self._began = clock, now_s
            return
        began, began_s = self._began
        passed = timedelta(seconds=now_s - began_s)
        ahead = clock - (began + passed)
        if ahead <= timedelta(0):
            self._began = clock, now_s
        elif ahead > JUMP_MAX + passed * DRIFT_MAX:
            if clock > recorded_at + JUMP_MAX:
                expected = began + passed
                raise ClockJumped(_told(clock, expected, "by the time that has passed it is"))
            self._began = clock, now_s


def _told(clock: datetime, other: datetime, what: str) -> str:
    return (
        f"the database's clock says {clock:%Y-%m-%dT%H:%M:%SZ}, {what} {other:%Y-%m-%dT%H:%M:%SZ}; "
        "if the clock is right, run `tokenledger clock --accept`"
    )


def accept(connection: Connection) -> tuple[datetime, datetime]:
    """Take an administrator's word that the clock is right, for the book that `connection` is in.

    Answers the clock, and when the book's last event was recorded.
    """
    times = read(connection)
    connection.execute(SQL["accept_clock"])
    return times


def read(connection: Connection) -> tuple[datetime, datetime]:
    """The database's clock, and when the book's last event was recorded."""
    row = connection.execute(SQL["times"]).fetchone()
    assert row is not None
    return row[0], row[1]
