"""The question of calls: how many, how long and for how much, of all or of one party."""

from datetime import date
from typing import Any, Literal, NamedTuple

from ledger.postgres.database import Connection
from projections.models.call_statistics import FIGURES, CallStatistics

SQL = CallStatistics().sql


class CallsAsked(NamedTuple):
    """The days from `first` to `last` of a user's or a creator's calls, or of all under an empty
    party, by day, week or month."""

    first: date
    last: date
    unit: Literal["day", "week", "month"] = "month"
    party: Literal["", "user", "creator"] = ""
    name: str = ""


def call_statistics(
    connection: Connection, asked: CallsAsked, *, after: date, limit: int
) -> dict[str, Any]:
    """`items` of which each is named by its first day, `totals` of all of them, and `more`."""
    values = asked._asdict() | {"after": after, "limit": limit + 1}
    rows = connection.execute(SQL["grouped"], values).fetchall()
    if not rows:
        nothing = _shown((0,) * len(FIGURES))
        return {"items": [], "totals": nothing, "more": False, "as_of_position": 0}
    (position, _, *whole), *groups = rows
    return {
        "items": [{"date": row[1], **_shown(row[2:])} for row in groups[:limit]],
        "totals": _shown(whole),
        "more": len(groups) > limit,
        "as_of_position": position,
    }


def _shown(figures: Any) -> dict[str, int | None]:
    found = dict(zip(FIGURES, figures, strict=True))
    ended, seconds = found["ended"], found["seconds"]
    mean = (2 * seconds + ended) // (2 * ended) if ended else None
    return {**found, "minutes": seconds // 60, "seconds_per_call": mean}
