"""The head of a book, and whether its clock can be trusted."""

from datetime import datetime

import msgspec

from ledger.write.batch import SKEW_MAX


class Head(msgspec.Struct, frozen=True):
    """The book's head as read under the lock, and the database's clock."""

    position: int
    recorded_at: datetime
    commits: int
    partition_rows: int
    clock: datetime


class ClocksApart(Exception):
    """This process's clock and the database's are more than 5 s apart."""


def check_clock(head: Head, *, here: datetime) -> None:
    """Raise ClocksApart unless the database's clock and ours, `here`, agree."""
    if abs(here - head.clock) > SKEW_MAX:
        raise ClocksApart(f"database {head.clock}, here {here}")
