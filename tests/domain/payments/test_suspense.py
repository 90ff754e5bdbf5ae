"""Money that arrived and contradicts something waits for a person, who applies or returns it."""

from typing import Any

import pytest

from domain.accounts import balanced
from domain.payments.payment import PaymentRecord, PaymentStatus
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import ASSETS, InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

PAID = {"user": "ann", "package": "large", "price": 4_999, "processor": "stripe"}
LARGE = {"large": {"tokens": 5_000, "price": 4_999}}


def suspended() -> InMemoryBook:
    """A purchase of a package that nobody knows."""
    world = InMemoryBook(MICRO_UNLOCK)
    decision = world.decide("record-purchase", **PAID, processor_ref="p1")
    assert code(decision) == "UNKNOWN_PACKAGE"
    world.record(*decision.events)  # type: ignore[union-attr]
    return world


def release(world: InMemoryBook, resolution: str) -> Any:
    return world.decide("release-payment", "fay", payment_ref="p1", resolution=resolution)


def test_returned_money_leaves_suspense() -> None:
    world = suspended()
    (event,) = world.record(*release(world, "RETURN"))
    returned = (("suspense", "USD", 4_999), ("psp.stripe", "USD", -4_999))
    assert balanced(event.postings(ASSETS)) == returned
    assert world.states["wallet:ann"] == Wallet()


def test_an_applied_notice_has_the_effect_it_would_have_had() -> None:
    world = suspended()
    world.publish({**MICRO_UNLOCK, "packages": LARGE})
    world.now = world.now.replace(year=2027)
    _, bought = world.record(*release(world, "APPLY"))
    assert ("deferred", "USD", -4_999) in bought.postings(ASSETS)
    wallet = world.states["wallet:ann"]
    assert isinstance(wallet, Wallet)
    assert wallet.spendable(world.now) == 5_000


def test_a_notice_that_still_contradicts_goes_on_waiting() -> None:
    assert code(release(suspended(), "APPLY")) == "INVALID_TRANSITION"


@pytest.mark.parametrize("resolution", ["APPLY", "RETURN"])
def test_a_payment_is_released_once(resolution: str) -> None:
    world = suspended()
    world.record(*release(world, "RETURN"))
    assert code(release(world, resolution)) == "INVALID_TRANSITION"


def test_only_what_waits_can_be_released() -> None:
    assert code(release(InMemoryBook(MICRO_UNLOCK), "RETURN")) == "UNKNOWN_PAYMENT"


CARD = {"user": "ann", "creator": "zoe", "funding": "CARD"}
PAYMENTS: dict[str, dict[str, Any]] = {
    "record-purchase": {"user": "ann", "package": "small", "price": 999},
    "send-tip": {**CARD, "amount": 500},
    "unlock": {**CARD, "item": "photo", "price": 399},
    "unlock-message": {**CARD, "item": "letter", "price": 399},
    "buy-ticket": {**CARD, "item": "show", "price": 399},
}


def pays(world: InMemoryBook, name: str, processor: str) -> Any:
    return world.decide(name, **PAYMENTS[name], processor=processor, processor_ref="p1")


@pytest.mark.parametrize("second", PAYMENTS)
@pytest.mark.parametrize("first", ["record-purchase", "send-tip"])
def test_a_reference_belongs_to_one_payment_of_the_book(first: str, second: str) -> None:
    """Whoever disputes or settles `p1` must never reach another payment than the one meant."""
    world = InMemoryBook(MICRO_UNLOCK)
    (paid, *_) = world.record(*pays(world, first, "stripe"))
    decision = pays(world, second, "adyen")
    assert code(decision) == "DUPLICATE_PAYMENT"
    world.record(*decision.events)
    assert code(release(world, "APPLY")) == "INVALID_TRANSITION"
    (returned,) = world.record(*release(world, "RETURN"))
    assert ("psp.adyen", "USD", -decision.events[0].amount) in returned.postings(ASSETS)
    record = world.states["payment:p1"]
    assert isinstance(record, PaymentRecord)
    assert (record.sale_id or record.purchase_id) in (
        getattr(paid, "sale_id", None),
        getattr(paid, "purchase_id", None),
    )


def test_a_reference_in_suspense_is_taken_until_it_is_released() -> None:
    world = suspended()
    assert code(pays(world, "send-tip", "adyen")) == "DUPLICATE_PAYMENT"
    world.record(*release(world, "RETURN"))
    assert isinstance(pays(world, "send-tip", "adyen"), tuple)


def test_an_authorized_reference_is_taken() -> None:
    record = PaymentRecord(status=PaymentStatus.AUTHORIZED, processor="stripe")
    assert record.is_another("stripe") and record.is_another("adyen")
    assert not PaymentRecord().is_another("stripe")
