"""Unspent tokens by hand, and held against the journal on random histories."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from domain.accounts import Assets
from domain.policy import Policy
from ledger.log.policies import policy_in_force
from ledger.postgres.database import Database
from projections import queries
from projections.catalogue import named
from projections.rebuild import rebuild
from tests.ledger.history_machine import Histories
from tests.projections import expected as sums
from tests.projections.following import follow
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, grant, policy, purchase, tip
from tests.scenarios.steps_products import hold
from tests.scenarios.write_path import WritePath
from tests.support.examples import examples

TODAY = datetime.now(UTC).date()


def asked(stage: WritePath, today: date = TODAY) -> dict[str, Any]:
    """The question with the read models at the head."""
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        terms: Policy | None = policy_in_force(connection, datetime.now(UTC))
        assets = Assets.of(stage.book.name, "USD")
        found = queries.liability(connection, assets, terms, today)
    assert found["as_of_position"] == len(stage.rows())
    assert found["tie_out"] == {
        "ok": True, "difference": 0, "tokens_difference": 0, "days": [],
    }, found  # fmt: skip
    return found


def lots(stage: WritePath, user: str) -> list[tuple[Any, ...]]:
    """Kind, tokens, what is left and held, price and what is released of each lot."""
    names = ("kind", "tokens", "left", "held", "price", "released")
    with stage.fresh.connect(autocommit=True) as connection:
        items = queries.lots_of(connection, user)["items"]
    return [tuple(item[name] for name in names) for item in items]


def test_what_is_unspent(stage: WritePath) -> None:
    """1000 + 100 tokens for 999, of which 600 are spent: 500 tokens keep 500 of 999."""
    stage.given(policy(MICRO_UNLOCK), purchase("small", 999, "ann"), tip(600, "ann"))
    found = asked(stage)
    assert found["classes"] == [{"kind": "PAID", "age": "0-30", "tokens": 500, "deferred": 500}]
    assert (found["outstanding"], found["deferred"], found["exposure"]) == (500, 500, 400)
    assert (found["expiring"], found["breakage"]) == ([], 0)
    assert lots(stage, "ann") == [("PAID", 1_000, 500, 0, 999, 499)]
    assert lots(stage, "nobody") == []


@pytest.mark.parametrize(
    ("days", "age"),
    [(30, "0-30"), (31, "31-90"), (90, "31-90"), (91, "91-180"), (181, "181-365"), (366, "366+")],
)
def test_tokens_grow_old(stage: WritePath, days: int, age: str) -> None:
    stage.given(policy(MICRO_UNLOCK), purchase("small", 999, "ann"), grant(50, "ann"))
    found = asked(stage, TODAY + timedelta(days=days))
    assert [(each["kind"], each["age"], each["tokens"]) for each in found["classes"]] == [
        ("PAID", age, 1_000), ("PROMO", age, 150),
    ]  # fmt: skip


def test_held_tokens_are_owed_as_well(stage: WritePath) -> None:
    products = [*MICRO_UNLOCK["products_enabled"], "hold"]
    stage.given(policy({**MICRO_UNLOCK, "products_enabled": products}))
    stage.given(purchase("small", 999, "ann"), hold(300, "ann"))
    assert asked(stage)["outstanding"] == 1_100
    assert lots(stage, "ann") == [
        ("PROMO", 100, 100, 100, 0, 0), ("PAID", 1_000, 1_000, 200, 999, 0),
    ]  # fmt: skip


def test_what_ends_within_thirty_days(stage: WritePath) -> None:
    ends = [datetime.now(UTC) + timedelta(days=days) for days in (3, 30, 40)]
    stage.given(policy(MICRO_UNLOCK))
    for tokens, end in zip((10, 20, 40), ends, strict=True):
        stage.given(grant(tokens, "ann", expires_at=f"{end:%Y-%m-%dT12:00:00Z}"))
    found = asked(stage)
    assert found["expiring_30_days"] == 30
    assert [(each["date"], each["tokens"]) for each in found["expiring"]] == [
        (ends[0].date(), 10), (ends[1].date(), 20),
    ]  # fmt: skip
    stage.given(tip(10, "ann"))
    assert asked(stage)["expiring_30_days"] == 20


def test_returned_tokens_are_as_old_as_they_were(stage: WritePath) -> None:
    """1000 + 100 tokens of four months ago, spent and in part refunded today: 200 of 1000 for 999
    have 199 to release again."""
    then = f"{datetime.now(UTC) - timedelta(days=120):%Y-%m-%dT12:00:00Z}"
    stage.given(policy({**MICRO_UNLOCK, "refund_window_days": None}))
    stage.given(purchase("small", 999, "ann").but(occurred_at=then))
    stage.when(tip(1_100, "ann"))
    assert asked(stage)["classes"] == []
    sale = stage.outcomes[-1].event["sale_id"]
    stage.given(Sent("refund", {"sale": sale, "amount": 200, "reason_code": "SORRY"}))
    assert asked(stage)["classes"] == [
        {"kind": "PAID", "age": "91-180", "tokens": 200, "deferred": 199}
    ]


def test_a_day_on_which_they_part_is_named(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), purchase("small", 999, "ann"))
    asked(stage)
    with stage.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("UPDATE liability_days SET deferred = deferred - 7")
        admin.execute("UPDATE liability_ages SET deferred = deferred - 7 WHERE kind = 'PAID'")
    with stage.fresh.connect(autocommit=True) as connection:
        assets = Assets.of(stage.book.name, "USD")
        found = queries.liability(connection, assets, None, TODAY)["tie_out"]
    assert found == {
        "ok": False, "difference": -7, "tokens_difference": 0,
        "days": [{"date": TODAY, "tokens": 0, "deferred": -7}],
    }  # fmt: skip


def test_it_waits_for_the_journal(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK))
    asked(stage)
    stage.given(purchase("small", 999, "ann"))
    follow(stage.fresh, [named("liability")])
    with stage.fresh.connect(autocommit=True) as connection:
        assets = Assets.of(stage.book.name, "USD")
        with pytest.raises(queries.JournalBehind):
            queries.liability(connection, assets, None, TODAY)


class Unspent(Histories):
    """Random histories, after which lots, wallets and journal must say the same."""

    def teardown(self) -> None:
        """In all and by user, live and rebuilt."""
        self.stage.close()
        found = asked(self.stage)
        balances = sums.balances(self.stage.rows())
        assert found["deferred"] == -balances["deferred", "USD"]
        assert found["breakage"] == -balances["rev.breakage", "USD"]
        with self.stage.fresh.connect(autocommit=True) as connection:
            for user, each in sums.wallets(self.stage.rows()).items():
                items = queries.lots_of(connection, user)["items"]
                for kind in ("PAID", "PROMO"):
                    mine = [item for item in items if item["kind"] == kind]
                    held = sum(item["held"] for item in mine)
                    left = sum(item["left"] for item in mine)
                    assert held == each["sums"]["held", kind.lower()]
                    assert left - held == each["sums"]["free", kind.lower()]
        for rebuilt in rebuild(self.database, self.stage.book, ["liability"]):
            assert (rebuilt.compared, rebuilt.differences) == (True, ())


def test_random_histories_tie_out_with_the_journal(database: Database) -> None:
    class Here(Unspent):
        pass

    Here.database = database
    run_state_machine_as_test(Here, settings=examples(10, stateful_step_count=12))
