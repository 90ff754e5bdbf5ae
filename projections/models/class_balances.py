"""The trial balance by class of accounts: now, at a position, at a date, and as known when."""

from datetime import date
from typing import Any

from domain.accounts import CLASSES, class_of
from ledger.log import reading
from ledger.postgres.database import Connection
from projections.engine.checkpoints import checkpoint
from projections.engine.entries import decoded
from projections.engine.projection import bound
from projections.models.account_classes import AccountClasses
from projections.models.late_entries import last_of_day
from projections.models.trial_balance import trial_balance, with_totals

SQL = bound("class_balances", AccountClasses.tables)

#: Net balances by class and asset, debit positive.
Balances = dict[tuple[str, str], int]


def trial_balance_by_class(
    connection: Connection, *, position: int | None = None, effective_on: date | None = None
) -> dict[str, Any]:
    """Every class's net balance on its side, with its number, name and type, and totals by asset.

    `position`: as known at; `effective_on`: true on; both: what was known then of the end of that
    date. A row's `account` is its class.
    """
    if position is not None:
        if effective_on is None:
            return _shown(*_at_position(connection, position))
        return _shown(*_as_known(connection, position, effective_on))
    if effective_on is not None:
        found = connection.execute(SQL["at_date"], (effective_on,)).fetchall()
    else:
        found = connection.execute(SQL["at_head"]).fetchall()
    as_of = found[0][0] if found else 0
    return _shown({row[1:3]: row[3] for row in found if row[3] is not None}, as_of)


def class_balances(connection: Connection, position: int) -> Balances:
    """Every class's balance at a position that is not beyond the classes' checkpoint."""
    return _at_position(connection, position)[0]


def class_balance(
    connection: Connection, name: str, asset: str, *, position: int, effective_on: date
) -> int:
    """What a class stood at by the end of a day, as known at a position, debit positive."""
    balances, _ = _as_known(connection, position, effective_on)
    return balances.get((name, asset), 0)


def _at_position(connection: Connection, position: int) -> tuple[Balances, int]:
    """The balances of the step before, and what the log holds since; and as of which position."""
    found = connection.execute(SQL["at_step"], (position,)).fetchall()
    as_of = found[0][0] if found else 0
    step = as_of - as_of % AccountClasses.step_events
    since = reading.page(connection, step, as_of)
    if len(since) < as_of - step:  # archived: the journal knows
        return _summed(trial_balance(connection, position=as_of)), as_of
    balances: Balances = {row[1:3]: row[3] for row in found if row[3] is not None}
    for entry in decoded(since, bodies=False):
        for account, asset, amount in entry.postings:
            key = class_of(account), asset
            balances[key] = balances.get(key, 0) + amount
    return balances, as_of


def _as_known(connection: Connection, position: int, day: date) -> tuple[Balances, int]:
    """The balances at the end of a day, as known at a position, and as of which position."""
    as_of = min(position, checkpoint(connection, AccountClasses.name).position)
    balances, _ = _at_position(connection, min(as_of, last_of_day(connection, day)))
    for name, asset, amount in connection.execute(SQL["late"], (day, as_of)):
        balances[name, asset] = balances.get((name, asset), 0) + amount
    return balances, as_of


def _summed(by_account: dict[str, Any]) -> Balances:
    balances: Balances = {}
    for row in by_account["rows"]:
        key = row["class"], row["asset"]
        balances[key] = balances.get(key, 0) + row["debit"] - row["credit"]
    return balances


def _shown(balances: Balances, as_of: int) -> dict[str, Any]:
    def place(key: tuple[str, str]) -> tuple[int, str, str]:
        known = CLASSES.get(key[0])
        return known.number if known else 0, *key

    return with_totals(
        [(key[0], key[1], balances[key]) for key in sorted(balances, key=place)], as_of
    )
