"""Figures by business day."""

from typing import Any

from pydantic import Field

from api.http.queries.access import Readers
from api.http.queries.parameters import Period, bounded
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from projections.queries import daily


class DailyFigures(AsOf):
    """Figures by day."""

    from_: str = Field(alias="from")
    to: str
    days: list[dict[str, Any]]


def read_daily(asked: Asked, period: Period) -> Answered:
    """The days of a period, or from one date to another, both included; days without figures are
    left out."""
    days = asked.days(bounded(period))
    figures = daily(asked.connection, days.first, days.last)
    return {"from": days.first.isoformat(), "to": days.last.isoformat(), **figures}


QUESTIONS = (
    Question(
        "/analytics/daily",
        "Figures by business day",
        DailyFigures,
        Readers("analytics"),
        read_daily,
    ),
)
