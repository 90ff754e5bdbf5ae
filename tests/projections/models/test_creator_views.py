"""The statement of a creator, the list of creators, and whether one can be paid out."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from ledger.postgres.database import Database
from projections import queries
from projections.queries import LinePlace, LinesAsked, RankPlace
from tests.ledger.history_machine import Histories
from tests.projections.following import follow
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import card_tip, card_unlock, freeze, policy
from tests.scenarios.steps_finance import payout, ready
from tests.scenarios.steps_money_back import gave_back
from tests.scenarios.write_path import WritePath
from tests.support.examples import examples

BUCKETS = ("pending", "available", "reserved", "in_payout")


def lines(stage: WritePath, creator: str = "cora", **more: Any) -> list[dict[str, Any]]:
    """A creator's whole statement, a few lines at a time, the first one first."""
    found: list[dict[str, Any]] = []
    after: LinePlace | None = None
    with stage.fresh.connect(autocommit=True) as connection:
        while True:
            asked = LinesAsked(3, after=after, newest_first=False, **more)
            page = queries.creator_statement(connection, creator, asked)
            found += page.items
            if len(page.items) < 3:
                return found
            after = page.places[-1]


def test_what_became_of_a_creators_money(stage: WritePath) -> None:
    """800 and 4800 earned, 320 taken back, 5000 asked for."""
    stage.given(policy(MICRO_UNLOCK))
    stage.when(card_unlock(1_000, "photo", creator="cora"))
    sale = stage.outcomes[-1].event["sale_id"]
    stage.given(card_tip(6_000, "ann", "cora"), gave_back(400, sale=sale), ready("cora"))
    stage.given(payout(5_000, "cora"))
    follow(stage.fresh)
    found = lines(stage)
    names = ("type", "bucket", "source", "item", "amount", "balance")
    assert [tuple(line[name] for name in names) for line in found[:3]] == [
        ("content.unlocked.v1", "available", "unlock", "photo", 800, 800),
        ("tip.sent.v1", "available", "tip", None, 4_800, 5_600),
        ("refund.recorded.v1", "available", None, None, -320, 5_280),
    ]
    moved = [tuple(line[name] for name in ("bucket", "amount", "balance")) for line in found[3:]]
    assert sorted(moved) == [("available", -5_000, 280), ("payout", 5_000, 5_000)]
    assert [line["sale"] for line in found[:3:2]] == [sale, sale]
    assert all(line["payout"] for line in found[3:])
    assert not any("user" in line or "buyer" in line for line in found)


def refused(stage: WritePath, creator: str = "cora") -> list[str]:
    """The codes of which `request-payout` names the first."""
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        found = queries.payable(connection, creator, "USD", datetime.now(UTC))
    assert found["as_of_position"] == len(stage.rows())
    assert found["ok"] == (not found["codes"])
    codes: list[str] = found["codes"]
    if found["payable"]:
        stage.when(payout(found["payable"], creator))
        told = stage.outcomes[-1].json
        assert told.get("code") == (codes[0] if codes else None)
    return codes


def test_why_nothing_can_be_paid_out(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), card_tip(1_000, "ann", "cora"))
    assert refused(stage) == ["BELOW_MINIMUM", "PAYOUT_ACCOUNT_NOT_READY"]
    stage.given(ready("cora"), freeze("cora", "creator", "PAYOUT"))
    assert refused(stage) == ["ACCOUNT_FROZEN", "BELOW_MINIMUM"]


def test_what_can_be_paid_out_is_requested_once(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), card_tip(9_000, "ann", "cora"), ready("cora"))
    assert refused(stage) == []
    stage.given(card_tip(9_000, "ann", "cora"))
    assert refused(stage) == ["PAYOUT_IN_PROGRESS"]


def test_what_is_due_counts_though_it_is_not_booked(stage: WritePath) -> None:
    stage.given(policy({**MICRO_UNLOCK, "maturity_days": 1}), ready("cora"))
    stage.given(card_tip(9_000, "ann", "cora"))
    names = ("available", "due_now", "payable", "ok", "codes")
    with stage.fresh.connect(autocommit=True) as connection:
        now, later = (
            queries.payable(connection, "cora", "USD", datetime.now(UTC) + timedelta(days=days))
            for days in (0, 2)
        )
        nobody = queries.payable(connection, "nobody", "USD", datetime.now(UTC))
    assert tuple(now[name] for name in names) == (0, 0, 0, False, ["BELOW_MINIMUM"])
    assert tuple(later[name] for name in names) == (0, 7_200, 7_200, True, [])
    assert nobody["codes"] == ["BELOW_MINIMUM", "PAYOUT_ACCOUNT_NOT_READY"]


@pytest.mark.parametrize("order_by", ["creator", "available", "earned"])
@pytest.mark.parametrize("largest_first", [True, False])
def test_creators_in_order(
    stage: WritePath, order_by: queries.CreatorOrder, *, largest_first: bool
) -> None:
    stage.given(policy(MICRO_UNLOCK), ready("bea"))
    for creator, amount in (("ada", 1_000), ("bea", 9_000), ("cea", 1_000), ("dea", 500)):
        stage.given(card_tip(amount, "ann", creator))
    stage.given(payout(7_000, "bea"))
    follow(stage.fresh)
    expected = {
        "creator": ["ada", "bea", "cea", "dea"],
        "available": ["bea", "dea", "ada", "cea"],
        "earned": ["dea", "ada", "cea", "bea"],
    }[order_by]
    found: list[str] = []
    after: RankPlace | None = None
    with stage.fresh.connect(autocommit=True) as connection:
        while len(found) < 4:
            items, places, position = queries.creators(
                connection,
                "USD",
                order_by=order_by,
                after=after,
                largest_first=largest_first,
                limit=1,
            )
            found += [item["creator"] for item in items]
            after = places[-1]
            assert position == len(stage.rows())
            for item in items:
                alone = queries.earnings(connection, item["creator"], "USD")
                assert item == {name: alone[name] for name in item}
    assert found == (expected[::-1] if largest_first else expected)


class Earners(Histories):
    """Random histories, after which lists and statements must be what each creator is told."""

    def teardown(self) -> None:
        """Every creator's."""
        self.stage.close()
        follow(self.stage.fresh)
        with self.stage.fresh.connect(autocommit=True) as connection:
            items, _, _ = queries.creators(connection, "USD", limit=1_000)
            for item in items:
                creator = item["creator"]
                alone = queries.earnings(connection, creator, "USD")
                assert item == {name: alone[name] for name in item}
                sums: Counter[str] = Counter()
                for line in lines(self.stage, creator):
                    sums[line["bucket"]] += line["amount"]
                    assert line["balance"] == sums[line["bucket"]]
                sums["in_payout"] = sums.pop("payout", 0)
                assert {name: sums[name] for name in BUCKETS} == {
                    name: alone[name] for name in BUCKETS
                }


def test_random_histories_list_what_each_creator_is_told(database: Database) -> None:
    class Here(Earners):
        pass

    Here.database = database
    run_state_machine_as_test(Here, settings=examples(5, stateful_step_count=12))
