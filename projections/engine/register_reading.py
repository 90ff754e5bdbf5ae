"""How registers are asked: a page of one, or one of its rows with the events of its life.

The query holds the conditions that were asked for and no other, so that an index feeds it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from psycopg import sql

from domain.event import Event
from ledger.log import reading
from ledger.log.reading import POSITION_MAX, Placed
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.event_history import HISTORY_MAX, event_history
from projections.engine.projection import template
from projections.engine.register import ALWAYS, Life, Register

SQL = sql_files.load("register", "projections")


NOTHING: Mapping[str, str] = {}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows: of these statuses, or of any; `equal` to values, by filter."""

    statuses: tuple[str, ...] = ()
    equal: dict[str, str] = {}
    min_amount: int = 0
    labels: dict[str, str] = {}


class RegisterPlace(NamedTuple):
    """Where a page begins: after this row."""

    position: int
    id: str


def register_page(
    connection: Connection,
    register: type[Register],
    wanted: Wanted,
    currency: str,
    *,
    own: Mapping[str, str] = NOTHING,
    first: int = 0,
    last: int = POSITION_MAX,
    after: RegisterPlace | None = None,
    newest_first: bool = True,
    limit: int,
) -> tuple[list[dict[str, Any]], int]:
    """At most `limit` items whose lives began from the position `first` to `last`, in that order
    or the other way round, and the position that they stand for.

    `own`: values by filter, too, of whoever may read no other rows.
    """
    conditions, values = _conditions(register, wanted, own)
    if after is not None:
        conditions.append(_BEYOND[newest_first])
        values |= {"after": after.position, "after_id": after.id}
        if newest_first:
            last = min(last, after.position)
        else:
            first = max(first, after.position)
    name = "list_of_label" if wanted.labels else "list"
    query = _query(register, name, conditions, order="DESC" if newest_first else "ASC")
    statuses = list(wanted.statuses or register.statuses)
    values |= {"statuses": statuses, "first": first, "last": last, "limit": limit}
    found = connection.execute(query, values).fetchall()
    items = [_item(register, row, currency) for _, *row in found if row[0] is not None]
    return items, found[0][0] if found else 0


def register_item(
    connection: Connection,
    register: type[Register],
    name: str,
    currency: str,
    *,
    own: Mapping[str, str] = NOTHING,
) -> dict[str, Any]:
    """One thing with its details and its `history`; only `as_of_position` where there is none."""
    conditions, values = _conditions(register, Wanted(), own)
    query = _query(register, "one", conditions)
    position, *row = connection.execute(query, {**values, "id": name}).fetchone() or (0, None)
    if row[0] is None:
        return {"as_of_position": position}
    item = _item(register, row, currency)
    state = msgspec.msgpack.decode(row[1], type=register.state)
    details = {detail.name: detail.of(state) for detail in register.details}
    history = _history(connection, register, name, state, item["last_position"])
    return {**item, **details, "history": history, "as_of_position": position}


def _history(
    connection: Connection, register: type[Register], name: str, now: Any, until: int
) -> list[dict[str, Any]]:
    if isinstance(now, Life):
        rows: Iterable[Placed] = sorted(reading.entries(connection, now.positions).items())
    else:
        tag = f"{register.prefix}{name}"
        rows = reading.listing(connection, until=until, tag=tag, limit=HISTORY_MAX)
    state: Any = register.state()

    def status(event: Event, position: int) -> str | None:
        nonlocal state
        if name not in register.ids_of(event):
            return None
        state = register.apply(state, name, event, position)
        return register.status_of(state)

    return event_history(rows, status)


def _names(register: type[Register]) -> list[str]:
    always = [name for name, _ in ALWAYS]
    return [*always, "labels", *(column.name for column in register.columns)]


def _item(register: type[Register], row: Sequence[Any], currency: str) -> dict[str, Any]:
    """A row as it is answered."""
    item = dict(zip(_names(register), row, strict=True))
    del item["state"]
    if item["labels"] is not None:
        item["labels"] = dict(pair.split("=", 1) for pair in item["labels"])
    return {**item, "currency": item.get("currency") or currency}


def _conditions(
    register: type[Register], wanted: Wanted, own: Mapping[str, str]
) -> tuple[list[sql.Composable], dict[str, Any]]:
    """What is asked for, and its values."""
    conditions: list[sql.Composable] = []
    values: dict[str, Any] = {}
    for prefix, given in (("", wanted.equal), ("own_", own)):
        for name, value in given.items():
            column = sql.Identifier("o", register.filters()[name])
            placeholder = sql.Placeholder(f"{prefix}{name}")
            conditions.append(sql.SQL("{} = {}").format(column, placeholder))
            values[f"{prefix}{name}"] = value
    if wanted.min_amount and register.amount is not None:
        column = sql.Identifier("o", register.amount)
        conditions.append(sql.SQL("{} >= %(min_amount)s").format(column))
        values["min_amount"] = wanted.min_amount
    if wanted.labels:
        labels = sorted(map("=".join, wanted.labels.items()))
        conditions.append(sql.SQL("o.labels @> %(labels)s::text[]"))
        values |= {"label": labels[0], "labels": labels}
    return conditions, values


def _query(
    register: type[Register], name: str, conditions: Sequence[sql.Composable], order: str = ""
) -> bytes:
    wanted = sql.SQL("\n      AND ").join(conditions) if conditions else sql.SQL("true")
    composed = template(SQL[name]).format(
        table=sql.Identifier(register.name),
        labels=sql.Identifier(register.labels),
        register=sql.Literal(register.name),
        names=sql.SQL(", ").join(sql.Identifier("o", each) for each in _names(register)),
        wanted=wanted,
        order=sql.SQL(order),
    )
    return composed.as_bytes(None)


_BEYOND = {
    True: sql.SQL("(o.first_position, o.id) < (%(after)s, %(after_id)s)"),
    False: sql.SQL("(o.first_position, o.id) > (%(after)s, %(after_id)s)"),
}
