"""Statements of accounts and of classes of accounts, and what was told of a day later.

A statement is by effective date and as known at a position. Its lines stand in the order of the
log, so late ones come last; opening + debit - credit = closing, and the last line's balance is the
closing one. A class's lines have both sides of an event: a gift from wallet to wallet moves as much
into the class as out of it.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from domain.accounts import class_of
from domain.calendar import DateRange
from ledger.log.entry import Entry
from ledger.postgres.database import Connection
from projections.engine.checkpoints import checkpoint
from projections.engine.projection import bound
from projections.models.account_classes import AccountClasses
from projections.models.class_balances import class_balance
from projections.models.general_journal import JournalFilter, Span, entries, page_of
from projections.models.journal import Journal
from projections.models.late_entries import business_days, last_of_day
from projections.models.trial_balance import balance

SQL = bound("account_statements", (*Journal.tables, *AccountClasses.tables))


class AccountKey(NamedTuple):
    """An account, or a class of accounts like `cr.*.available`, in one asset."""

    account: str
    asset: str

    @property
    def is_class(self) -> bool:
        """Whether it stands for many accounts."""
        return "*" in self.account

    def sides(self, entry: Entry) -> tuple[int, int] | None:
        """Debit and credit of an event: of an account what is left of both, of a class each."""
        amounts = [
            amount
            for name, asset, amount in entry.postings
            if asset == self.asset and self.account == (class_of(name) if self.is_class else name)
        ]
        if not amounts:
            return None
        if not self.is_class:
            amounts = [sum(amounts)]
        return sum(max(each, 0) for each in amounts), sum(max(-each, 0) for each in amounts)

    def counter(self, entry: Entry) -> list[dict[str, Any]]:
        """The other accounts of the same asset, each with what it got, debit positive."""
        amounts: dict[str, int] = {}
        for name, asset, amount in entry.postings:
            own = class_of(name) if self.is_class else name
            if asset == self.asset and own != self.account:
                amounts[name] = amounts.get(name, 0) + amount
        return [{"account": name, "amount": amount} for name, amount in amounts.items()]


class LineFilter(NamedTuple):
    """Which lines: of a type, and of an amount on the larger side."""

    type: str | None = None
    min_amount: int = 0
    max_amount: int | None = None

    def chooses(self, line: Mapping[str, Any]) -> bool:
        """Whether the line is asked for."""
        amount = max(line["debit"], line["credit"])
        return (
            self.type in {None, line["type"]}
            and amount >= self.min_amount
            and (self.max_amount is None or amount <= self.max_amount)
        )


class StatementPlace(NamedTuple):
    """Where a statement goes on: after which position and with which balance; and its opening
    balance, turnover and closing balance, for which nobody walks its lines again. A class's
    turnover is not known of the past."""

    after: int
    balance: int
    opening: int
    turnover: tuple[int, int] | None
    closing: int


EVERY_LINE = LineFilter()


def reached(connection: Connection, account: AccountKey) -> int:
    """Up to where statements of it are kept."""
    kept = AccountClasses if account.is_class else Journal
    return checkpoint(connection, kept.name).position


def statement(
    connection: Connection,
    account: AccountKey,
    days: DateRange,
    *,
    position: int | None = None,
    wanted: LineFilter = EVERY_LINE,
    place: StatementPlace | None = None,
    limit: int,
) -> dict[str, Any]:
    """Opening and closing balance of the days, their turnover, and at most `limit` lines of those
    that are `wanted`; fewer where a page has looked at as many as it may.

    As known at `position`, which is not beyond what is `reached`; without one, now. Balances are
    debit positive. `place` of the answer: where it goes on, None at its end.
    """
    if place is None or position is None:
        place, position = _begin(connection, account, days, position)
    running = place.balance
    days_of = business_days(connection.cursor())

    def walked() -> Iterator[tuple[int, dict[str, Any] | None]]:
        nonlocal running
        for at, entry in _entries(connection, account, Span(days, place.after, position)):
            sides = account.sides(entry)
            if sides is None:
                yield at, None
                continue
            debit, credit = sides
            running += debit - credit
            line = {
                **_said(at, entry),
                "counter": account.counter(entry),
                "debit": debit,
                "credit": credit,
                "balance": running,
                "late": days_of.of(entry.recorded_at) > entry.effective_on,
            }
            yield at, line if wanted.chooses(line) else None

    items, last = page_of(walked(), limit)
    more = None
    if last is not None:
        taken = items and items[-1]["position"] == last
        more = place._replace(after=last, balance=items[-1]["balance"] if taken else running)
    turnover = place.turnover and dict(zip(("debit", "credit"), place.turnover, strict=True))
    return {
        "opening": place.opening,
        "items": items,
        "turnover": turnover,
        "closing": place.closing,
        "place": more,
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
    """A day's balance as known at two positions, and the events that make the difference. `place`:
    after which position they go on, None at their end."""
    known = [balance_on(connection, account, day, position) for position in (then, now)]
    span = Span(DateRange(date.min, day), then if after is None else after, now)

    def walked() -> Iterator[tuple[int, dict[str, Any] | None]]:
        for at, entry in _entries(connection, account, span):
            sides = account.sides(entry)
            if sides is None:
                yield at, None
            else:
                yield at, {**_said(at, entry), "amount": sides[0] - sides[1]}

    events, place = page_of(walked(), limit)
    return {
        "then": known[0],
        "now": known[1],
        "difference": known[1] - known[0],
        "events": events,
        "place": place,
        "as_of_position": now,
    }


def balance_on(connection: Connection, account: AccountKey, day: date, position: int) -> int:
    """What it stood at by the end of a day, as known at a position, debit positive."""
    if account.is_class:
        return class_balance(connection, *account, position=position, effective_on=day)
    found: int = balance(connection, *account, position=position, effective_on=day)["balance"]
    return found


def _begin(
    connection: Connection, account: AccountKey, days: DateRange, position: int | None
) -> tuple[StatementPlace, int]:
    """The first place of a statement, and the position as known at."""
    values: dict[str, Any] = {**account._asdict(), **days._asdict()}
    if account.is_class and position is None:
        row = connection.execute(SQL["class_turnover"], values).fetchone()
        position, opening, debit, credit = row or (0, 0, 0, 0)
        closing = opening + debit - credit
        return StatementPlace(0, opening, opening, (debit, credit), closing), position
    position = reached(connection, account) if position is None else position
    eve = None if days.first == date.min else days.first - timedelta(days=1)
    opening = 0 if eve is None else balance_on(connection, account, eve, position)
    if account.is_class:
        closing = balance_on(connection, account, days.last, position)
        return StatementPlace(0, opening, opening, None, closing), position
    values["position"] = position
    values["before"] = 0 if eve is None else last_of_day(connection, eve)
    values["day_end"] = last_of_day(connection, days.last)
    debit, credit = connection.execute(SQL["turnover"], values).fetchone() or (0, 0)
    closing = opening + debit - credit
    return StatementPlace(0, opening, opening, (debit, credit), closing), position


def _entries(
    connection: Connection, account: AccountKey, span: Span
) -> Iterator[tuple[int, Entry]]:
    return entries(connection, JournalFilter(account=account.account, asset=account.asset), span)


def _said(position: int, entry: Entry) -> dict[str, Any]:
    return {
        "position": position,
        "event_id": entry.event_id,
        "type": entry.type,
        "effective_on": entry.effective_on,
        "occurred_at": entry.occurred_at,
        "recorded_at": entry.recorded_at,
    }
