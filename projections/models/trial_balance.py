"""What finance asks the journal: balances now, at a position, at a recorded time, at a date, and
at a date as known at a position or a time.

Answers are plain dictionaries. Amounts are on their own side, debit or credit, never negative;
the single balance of an account is signed, debit positive. By position and by recorded time the
answer never changes again; by effective date alone, a late fact may still change it.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from domain.accounts import CLASSES, class_of
from ledger.log.reading import position_at
from ledger.postgres.database import Connection
from projections.engine.checkpoints import checkpoint
from projections.engine.projection import bound
from projections.models.journal import Journal
from projections.models.late_entries import last_of_day

SQL = bound("trial_balance", Journal.tables)


def trial_balance(
    connection: Connection,
    *,
    position: int | None = None,
    recorded_at: datetime | None = None,
    effective_on: date | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int | None = None,
) -> dict[str, Any]:
    """Every account's net balance on its side, with its class, and totals per asset.

    `position` or `recorded_at`: as known at; `effective_on`: true on. Both: what was known then of
    the end of that date. `limit`: no more accounts than that, those after (account, asset) by
    name; `place` of the answer is where they go on, None at the end.
    """
    if recorded_at is not None:
        position = position_at(connection, recorded_at)
    if effective_on is not None and position is None:
        position = checkpoint(connection, Journal.name).position
    more = None if limit is None else limit + 1
    values: dict[str, Any] = {"account": after[0], "asset": after[1], "limit": more}
    if effective_on is not None and position is not None:
        values |= _as_known(connection, position, effective_on)
        cursor = connection.execute(SQL["as_known"], values)
    elif position is not None:
        cursor = connection.execute(SQL["at_position"], values | {"position": position})
    else:
        cursor = connection.execute(SQL["at_head"], values)
    rows = cursor.fetchall()
    place = None
    if limit is not None and len(rows) > limit:
        rows = rows[:limit]
        place = rows[-1][1:3]
    named = [(account, asset, amount) for _, account, asset, amount in rows if amount is not None]
    return {**with_totals(named, rows[0][0] if rows else 0), "place": place}


def balance(
    connection: Connection,
    account: str,
    asset: str,
    *,
    position: int | None = None,
    recorded_at: datetime | None = None,
    effective_on: date | None = None,
) -> dict[str, Any]:
    """One account's balance, debit positive; 0 for an account that was never posted to.

    The moments as in `trial_balance`.
    """
    if recorded_at is not None:
        position = position_at(connection, recorded_at)
    if position is not None and effective_on is not None:
        known = _as_known(connection, position, effective_on)
        named = {"account": account, "asset": asset}
        cursor = connection.execute(SQL["balance_as_known"], known | named)
    elif position is not None:
        cursor = connection.execute(SQL["balance_at_position"], (account, asset, position))
    elif effective_on is not None:
        cursor = connection.execute(SQL["balance_at_date"], (account, asset, effective_on))
    else:
        cursor = connection.execute(SQL["balance_at_head"], (account, asset))
    row = cursor.fetchone()
    as_of, amount = row or (0, 0)
    return {"account": account, "asset": asset, "balance": amount or 0, "as_of_position": as_of}


def lines(
    connection: Connection, account: str, asset: str, *, after: int = 0, limit: int = 100
) -> list[dict[str, Any]]:
    """An account's postings, each with the balance it left."""
    columns = ("position", "effective_on", "amount", "balance")
    rows = connection.execute(SQL["lines"], (account, asset, after, limit))
    return [dict(zip(columns, row, strict=True)) for row in rows]


def with_totals(balances: Iterable[tuple[str, str, int]], as_of: int) -> dict[str, Any]:
    """The answer of a trial balance from (account or class, asset, net, debit positive)."""
    rows = [
        {"account": account, **_class_of(account), "asset": asset}
        | {"debit": max(net, 0), "credit": max(-net, 0)}
        for account, asset, net in balances
    ]
    return {"rows": rows, "totals": _totals(rows), "as_of_position": as_of}


def _as_known(connection: Connection, position: int, day: date) -> dict[str, Any]:
    return {"position": position, "day": day, "day_end": last_of_day(connection, day)}


def _class_of(account: str) -> dict[str, Any]:
    pattern = class_of(account)
    found = CLASSES.get(pattern)
    if found is None:
        return {"class": pattern, "number": None, "name": account, "type": None}
    return {"class": found.pattern, "number": found.number, "name": found.name, "type": found.type}


def _totals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    totals: dict[str, dict[str, Any]] = {}
    for row in rows:
        asset = row["asset"]
        total = totals.setdefault(asset, {"asset": asset, "debit": 0, "credit": 0})
        total["debit"] += row["debit"]
        total["credit"] += row["credit"]
    return [totals[asset] for asset in sorted(totals)]
