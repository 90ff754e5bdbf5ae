"""The question of revenue: a period's income, expense and sales, grouped as asked."""

from collections import defaultdict
from datetime import date, timedelta
from typing import Any, NamedTuple

from domain import calendar
from ledger.log import reading
from ledger.postgres.database import Connection
from projections.engine.entries import decoded
from projections.engine.projection import bound
from projections.models.revenue import FIGURES, Revenue

#: Groups that everything falls into; of others, what has none stands under null.
OF_EVERYTHING = ("day", "week", "month", "product")
#: Events that a later page takes off again, at most.
SINCE_MAX = 20_000
SQL = bound("revenue", Revenue.tables)
_EPOCH = date(2000, 1, 1)


class TooLongAgo(Exception):
    """Too much has happened since the position to which a list is pinned."""


class RevenueQuestion(NamedTuple):
    """The days from `first` to `last`; `group_by` is one of `OF_EVERYTHING` or a key, such as
    `source` or `label.stream`; `label` narrows the former to what carries that label."""

    first: date
    last: date
    group_by: str
    label: tuple[str, str] | None = None


def revenue(
    connection: Connection,
    asked: RevenueQuestion,
    *,
    after: str,
    limit: int,
    position: int | None = None,
) -> dict[str, Any]:
    """`items` by group, `totals` of all of them, and `last`, after which there are more groups, or
    None.

    Weeks and months are named by their first day and hold only days of the period. The last page of
    a grouping by a key has what stands under no value of it, as null, so the items add up. As
    known at `position`: what was told since is folded again and taken off; raises TooLongAgo.
    """
    everything = asked.group_by in OF_EVERYTHING
    if everything:
        key, value = (f"label.{asked.label[0]}", asked.label[1]) if asked.label else ("", "")
    else:
        key, value = asked.group_by, None
    values = {
        "by": asked.group_by if everything else "value",
        "key": key,
        "value": value,
        "first": asked.first,
        "last": asked.last,
        "after": after,
        "limit": limit + 1,
    }
    rows = connection.execute(SQL["grouped"], values).fetchall()
    if not rows:
        nothing = _shown((0,) * len(FIGURES))
        return {"items": [], "totals": nothing, "last": None, "as_of_position": 0}
    reached = rows[0][0]
    known = reached if position is None else min(position, reached)
    since = _told_since(connection, values, known, reached)
    whole, keyed = (_less(row[3:], since.get((row[1], ""))) for row in rows[:2])
    groups = rows[2:]
    items = []
    for _, part, name, *figures in groups[:limit]:
        left = _less(figures, since.get((part, name)))
        if any(left) or (part, name) not in since:
            items.append({asked.group_by: name, **_shown(left)})
    last = groups[limit - 1][2] if len(groups) > limit else None
    if not everything and last is None:
        rest = [all_of_it - some for all_of_it, some in zip(whole, keyed, strict=True)]
        if any(rest):
            items.append({asked.group_by: None, **_shown(rest)})
    return {
        "items": items,
        "totals": _shown(keyed if everything else whole),
        "last": last,
        "as_of_position": known,
    }


def _told_since(
    connection: Connection, asked: dict[str, Any], known: int, reached: int
) -> dict[tuple[int, str], list[int]]:
    """What came after a position, by part of the answer and name of the group."""
    found: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0] * len(FIGURES))
    if known == reached:
        return found
    if reached - known > SINCE_MAX:
        raise TooLongAgo
    page = decoded(reading.whole_page(connection, known, reached), bodies=True)
    sums = Revenue().folded(connection.cursor(), page)
    for (key, number, value, product), figures in sums.items():
        day = _EPOCH + timedelta(days=number)
        if not asked["first"] <= day <= asked["last"]:
            continue
        parts = [(0, "")] if not key else []
        if key == asked["key"] and asked["value"] in {None, value}:
            by = asked["by"]
            named = {"product": product, "value": value}
            name = named.get(by) or calendar.around(day, by).first.isoformat()
            parts += [(1, ""), (2, name)]
        for part in parts:
            found[part] = [sum(both) for both in zip(found[part], figures, strict=True)]
    return found


def _less(figures: Any, since: list[int] | None) -> list[int]:
    taken = since or [0] * len(FIGURES)
    return [(figure or 0) - some for figure, some in zip(figures, taken, strict=True)]


def _shown(figures: Any) -> dict[str, int]:
    return dict(zip(FIGURES, figures, strict=True))
