"""Periods of reports: how people name them, and which days they are.

| written | days |
|---|---|
| `2026` | the calendar year |
| `FY2026` | the fiscal year that ends in 2026 |
| `2026-Q3`, `2026-11`, `2026-W48` | a quarter, a month, a week from Monday to Sunday (ISO 8601) |
| `2026-11-20`, `2026-11-01..2026-11-15` | a day; from a day to another, both included |
| `today`, `month-1` | this day; the month before this one, and day, week, quarter, year alike |
"""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

_YEAR = "([12][0-9]{3})"


class DateRange(NamedTuple):
    """Business days from the first to the last, both included."""

    first: date
    last: date


class NotAPeriod(ValueError):
    """What was written names no period; says why."""


def period(text: str, *, today: date, fiscal_year_start: int = 1) -> DateRange:
    """The days that `text` names; raises `NotAPeriod`.

    `fiscal_year_start`: the month in which fiscal years begin, 1 to 12. A fiscal year is named
    after the calendar year in which it ends.
    """
    if text == "today":
        return DateRange(today, today)
    for form, days in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            try:
                return days(*found.groups())
            except NotAPeriod:
                raise
            except ValueError:
                raise NotAPeriod(f"{text} does not exist") from None
    try:
        if found := re.fullmatch(f"FY{_YEAR}", text):
            return _fiscal_year(int(found[1]), fiscal_year_start)
        if found := re.fullmatch(r"(day|week|month|quarter|year)-([0-9]{1,4})", text):
            return _before(today, found[1], int(found[2]))
    except (ValueError, OverflowError):
        raise NotAPeriod(f"{text} is before the calendar begins") from None
    raise NotAPeriod(
        "must be like 2026, FY2026, 2026-Q3, 2026-11, 2026-W48, 2026-11-20, "
        "2026-11-01..2026-11-15, month-1 or today"
    )


def month(year: int, number: int) -> DateRange:
    """The days of a month."""
    return _months(year, number, 1)


def week(day: date) -> DateRange:
    """The days from Monday to Sunday around `day`; the calendar's last week ends with it."""
    monday = day - timedelta(days=day.weekday())
    return DateRange(monday, monday + min(timedelta(days=6), date.max - monday))


def around(day: date, interval: str) -> DateRange:
    """The day, week or month that `day` is in."""
    if interval == "week":
        return week(day)
    return month(day.year, day.month) if interval == "month" else DateRange(day, day)


def _months(year: int, first: int, count: int) -> DateRange:
    """`count` whole months from the month `first` of `year` on."""
    years, last = divmod(first - 1 + count - 1, 12)
    end = year + years, last + 1
    return DateRange(date(year, first, 1), date(*end, monthrange(*end)[1]))


def _fiscal_year(year: int, start: int) -> DateRange:
    return _months(year if start == 1 else year - 1, start, 12)


def _before(today: date, unit: str, count: int) -> DateRange:
    """The day, week, month, quarter or year that lies `count` before the one of `today`."""
    if unit == "day":
        day = today - timedelta(days=count)
        return DateRange(day, day)
    if unit == "week":
        return week(today - timedelta(weeks=count))
    length = {"month": 1, "quarter": 3, "year": 12}[unit]
    ordinal = today.year * 12 + today.month - 1
    year, first = divmod(ordinal - ordinal % length - count * length, 12)
    return _months(year, first + 1, length)


def _between(first: str, last: str) -> DateRange:
    days = DateRange(date.fromisoformat(first), date.fromisoformat(last))
    if days.last < days.first:
        raise NotAPeriod(f"{last} is before {first}")
    return days


def _day(text: str) -> DateRange:
    return _between(text, text)


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("DAY", f"({_YEAR[1:-1]}-[0-9]{{2}}-[0-9]{{2}})"))


_FORMS: tuple[tuple[re.Pattern[str], Callable[..., DateRange]], ...] = (
    (_form(_YEAR), lambda year: _months(int(year), 1, 12)),
    (_form(f"{_YEAR}-Q([1-4])"), lambda year, nth: _months(int(year), 3 * int(nth) - 2, 3)),
    (_form(f"{_YEAR}-([0-9]{{2}})"), lambda year, nth: month(int(year), int(nth))),
    (
        _form(f"{_YEAR}-W([0-9]{{2}})"),
        lambda year, nth: week(date.fromisocalendar(int(year), int(nth), 1)),
    ),
    (_form("DAY"), _day),
    (_form(r"DAY\.\.DAY"), _between),
)
