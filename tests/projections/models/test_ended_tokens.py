"""Tokens whose time is over are told apart from those that can be spent, until an event says so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from projections import queries
from tests.projections.following import follow
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import FAN, Sent, grant, policy, purchase, tip
from tests.scenarios.write_path import WritePath

ENDING: dict[str, Any] = {**MICRO_UNLOCK, "promo_expiry_days": 10, "breakage_months": 1}
HOLDS = {**ENDING, "products_enabled": ["hold"]}


def seen(stage: WritePath, at: datetime) -> tuple[int, int, int, int]:
    """(paid, promo, lapsing, expired) as somebody sees them at a time."""
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as reader:
        found = queries.wallet(reader, FAN, at)
    free = found["free"]
    return free["paid"], free["promo"], found["lapsing"], found["expired"]


@pytest.mark.parametrize(("spent", "given"), [(0, 7), (40, 7), (107, 1), (500, 50)])
def test_6_24_a_wallet_tells_what_has_ended_apart_from_what_can_be_spent(
    stage: WritePath, spent: int, given: int
) -> None:
    now = datetime.now(UTC)
    bought, bonus = 1_000, 100
    soon = now + timedelta(days=2)
    stage.given(policy(ENDING), purchase("small", price=999))
    stage.given(grant(given, expires_at=f"{soon:%Y-%m-%dT%H:%M:%S.%fZ}"))
    if spent:
        stage.given(tip(spent))
    gift = max(0, given - spent)
    bonus_left = max(0, bonus - max(0, spent - given))
    paid = bought - max(0, spent - given - bonus)
    assert seen(stage, now) == (paid, bonus_left + gift, 0, 0)
    assert seen(stage, soon) == (paid, bonus_left, 0, gift)
    assert seen(stage, now + timedelta(days=11)) == (paid, 0, 0, bonus_left + gift)
    assert seen(stage, now + timedelta(days=40)) == (0, 0, paid, bonus_left + gift)

    stage.later(days=40).given(Sent("expire-promo", {"user": FAN}))
    assert seen(stage, now + timedelta(days=40)) == (0, 0, paid, 0)
    stage.given(Sent("lapse-tokens", {"user": FAN}))
    assert seen(stage, now + timedelta(days=40)) == (0, 0, 0, 0)


def test_6_24_held_tokens_are_not_lapsing_until_they_are_released(stage: WritePath) -> None:
    now = datetime.now(UTC)
    later = now + timedelta(days=40)
    stage.given(policy({**HOLDS, "packages": {"plain": {"tokens": 1_000, "price": 999}}}))
    stage.given(purchase("plain", price=999))
    stage.when(Sent("hold-credits", {"user": FAN, "tokens": 300}))
    hold = {"hold": stage.outcomes[0].event["hold_id"]}
    assert seen(stage, later) == (0, 0, 700, 0)
    stage.given(Sent("settle-batch", {**hold, "batch_no": 1, "used": 100}))
    stage.given(Sent("release-hold", hold))
    assert seen(stage, now) == (900, 0, 0, 0)
    assert seen(stage, later) == (0, 0, 900, 0)
