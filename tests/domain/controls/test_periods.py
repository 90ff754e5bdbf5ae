"""Periods: closed once over, in their order; late facts go to the first open day."""

from datetime import date

import pytest

from domain.catalogue import InvalidRequest
from domain.controls.periods import Periods, month_after
from domain.rejections import Rejection
from tests.domain.in_memory_book import InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK


def close(place: InMemoryBook, period: str) -> str:
    decision = place.decide("close-period", "fay", period=period)
    if isinstance(decision, tuple):
        place.record(*decision)
    return code(decision)


def periods(place: InMemoryBook) -> Periods:
    state = place.states["period:book"]
    assert isinstance(state, Periods)
    return state


def test_months_are_closed_in_their_order() -> None:
    place = InMemoryBook(MICRO_UNLOCK)
    assert close(place, "2026-08") == ""
    assert close(place, "2026-10") == "INVALID_TRANSITION"
    assert close(place, "2026-09") == ""
    assert close(place, "2026-09") == "PERIOD_CLOSED"
    assert close(place, "2026-01") == "PERIOD_CLOSED"
    assert periods(place).first_open == date(2026, 10, 1)


def test_a_month_that_is_not_over_stays_open() -> None:
    place = InMemoryBook(MICRO_UNLOCK)
    assert close(place, "2026-11") == "INVALID_TRANSITION"
    place.now = place.now.replace(month=12, day=1, hour=0)
    assert close(place, "2026-11") == ""


@pytest.mark.parametrize("period", ["2026", "2026-13", "26-01", "2026-1", "2026-00", "9999-12"])
def test_what_is_no_month(period: str) -> None:
    with pytest.raises(InvalidRequest):
        InMemoryBook().decide("close-period", "fay", period=period)


def test_late_facts_go_to_the_first_open_day() -> None:
    closed = Periods(first_open=date(2026, 10, 1))
    assert closed.open_day(date(2026, 9, 30)) == date(2026, 10, 1)
    assert closed.open_day(date(2026, 10, 1)) == date(2026, 10, 1)
    assert closed.open_day(date(2026, 11, 5)) == date(2026, 11, 5)
    assert Periods().open_day(date(1999, 1, 1)) == date(1999, 1, 1)
    assert isinstance(closed.refuses(date(2026, 9, 30)), Rejection)
    assert closed.refuses(date(2026, 10, 1)) is None


def test_years_end() -> None:
    assert month_after("2026-12") == date(2027, 1, 1)
    assert month_after("2028-02") == date(2028, 3, 1)
