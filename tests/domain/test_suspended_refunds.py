"""A processor reports a refund of something no card paid: all of its money waits for a person."""

from typing import Any

from domain.command import Suspended
from domain.suspense import PaymentSuspended
from tests.domain.world import World
from tests.scenarios.policies import MICRO_UNLOCK

PAID = {"processor": "stripe", "processor_ref": "p1"}


def test_tokens_that_went_back_are_no_cents_that_did() -> None:
    world = World(MICRO_UNLOCK)
    world.happens("record-purchase", user="ann", package="small", price=999, **PAID)
    tip: dict[str, Any] = {"user": "ann", "creator": "carl", "funding": "TOKEN", "amount": 300}
    (sold,) = world.happens("send-tip", **tip)
    sale = sold.sale_id  # type: ignore[attr-defined]
    world.happens("refund", sale=sale, amount=200, reason_code="ASKED")
    refund: dict[str, Any] = {
        "sale": sale,
        "cumulative": 250,
        "processor": "stripe",
        "processor_ref": "r1",
    }
    decision = world.when("record-refund", **refund)
    assert isinstance(decision, Suspended)
    (waiting,) = decision.events
    assert isinstance(waiting, PaymentSuspended)
    assert waiting.amount == -250
