"""The head of a book, and whether its clock can be trusted."""

from datetime import datetime

import msgspec

from ledger.clock import ClockGuard
from ledger.write.batch import SKEW_MAX


class Head(msgspec.Struct, frozen=True):
    """The book's head as read under the lock, and the database's clock."""

    position: int
    recorded_at: datetime
    commits: int
    partition_rows: int
    #: Notices that wait for their referent.
    parked: int
    #: All debits that were ever posted.
    volume: int
    clock: datetime


class ClocksApart(Exception):
    """This process's clock and the database's are more than 5 s apart."""


def check_clock(head: Head, guard: ClockGuard, before: datetime, after: datetime) -> None:
    """Raise ClocksApart or ClockJumped unless the database's clock can be believed.

    It was read between `before` and `after` on our own clock.
    """
    if not before - SKEW_MAX <= head.clock <= after + SKEW_MAX:
        raise ClocksApart(f"database {head.clock}, here {after}")
    guard.check(head.clock, head.recorded_at)
