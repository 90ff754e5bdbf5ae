"""Which tiers are due to change, for the scheduler: rows of an index, and the command for each.

What the command says is how the read model knows it, with the position that it stands for: the
domain decides, and what is not read yet makes the next change. A fall is only sent once everything
that was recorded before it has been read, so a read model that lags behind makes no tier wrong.
"""

from datetime import datetime, timedelta

import psycopg

from domain.tiers.commands import ChangeTier
from ledger.books import Book
from ledger.postgres import sql_files
from ledger.postgres.database import Connection, search_path
from ledger.scheduling.agenda import SCHEDULER, TakenItem
from ledger.write.request import unremembered

#: Changes of one book at a turn.
CHANGES_MAX = 2_000
#: A commit that read the clock that long ago can be seen by now.
SETTLED = timedelta(seconds=1)
#: After how long it is looked again for read models that are not there.
MISSING = timedelta(seconds=30)

SQL = sql_files.load("tier_changes", "projections")


class TierChanges:
    """What is due, book by book; a book in which nothing happens is not asked until it is time."""

    def __init__(self) -> None:
        self._quiet: dict[str, tuple[datetime, datetime | None]] = {}

    def due(
        self, connection: Connection, book: Book, clock: datetime, recorded_at: datetime
    ) -> list[TakenItem]:
        """The changes that are due in a book whose last event is of `recorded_at`; sets the search
        path of `connection`, which is in autocommit mode."""
        last, until = self._quiet.get(book.name, (None, None))
        if last == recorded_at and (until is None or clock < until):
            return []
        try:
            found = due_changes(connection, book, CHANGES_MAX)
        except psycopg.errors.UndefinedTable:
            self._quiet[book.name] = recorded_at, clock + MISSING
            return []
        if found.changes or not found.at_head:
            self._quiet.pop(book.name, None)
        else:
            until = None if found.following is None else found.following + SETTLED
            self._quiet[book.name] = recorded_at, until
        return found.changes


class Found:
    """Changes that are due; whether the read model is at the head; when the next are due."""

    def __init__(
        self, changes: list[TakenItem], *, at_head: bool, following: datetime | None
    ) -> None:
        self.changes, self.at_head, self.following = changes, at_head, following


def due_changes(
    connection: Connection, book: Book, limit: int, until: datetime | None = None
) -> Found:
    """At most `limit` changes of tiers that are due, the first first: by now, or by a told time.

    Sets the search path of `connection`.
    """
    path = search_path(book.schema, read_models=True)
    connection.execute("SELECT set_config('search_path', %s, false)", [path])
    values = {"limit": limit, "settled": SETTLED, "until": until}
    rows = connection.execute(SQL["due"], values).fetchall()
    changes = []
    for position, _, _, user, at, spend, window_days, late_s in rows:
        if user is None:
            continue
        command = ChangeTier(
            user=user, at=at, spend=spend, window_days=window_days, as_of_position=position
        )
        request = unremembered(command, actor=SCHEDULER, correlation_id=SCHEDULER)
        changes.append(TakenItem(f"tier:{user}", at, request, True, late_s))
    _, at_head, following, *_ = rows[0] if rows else (0, False, None)
    return Found(changes, at_head=bool(at_head), following=following)
