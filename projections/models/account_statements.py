"""Statements of accounts: what happened between two days, and what was told of a day later.

A statement is by effective date and as known at a position. Its lines stand in the order of the
log, so late ones come last; opening + debit - credit = closing, and the last line's balance is the
closing one.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

from domain import calendar
from domain.calendar import DateRange
from ledger.log import reading
from ledger.log.entry import Entry, decode
from ledger.postgres.database import Connection
from projections.engine.checkpoints import checkpoint
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
    """Where a statement goes on: after which position and with which balance; and its opening
    balance and turnover, for which nobody walks its lines again."""

    after: int
    balance: int
    opening: int
    debit: int
    credit: int


def reached(connection: Connection) -> int:
    """Up to where the journal is kept."""
    return checkpoint(connection, Journal.name).position


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

    As known at `position`, which is not beyond the journal's. Balances are debit positive. `place`
    of the answer: where it goes on, None at its end.
    """
    values = {
        **account._asdict(),
        "first": first,
        "last": last,
        "before": _before(connection, first),
        "day_end": last_of_day(connection, last),
        "position": position,
    }
    if place is None:
        opening = _balance_before(connection, account, first, position)
        debit, credit = connection.execute(SQL["turnover"], values).fetchone() or (0, 0)
        place = StatementPlace(0, opening, opening, debit, credit)
    asked = {**values, "after": place.after, "limit": limit + 1}
    found = connection.execute(SQL["lines"], asked).fetchall()
    told = _told(connection, found[:limit])
    items, running = [], place.balance
    for (at, effective_on, amount, late), entry in told:
        running += amount
        items.append(
            {
                **_said(at, entry),
                "effective_on": effective_on,
                "counter": _counter(entry, account),
                "debit": max(amount, 0),
                "credit": max(-amount, 0),
                "balance": running,
                "late": late,
            }
        )
    more = len(found) > limit
    return {
        "opening": place.opening,
        "items": items,
        "turnover": {"debit": place.debit, "credit": place.credit},
        "closing": place.opening + place.debit - place.credit,
        "place": place._replace(after=items[-1]["position"], balance=running) if more else None,
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
    events = [
        {**_said(at, entry), "effective_on": effective_on, "amount": amount}
        for (at, effective_on, amount), entry in _told(connection, found)
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
    position = reached(connection)
    rows = connection.execute(SQL["days"], {**account._asdict(), **days._asdict()}).fetchall()
    if rows:
        days = DateRange(
            rows[0][0] if days.first == date.min else days.first,
            rows[-1][0] if days.last == date.max else days.last,
        )
    closing = _balance_before(connection, account, days.first, position)
    items: list[dict[str, Any]] = []
    if date.min < days.first and days.last < date.max:
        turnover: dict[date, tuple[int, int]] = {}
        for day, debit, credit in rows:
            first = max(calendar.around(day, interval).first, days.first)
            before = turnover.get(first, (0, 0))
            turnover[first] = before[0] + debit, before[1] + credit
        for span in _spans(days, interval):
            debit, credit = turnover.get(span.first, (0, 0))
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


def _told(
    connection: Connection, found: Sequence[tuple[Any, ...]]
) -> list[tuple[tuple[Any, ...], Entry]]:
    """Rows that begin with a position, each with the entry that stands there."""
    told = reading.entries(connection, [row[0] for row in found])
    return [(row, decode(told[row[0]])) for row in found]


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
