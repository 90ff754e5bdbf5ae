"""The statement of a wallet and the list of wallets, by hand and on random histories."""

from collections import Counter
from typing import Any

import pytest

from projections import queries
from projections.queries import LinePlace, LinesAsked, RankPlace
from tests.projections.following import follow
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, grant, policy, purchase, tip, unlock
from tests.scenarios.steps_products import hold, release
from tests.scenarios.write_path import WritePath

WITH_HOLDS = {
    **MICRO_UNLOCK,
    "products_enabled": [*MICRO_UNLOCK["products_enabled"], "hold"],
}


def lines(stage: WritePath, user: str = "ann", **more: Any) -> list[dict[str, Any]]:
    """A user's whole statement, a few lines at a time, the last one first."""
    found: list[dict[str, Any]] = []
    after: LinePlace | None = None
    with stage.fresh.connect(autocommit=True) as connection:
        while True:
            asked = LinesAsked(3, after=after, **more)
            page = queries.wallet_statement(connection, user, asked)
            found += page.items
            assert page.as_of_position == len(stage.rows())
            if len(page.items) < 3:
                return found
            after = page.places[-1]


def lived(stage: WritePath) -> WritePath:
    """A purchase with a bonus, an unlock out of both classes of tokens, and its refund."""
    stage.given(policy(WITH_HOLDS), purchase("small", 999, "ann"))
    stage.when(unlock(300, "photo", "ann", creator="cora"))
    sale = stage.outcomes[-1].event["sale_id"]
    stage.given(Sent("refund", {"sale": sale, "amount": 300, "reason_code": "SORRY"}))
    follow(stage.fresh)
    return stage


def test_what_happened_to_the_tokens(stage: WritePath) -> None:
    lived(stage)
    names = ("type", "counterparty", "item", "place", "kind", "amount", "balance")
    found = [tuple(line[name] for name in names) for line in lines(stage, newest_first=False)]
    assert {each[0] for each in found} == {
        "tokens.purchased.v1", "content.unlocked.v1", "refund.recorded.v1",
    }  # fmt: skip
    assert sorted(found[:2]) == [
        ("tokens.purchased.v1", "stripe", None, "free", "PAID", 1_000, 1_000),
        ("tokens.purchased.v1", "stripe", None, "free", "PROMO", 100, 100),
    ]
    assert sorted(found[2:4]) == [
        ("content.unlocked.v1", "cora", "photo", "free", "PAID", -200, 800),
        ("content.unlocked.v1", "cora", "photo", "free", "PROMO", -100, 0),
    ]
    assert sorted(found[4:]) == [
        ("refund.recorded.v1", "cora", None, "free", "PAID", 200, 1_000),
        ("refund.recorded.v1", "cora", None, "free", "PROMO", 100, 100),
    ]
    backwards = [tuple(line[name] for name in names) for line in lines(stage)]
    assert backwards == found[::-1]


def test_what_is_held_stands_in_its_own_place(stage: WritePath) -> None:
    stage.given(policy(WITH_HOLDS), grant(50, "ann"))
    stage.when(hold(30, "ann"))
    stage.given(release(stage.outcomes[-1].event["hold_id"]))
    follow(stage.fresh)
    found = lines(stage, newest_first=False)
    moved = Counter((line["type"], line["place"], line["amount"]) for line in found)
    assert moved == Counter(
        [
            ("promo_tokens.granted.v1", "free", 50),
            ("credits.held.v1", "free", -30),
            ("credits.held.v1", "held", 30),
            ("hold.released.v1", "held", -30),
            ("hold.released.v1", "free", 30),
        ]
    )


def test_a_statement_is_what_the_wallet_says(stage: WritePath) -> None:
    lived(stage).given(tip(77, "ann"), grant(5, "ann"))
    follow(stage.fresh)
    sums: Counter[tuple[str, str]] = Counter()
    for line in lines(stage, newest_first=False):
        sums[line["place"], line["kind"].lower()] += line["amount"]
        assert line["balance"] == sums[line["place"], line["kind"].lower()]
    with stage.fresh.connect(autocommit=True) as connection:
        wallet = queries.wallet(connection, "ann")
    assert wallet["free"] == {kind: sums["free", kind] for kind in ("paid", "promo")}
    assert lines(stage, "nobody") == []


def test_a_part_of_a_statement(stage: WritePath) -> None:
    lived(stage)
    whole = lines(stage)
    (unlocked,) = {line["position"] for line in whole if line["type"] == "content.unlocked.v1"}
    part = lines(stage, first=unlocked, last=unlocked)
    assert part == [line for line in whole if line["position"] == unlocked]
    assert len(part) == 2


@pytest.mark.parametrize("order_by", ["user", "free", "spent"])
@pytest.mark.parametrize("largest_first", [True, False])
def test_wallets_in_order(
    stage: WritePath, order_by: queries.WalletOrder, *, largest_first: bool
) -> None:
    stage.given(policy(WITH_HOLDS))
    for user, granted, spent in (("ann", 90, 40), ("ben", 50, 50), ("cid", 60, 10), ("dan", 9, 9)):
        stage.given(grant(granted, user), tip(spent, user))
    follow(stage.fresh)
    expected = {
        "user": ["ann", "ben", "cid", "dan"],
        "free": ["ben", "dan", "ann", "cid"],  # ann and cid have 50 each, ben and dan nothing
        "spent": ["dan", "cid", "ann", "ben"],
    }[order_by]
    found: list[str] = []
    after: RankPlace | None = None
    with stage.fresh.connect(autocommit=True) as connection:
        while len(found) < 4:
            items, places, position = queries.wallets(
                connection, order_by=order_by, after=after, largest_first=largest_first, limit=1
            )
            found += [item["user"] for item in items]
            after = places[-1]
            assert position == len(stage.rows())
            for item in items:
                alone = queries.wallet(connection, item["user"])
                assert item == {name: alone[name] for name in item}
        assert (
            queries.wallets(
                connection, order_by=order_by, after=after, largest_first=largest_first, limit=1
            )[0]
            == []
        )
    assert found == (expected[::-1] if largest_first else expected)
