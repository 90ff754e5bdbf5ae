"""Tiers: steps of the policy's ladder, and what is decided on the change of one."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.offers.commands import PublishOffer
from domain.policy import Policy
from domain.rejections import Rejection
from domain.tiers.tier import NEW, TierChanged, ladder_of
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import NOW, InMemoryBook
from tests.scenarios.policies import MICRO_UNLOCK

FLOORS = {"VIP": 100_000, "WHALE": 50_000, "HIGH": 10_000, "STANDARD": 2_000}
LADDER = [{"tier": tier, "min": floor} for tier, floor in FLOORS.items()]
WITH_TIERS = {**MICRO_UNLOCK, "tier_ladder": LADDER}
BEFORE = NOW - timedelta(hours=1)


def book(**policy: Any) -> InMemoryBook:
    """A book with tiers."""
    return InMemoryBook({**WITH_TIERS, **policy})


def change(
    place: InMemoryBook, spend: int, position: int = 1, at: datetime = BEFORE, days: int = 30
) -> tuple[TierChanged, ...]:
    """What comes of a figure that the scheduler read."""
    told = {"user": "ann", "at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", "spend": spend}
    events = place.happens("change-tier", window_days=days, as_of_position=position, **told)
    return tuple(event for event in events if isinstance(event, TierChanged))


@pytest.mark.parametrize(
    ("spend", "tier"),
    [
        (100_001, "VIP"), (100_000, "VIP"), (99_999, "WHALE"), (50_000, "WHALE"),
        (49_999, "HIGH"), (10_000, "HIGH"), (9_999, "STANDARD"), (2_000, "STANDARD"),
        (1_999, NEW), (0, NEW),
    ],
)  # fmt: skip
def test_a8_the_boundaries_of_the_ladder(spend: int, tier: str) -> None:
    assert ladder_of(Policy.model_validate(WITH_TIERS)).tier(spend) == tier


def test_without_a_ladder_everybody_is_new() -> None:
    assert ladder_of(Policy.model_validate(MICRO_UNLOCK)).tier(10**12) == NEW
    assert ladder_of(None).tier(10**12) == NEW


def test_a_tier_changes_once() -> None:
    place = book()
    (event,) = change(place, 60_000, position=7)
    assert (event.former, event.tier, event.spend) == (NEW, "WHALE", 60_000)
    assert (event.at, event.as_of_position) == (BEFORE, 7)
    assert change(place, 60_000, position=7) == ()  # the same again, as by another scheduler
    assert change(place, 61_000, position=8) == ()  # still the same tier
    (event,) = change(place, 1_999, position=9)
    assert (event.former, event.tier) == ("WHALE", NEW)
    state = place.states["wallet:ann"]
    assert isinstance(state, Wallet)
    assert state.tier is not None
    assert state.tier.tier == NEW


def test_what_was_read_before_is_too_late() -> None:
    place = book()
    change(place, 60_000, position=7)
    assert change(place, 10_000, position=6) == ()
    assert change(place, 10_000, position=7) == ()
    assert len(change(place, 10_000, position=8)) == 1


def test_a_figure_of_another_window_or_of_the_future_is_none() -> None:
    place = book(tier_window_days=7)
    assert change(place, 60_000, days=30) == ()
    assert change(place, 60_000, days=7, at=NOW + timedelta(seconds=1)) == ()
    assert len(change(place, 60_000, days=7, at=NOW)) == 1


def test_the_ladder_is_that_of_the_time_at_which_the_tier_changes() -> None:
    place = book()
    lower = {**WITH_TIERS, "tier_ladder": [{"tier": "GOLD", "min": 500}]}
    place.publish(lower, since=f"{NOW:%Y-%m-%dT%H:%M:%SZ}")
    place.later(hours=1)
    (event,) = change(place, 60_000, position=2, at=BEFORE)
    assert event.tier == "WHALE"
    (event,) = change(place, 60_000, position=3, at=NOW)
    assert event.tier == "GOLD"


def test_tokens_and_debts_stay_as_they_are() -> None:
    place = book()
    place.happens("grant-promo", user="ann", tokens=5, reason_code="GIFT")
    before = place.states["wallet:ann"]
    (event,) = change(place, 60_000)
    after = place.states["wallet:ann"]
    assert isinstance(before, Wallet)
    assert isinstance(after, Wallet)
    assert (after.lots, after.debt, after.has_bought) == (before.lots, 0, False)
    assert event.postings(place.assets) == ()


def test_an_offer_names_only_tiers_that_there_are() -> None:
    place = book()
    for tier, known in (("VIP", True), (NEW, True), ("GURU", False)):
        offer = PublishOffer.model_validate(
            {
                "offer": f"for-{tier}", "products": ["tip"], "discount": 1,
                "starts_at": "2020-01-01T00:00:00Z", "ends_at": "2096-01-01T00:00:00Z",
                "eligible": {"tiers": [tier]},
            }
        )  # fmt: skip
        decision = place.decide_on(offer)
        assert isinstance(decision, Rejection) is not known
        if isinstance(decision, Rejection):
            assert decision.reason.code == "UNKNOWN_TIER"
