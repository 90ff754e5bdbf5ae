"""Figures by business day, week and month."""

from typing import Any

from pydantic import Field

from api.http.queries.access import Readers
from api.http.queries.parameters import Period, PeriodAsked, bounded
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from domain import calendar
from projections import queries
from projections.queries import Unit

_READERS = Readers("analytics")


class DailyFigures(AsOf):
    """Figures by day."""

    from_: str = Field(alias="from")
    to: str
    days: list[dict[str, Any]]


class WeeklyFigures(AsOf):
    """Figures by week."""

    from_: str = Field(alias="from")
    to: str
    weeks: list[dict[str, Any]]


class MonthlyFigures(AsOf):
    """Figures by month."""

    from_: str = Field(alias="from")
    to: str
    months: list[dict[str, Any]]


def read_daily(asked: Asked, period: Period) -> Answered:
    """The days of a period, or from one date to another, both included; days without figures are
    left out.

    `arppu` is what users paid for tokens and by card, for each of the `payers`, who bought tokens
    or paid for a sale in any way; `margin_per_payer` is the platform's part of sales and usage for
    each of them. `cash_out` is what was paid out to creators, less what came back, beside what they
    earned with that day's sales. Of `tips_by_stream`, which goes by the label `stream`, null is
    what is of no stream, or of none of the 100 with the most. Ratios are rounded half up, and null
    where there is nothing to divide by.
    """
    return _figures(asked, "day", period)


def read_weekly(asked: Asked, period: Period) -> Answered:
    """The same by week from Monday to Sunday, named by its first day. Weeks of which only a part is
    in the period are there whole. Whoever paid on several days of a week is one of its payers."""
    return _figures(asked, "week", period)


def read_monthly(asked: Asked, period: Period) -> Answered:
    """The same by calendar month, each whole, named by its first day."""
    return _figures(asked, "month", period)


def _figures(asked: Asked, unit: Unit, period: PeriodAsked) -> Answered:
    days = asked.days(bounded(period))
    first, last = days.first, days.last
    if unit != "day":
        first, last = calendar.around(first, unit).first, calendar.around(last, unit).last
    found = queries.analytics(asked.connection, unit, first, last)
    return {"from": first.isoformat(), "to": last.isoformat(), **found}


QUESTIONS = (
    Question("/analytics/daily", "Figures by business day", DailyFigures, _READERS, read_daily),
    Question("/analytics/weekly", "Figures by week", WeeklyFigures, _READERS, read_weekly),
    Question("/analytics/monthly", "Figures by month", MonthlyFigures, _READERS, read_monthly),
)
