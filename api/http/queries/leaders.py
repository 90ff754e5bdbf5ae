"""Leaderboards, the fans of a creator and the favourite creators of a fan."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Query
from pydantic import BaseModel, Field

from api.http.queries.access import CREATOR_OR_READERS, USER_OR_READERS, Readers
from api.http.queries.listing import PagedInOrder, PageInOrder, cursor_text, read_cursor
from api.http.queries.parameters import Period, PeriodAsked, Subject
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from domain import calendar
from domain.calendar import DateRange
from domain.catalogue import Problem
from ledger.api_keys import Role
from ledger.write.admission import invalid
from projections import queries
from projections.queries import Board, BoardAsked, Ranked

_ALWAYS = PeriodAsked(None, None, None)


class Leader(BaseModel):
    """A creator or a fan at a rank: what was spent, with how many sales, the last one when."""

    rank: int
    creator: str | None = None
    fan: str | None = None
    amount: int
    count: int
    last_at: datetime | None


class Leaderboard(AsOf):
    """A page of a board; without a period it is of all time."""

    of: str
    from_: str | None = Field(alias="from")
    to: str | None
    currency: str
    items: list[Leader]
    next_cursor: str | None
    has_more: bool


class SpendRange(BaseModel):
    """Between which amounts it is, both included; null: no end."""

    from_: int = Field(alias="from")
    to: int | None


class FanOfCreator(BaseModel):
    """A fan at a rank. A creator sees `fan_alias` and `spend`, others see `user` and `amount`."""

    rank: int
    fan_alias: str
    spend: SpendRange
    count: int
    last_on: str
    user: str | None = None
    amount: int | None = None


class FansOfCreator(AsOf):
    """A page of a creator's fans."""

    creator: str
    currency: str
    items: list[FanOfCreator]
    next_cursor: str | None
    has_more: bool


class FavouriteCreator(BaseModel):
    """A creator at a rank: what the fan spent, with how many sales, the last one when."""

    rank: int
    creator: str
    amount: int
    count: int
    last_at: datetime | None


class FavouriteCreators(AsOf):
    """A page of a fan's favourite creators."""

    user: str
    currency: str
    items: list[FavouriteCreator]
    next_cursor: str | None
    has_more: bool


_Of = Annotated[Board, Query(description="creators by what was spent on them, or fans by spend")]


def read_leaderboard(asked: Asked, period: Period, page: PagedInOrder, of: _Of) -> Answered:
    """Who spent most, or on whom most was spent, in a day, a week, a month or of all time.

    Spend is net of refunds and lost disputes, which count on the day of their sale. Equal ones
    stand in the order in which they got there, and then of their ids. A list goes down to rank
    10,000.
    """
    days = None if period == _ALWAYS else asked.days(period)
    board = BoardAsked(of) if days is None else _board(of, days)
    which = (asked.book.name, "leaderboards", board)
    found = queries.leaderboard(asked.connection, board, **_after(which, page))
    return {
        "of": of,
        "from": None if days is None else days.first.isoformat(),
        "to": None if days is None else days.last.isoformat(),
        **_paged(asked, which, found, found.items),
    }


def read_fans(asked: Asked, creator: Subject, page: PagedInOrder) -> Answered:
    """The fans who spent most on a creator's sales of all time.

    A creator's key is given aliases and ranges: an alias is the same for a creator and a fan for
    ever, and tells nothing else. Equal ones stand in the order in which they got there.
    """
    which = (asked.book.name, "fans", creator)
    found = queries.fans_of(asked.connection, creator, **_after(which, page))
    hidden = asked.identity.role is Role.CREATOR
    items = [_fan(item, asked, hidden=hidden) for item in found.items]
    return {"creator": creator, **_paged(asked, which, found, items)}


def read_favourites(asked: Asked, user: Subject, page: PagedInOrder) -> Answered:
    """The creators on whose sales a fan spent most of all time."""
    which = (asked.book.name, "favourites", user)
    found = queries.favourites_of(asked.connection, user, **_after(which, page))
    return {"user": user, **_paged(asked, which, found, found.items)}


def _board(of: Board, days: DateRange) -> BoardAsked:
    for unit in ("day", "week", "month"):
        if days == calendar.around(days.first, unit):
            return BoardAsked(of, unit, days.first)
    raise invalid(Problem("/period", "must be a day, a week or a month; without it, all time"))


def _fan(item: dict[str, Any], asked: Asked, *, hidden: bool) -> dict[str, Any]:
    last_on = item["last_at"].astimezone(ZoneInfo(asked.book.time_zone)).date().isoformat()
    shown = {
        "rank": item["rank"],
        "fan_alias": item["fan_alias"],
        "spend": queries.spend_range(item["amount"]),
        "count": item["count"],
        "last_on": last_on,
    }
    return shown if hidden else shown | {"user": item["user"], "amount": item["amount"]}


def _after(which: Sequence[Any], page: PageInOrder) -> dict[str, int]:
    rank = 0 if page.after is None else read_cursor(which, page.after, int)
    return {"after": rank, "limit": page.limit}


def _paged(
    asked: Asked, which: Sequence[Any], found: Ranked, items: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "currency": asked.book.currency,
        "items": items,
        "next_cursor": cursor_text(which, items[-1]["rank"]) if found.more else None,
        "has_more": found.more,
        "as_of_position": found.as_of_position,
    }


QUESTIONS = (
    Question(
        "/leaderboards", "Leaderboards", Leaderboard, Readers("leaderboards"), read_leaderboard
    ),
    Question(
        "/creators/{creator}/fans",
        "The fans of a creator",
        FansOfCreator,
        CREATOR_OR_READERS,
        read_fans,
    ),
    Question(
        "/users/{user}/creators",
        "The favourite creators of a fan",
        FavouriteCreators,
        USER_OR_READERS,
        read_favourites,
    ),
)
