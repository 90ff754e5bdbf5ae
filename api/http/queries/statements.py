"""Statements of accounts, and what was told of a day after it was closed."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, Field

from api.http.queries.access import Readers
from api.http.queries.events import UNKNOWN_EVENT
from api.http.queries.listing import PagedInOrder, cursor_text, read_cursor
from api.http.queries.parameters import (
    AccountOrClass,
    AtMoment,
    EventType,
    MinAmount,
    Moment,
    Period,
    said,
)
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.queries.trial_balance import AssetName
from api.http.schemas import AsOf
from domain.accounts import CLASSES
from domain.catalogue import Problem
from domain.rejections import reject
from ledger.log.entry import decode
from ledger.log.reading import POSITION_MAX, entry, position_at
from ledger.write.admission import Denied, invalid
from projections import queries
from projections.queries import (
    INTERVALS_MAX,
    AccountKey,
    Interval,
    LineFilter,
    StatementPlace,
    TooManyIntervals,
)

_READERS = Readers("the books' balances")
_MaxAmount = Annotated[int | None, Query(ge=0, le=POSITION_MAX)]
_Interval = Annotated[Interval, Query(description="the length of a step")]
_Position = Annotated[int, Path(ge=1, le=POSITION_MAX)]
_Against = Annotated[
    datetime | None, Query(description="the later time to compare with; without it, now")
]


class CounterAmount(BaseModel):
    """Another account of the same event, debit positive."""

    account: str
    amount: int


class EventTold(BaseModel):
    """An event, and its times: true on, happened, recorded."""

    position: int
    event_id: str
    type: str
    effective_on: str
    occurred_at: str
    recorded_at: str


class StatementLine(EventTold):
    """What an event did to the account, on its side, and the balance after it, debit positive.
    `late`: recorded after the day on which it is effective."""

    counter: list[CounterAmount]
    debit: int
    credit: int
    balance: int
    late: bool


class Turnover(BaseModel):
    """The sums of the two sides, of all lines of the days."""

    debit: int
    credit: int


class Statement(AsOf):
    """Opening + debit - credit = closing, debit positive. `turnover` is null where it is not known:
    of a class as known at a moment of the past."""

    account: str
    asset: str
    from_: str | None = Field(alias="from")
    to: str | None
    opening: int
    items: list[StatementLine]
    turnover: Turnover | None
    closing: int
    next_cursor: str | None
    has_more: bool


class RestatedBy(EventTold):
    """An event that changed a balance of a day gone by."""

    amount: int


class Restatement(AsOf):
    """A day's balance as it was known then and later: difference = now - then."""

    account: str
    asset: str
    then: int
    now: int
    difference: int
    events: list[RestatedBy]
    next_cursor: str | None
    has_more: bool


class Span(BaseModel):
    """A day, week or month: what was posted, and what the account stood at then."""

    from_: str = Field(alias="from")
    to: str
    debit: int
    credit: int
    closing: int


class Series(AsOf):
    """An account over time, by effective date."""

    account: str
    asset: str
    items: list[Span]


class LegWithBalances(BaseModel):
    """What an event did to an account, debit positive: after = before + amount."""

    account: str
    asset: str
    amount: int
    before: int
    after: int


class EventBalances(AsOf):
    """An event's legs."""

    position: int
    legs: list[LegWithBalances]


def account_key(account: str, asset: str) -> AccountKey:
    """An account, or a class of the chart; raises Denied."""
    key = AccountKey(account, asset)
    if key.is_class and account not in CLASSES:
        raise invalid(Problem("/account", "is no class of accounts"))
    return key


def read_series(
    asked: Asked,
    account: AccountOrClass,
    asset: AssetName,
    *,
    period: Period,
    interval: _Interval = "day",
) -> Answered:
    """An account's or a class's turnover and closing balance by day, week or month, as known now;
    at most 1,000 of them."""
    days, key = asked.days(period), account_key(account, asset)
    try:
        found = queries.series(asked.connection, key, days, interval)
    except TooManyIntervals:
        message = f"asks for more than {INTERVALS_MAX:,} times one {interval}"
        raise invalid(Problem("/interval", message)) from None
    return {"account": account, "asset": asset, **found}


def read_event_balances(asked: Asked, position: _Position) -> Answered:
    """What the event at a position did to each account, with the balances before and after it."""
    reached = queries.known(asked.connection)
    found = entry(asked.connection, position)
    if found is None:
        raise Denied(reject(UNKNOWN_EVENT, position=position))
    not_before(position, {"as_of_position": reached})
    legs = queries.legs(asked.connection, position, decode(found[0]))
    return {"position": position, "legs": legs, "as_of_position": reached}


def read_statement(
    asked: Asked,
    account: AccountOrClass,
    asset: AssetName,
    *,
    period: Period,
    moment: AtMoment,
    page: PagedInOrder,
    type: EventType = None,  # noqa: A002  (the parameter is called so)
    min_amount: MinAmount = 0,
    max_amount: _MaxAmount = None,
) -> Answered:
    """What was effective in a period, as known at a position or a time, in the order of the log:
    late facts come last. Without a period, everything. Pages go on from the oldest line.

    `account` may be a class like `cr.*.available`. A page by class, type or amount looks through a
    bounded part of the log, so it may be short while there is more. Opening balance, turnover and
    closing balance are those of all lines.
    """
    key, wanted = account_key(account, asset), LineFilter(type, min_amount, max_amount)
    if moment.effective_on is not None:
        raise invalid(Problem("/effective_on", "give a period, or from and to"))
    days = asked.days(period)
    which = (asked.book.name, "statement", key, wanted, days, moment)
    known, place = asked.until(moment), None
    if page.after is not None:
        known, place = read_cursor(which, page.after, tuple[int, StatementPlace])
    not_before(known or 0, {"as_of_position": queries.reached(asked.connection, key)})
    found = queries.statement(
        asked.connection,
        key,
        days,
        position=known,
        wanted=wanted,
        place=place,
        limit=page.limit,
    )
    more, known = found.pop("place"), found["as_of_position"]
    return {
        "account": account,
        "asset": asset,
        **said(period, days),
        **found,
        "next_cursor": None if more is None else cursor_text(which, (known, more)),
        "has_more": more is not None,
    }


def read_restatement(
    asked: Asked,
    account: AccountOrClass,
    asset: AssetName,
    *,
    moment: AtMoment,
    page: PagedInOrder,
    against: _Against = None,
) -> Answered:
    """The balance of `effective_on` as known at `at` (or `position`) and as known at `against` or
    now, and the events told in between. `account` may be a class like `cr.*.available`, a page of
    which may be short while there is more."""
    key = account_key(account, asset)
    if moment.effective_on is None or (moment.at is None and moment.position is None):
        missing = "effective_on" if moment.effective_on is None else "at"
        raise invalid(Problem(f"/{missing}", "is missing: give a date and a time as known at"))
    if against is not None and against.tzinfo is None:
        raise invalid(Problem("/against", "needs its offset from UTC, like 2026-11-20T05:42:00Z"))
    which = (asked.book.name, "restatement", key, moment, against)
    now, after = queries.reached(asked.connection, key), None
    then = _known(asked, moment, now)
    if against is not None:
        now = min(now, position_at(asked.connection, against))
    if page.after is not None:
        now, after = read_cursor(which, page.after, tuple[int, int])
    if now < then:
        raise invalid(Problem("/against", "is before the moment to compare with"))
    found = queries.restatement(
        asked.connection,
        key,
        moment.effective_on,
        then=then,
        now=now,
        after=after,
        limit=page.limit,
    )
    place = found.pop("place")
    return {
        "account": account,
        "asset": asset,
        **found,
        "next_cursor": None if place is None else cursor_text(which, (now, place)),
        "has_more": place is not None,
    }


def _known(asked: Asked, moment: Moment, reached: int) -> int:
    """The position as known at; raises NotYet where it lies ahead of the one that is reached."""
    until = asked.until(moment)
    not_before(until or 0, {"as_of_position": reached})
    return reached if until is None else until


QUESTIONS = (
    Question(
        "/accounts/{account}/statement",
        "An account's opening balance, lines and closing balance",
        Statement,
        _READERS,
        read_statement,
    ),
    Question(
        "/accounts/{account}/restatement",
        "What was told of an account's day later",
        Restatement,
        _READERS,
        read_restatement,
    ),
    Question(
        "/accounts/{account}/series",
        "An account by day, week or month",
        Series,
        _READERS,
        read_series,
    ),
    Question(
        "/events/{position}/balances",
        "The balances around an event",
        EventBalances,
        _READERS,
        read_event_balances,
        statuses=(404,),
    ),
)
