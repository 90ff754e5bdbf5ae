"""What finance asks the journal: balances now, at a position, at a recorded time, at a date.

Answers are plain dictionaries. Amounts are on their own side, debit or credit, never negative;
the single balance of an account is signed, debit positive. By position and by recorded time the
answer never changes again; by effective date, a late fact may still change it.
"""

from datetime import date, datetime
from typing import Any

from ledger.log.reading import position_at
from ledger.postgres.database import Connection
from projections.engine.projection import bound
from projections.models.journal import Journal

SQL = bound("trial_balance", Journal.tables)


def trial_balance(
    connection: Connection,
    *,
    position: int | None = None,
    recorded_at: datetime | None = None,
    effective_on: date | None = None,
    roll_up: bool = False,
) -> dict[str, Any]:
    """Every account's net balance on its side, and totals per asset.

    At most one of the three moments. `roll_up` sums the accounts of all wallets to `w.*.free`
    and `w.*.held`, those of all creators to `cr.*.available` and so on.
    """
    if recorded_at is not None:
        position = position_at(connection, recorded_at)
    if position is not None:
        cursor = connection.execute(SQL["at_position"], (position,))
    elif effective_on is not None:
        cursor = connection.execute(SQL["at_date"], (effective_on,))
    else:
        cursor = connection.execute(SQL["at_head"])
    rows = cursor.fetchall()
    balances: dict[tuple[str, str], int] = {}
    for _, account, asset, amount in rows:
        if amount is not None:
            key = (_family(account) if roll_up else account), asset
            balances[key] = balances.get(key, 0) + amount
    on_sides = [
        {"account": account, "asset": asset, "debit": max(net, 0), "credit": max(-net, 0)}
        for (account, asset), net in sorted(balances.items())
    ]
    return {
        "rows": on_sides,
        "totals": _totals(on_sides),
        "as_of_position": rows[0][0] if rows else 0,
    }


def balance(
    connection: Connection,
    account: str,
    asset: str,
    *,
    position: int | None = None,
    recorded_at: datetime | None = None,
    effective_on: date | None = None,
) -> dict[str, Any]:
    """One account's balance, debit positive; 0 for an account that was never posted to."""
    if recorded_at is not None:
        position = position_at(connection, recorded_at)
    if position is not None:
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


def _family(account: str) -> str:
    """The name under which an account's balance is rolled up: its own, unless it is a person's."""
    parts = account.split(".")
    if len(parts) == 3 and parts[0] in {"w", "cr"}:
        return f"{parts[0]}.*.{parts[2]}"
    return f"{parts[0]}.*" if parts[0] == "fan_debt" else account


def _totals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    totals: dict[str, dict[str, Any]] = {}
    for row in rows:
        asset = row["asset"]
        total = totals.setdefault(asset, {"asset": asset, "debit": 0, "credit": 0})
        total["debit"] += row["debit"]
        total["credit"] += row["credit"]
    return [totals[asset] for asset in sorted(totals)]
