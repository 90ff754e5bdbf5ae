"""Periods of reports, as people write them."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import NotAPeriod, period

SATURDAY = date(2026, 11, 28)
days = st.dates(min_value=date(1100, 1, 1), max_value=date(2900, 12, 31))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", "2026-01-01", "2026-12-31"),
        ("FY2026", "2025-04-01", "2026-03-31"),
        ("2026-Q3", "2026-07-01", "2026-09-30"),
        ("2026-11", "2026-11-01", "2026-11-30"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-W48", "2026-11-23", "2026-11-29"),
        ("2020-W53", "2020-12-28", "2021-01-03"),
        ("2026-11-20", "2026-11-20", "2026-11-20"),
        ("2026-11-01..2026-11-15", "2026-11-01", "2026-11-15"),
        ("today", "2026-11-28", "2026-11-28"),
        ("day-1", "2026-11-27", "2026-11-27"),
        ("week-1", "2026-11-16", "2026-11-22"),
        ("month-1", "2026-10-01", "2026-10-31"),
        ("month-11", "2025-12-01", "2025-12-31"),
        ("quarter-1", "2026-07-01", "2026-09-30"),
        ("quarter-4", "2025-10-01", "2025-12-31"),
        ("year-1", "2025-01-01", "2025-12-31"),
    ],
)
def test_periods_as_they_are_written(text: str, first: str, last: str) -> None:
    days = period(text, today=SATURDAY, fiscal_year_start=4)
    assert (days.first.isoformat(), days.last.isoformat()) == (first, last)


def test_a_fiscal_year_that_begins_in_january_is_the_calendar_year() -> None:
    assert period("FY2026", today=SATURDAY) == period("2026", today=SATURDAY)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-02-30", "does not exist"),
        ("2026-13", "does not exist"),
        ("2026-W54", "does not exist"),
        ("2025-W53", "does not exist"),
        ("2026-11-15..2026-11-01", "is before"),
        ("2026-11-15..2026-11-31", "does not exist"),
        ("month-9999x", "must be like"),
        ("year-9999", "before the calendar"),
        ("2026-Q5", "must be like"),
        ("yesterday", "must be like"),
        ("", "must be like"),
        ("２０２６", "must be like"),
    ],
)
def test_what_is_no_period(text: str, says: str) -> None:
    with pytest.raises(NotAPeriod, match=says):
        period(text, today=SATURDAY)


@given(day=days, start=st.integers(1, 12))
def test_every_day_is_in_its_week_month_quarter_year_and_fiscal_year(day: date, start: int) -> None:
    week = day.isocalendar()
    quarter = (day.month + 2) // 3
    fiscal = day.year + (1 if start > 1 and day.month >= start else 0)
    for text in (
        f"{day:%Y-%m-%d}",
        f"{week.year}-W{week.week:02}",
        f"{day:%Y-%m}",
        f"{day:%Y}-Q{quarter}",
        f"{day:%Y}",
        f"FY{fiscal}",
    ):
        found = period(text, today=SATURDAY, fiscal_year_start=start)
        assert found.first <= day <= found.last, text


@given(day=days, unit=st.sampled_from(["day", "week", "month", "quarter", "year"]))
def test_periods_counted_back_follow_each_other(day: date, unit: str) -> None:
    spans = [period(f"{unit}-{count}", today=day) for count in range(8)]
    assert spans[0].first <= day <= spans[0].last
    for later, earlier in pairwise(spans):
        assert earlier.last + timedelta(days=1) == later.first
