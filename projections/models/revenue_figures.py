"""The question of revenue: a period's income, expense and sales, grouped as asked."""

from datetime import date
from typing import Any, NamedTuple

from ledger.postgres.database import Connection
from projections.engine.projection import bound
from projections.models.revenue import FIGURES, Revenue

#: Groups that everything falls into; of others, what has none stands under null.
OF_EVERYTHING = ("day", "week", "month", "product")
SQL = bound("revenue", Revenue.tables)


class RevenueQuestion(NamedTuple):
    """The days from `first` to `last`; `group_by` is one of `OF_EVERYTHING` or a key, such as
    `source` or `label.stream`; `label` narrows the former to what carries that label."""

    first: date
    last: date
    group_by: str
    label: tuple[str, str] | None = None


def revenue(
    connection: Connection, asked: RevenueQuestion, *, after: str, limit: int
) -> dict[str, Any]:
    """`items` by group, `totals` of all of them, and `more`: whether there are groups after these.

    Weeks and months are named by their first day and hold only days of the period. The last page of
    a grouping by a key has what stands under no value of it, as null, so the items add up.
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
        return {"items": [], "totals": nothing, "more": False, "as_of_position": 0}
    whole, keyed = ([figure or 0 for figure in row[3:]] for row in rows[:2])
    groups = rows[2:]
    items = [{asked.group_by: row[2], **_shown(row[3:])} for row in groups[:limit]]
    more = len(groups) > limit
    if not everything and not more:
        rest = [all_of_it - some for all_of_it, some in zip(whole, keyed, strict=True)]
        if any(rest):
            items.append({asked.group_by: None, **_shown(rest)})
    return {
        "items": items,
        "totals": _shown(keyed if everything else whole),
        "more": more,
        "as_of_position": rows[0][0],
    }


def _shown(figures: Any) -> dict[str, int]:
    return dict(zip(FIGURES, figures, strict=True))
