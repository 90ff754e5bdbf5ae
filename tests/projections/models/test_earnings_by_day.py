"""What creators earned day by day, by hand."""

from datetime import date, timedelta
from typing import Any

from projections import queries
from projections.queries import EarningsByDay
from tests.projections import expected as sums
from tests.projections.following import follow
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import CREATOR, card_unlock, policy, purchase, tip
from tests.scenarios.steps_money_back import gave_back
from tests.scenarios.write_path import WritePath

FIRST, LAST = date(2020, 1, 1), date(2050, 1, 1)
UNLOCK = {"count": 1, "gross": 1_000, "commission": 200, "net": 800}
REFUND = {"gross": -400, "commission": -80, "net": -320, "refunds": 400}
TIP = {"count": 1, "gross": 600, "commission": 120, "net": 480, "tokens": 600}


def asked(stage: WritePath, by: str, **more: Any) -> dict[str, Any]:
    """The question with the read models at the head."""
    follow(stage.fresh)
    question = EarningsByDay(**{"first": FIRST, "last": LAST, "by": by, **more})
    with stage.fresh.connect(autocommit=True) as connection:
        found = queries.earnings_of_days(connection, CREATOR, "USD", question)
    assert found["as_of_position"] == len(stage.rows())
    return found


def by_name(lines: list[dict[str, Any]], name: str) -> dict[str | None, dict[str, int]]:
    """The lines by name, without their zeros."""
    return {
        line.pop(name): {each: figure for each, figure in line.items() if figure} for line in lines
    }


def lived(stage: WritePath) -> tuple[date, date]:
    """An unlock of 1000 by card; two days later 400 of it goes back, and there is a tip of 600."""
    stage.given(policy(MICRO_UNLOCK))
    brought = {"source": "discovery", "campaign_id": "c7"}
    stage.when(card_unlock(1_000, "photo", attribution=brought).but(labels={"stream": "s1"}))
    sale = stage.outcomes[-1].event["sale_id"]
    stage.later(days=2)
    stage.given(gave_back(400, sale=sale), purchase("small", 999), tip(600))
    days = [date.fromisoformat(entry["effective_on"]) for entry in sums.entries(stage.rows())]
    return days[-1] - timedelta(days=2), days[-1]


def test_a_refund_counts_on_its_own_day(stage: WritePath) -> None:
    sold, returned = lived(stage)
    both = {name: REFUND.get(name, 0) + TIP.get(name, 0) for name in {**REFUND, **TIP}}
    found = asked(stage, "day")
    assert by_name(found["groups"], "day") == {str(sold): UNLOCK, str(returned): both}
    later = asked(stage, "source", first=returned)
    assert by_name(later["by_source"], "source") == {"tip": TIP, "unlock": REFUND}
    before = asked(stage, "source", last=sold)
    assert by_name(before["by_source"], "source") == {"unlock": UNLOCK}
    assert found["lifetime_earned"] == later["lifetime_earned"] == found["available"] == 960


def test_by_what_brought_it(stage: WritePath) -> None:
    _, returned = lived(stage)
    left = {"count": 1, "gross": 600, "commission": 120, "net": 480, "refunds": 400}
    found = asked(stage, "attribution")
    assert by_name(found["groups"], "attribution") == {"discovery": left, None: TIP}
    found = asked(stage, "label.stream", first=returned)
    assert by_name(found["groups"], "label.stream") == {"s1": REFUND, None: TIP}
    found = asked(stage, "month", label=("stream", "s1"))
    assert by_name(found["by_source"], "source") == {"unlock": left}
    assert sum(group["net"] for group in found["groups"]) == 480
    assert asked(stage, "day", label=("stream", "s2"))["groups"] == []
