"""Days, weeks and months by hand: who paid counts once in each, and ratios say what they are of."""

from datetime import date
from typing import Any

import pytest

from ledger.postgres.database import Database
from projections import queries
from projections.queries import Unit
from projections.rebuild import rebuild
from tests.projections.following import follow
from tests.scenarios.policies import LIVE_CALL, MICRO_UNLOCK
from tests.scenarios.steps import Sent, card_tip, grant, policy, purchase, tip
from tests.scenarios.steps_products import at, call, meter, verified
from tests.scenarios.write_path import WritePath

#: A Thursday; the month ends on the Saturday of the same week.
THURSDAY = date(2026, 1, 29)


def on(day: int, sent: Sent, month: int = 1) -> Sent:
    """The same, of a day of that year."""
    return sent.but(occurred_at=f"2026-{month:02}-{day:02}T12:00:00Z")


def asked(stage: WritePath, unit: Unit, first: date, last: date) -> list[dict[str, Any]]:
    """The figures with the read models at the head."""
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        found = queries.analytics(connection, unit, first, last)
    assert found["as_of_position"] == len(stage.rows())
    items: list[dict[str, Any]] = found[f"{unit}s"]
    return items


def fans(stage: WritePath) -> WritePath:
    """Ann tips on Thursday, Friday and Sunday; ben on Friday, twice."""
    stage.given(policy(MICRO_UNLOCK))
    for day, user, amount, month in (
        (29, "ann", 1_000, 1), (30, "ann", 500, 1), (1, "ann", 300, 2),
        (30, "ben", 200, 1), (30, "ben", 101, 1),
    ):  # fmt: skip
        stage.given(on(day, card_tip(amount, user, "cora"), month))
    return stage


def test_whoever_pays_on_two_days_counts_once_in_the_week(stage: WritePath) -> None:
    fans(stage)
    days = asked(stage, "day", date(2026, 1, 26), date(2026, 2, 1))
    assert [(day["date"].day, day["payers"]) for day in days] == [(29, 1), (30, 2), (1, 1)]
    (week,) = asked(stage, "week", date(2026, 1, 26), date(2026, 2, 1))
    assert (week["date"], week["to"]) == (date(2026, 1, 26), date(2026, 2, 1))
    assert (week["payers"], week["tips"]["count"], week["tips"]["amount"]) == (2, 5, 2_101)
    months = asked(stage, "month", date(2026, 1, 1), date(2026, 2, 28))
    assert [(month["date"].month, month["payers"]) for month in months] == [(1, 2), (2, 1)]
    assert [month["tips"]["amount"] for month in months] == [1_801, 300]


def test_what_each_payer_paid(stage: WritePath) -> None:
    """2101 of two payers; the platform's fifth of each tip, 200 + 100 + 60 + 40 + 20."""
    fans(stage)
    (week,) = asked(stage, "week", date(2026, 1, 26), date(2026, 2, 1))
    assert week["arppu"] == {"amount": 2_101, "payers": 2, "per_payer": 1_051}
    assert week["margin_per_payer"] == {"amount": 420, "payers": 2, "per_payer": 210}
    assert week["cash_out"] == {"amount": 0, "earned": 1_681, "rate_bps": 0}


def test_tokens_are_paid_once(stage: WritePath) -> None:
    """Who buys for 999 and tips 600 of it has paid 999."""
    stage.given(policy(MICRO_UNLOCK), on(29, purchase("small", 999, "ann")))
    stage.given(on(29, tip(600, "ann")))
    (day,) = asked(stage, "day", THURSDAY, THURSDAY)
    assert day["arppu"] == {"amount": 999, "payers": 1, "per_payer": 999}


def test_what_was_given_is_paid_by_nobody(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), on(29, grant(10, "ann")))
    (day,) = asked(stage, "day", THURSDAY, THURSDAY)
    assert day["arppu"] == {"amount": 0, "payers": 0, "per_payer": None}
    assert day["cash_out"]["rate_bps"] is None


def test_tips_of_each_stream(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), on(29, grant(100, "ann")))
    for stream, tokens in (("s1", 10), ("s2", 40), ("s1", 20), (None, 5)):
        labels = {} if stream is None else {"stream": stream}
        stage.given(on(29, tip(tokens, "ann").but(labels=labels)))
    for unit in ("day", "week", "month"):
        (found,) = asked(stage, unit, date(2026, 1, 1), date(2026, 1, 31))  # type: ignore[arg-type]
        assert found["tips_by_stream"] == [
            {"stream": "s2", "count": 1, "amount": 40, "tokens": 40},
            {"stream": "s1", "count": 2, "amount": 30, "tokens": 30},
            {"stream": None, "count": 1, "amount": 5, "tokens": 5},
        ]
        for name in ("count", "amount", "tokens"):
            assert sum(each[name] for each in found["tips_by_stream"]) == found["tips"][name]


def test_minutes_of_calls(stage: WritePath) -> None:
    stage.given(policy(LIVE_CALL), purchase("hundred", 999), verified(), call(10))
    at(stage, 180).given(meter())
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        (month,) = queries.analytics(connection, "month", date(2020, 1, 1), date(2050, 1, 31))[
            "months"
        ]
    assert (month["call_minutes"], month["call_blocks"]) == (3, 6)


@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_nothing_is_no_day(stage: WritePath, unit: Unit) -> None:
    stage.given(policy(MICRO_UNLOCK))
    assert asked(stage, unit, date(1999, 1, 1), date(1999, 12, 31)) == []


def test_rebuilt_in_other_pages_it_is_the_same(stage: WritePath, database: Database) -> None:
    fans(stage)
    asked(stage, "week", THURSDAY, THURSDAY)
    stage.given(on(31, card_tip(700, "ann", "cora")))
    asked(stage, "week", THURSDAY, THURSDAY)
    for rebuilt in rebuild(database, stage.book, ["daily"]):
        assert (rebuilt.compared, rebuilt.differences) == (True, ())


def test_a_month_in_which_nobody_pays(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), on(29, grant(10, "ann")))
    (month,) = asked(stage, "month", date(2026, 1, 1), date(2026, 1, 31))
    assert (month["payers"], month["arppu"]["per_payer"], month["tokens_granted"]) == (0, None, 10)
