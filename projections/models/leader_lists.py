"""Leaderboards, the fans of a creator and the favourite creators of a fan: the most first.

Who comes after whom is settled to the last, so a rank is one item's alone.
"""

from datetime import date
from typing import Any, Literal, NamedTuple

from ledger.postgres.database import Connection
from projections.models.leaders import ALWAYS, Leaders

#: Down to which rank a list goes.
RANKS_MAX = 10_000
#: From which amount on, in minor units, a creator sees another range.
RANGES = (1, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000)

SQL = Leaders().sql

Board = Literal["creators", "fans"]


class BoardAsked(NamedTuple):
    """A board of a day, a week or a month, named by its first day, or of all time."""

    board: Board
    unit: str = "all"
    first: date = ALWAYS


class Ranked(NamedTuple):
    """`items` of a list with their ranks, whether there are more, and their position."""

    items: list[dict[str, Any]]
    more: bool
    as_of_position: int


def leaderboard(connection: Connection, asked: BoardAsked, *, after: int, limit: int) -> Ranked:
    """Those who spent most, or on whose sales most was spent, after a rank."""
    values = {"board": asked.board, "unit": asked.unit, "first": asked.first}
    rows = _rows(connection, "board", values, after, limit)
    return _ranked(rows, asked.board[:-1], after, limit)


def fans_of(connection: Connection, creator: str, *, after: int, limit: int) -> Ranked:
    """The fans who spent most on a creator's sales, each with an alias that is the creator's own:
    `fan_alias`."""
    return _ranked(_rows(connection, "fans", {"name": creator}, after, limit), "user", after, limit)


def favourites_of(connection: Connection, user: str, *, after: int, limit: int) -> Ranked:
    """The creators on whose sales a fan spent most."""
    rows = _rows(connection, "favourites", {"name": user}, after, limit)
    return _ranked(rows, "creator", after, limit)


def spend_range(amount: int) -> dict[str, int | None]:
    """The range an amount is in: `from` its first and `to` its last, null where it has no end."""
    starts = [start for start in RANGES if start <= amount]
    later = [start for start in RANGES if start > amount]
    return {"from": starts[-1] if starts else 0, "to": later[0] - 1 if later else None}


def _rows(
    connection: Connection, query: str, values: dict[str, Any], after: int, limit: int
) -> list[tuple[Any, ...]]:
    """The rows after a rank, one more than asked for where there are more."""
    more = min(limit + 1, max(RANKS_MAX - after, 0))
    return connection.execute(SQL[query], values | {"after": after, "limit": more}).fetchall()


def _ranked(rows: list[tuple[Any, ...]], who: str, after: int, limit: int) -> Ranked:
    found = [row[1:] for row in rows if row[1] is not None]
    items = []
    for rank, (name, alias, amount, count, last_at) in enumerate(found[:limit], after + 1):
        item = {"rank": rank, who: name, "amount": amount, "count": count, "last_at": last_at}
        items.append(item if alias is None else item | {"fan_alias": alias})
    return Ranked(items, len(found) > limit, rows[0][0] if rows else 0)
