"""Tiers in a simulated year: at the end of each day its sales are read, and what is due is sent."""

from datetime import datetime

from ledger.books import Book
from ledger.postgres.database import Connection, Database
from ledger.scheduling.agenda import TakenItem
from projections.models.tiers import Tiers
from projections.rebuild import catch_up
from projections.tier_changes import due_changes

CHANGES_MAX = 1_000


class DueTiers:
    """Which tiers of a book are due to change by a told time."""

    def __init__(self, where: Database, book: Book, connection: Connection) -> None:
        self._where, self._book, self._connection = where, book, connection

    def __call__(self, until: datetime) -> list[TakenItem]:
        """The changes that are due by `until`, the first first."""
        catch_up(self._where.service_url, self._book.schema, [Tiers])
        return due_changes(self._connection, self._book, CHANGES_MAX, until).changes
