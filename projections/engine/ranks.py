"""Lists in the order of a figure and then of a name, or of a name alone, along an index."""

from typing import NamedTuple

from psycopg import sql

from ledger.log.reading import POSITION_MAX

#: After every id there is.
_LAST_NAME = "\U0010ffff"


class RankPlace(NamedTuple):
    """Where such a list goes on: after which figure (0 in the order of names) and name."""

    value: int
    name: str


def beginning(*, largest_first: bool) -> RankPlace:
    """The place before the first of a list."""
    return RankPlace(POSITION_MAX, _LAST_NAME) if largest_first else RankPlace(-POSITION_MAX, "")


def ranked(value: str | None, name: str, *, largest_first: bool) -> dict[str, sql.Composable]:
    """What a query's `{beyond}` and `{ranks}` stand for: its condition and its order.

    `value` and `name` are expressions of SQL that an index has, in this order. The condition asks
    for the place as `%(after_value)s` and `%(after_name)s`.
    """
    order, sign = ("DESC", "<") if largest_first else ("ASC", ">")
    place = '%(after_name)s::text COLLATE "C"'
    if value is None:
        return {
            "value": sql.SQL("0::bigint"),
            "beyond": sql.SQL(f"{name} {sign} {place}"),
            "ranks": sql.SQL(f"{name} {order}"),
        }
    return {
        "value": sql.SQL(value),
        "beyond": sql.SQL(f"({value}, {name}) {sign} (%(after_value)s::bigint, {place})"),
        "ranks": sql.SQL(f"{value} {order}, {name} {order}"),
    }
