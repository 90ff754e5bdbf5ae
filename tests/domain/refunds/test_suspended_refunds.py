"""What a processor refunded beyond what a card had paid waits for a person, and counts once.

Its figures are cumulative: whatever their order, and however often each is told, the sale bears
what it can of the highest one, and the rest of that one stands in suspense.
"""

import itertools
from typing import Any

import pytest

from domain.command import Ignored, Suspended
from domain.payments.payment import PaymentSuspended
from domain.refunds.refund import RefundRecorded
from domain.sales.entitlement import Entitlement
from tests.domain.card_sales import closed, hear, opened, reported, sold, sums, world
from tests.domain.in_memory_book import InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

CARD = {"funding": "CARD", "processor": "stripe", "processor_ref": "r1"}
PAID = {"processor": "stripe", "processor_ref": "p1"}


def test_tokens_that_went_back_are_no_cents_that_did() -> None:
    world = InMemoryBook(MICRO_UNLOCK)
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
    decision = world.decide("record-refund", **refund)
    assert isinstance(decision, Suspended)
    (waiting,) = decision.events
    assert isinstance(waiting, PaymentSuspended)
    assert waiting.amount == -250


def figure(cumulative: int, nth: int = 0, sale: str = "r1") -> tuple[str, dict[str, Any]]:
    """The processor's notice, the `nth` of this figure."""
    fields = reported(cumulative)
    ref = f"{fields['processor_ref']}-{nth}"
    return "record-refund", {**fields, "sale": sale, "processor_ref": ref}


def test_a_sale_bears_its_price_and_the_rest_waits() -> None:
    place = world()
    sold(place)
    place.happens("record-refund", **reported(100))
    decision = place.decide("record-refund", **reported(400))
    assert isinstance(decision, Suspended)
    recorded, waiting = decision.events
    assert isinstance(recorded, RefundRecorded)
    assert (recorded.amount, recorded.cumulative) == (299, 399)
    assert isinstance(waiting, PaymentSuspended)
    assert waiting.amount == -1
    place.record(*decision.events)
    assert sums(place) == {"psp.stripe": -1, "suspense": 1}
    assert place.states["entitlement:ann:photo"] == Entitlement()


@pytest.mark.parametrize(
    "figures", [(1, 400), (400, 450), (400, 399), (400, 400), (1, 399, 400, 450), (450, 451, 2)]
)
def test_figures_above_the_sale_end_in_the_same_balances_in_any_order(
    figures: tuple[int, ...],
) -> None:
    paid = ("unlock", {"user": "ann", "creator": "carl", "item": "photo", "price": 399, **CARD})
    notices = [paid, *(figure(each, nth) for nth, each in enumerate(figures))]
    for order in itertools.permutations(notices):
        place = world()
        hear(place, list(order))
        highest = max(figures)
        assert sums(place) == {"psp.stripe": 399 - highest, "suspense": highest - 399}


def test_what_disputes_took_changes_nothing_of_what_waits() -> None:
    paid = ("unlock", {"user": "ann", "creator": "carl", "item": "photo", "price": 399, **CARD})
    lost = [("open-dispute", opened(300, fee=0)), ("close-dispute", closed("LOST"))]
    for order in itertools.permutations([paid, *lost, figure(200), figure(500)]):
        place = world()
        hear(place, list(order))
        assert sums(place) == {
            "psp.stripe": 399 - 300 - 500,
            "suspense": 101,
            "exp.baddebt": 300,
        }


def test_a_figure_that_is_not_above_the_known_one_is_kept_and_moves_nothing() -> None:
    place = world()
    sold(place)
    hear(place, [figure(450)])
    before = sums(place)
    for cumulative in (400, 450):
        decision = place.decide("record-refund", **reported(cumulative))
        assert isinstance(decision, Ignored) and decision.code == "STALE_FIGURE"
    hear(place, [figure(400)])
    assert sums(place) == before


def test_what_waits_of_a_refund_is_returned_and_never_applied_or_counted_again() -> None:
    place = world()
    sold(place)
    hear(place, [figure(450)])
    released = {"payment_ref": figure(450)[1]["processor_ref"]}
    applied = place.decide("release-payment", "fay", **released, resolution="APPLY")
    assert code(applied) == "INVALID_TRANSITION"
    place.happens("release-payment", "fay", **released, resolution="RETURN")
    assert sums(place) == {}
    hear(place, [figure(450, 1), figure(400)])
    assert sums(place) == {}
    hear(place, [figure(460)])
    assert sums(place) == {"psp.stripe": -10, "suspense": 10}


@pytest.mark.parametrize("order", list(itertools.permutations((200, 250, 250))))
def test_figures_of_what_no_card_paid_count_once(order: tuple[int, ...]) -> None:
    world = InMemoryBook(MICRO_UNLOCK)
    world.happens("record-purchase", user="ann", package="small", price=999, **PAID)
    tip: dict[str, Any] = {"user": "ann", "creator": "carl", "funding": "TOKEN", "amount": 300}
    (sold,) = world.happens("send-tip", **tip)
    hear(world, [figure(each, nth, "p1") for nth, each in enumerate(order)])
    assert (sums(world)["psp.stripe"], "suspense" in sums(world)) == (749, False)
    sale = sold.sale_id  # type: ignore[attr-defined]
    hear(world, [figure(each, nth, sale) for nth, each in enumerate(order)])
    assert sums(world)["suspense"] == 250
