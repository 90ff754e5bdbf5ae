"""Entries that are effective on another day than the one they were recorded on.

Almost every fact is recorded on the day it is effective on. So what an account stood at on a date,
as known at a position, is its balance at the last position of that day, and a few lines more or
less: the late ones, and the early ones.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from psycopg import Cursor

from ledger.log import reading
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.write.business_days import BusinessDays
from projections.engine.entries import PlacedEntry

SQL = sql_files.load("late_entries", "projections")


def business_days(cursor: Cursor[Any]) -> BusinessDays:
    """The days of the book whose log is read, in its zone."""
    (zone,) = cursor.execute(SQL["zone"]).fetchone() or ("UTC",)
    return BusinessDays(zone)


class LateEntries:
    """Finds them by the days of the book's zone, for which it asks once."""

    def __init__(self) -> None:
        self._days: BusinessDays | None = None

    def of(
        self, cursor: Cursor[Any], page: Sequence[PlacedEntry]
    ) -> Iterator[tuple[PlacedEntry, date]]:
        """Those of a page, each with the day on which it was recorded. An entry keeps that day for
        whoever looks at it next."""
        days = self._days = self._days or business_days(cursor)
        for entry in page:
            recorded_on = entry.recorded_on
            if recorded_on is None:
                recorded_on = entry.recorded_on = days.of(entry.recorded_at)
            if recorded_on != entry.effective_on:
                yield entry, recorded_on


def net_amounts(entry: PlacedEntry) -> dict[tuple[str, str], int]:
    """What an entry does to each account and asset, a debit being positive."""
    amounts: dict[tuple[str, str], int] = {}
    for account, asset, amount in entry.postings:
        amounts[account, asset] = amounts.get((account, asset), 0) + amount
    return amounts


def last_of_day(connection: Connection, day: date) -> int:
    """The last position recorded by the end of `day` in the book's zone; 0 before the first. The
    last day of the calendar has no end."""
    if day == date.max:
        return reading.POSITION_MAX
    row = connection.execute(SQL["day_end"], (day,)).fetchone()
    return reading.position_at(connection, row[0]) if row else 0
