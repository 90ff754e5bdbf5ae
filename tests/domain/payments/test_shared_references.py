"""Two payments under one reference: each has its own money, and neither hides the other."""

from typing import Any

from domain.command import Suspended
from tests.domain.books import balances
from tests.domain.in_memory_book import InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

SMALL: dict[str, Any] = {"user": "ann", "package": "small", "price": 999, "processor_ref": "p1"}


def suspends(world: InMemoryBook, **fields: Any) -> None:
    """A payment that is kept in suspense."""
    decision = world.decide("record-purchase", **{**SMALL, **fields})
    assert isinstance(decision, Suspended)
    world.record(*decision.events)


def release(world: InMemoryBook, resolution: str) -> Any:
    return world.decide("release-payment", "fay", payment_ref="p1", resolution=resolution)


def suspense(world: InMemoryBook) -> int:
    return -balances(world.history)["suspense", "USD"]


def settled(world: InMemoryBook, processor: str, amount: int) -> Any:
    lines = [{"line_ref": "l1", "kind": "PAYMENT", "processor_ref": "p1", "gross": amount}]
    file: dict[str, Any] = {"processor": processor, "file_sha256": "ab" * 32, "lines": lines}
    return [event.type for event in world.happens("import-settlement", "fay", **file)]


def test_both_payments_in_suspense_can_be_released_the_older_first() -> None:
    world = InMemoryBook(MICRO_UNLOCK)
    suspends(world, processor="stripe", price=998)
    suspends(world, processor="adyen", price=997)
    assert suspense(world) == 998 + 997
    world.record(*release(world, "RETURN"))
    assert suspense(world) == 997
    world.record(*release(world, "RETURN"))
    assert suspense(world) == 0
    assert balances(world.history)["psp.stripe", "USD"] == 0
    assert code(release(world, "RETURN")) == "INVALID_TRANSITION"


def test_of_two_in_suspense_one_may_be_applied_and_the_other_only_returned() -> None:
    world = InMemoryBook({**MICRO_UNLOCK, "packages": {}})
    suspends(world, processor="stripe")
    suspends(world, processor="adyen")
    world.publish(MICRO_UNLOCK)
    world.record(*release(world, "APPLY"))
    assert balances(world.history)["psp.stripe", "USD"] == 999
    assert code(release(world, "APPLY")) == "INVALID_TRANSITION"
    world.record(*release(world, "RETURN"))
    assert suspense(world) == 0


def test_a_second_payment_does_not_hide_the_first_from_its_settlement() -> None:
    world = InMemoryBook(MICRO_UNLOCK)
    world.happens("record-purchase", **SMALL, processor="stripe")
    suspends(world, processor="adyen")
    assert settled(world, "stripe", 999) == ["settlement.matched.v1"]
    world.record(*release(world, "RETURN"))
    assert suspense(world) == 0


def test_an_authorised_reference_stays_taken_when_a_second_payment_is_returned() -> None:
    policy = {**MICRO_UNLOCK, "products_enabled": ["session"]}
    policy["revenue_share"] = {"default": 8000, "tiers": {"STANDARD": 7000}}
    world = InMemoryBook(policy)
    asked: dict[str, Any] = {
        "session": "s",
        "user": "ann",
        "payee": "carl",
        "tier": "STANDARD",
        "amount": 500,
    }
    asked |= {"processor": "stripe", "processor_ref": "p1"}
    world.happens("authorize", **asked)
    suspends(world, processor="adyen")
    world.record(*release(world, "RETURN"))
    assert code(world.decide("authorize", **asked)) == "INVALID_TRANSITION"
    suspends(world, processor="adyen")
