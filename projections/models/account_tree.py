"""The tree of accounts: the chart's classes at its top, and below them accounts by their names.

A node is what the names below it have in common, up to a dot: `cr.zoe` stands for all that Zoe is
owed. Opening + debit - credit = closing, debit positive, by effective date.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from domain.accounts import CLASSES, class_of
from domain.calendar import DateRange
from ledger.postgres.database import Connection
from projections.engine.projection import bound
from projections.models.account_classes import AccountClasses
from projections.models.journal import Journal
from projections.models.late_entries import last_of_day

SQL = bound("account_tree", (*Journal.tables, *AccountClasses.tables))

#: More accounts than a person or a processor has, in all assets.
NODE_MAX = 16


class TreePlace(NamedTuple):
    """Where a list goes on: after this account."""

    account: str
    asset: str


class NodeFilter(NamedTuple):
    """Which nodes: those that are `depth` names below `prefix`, or the accounts of a class that
    `prefix` is; of an asset; `nonzero`: with a balance or a movement."""

    prefix: str
    depth: int = 1
    asset: str | None = None
    nonzero: bool = False


BEGINNING = TreePlace("", "")


def top(connection: Connection, wanted: NodeFilter, days: DateRange) -> dict[str, Any]:
    """Every class of the chart, by number, as known now."""
    rows = connection.execute(SQL["classes"], {**days._asdict(), "asset": wanted.asset}).fetchall()
    items = [
        _node(name, asset, [name], accounts, (opening, debit, credit))
        for _, name, asset, accounts, opening, debit, credit in rows
        if name is not None
    ]
    items.sort(key=lambda item: (item["number"] or 0, item["account"], item["asset"]))
    return {"items": _shown(items, wanted), "as_of_position": rows[0][0] if rows else 0}


def below(
    connection: Connection,
    wanted: NodeFilter,
    days: DateRange,
    *,
    position: int,
    after: TreePlace = BEGINNING,
    limit: int,
) -> tuple[list[dict[str, Any]], TreePlace | None]:
    """At most `limit` nodes of each asset below a prefix, by name, as known at a position that is
    not beyond the journal's; and where they go on, None at the end."""
    prefix, _, ending = wanted.prefix.partition(".*")
    names = {
        **after._asdict(),
        "after_asset": after.asset,
        "asset": wanted.asset,
        "prefix": prefix,
        "ending": ending,
        "limit": NODE_MAX * (limit + 1),
    }
    rows = connection.execute(SQL["names"], names).fetchall()
    parts = None if "*" in wanted.prefix else prefix.count(".") + 1 + wanted.depth
    nodes = [(node, list(some)) for node, some in groupby(rows, lambda row: _cut(row[0], parts))]
    chosen = nodes[:limit]
    sums = _sums(connection, [row[2] for _, some in chosen for row in some], days, position)
    items = []
    for node, some in chosen:
        for asset in sorted({row[1] for row in some}):
            mine = [row for row in some if row[1] == asset]
            figures = zip(*(sums[number] for _, _, number in mine), strict=True)
            items.append(
                _node(node, asset, [row[0] for row in mine], len(mine), tuple(map(sum, figures)))
            )
    place = TreePlace(*chosen[-1][1][-1][:2]) if len(nodes) > limit else None
    return _shown(items, wanted), place


def _sums(
    connection: Connection, ids: list[int], days: DateRange, position: int
) -> dict[int, tuple[int, int, int]]:
    eve = None if days.first == date.min else days.first - timedelta(days=1)
    values = {
        **days._asdict(),
        "ids": ids,
        "eve": eve,
        "before": 0 if eve is None else last_of_day(connection, eve),
        "position": position,
    }
    rows = connection.execute(SQL["sums"], values)
    return {number: (opening, debit, credit) for number, opening, debit, credit in rows}


def _cut(account: str, parts: int | None) -> str:
    return account if parts is None else ".".join(account.split(".")[:parts])


def _node(
    node: str, asset: str, names: Sequence[str], accounts: int, figures: tuple[int, ...]
) -> dict[str, Any]:
    opening, debit, credit = figures
    patterns = {class_of(name) for name in names}
    known = [CLASSES[pattern] for pattern in sorted(patterns) if pattern in CLASSES]
    types = {each.type for each in known}
    own = known[0] if len(patterns) == 1 and known else None
    return {
        "account": node,
        "asset": asset,
        "class": own and own.pattern,
        "number": own and own.number,
        "name": own and own.name,
        "type": types.pop() if len(types) == 1 else None,
        "accounts": accounts,
        "opening": opening,
        "debit": debit,
        "credit": credit,
        "closing": opening + debit - credit,
        "leaf": list(names) == [node] and "*" not in node,
    }


def _shown(items: Iterable[dict[str, Any]], wanted: NodeFilter) -> list[dict[str, Any]]:
    figures = ("opening", "debit", "credit")
    return [item for item in items if not wanted.nonzero or any(item[figure] for figure in figures)]
