"""The one door through which anybody reads a book's log.

Each function takes a connection with the book's schema first on its search path. An entry comes
as its position and the bytes that the log keeps; `ledger.log.entry.decode` makes an `Entry` of
them. The sequencer loads states by statements of its own, in the round trip that opens a batch,
and `ledger.verification` compares what stands beside an entry.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypedDict
from uuid import UUID

import msgspec

from ledger.log.entry import decode
from ledger.log.event_ids import time_of
from ledger.postgres import sql_files
from ledger.postgres.database import Connection

SQL = sql_files.load("reading")

POSITION_MAX = 2**63 - 1
HISTORY_PAGE = 5_000

#: An entry at its position.
Placed = tuple[int, bytes]


class EntriesMissing(LookupError):
    """The log does not hold the entry of a position any more: that part of it is archived."""

    def __init__(self, position: int) -> None:
        self.position = position
        super().__init__(f"the log does not hold position {position}: is that part archived?")


class QueryItem(TypedDict):
    """Events of one of `types`, or of any if there are none, that have all of `tags`."""

    types: list[str]
    tags: list[str]


def head(connection: Connection) -> int:
    """The last position; 0 while the log is empty."""
    row = connection.execute(SQL["head"]).fetchone()
    assert row is not None
    position: int = row[0]
    return position


def volume(connection: Connection) -> int:
    """All that the book has ever posted, minor units and tokens together."""
    row = connection.execute(SQL["volume"]).fetchone()
    assert row is not None
    posted: int = row[0]
    return posted


def latest_time(connection: Connection) -> datetime:
    """A time that nothing recorded so far is after: now, or a second after the book's own time
    where that is ahead of the clock."""
    row = connection.execute(SQL["latest_time"]).fetchone()
    assert row is not None
    at: datetime = row[0]
    return at


def types(connection: Connection) -> dict[str, int]:
    """How many events of each type there are; reads the whole log."""
    return dict(connection.execute(SQL["types"]).fetchall())


def page(connection: Connection, after: int, until: int) -> list[Placed]:
    """Every entry after one position and up to another; the caller bounds the range."""
    return connection.execute(SQL["page"], (after, until), binary=True).fetchall()


def whole_page(connection: Connection, after: int, until: int) -> list[Placed]:
    """The same for whoever must not miss any, up to a position that the head has reached.

    Raises EntriesMissing.
    """
    found = page(connection, after, until)
    if len(found) != until - after:
        there = {position for position, _ in found}
        raise EntriesMissing(next(at for at in range(after + 1, until + 1) if at not in there))
    return found


def listing(
    connection: Connection,
    *,
    after: int = 0,
    until: int = POSITION_MAX,
    tag: str | None = None,
    type_name: str | None = None,
    newest_first: bool = False,
    limit: int,
) -> list[Placed]:
    """At most `limit` entries in order, of one tag and one type where they are given.

    By type it looks through every event of the range, or of the tag in the range.
    """
    values = {"after": after, "until": until, "tag": tag, "type": type_name, "limit": limit}
    name = "listing" if tag is None else "listing_of_tag"
    query = SQL[f"{name}_back" if newest_first else name]
    return connection.execute(query, values, binary=True).fetchall()


def reach_of_tag(connection: Connection, *, tag: str, after: int, until: int, entries: int) -> int:
    """Up to where at most `entries` entries have `tag`, beginning after a position."""
    values = {"tag": tag, "after": after, "until": until, "entries": entries}
    row = connection.execute(SQL["reach_of_tag"], values).fetchone()
    return until if row is None else int(row[0])


def entry(connection: Connection, position: int) -> tuple[bytes, bytes] | None:
    """The entry at `position` and its leaf hash; None beyond the head."""
    return connection.execute(SQL["entry"], (position,), binary=True).fetchone()


def entries(connection: Connection, positions: Sequence[int]) -> dict[int, bytes]:
    """The entries at `positions`, by position; those that are not there are left out."""
    if not positions:
        return {}
    rows = connection.execute(SQL["entries"], (list(positions),), binary=True)
    return dict(rows.fetchall())


def sharing(connection: Connection, tags: Sequence[str], limit: int) -> dict[str, list[int]]:
    """Positions of the first entries with each of some tags, at most `limit` of each."""
    found: dict[str, list[int]] = {}
    for tag, position in connection.execute(SQL["sharing"], (list(tags), limit)):
        found.setdefault(tag, []).append(position)
    return found


def position_of(connection: Connection, event_id: UUID) -> int | None:
    """Where the event of this id stands: ids hold the time of recording."""
    position = position_at(connection, time_of(event_id))
    found = entry(connection, position)
    return position if found and decode(found[0]).event_id == str(event_id) else None


def history(connection: Connection, tag: str, *, until: int = POSITION_MAX) -> Iterator[Placed]:
    """Every entry with `tag` up to a position, in order. Lazy, a page at a time."""
    after = 0
    while True:
        rows = listing(connection, after=after, until=until, tag=tag, limit=HISTORY_PAGE)
        yield from rows
        if len(rows) < HISTORY_PAGE:
            return
        after = rows[-1][0]


def histories(
    connection: Connection, tags: Sequence[str], until: int
) -> list[tuple[str, int, bytes]]:
    """The entries with one of `tags` up to a position, in the order of the log: tag, position,
    bytes. The caller bounds the tags, and each should be that of something that ends."""
    return connection.execute(SQL["histories"], (list(tags), until), binary=True).fetchall()


def position_at(connection: Connection, recorded_at: datetime) -> int:
    """The last position recorded at or before a time; 0 before the first."""
    row = connection.execute(SQL["position_at"], (recorded_at,)).fetchone()
    return int(row[0]) if row else 0


def matching(
    connection: Connection, items: Sequence[QueryItem], *, after: int, until: int, limit: int
) -> list[tuple[int, str, bytes, list[str]]]:
    """Events that match one of `items`, or all if there are none: position, type, bytes, tags."""
    by_tag = bool(items) and all(item["tags"] for item in items)
    values = {
        "after": after,
        "until": until,
        "everything": not items,
        "items": msgspec.json.encode(items).decode(),
        "limit": limit,
    }
    query = SQL["tagged" if by_tag else "scan"]
    return connection.execute(query, values, binary=True).fetchall()
