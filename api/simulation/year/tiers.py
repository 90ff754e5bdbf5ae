"""Tiers in a simulated year: at the end of each day its sales are read, and what is due is sent."""

from datetime import datetime

from api.simulation.year.run import PlanRefused
from ledger.books import Book
from ledger.log.reading import head
from ledger.postgres.database import Connection, Database, search_path
from ledger.scheduling.agenda import TakenItem
from projections.models.tiers import Tiers
from projections.rebuild import catch_up
from projections.status import wait_for
from projections.tier_changes import due_changes

CHANGES_MAX = 1_000
#: How long whoever else follows the book's log may take for a day of it.
CAUGHT_UP_WITHIN_S = 60.0


class DueTiers:
    """Which tiers of a book are due to change by a told time."""

    def __init__(self, where: Database, book: Book, connection: Connection) -> None:
        self._where, self._book, self._connection = where, book, connection

    def __call__(self, until: datetime) -> list[TakenItem]:
        """The changes that are due by `until`, the first first."""
        catch_up(self._where.service_url, self._book.schema, [Tiers])
        self._wait_for_others()
        return due_changes(self._connection, self._book, CHANGES_MAX, until).changes

    def _wait_for_others(self) -> None:
        """Until the read model is at the head: a process that serves follows this book, too."""
        path = search_path(self._book.schema, read_models=True)
        self._connection.execute("SELECT set_config('search_path', %s, false)", [path])
        if not wait_for(self._connection, Tiers.name, head(self._connection), CAUGHT_UP_WITHIN_S):
            raise PlanRefused("another process keeps the read model of tiers and does not get on")
