"""Accounts over time: by day, week or month, and around an event."""

from datetime import date, timedelta
from typing import Any, Literal

from domain import calendar
from domain.calendar import DateRange
from ledger.log.entry import Entry
from ledger.postgres.database import Connection
from projections.engine.projection import bound
from projections.models.account_classes import AccountClasses
from projections.models.account_statements import AccountKey, balance_on, reached
from projections.models.journal import Journal

SQL = bound("account_series", (*Journal.tables, *AccountClasses.tables))

INTERVALS_MAX = 1_000

Interval = Literal["day", "week", "month"]


class TooManyIntervals(Exception):
    """More than `INTERVALS_MAX` were asked for."""


def series(
    connection: Connection, account: AccountKey, days: DateRange, interval: Interval
) -> dict[str, Any]:
    """Debit, credit and closing balance of each day, week or month, those without lines included.

    By effective date, as known now. The first and the last are cut to `days`; what has no ends
    begins and ends with the account's own lines. Raises TooManyIntervals.
    """
    position = reached(connection, account)
    query = SQL["class_days" if account.is_class else "days"]
    rows = connection.execute(query, {**account._asdict(), **days._asdict()}).fetchall()
    if rows:
        days = DateRange(
            rows[0][0] if days.first == date.min else days.first,
            rows[-1][0] if days.last == date.max else days.last,
        )
    closing = 0
    if days.first > date.min:
        closing = balance_on(connection, account, days.first - timedelta(days=1), position)
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
