"""Tiers by hand, as time passes, and as the scheduler changes them."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.tiers.tier import TierChanged
from ledger.postgres.database import Database
from ledger.scheduling.scheduler import Scheduler
from projections.tier_changes import TierChanges
from tests.projections.following import follow
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import FAN, Sent, card_tip, grant, policy, tip
from tests.scenarios.steps_money_back import gave_back
from tests.scenarios.write_path import WritePath

LADDER = [
    {"tier": "VIP", "min": 100_000},
    {"tier": "WHALE", "min": 50_000},
    {"tier": "HIGH", "min": 10_000},
    {"tier": "STANDARD", "min": 2_000},
]
POLICY: dict[str, Any] = {**MICRO_UNLOCK, "tier_ladder": LADDER}
BEGIN = datetime(2027, 1, 1, 12, tzinfo=UTC)
MOMENT = timedelta(seconds=2)


def day(number: float) -> datetime:
    """A moment after the beginning."""
    return BEGIN + timedelta(days=number)


def turns(stage: WritePath, times: int = 8) -> int:
    """The read models follow, and a scheduler sends what is due, until nothing is."""
    database = Database(stage.fresh.service_url, stage.fresh.admin_url)
    names = [stage.book.name]
    sent = 0
    for _ in range(times):
        follow(stage.fresh)
        forecasts = [TierChanges()]
        one = Scheduler(database, lambda _: stage.writer, books=names, forecasts=forecasts)
        with closing(one):
            found = one.turn()
        sent += found
        if not found:
            return sent
    raise AssertionError("there is always something due")


def changes(stage: WritePath, user: str = FAN) -> list[tuple[str, str, int, datetime]]:
    """Every change of a tier so far: from, to, for what spend, since when."""
    events = (entry.event() for entry in stage.entries())
    told = [one for one in events if isinstance(one, TierChanged) and one.user == user]
    return [(one.former, one.tier, one.spend, one.at) for one in told]


@pytest.fixture(autouse=True)
def _open(stage: WritePath) -> None:
    stage.clock(BEGIN - timedelta(days=1)).given(policy(POLICY))


def test_a8_tiers_follow_what_was_spent_within_thirty_days(stage: WritePath) -> None:
    stage.clock(day(0)).given(card_tip(60_000))
    turns(stage)
    stage.clock(day(20)).when(card_tip(45_000))
    sale = stage.outcomes[0].event["sale_id"]
    sold = stage.entries()[-1].recorded_at
    turns(stage)
    assert [(was, now, spend) for was, now, spend, _ in changes(stage)] == [
        ("NEW", "WHALE", 60_000), ("WHALE", "VIP", 105_000),
    ]  # fmt: skip
    stage.clock(day(30))
    turns(stage)  # the first sale is a microsecond younger
    assert len(changes(stage)) == 2
    stage.clock(day(30) + MOMENT)
    turns(stage)
    was, now, spend, at = changes(stage)[-1]
    assert (was, now, spend) == ("VIP", "HIGH", 45_000)
    assert at == day(30) + timedelta(microseconds=1)
    stage.clock(day(31)).given(gave_back(36_000, sale=sale))
    turns(stage)
    assert changes(stage)[-1][:3] == ("HIGH", "STANDARD", 9_000)
    stage.clock(day(50) + MOMENT)
    turns(stage)
    assert changes(stage)[-1] == ("STANDARD", "NEW", 0, sold + timedelta(days=30))
    assert len(changes(stage)) == 5


def test_every_fall_is_told_at_its_moment_however_late_the_scheduler(stage: WritePath) -> None:
    for number, amount in enumerate((100_000, 40_000, 8_000, 2_000)):
        stage.clock(day(number)).given(card_tip(amount))
    turns(stage)
    stage.clock(day(100))
    turns(stage)
    falls = [(now, spend, at - timedelta(days=30)) for _, now, spend, at in changes(stage)[1:]]
    tick = timedelta(microseconds=1)
    assert falls == [
        ("WHALE", 50_000, day(0) + tick), ("HIGH", 10_000, day(1) + tick),
        ("STANDARD", 2_000, day(2) + tick), ("NEW", 0, day(3) + tick),
    ]  # fmt: skip


def test_two_schedulers_change_a_tier_once(stage: WritePath) -> None:
    stage.clock(day(0)).given(card_tip(60_000))
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        both = [
            TierChanges().due(connection, stage.book, day(0) + MOMENT, day(0)) for _ in range(2)
        ]
    answers = stage.writer.write([each.request for found in both for each in found])
    assert [len(answer.events) for answer in answers] == [1, 0]
    assert len(changes(stage)) == 1


def test_a_read_model_that_lags_makes_no_tier_wrong(stage: WritePath) -> None:
    """At the end of a window somebody spends again: whoever has not read that sends no fall."""
    stage.clock(day(0)).given(card_tip(60_000))
    turns(stage)
    stage.clock(day(29)).given(card_tip(60_000))
    stage.clock(day(31)).given(card_tip(100, user="another"))  # the read models do not follow
    with stage.fresh.connect(autocommit=True) as connection:
        assert TierChanges().due(connection, stage.book, day(31), day(31)) == []
    turns(stage)
    assert [now for _, now, _, _ in changes(stage)] == ["WHALE", "VIP", "WHALE"]


def test_a_late_sale_counts_at_its_own_time(stage: WritePath) -> None:
    stage.clock(day(40)).given(
        card_tip(9_000),
        card_tip(2_000).but(occurred_at="2027-01-20T00:00:00Z"),
        card_tip(90_000).but(occurred_at="2027-01-02T00:00:00Z"),
    )
    turns(stage)
    assert [(now, spend) for _, now, spend, _ in changes(stage)] == [("HIGH", 11_000)]
    stage.clock(day(60))
    turns(stage)
    ended = datetime(2027, 2, 19, tzinfo=UTC)
    assert changes(stage)[-1] == ("HIGH", "STANDARD", 9_000, ended)


def test_tokens_count_by_what_they_are_worth_and_gifts_too(stage: WritePath) -> None:
    stage.clock(day(0)).given(grant(2_000), tip(1_999))
    turns(stage)
    assert changes(stage) == []
    stage.given(tip(1))
    turns(stage)
    assert [(now, spend) for _, now, spend, _ in changes(stage)] == [("STANDARD", 2_000)]


def test_another_ladder_concerns_everybody_when_it_begins(stage: WritePath) -> None:
    stage.clock(day(0)).given(card_tip(60_000), card_tip(2_500, user="ben"))
    turns(stage)
    other = {**POLICY, "tier_window_days": 10, "tier_ladder": [{"tier": "GOLD", "min": 2_500}]}
    since = {"body": other, "effective_from": f"{day(5):%Y-%m-%dT%H:%M:%SZ}"}
    stage.given(
        Sent("propose-policy", since, "admin", "alice"),
        Sent("approve-policy", {"version": 2}, "approver", "bob"),
    )
    turns(stage)
    assert [len(changes(stage, user)) for user in (FAN, "ben")] == [1, 1]
    stage.clock(day(11))
    turns(stage)
    for user, former, spend in ((FAN, "WHALE", 60_000), ("ben", "STANDARD", 2_500)):
        _, began, ended = changes(stage, user)
        assert began == (former, "GOLD", spend, day(5))
        assert ended[:3] == ("GOLD", "NEW", 0)
        assert ended[3] - day(10) < timedelta(seconds=1)


def test_whoever_left_changes_no_tier(stage: WritePath) -> None:
    stage.clock(day(0)).given(card_tip(60_000))
    turns(stage)
    left = {"subject": FAN, "kind": "wallet"}
    stage.given(Sent("erase-subject", left, "admin", "alice"))
    stage.clock(day(31))
    assert turns(stage) == 0
    assert len(changes(stage)) == 1
