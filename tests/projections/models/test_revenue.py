"""Revenue by hand, and held against the journal on random histories."""

from collections import Counter
from datetime import date
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from ledger.postgres.database import Database
from projections import queries
from projections.queries import RevenueQuestion
from projections.rebuild import rebuild
from tests.ledger.history_machine import Histories
from tests.projections import expected as sums
from tests.projections.following import follow
from tests.scenarios.policies import MICRO_UNLOCK, PREPAID_CREDITS
from tests.scenarios.steps import card_unlock, policy, purchase, tip
from tests.scenarios.steps_money_back import gave_back
from tests.scenarios.steps_offers import offer
from tests.scenarios.steps_products import hold, settle
from tests.scenarios.write_path import WritePath
from tests.support.examples import examples

FIRST, LAST = date(2020, 1, 1), date(2050, 1, 1)


def asked(
    stage: WritePath, group_by: str, label: tuple[str, str] | None = None, **page: Any
) -> dict[str, Any]:
    """The question with the read models at the head."""
    follow(stage.fresh)
    question = RevenueQuestion(FIRST, LAST, group_by, label)
    with stage.fresh.connect(autocommit=True) as connection:
        found = queries.revenue(connection, question, **{"after": "", "limit": 1_000, **page})
    assert found["as_of_position"] == len(stage.rows())
    return found


def by(found: dict[str, Any], group: str) -> dict[str | None, dict[str, int]]:
    """The groups by name, without their zeros."""
    return {
        item.pop(group): {name: figure for name, figure in item.items() if figure}
        for item in found["items"]
    }


def lived(stage: WritePath) -> WritePath:
    """An unlock of 1000 by card of which 400 goes back, and a tip of 600 tokens.

    The tip spends the 100 tokens of the bonus, and 500 of 1000 that cost 999.
    """
    stage.given(policy(MICRO_UNLOCK))
    brought = {"source": "discovery", "campaign_id": "c7"}
    stage.when(card_unlock(1_000, "photo", attribution=brought).but(labels={"stream": "s1"}))
    sale = stage.outcomes[-1].event["sale_id"]
    stage.given(gave_back(400, sale=sale), purchase("small", 999), tip(600))
    return stage


UNLOCK = {"count": 1, "gross": 600, "creators": 480, "commission": 120}
TIP = {"count": 1, "gross": 600, "creators": 480, "margin": 99, "promotional": 80}


def test_what_a_day_brought(stage: WritePath) -> None:
    lived(stage)
    assert by(asked(stage, "product"), "product") == {"unlock": UNLOCK, "tip": TIP}
    both = {
        "count": 2, "gross": 1_200, "creators": 960, "commission": 120, "margin": 99,
        "promotional": 80,
    }  # fmt: skip
    for unit in ("day", "week", "month"):
        found = asked(stage, unit)
        assert list(by(found, unit).values()) == [both]
        assert {name: figure for name, figure in found["totals"].items() if figure} == both


def test_what_brought_it(stage: WritePath) -> None:
    lived(stage)
    for group, value in (
        ("source", "discovery"), ("campaign", "c7"), ("item", "photo"), ("label.stream", "s1"),
    ):  # fmt: skip
        assert by(asked(stage, group), group) == {value: UNLOCK, None: TIP}
    assert set(by(asked(stage, "connection"), "connection")) == {None}
    narrowed = asked(stage, "product", label=("stream", "s1"))
    assert by(narrowed, "product") == {"unlock": UNLOCK}
    assert narrowed["totals"]["gross"] == 600
    assert by(asked(stage, "product", label=("stream", "s2")), "product") == {}


@pytest.mark.parametrize(
    ("used", "revenue"),
    [
        ((4_990, 5_000), (39_920, 40_000)),
        ((1, 11_999), (8, 95_992)),
        ((7, 7), (56, 56)),
        ((12_000, 0), (96_000, 0)),
    ],
)
def test_usage_by_campaign(
    stage: WritePath, used: tuple[int, int], revenue: tuple[int, int]
) -> None:
    """Credits bought for 96000, 12000 of them, are held for two campaigns and used in batches."""
    package = {"bulk": {"tokens": 12_000, "price": 96_000}}
    stage.given(policy({**PREPAID_CREDITS, "packages": package}), purchase("bulk", 96_000))
    for nth, tokens in enumerate(used):
        if tokens:
            stage.when(hold(tokens).but(labels={"campaign": f"c{nth}"}))
            name = stage.outcomes[-1].event["hold_id"]
            stage.given(settle(name, 1, tokens - 1), settle(name, 2, 1))
    expected = {f"c{nth}": {"usage": cents} for nth, cents in enumerate(revenue) if cents}
    assert by(asked(stage, "label.campaign"), "label.campaign") == expected
    narrowed = asked(stage, "product", label=("campaign", "c0"))
    assert by(narrowed, "product") == {"hold": {"usage": revenue[0]}}


def test_what_an_offer_brought_and_cost(stage: WritePath) -> None:
    """1000 less a fifth is 800, and of 1000 the platform pays 150: of both the creator has 80 %."""
    stage.given(policy(MICRO_UNLOCK), offer("spring", discount_bps=2_000))
    stage.given(card_unlock(1_000, "photo", offer="spring"))
    stage.given(card_unlock(1_000, "film", platform_discount=150), card_unlock(500, "song"))
    found = asked(stage, "offer")
    whole = {name: figure for name, figure in found["totals"].items() if figure}
    assert (whole["discount"], whole["platform_discount"]) == (200, 150)
    groups = by(found, "offer")
    assert groups["spring"] == {
        "count": 1, "gross": 800, "creators": 640, "commission": 160, "discount": 200,
    }  # fmt: skip
    rest = {name: groups[None].get(name) for name in ("count", "gross", "platform_discount")}
    assert rest == {"count": 2, "gross": 1_500, "platform_discount": 150}
    assert asked(stage, "product")["totals"] == found["totals"]


def test_pages_of_groups_add_up(stage: WritePath) -> None:
    lived(stage)
    first = asked(stage, "item", limit=1)
    assert ([item["item"] for item in first["items"]], first["last"]) == (["photo", None], None)
    stage.given(card_unlock(500, "apple"))
    first = asked(stage, "item", limit=1)
    assert ([item["item"] for item in first["items"]], first["last"]) == (["apple"], "apple")
    second = asked(stage, "item", limit=1, after="apple")
    assert [item["item"] for item in second["items"]] == ["photo", None]
    items = first["items"] + second["items"]
    assert sum(item["gross"] for item in items) == first["totals"]["gross"] == 1_700


class Books(Histories):
    """Random histories, at the end of which revenue must be what the log posted."""

    def teardown(self) -> None:
        """Every figure of every day and grouping, live and rebuilt."""
        self.stage.close()
        rows = self.stage.rows()
        for account, (name, sign) in sums.INCOME_STATEMENT.items():
            expected = Counter(
                {day: sign * moved for day, moved in sums.turnover(rows, account).items() if moved}
            )
            days = by(asked(self.stage, "day"), "day")
            assert {day: each[name] for day, each in days.items() if name in each} == expected
            for group in ("product", "source", "item"):
                found = asked(self.stage, group)
                assert sum(item[name] for item in found["items"]) == sum(expected.values())
        for item in asked(self.stage, "product")["items"]:
            if item["product"] in {"session", "subscription"}:  # by card alone
                parts = item["tax"] + item["creators"] + item["commission"] + item["subscriptions"]
                assert item["gross"] == parts, item
        for found in rebuild(self.database, self.stage.book, ["revenue"]):
            assert (found.compared, found.differences) == (True, ())


def test_random_histories_tie_out_with_the_income_statement(database: Database) -> None:
    class Here(Books):
        pass

    Here.database = database
    run_state_machine_as_test(Here, settings=examples(10, stateful_step_count=12))
