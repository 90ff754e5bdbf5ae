"""Buyers with lost disputes, as their wallets have them."""

from collections.abc import Iterator
from typing import Any

import pytest

from ledger.postgres.database import Connection
from projections import queries
from projections.queries import RiskFilter
from tests.projections.following import follow
from tests.scenarios.steps import card_tip, policy
from tests.scenarios.steps_disputes import disputed, lost, won
from tests.scenarios.steps_money_back import POLICY
from tests.scenarios.write_path import WritePath


@pytest.fixture
def reader(stage: WritePath) -> Iterator[Connection]:
    """A reader's connection."""
    with stage.fresh.connect(autocommit=True) as connection:
        yield connection


def listed(stage: WritePath, reader: Connection, **more: Any) -> list[tuple[Any, ...]]:
    """Who is listed, with how many disputes, for how much, and what is frozen."""
    follow(stage.fresh)
    wanted = RiskFilter(**more.pop("wanted", {}))
    items, position = queries.risk(reader, wanted, "USD", **{"limit": 100, **more})
    assert position == len(stage.rows())
    return [(each["user"], each["disputes"], each["amount"], each["frozen"]) for each in items]


@pytest.mark.parametrize(("first", "second"), [(500, 700), (1_000, 1), (9_999, 399), (250, 251)])
def test_6_28_lost_disputes_mark_their_buyer_and_wins_take_the_mark_back(
    stage: WritePath, reader: Connection, first: int, second: int
) -> None:
    rule = {"freeze_after_disputes": 2, "freeze_after_amount": None}
    stage.given(policy({**POLICY, "products_enabled": ["tip"], "risk": rule}))
    for n, (user, amount) in enumerate([("ann", first), ("ben", second), ("ann", second)]):
        stage.given(card_tip(amount, user, processor_ref=f"p:{n}"))
        stage.given(disputed(amount, f"d:{n}", payment_ref=f"p:{n}"), lost(f"d:{n}"))
    both = [("ann", 2, first + second, ["SPEND"]), ("ben", 1, second, [])]
    assert listed(stage, reader) == both
    assert listed(stage, reader, newest_first=False) == both[::-1]
    assert listed(stage, reader, wanted={"min_disputes": 2}) == both[:1]
    assert listed(stage, reader, wanted={"min_amount": second + 1}) == both[:1]
    assert listed(stage, reader, wanted={"user": "ben"}) == both[1:]
    stage.given(won("d:1"))
    assert listed(stage, reader) == both[:1]
    stage.given(won("d:0"))
    assert listed(stage, reader) == [("ann", 1, second, ["SPEND"])]
