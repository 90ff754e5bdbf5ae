"""Leaderboards by hand: what counts, who comes first among equals, and what a creator may see."""

import hmac
from collections import Counter
from datetime import date
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test
from psycopg import errors

from ledger.postgres.database import Database
from projections import queries
from projections.queries import BoardAsked
from projections.rebuild import rebuild
from tests.ledger.history_machine import Histories
from tests.projections import expected as sums
from tests.projections.following import follow
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, card_tip, grant, policy, purchase, tip
from tests.scenarios.steps_money_back import gave_back
from tests.scenarios.write_path import WritePath
from tests.support.examples import examples

ALL: Any = {"after": 0, "limit": 100}


def on(day: str, sent: Sent) -> Sent:
    """The same, of a day of that year."""
    return sent.but(occurred_at=f"2026-{day}T12:00:00Z")


def board(stage: WritePath, *asked: Any, **page: Any) -> list[tuple[str, int, int]]:
    """Name, amount and count of a board in its order."""
    follow(stage.fresh)
    wanted = BoardAsked(*asked)
    with stage.fresh.connect(autocommit=True) as connection:
        found = queries.leaderboard(connection, wanted, **(ALL | page))
    assert found.as_of_position == len(stage.rows())
    who = "creator" if wanted.board == "creators" else "fan"
    first = page.get("after", 0) + 1
    assert [each["rank"] for each in found.items] == list(range(first, first + len(found.items)))
    return [(each[who], each["amount"], each["count"]) for each in found.items]


def test_boards_of_days_weeks_and_months(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK))
    for day, user, creator, amount in (
        ("01-29", "ann", "cora", 300), ("01-30", "ann", "carl", 400), ("01-30", "ben", "cora", 500),
        ("02-01", "ben", "cora", 250),
    ):  # fmt: skip
        stage.given(on(day, card_tip(amount, user, creator)))
    assert board(stage, "fans") == [("ben", 750, 2), ("ann", 700, 2)]
    assert board(stage, "creators") == [("cora", 1_050, 3), ("carl", 400, 1)]
    assert board(stage, "fans", "day", date(2026, 1, 30)) == [("ben", 500, 1), ("ann", 400, 1)]
    week = board(stage, "fans", "week", date(2026, 1, 26))
    assert week == [("ben", 750, 2), ("ann", 700, 2)]
    month = board(stage, "fans", "month", date(2026, 1, 1))
    assert month == [("ann", 700, 2), ("ben", 500, 1)]
    assert board(stage, "creators", "month", date(2026, 2, 1)) == [("cora", 250, 1)]
    assert board(stage, "fans", "month", date(2026, 3, 1)) == []


def test_equal_ones_stand_as_they_got_there(stage: WritePath) -> None:
    """Zoe had 500 before ann; dan gets there last, with two tips."""
    stage.given(policy(MICRO_UNLOCK), card_tip(200, "dan", "cora"))
    stage.given(card_tip(500, "zoe", "cora"), card_tip(500, "ann", "cora"))
    stage.given(card_tip(300, "dan", "cora"))
    assert [name for name, *_ in board(stage, "fans")] == ["zoe", "ann", "dan"]
    assert [name for name, *_ in board(stage, "fans", limit=1)] == ["zoe"]
    assert [name for name, *_ in board(stage, "fans", after=1, limit=1)] == ["ann"]
    stage.given(card_tip(1, "ann", "cora"))
    assert [name for name, *_ in board(stage, "fans")] == ["ann", "zoe", "dan"]


def test_what_went_back_is_not_spent_on_the_day_of_its_sale(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK))
    stage.when(on("01-30", card_tip(1_000, "ann", "cora")))
    sale = stage.outcomes[-1].event["sale_id"]
    stage.given(gave_back(400, sale=sale))
    assert board(stage, "fans", "day", date(2026, 1, 30)) == [("ann", 600, 1)]
    stage.given(gave_back(600, sale=sale))
    assert board(stage, "fans") == board(stage, "creators") == []


def test_tokens_are_spent_at_their_price(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), purchase("small", 999, "ann"), tip(600, "ann", "cora"))
    stage.given(grant(10, "ben"))
    assert board(stage, "fans") == [("ann", 600, 1)]


def fans(stage: WritePath, creator: str) -> dict[str, tuple[str, int]]:
    """Alias and amount of a creator's fans, by user."""
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        items = queries.fans_of(connection, creator, **ALL).items
    return {item["user"]: (item["fan_alias"], item["amount"]) for item in items}


def test_an_alias_is_the_same_for_ever_and_another_for_everybody_else(
    stage: WritePath, database: Database
) -> None:
    stage.given(policy(MICRO_UNLOCK))
    for user, creator in (("ann", "cora"), ("ben", "cora"), ("ann", "carl")):
        stage.given(card_tip(500, user, creator))
    first = fans(stage, "cora")
    stage.given(card_tip(700, "ben", "cora"))
    assert list(fans(stage, "cora")) == ["ben", "ann"]
    assert {user: alias for user, (alias, _) in fans(stage, "cora").items()} == {
        user: alias for user, (alias, _) in first.items()
    }
    aliases = [alias for alias, _ in (*first.values(), *fans(stage, "carl").values())]
    assert len(set(aliases)) == 3
    assert not any(user in alias for alias in aliases for user in ("ann", "ben"))
    for rebuilt in rebuild(database, stage.book, ["leaders"]):
        assert (rebuilt.compared, rebuilt.differences) == (True, ())
    assert {user: alias for user, (alias, _) in fans(stage, "cora").items()} == {
        user: alias for user, (alias, _) in first.items()
    }


def test_nobody_but_the_owner_reads_the_key(stage: WritePath) -> None:
    """And it is a hash under that key as the standard has it."""
    with stage.fresh.connect(autocommit=True) as service:
        with pytest.raises(errors.InsufficientPrivilege):
            service.execute("SELECT * FROM alias_key")
        (alias,) = service.execute("SELECT fan_alias('cora', 'ann')").fetchone() or ("",)
    with stage.fresh.connect_admin(autocommit=True) as admin:
        (pad,) = admin.execute("SELECT inner_pad FROM alias_key").fetchone() or (b"",)
    key = bytes(byte ^ 0x36 for byte in pad)
    assert alias == "fan_" + hmac.new(key, b"cora:ann", "sha256").hexdigest()[:20]


def test_ranges_have_no_hole() -> None:
    for amount in range(1, 1_200_000, 250):
        found = queries.spend_range(amount)
        start, end = found["from"], found["to"]
        assert start is not None
        assert start <= amount
        assert end is None or amount <= end
    assert queries.spend_range(999) == {"from": 1, "to": 999}
    assert queries.spend_range(1_000) == {"from": 1_000, "to": 4_999}
    assert queries.spend_range(5_000_000) == {"from": 1_000_000, "to": None}


def test_favourite_creators(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK))
    for creator, amount in (("cora", 300), ("carl", 500), ("cora", 300)):
        stage.given(card_tip(amount, "ann", creator))
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        found = queries.favourites_of(connection, "ann", after=0, limit=1)
        rest = queries.favourites_of(connection, "ann", after=1, limit=1)
    assert found.more and not rest.more
    both = [(each["creator"], each["amount"], each["count"]) for each in found.items + rest.items]
    assert both == [("cora", 600, 2), ("carl", 500, 1)]


class Boards(Histories):
    """Random histories, after which the boards must add up and be rebuilt the same."""

    def teardown(self) -> None:
        """What fans spent is what was spent on creators and on the platform itself."""
        self.stage.close()
        follow(self.stage.fresh)
        own: Counter[str] = Counter()
        for entry in sums.entries(self.stage.rows()):
            if sums.is_sale(entry) and not entry["body"].get("payees"):
                own[entry["body"]["buyer"]] += 1
        with self.stage.fresh.connect(autocommit=True) as connection:
            rows = dict(
                connection.execute(
                    "SELECT board || unit, sum(amount)::bigint FROM leaders GROUP BY 1"
                ).fetchall()
            )
            pairs = connection.execute("SELECT sum(amount)::bigint FROM fan_creators").fetchone()
        for name in ("creators", "fans"):
            units = {rows.get(f"{name}{unit}", 0) for unit in ("day", "week", "month", "all")}
            assert len(units) == 1
        assert rows.get("creatorsall", 0) == ((pairs and pairs[0]) or 0)
        assert rows.get("fansall", 0) >= rows.get("creatorsall", 0)
        if not own:
            assert rows.get("fansall", 0) == rows.get("creatorsall", 0)
        for rebuilt in rebuild(self.database, self.stage.book, ["leaders"]):
            assert (rebuilt.compared, rebuilt.differences) == (True, ())


def test_boards_of_random_histories_add_up(database: Database) -> None:
    class Here(Boards):
        pass

    Here.database = database
    run_state_machine_as_test(Here, settings=examples(8, stateful_step_count=12))
