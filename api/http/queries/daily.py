"""Figures by business day."""

from typing import Any

from api.http.queries.access import Readers
from api.http.queries.parameters import Dates
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from projections.queries import daily


class DailyFigures(AsOf):
    """Figures by day."""

    days: list[dict[str, Any]]


def read_daily(asked: Asked, dates: Dates) -> Answered:
    """The days from one date to another, both included; days without figures are left out."""
    return daily(asked.connection, dates.first, dates.last)


QUESTIONS = (
    Question(
        "/analytics/daily",
        "Figures by business day",
        DailyFigures,
        Readers("analytics"),
        read_daily,
    ),
)
