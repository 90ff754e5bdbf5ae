"""The questions of finance: trial balance and balances at any moment, and the daily figures."""

from datetime import date, datetime
from typing import Annotated

from fastapi import FastAPI, Path, Query, Request
from starlette.responses import Response

from api.http import openapi
from api.http.queries.reader import (
    POSITION_MAX,
    Answered,
    Asking,
    MinPosition,
    anybody_reading,
    not_before,
)
from domain.catalogue import Problem
from ledger.books import Book
from ledger.log.reading import position_at
from ledger.postgres.database import Connection
from ledger.write.admission import invalid
from projections.queries import balance, daily, trial_balance

_Account = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,255}$")]
_Asset = Annotated[str, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
_Position = Annotated[
    int | None, Query(ge=0, le=POSITION_MAX, description="as of this position of the log")
]
_At = Annotated[datetime | None, Query(description="as of this recorded time, with its offset")]
_EffectiveOn = Annotated[date | None, Query(description="as of the end of this effective date")]
_READING = anybody_reading("the books' balances")


def install(app: FastAPI, asking: Asking) -> None:
    """Add the routes."""
    _add_trial_balance(app, asking)
    _add_balance(app, asking)
    _add_daily(app, asking)


def _add_trial_balance(app: FastAPI, asking: Asking) -> None:
    @app.get(
        "/v1/books/{book}/trial-balance",
        summary="Every account's balance, now or at a moment",
        **openapi.question("TrialBalance"),
    )
    async def read_trial_balance(
        request: Request,
        book: str,
        *,
        position: _Position = None,
        at: _At = None,
        effective_on: _EffectiveOn = None,
        min_position: MinPosition = 0,
    ) -> Response:
        _check_moment(position, at, effective_on)

        def ask(connection: Connection, _: Book) -> Answered:
            until = position if at is None else position_at(connection, at)
            answered = trial_balance(connection, position=until, effective_on=effective_on)
            return not_before(until or 0, answered)

        return await asking.answer(request, book, _READING, ask, min_position=min_position)


def _add_balance(app: FastAPI, asking: Asking) -> None:
    @app.get(
        "/v1/books/{book}/accounts/{account}/balance",
        summary="One account's balance, debit positive, now or at a moment",
        **openapi.question("AccountBalance"),
    )
    async def read_balance(
        request: Request,
        book: str,
        *,
        account: _Account,
        asset: _Asset,
        position: _Position = None,
        at: _At = None,
        effective_on: _EffectiveOn = None,
        min_position: MinPosition = 0,
    ) -> Response:
        _check_moment(position, at, effective_on)

        def ask(connection: Connection, _: Book) -> Answered:
            until = position if at is None else position_at(connection, at)
            answered = balance(
                connection, account, asset, position=until, effective_on=effective_on
            )
            return not_before(until or 0, answered)

        return await asking.answer(request, book, _READING, ask, min_position=min_position)


def _add_daily(app: FastAPI, asking: Asking) -> None:
    @app.get(
        "/v1/books/{book}/analytics/daily",
        summary="Figures by business day",
        **openapi.question("DailyFigures"),
    )
    async def read_daily(
        request: Request,
        book: str,
        *,
        first: Annotated[date, Query(alias="from")],
        last: Annotated[date, Query(alias="to", description="included")],
        min_position: MinPosition = 0,
    ) -> Response:
        if last < first:
            raise invalid(Problem("/to", "is before from"))

        def ask(connection: Connection, _: Book) -> Answered:
            return daily(connection, first, last)

        may = anybody_reading("analytics")
        return await asking.answer(request, book, may, ask, min_position=min_position)


def _check_moment(position: int | None, at: datetime | None, effective_on: date | None) -> None:
    if sum(moment is not None for moment in (position, at, effective_on)) > 1:
        raise invalid(Problem("", "give at most one of position, at and effective_on"))
    if at is not None and at.tzinfo is None:
        raise invalid(Problem("/at", "needs its offset from UTC, like 2026-11-20T05:42:00Z"))
