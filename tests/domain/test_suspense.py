"""Money that arrived and contradicts something waits for a person, who applies or returns it."""

from typing import Any

import pytest

from domain.wallet import Wallet
from tests.domain.world import ASSETS, World, code
from tests.scenarios.policies import MICRO_UNLOCK

PAID = {"user": "ann", "package": "large", "price": 4_999, "processor": "stripe"}
LARGE = {"large": {"tokens": 5_000, "price": 4_999}}


def suspended() -> World:
    """A purchase of a package that nobody knows."""
    world = World(MICRO_UNLOCK)
    decision = world.when("record-purchase", **PAID, processor_ref="p1")
    assert code(decision) == "UNKNOWN_PACKAGE"
    world.given(*decision.events)  # type: ignore[union-attr]
    return world


def release(world: World, resolution: str) -> Any:
    return world.when("release-payment", "fay", payment_ref="p1", resolution=resolution)


def test_returned_money_leaves_suspense() -> None:
    world = suspended()
    (event,) = world.given(*release(world, "RETURN"))
    assert event.postings(ASSETS) == (("suspense", "USD", 4_999), ("psp.stripe", "USD", -4_999))
    assert world.states["wallet:ann"] == Wallet()


def test_an_applied_notice_has_the_effect_it_would_have_had() -> None:
    world = suspended()
    world.publish({**MICRO_UNLOCK, "packages": LARGE})
    world.now = world.now.replace(year=2027)
    _, bought = world.given(*release(world, "APPLY"))
    assert ("deferred", "USD", -4_999) in bought.postings(ASSETS)
    wallet = world.states["wallet:ann"]
    assert isinstance(wallet, Wallet)
    assert wallet.spendable(world.now) == 5_000


def test_a_notice_that_still_contradicts_goes_on_waiting() -> None:
    assert code(release(suspended(), "APPLY")) == "INVALID_TRANSITION"


@pytest.mark.parametrize("resolution", ["APPLY", "RETURN"])
def test_a_payment_is_released_once(resolution: str) -> None:
    world = suspended()
    world.given(*release(world, "RETURN"))
    assert code(release(world, resolution)) == "INVALID_TRANSITION"


def test_only_what_waits_can_be_released() -> None:
    assert code(release(World(MICRO_UNLOCK), "RETURN")) == "UNKNOWN_PAYMENT"
