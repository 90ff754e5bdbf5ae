"""Statements of accounts: what happened between two days, and what was told of a day later.

A statement is by effective date and as known at a position. Its lines stand in the order of the
log, so late ones come last; opening + debit - credit = closing, and the last line's balance is the
closing one.
"""

from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

from domain import calendar
from domain.calendar import DateRange
from ledger.log import reading
from ledger.log.entry import Entry, decode
from ledger.postgres.database import Connection
from projections.engine.projection import bound
from projections.models.journal import Journal
from projections.models.late_entries import last_of_day
from projections.models.trial_balance import balance

SQL = bound("account_statements", Journal.tables)


INTERVALS_MAX = 1_000

Interval = Literal["day", "week", "month"]


class TooManyIntervals(Exception):
    """More than `INTERVALS_MAX` were asked for."""


class AccountKey(NamedTuple):
    """An account in one asset."""

    account: str
    asset: str


class StatementPlace(NamedTuple):
    """Where a statement goes on: after which position, with which balance."""

    after: int
    balance: int


def checkpoint(connection: Connection) -> int:
    """Up to where the journal is kept."""
    row = connection.execute(SQL["checkpoint"]).fetchone()
    return row[0] if row else 0


def statement(
    connection: Connection,
    account: AccountKey,
    first: date,
    last: date,
    *,
    position: int,
    place: StatementPlace | None = None,
    limit: int,
) -> dict[str, Any]:
    """Opening and closing balance of the days, their turnover, and at most `limit` lines.

    As known at `position`, which is not beyond the journal's. Balances are debit positive.
    """
    values = {
        **account._asdict(),
        "first": first,
        "last": last,
        "before": _before(connection, first),
        "day_end": last_of_day(connection, last) if last < date.max else position,
        "position": position,
    }
    opening = _balance_before(connection, account, first, position)
    debit, credit = connection.execute(SQL["turnover"], values).fetchone() or (0, 0)
    begun = place or StatementPlace(0, opening)
    found = connection.execute(
        SQL["lines"], {**values, "after": begun.after, "limit": limit}
    ).fetchall()
    told = reading.entries(connection, [row[0] for row in found])
    items, running = [], begun.balance
    for at, effective_on, amount, late in found:
        running += amount
        items.append(
            {
                **_said(at, decode(told[at])),
                "effective_on": effective_on,
                "counter": _counter(decode(told[at]), account),
                "debit": max(amount, 0),
                "credit": max(-amount, 0),
                "balance": running,
                "late": late,
            }
        )
    return {
        "opening": opening,
        "items": items,
        "turnover": {"debit": debit, "credit": credit},
        "closing": opening + debit - credit,
        "as_of_position": position,
    }


def restatement(
    connection: Connection,
    account: AccountKey,
    day: date,
    *,
    then: int,
    now: int,
    after: int | None = None,
    limit: int,
) -> dict[str, Any]:
    """A day's balance as known at two positions, and the events that make the difference."""
    known = [
        balance(connection, *account, position=at, effective_on=day)["balance"]
        for at in (then, now)
    ]
    found = connection.execute(
        SQL["told_since"],
        {
            **account._asdict(),
            "day": day,
            "day_end": last_of_day(connection, day),
            "after": then if after is None else after,
            "until": now,
            "limit": limit,
        },
    ).fetchall()
    told = reading.entries(connection, [row[0] for row in found])
    events = [
        {**_said(at, decode(told[at])), "effective_on": effective_on, "amount": amount}
        for at, effective_on, amount in found
    ]
    return {
        "then": known[0],
        "now": known[1],
        "difference": known[1] - known[0],
        "events": events,
        "as_of_position": now,
    }


def series(
    connection: Connection, account: AccountKey, days: DateRange, interval: Interval
) -> dict[str, Any]:
    """Debit, credit and closing balance of each day, week or month, those without lines included.

    By effective date, as known now. The first and the last are cut to `days`; what has no ends
    begins and ends with the account's own lines. Raises TooManyIntervals.
    """
    position = checkpoint(connection)
    rows = connection.execute(SQL["days"], {**account._asdict(), **days._asdict()}).fetchall()
    if rows:
        days = DateRange(
            rows[0][0] if days.first == date.min else days.first,
            rows[-1][0] if days.last == date.max else days.last,
        )
    closing = _balance_before(connection, account, days.first, position)
    items: list[dict[str, Any]] = []
    if date.min < days.first and days.last < date.max:
        for span in _spans(days, interval):
            debit = sum(row[1] for row in rows if span.first <= row[0] <= span.last)
            credit = sum(row[2] for row in rows if span.first <= row[0] <= span.last)
            closing += debit - credit
            item = {"from": span.first.isoformat(), "to": span.last.isoformat()}
            items.append({**item, "debit": debit, "credit": credit, "closing": closing})
    return {"items": items, "as_of_position": position}


def legs(connection: Connection, position: int, entry: Entry) -> list[dict[str, Any]]:
    """What the event at `position` did to each account: amount, and the balances before and
    after it, debit positive."""
    keys = dict.fromkeys((account, asset) for account, asset, _ in entry.postings)
    if not keys:
        return []
    names, assets = zip(*keys, strict=True)
    rows = connection.execute(SQL["legs"], (list(names), list(assets), position))
    return [
        {
            "account": account,
            "asset": asset,
            "amount": amount,
            "before": after - amount,
            "after": after,
        }
        for account, asset, amount, after in rows
    ]


def _spans(days: DateRange, interval: Interval) -> list[DateRange]:
    spans: list[DateRange] = []
    first = days.first
    while first <= days.last:
        if len(spans) == INTERVALS_MAX:
            raise TooManyIntervals
        last = min(calendar.around(first, interval).last, days.last)
        spans.append(DateRange(first, last))
        first = last + timedelta(days=1)
    return spans


def _before(connection: Connection, first: date) -> int:
    """The last position recorded before a day."""
    return 0 if first == date.min else last_of_day(connection, first - timedelta(days=1))


def _balance_before(connection: Connection, account: AccountKey, first: date, position: int) -> int:
    if first == date.min:
        return 0
    day = first - timedelta(days=1)
    opening: int = balance(connection, *account, position=position, effective_on=day)["balance"]
    return opening


def _said(position: int, entry: Entry) -> dict[str, Any]:
    return {
        "position": position,
        "event_id": entry.event_id,
        "type": entry.type,
        "occurred_at": entry.occurred_at,
        "recorded_at": entry.recorded_at,
    }


def _counter(entry: Entry, account: AccountKey) -> list[dict[str, Any]]:
    """The other accounts of the same asset, each with what it got, debit positive."""
    amounts: dict[str, int] = {}
    for name, asset, amount in entry.postings:
        if asset == account.asset and name != account.account:
            amounts[name] = amounts.get(name, 0) + amount
    return [{"account": name, "amount": amount} for name, amount in amounts.items()]
