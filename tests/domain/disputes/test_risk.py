"""A lost dispute marks its buyer; the policy alone says whether anything is frozen for it."""

from collections.abc import Iterable
from typing import Any

import pytest

from domain.disputes.dispute import DisputeClosed
from domain.event import Event
from domain.wallets.wallet import BuyerRisk, Wallet
from tests.domain.in_memory_book import InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

STRIPE = {"processor": "stripe"}


def marks_of(events: Iterable[Event]) -> list[BuyerRisk]:
    ended = [event for event in events if isinstance(event, DisputeClosed)]
    return [event.risk for event in ended if event.risk is not None]


class Buyers(InMemoryBook):
    """A book with a buyer whose bank disputes."""

    def __init__(self, **policy: Any) -> None:
        super().__init__({**MICRO_UNLOCK, **policy})

    def tip(self, ref: str, amount: int = 1_000) -> None:
        fields = {"user": "ann", "creator": "carl", "funding": "CARD", "amount": amount}
        self.happens("send-tip", **fields, **STRIPE, processor_ref=ref)

    def lose(self, ref: str, amount: int = 1_000, **more: Any) -> list[BuyerRisk]:
        fields = {"payment_ref": ref, "amount": amount, "fee": 0, "final": True, **more}
        events = self.happens("open-dispute", **fields, **STRIPE, processor_ref=f"d-{ref}")
        return marks_of(events)

    def close(self, ref: str, outcome: str) -> list[BuyerRisk]:
        fields = {"dispute": f"d-{ref}", "outcome": outcome, "processor_ref": f"{outcome}-{ref}"}
        events = self.happens("close-dispute", **fields, **STRIPE)
        return marks_of(events)

    @property
    def ann(self) -> Wallet:
        found = self.states["wallet:ann"]
        assert isinstance(found, Wallet)
        return found

    @property
    def marks(self) -> tuple[int, int] | None:
        return None if self.ann.risk is None else (self.ann.risk.disputes, self.ann.risk.amount)


def test_6_28_marks_count_disputes_and_what_was_lost() -> None:
    place = Buyers()
    for ref, amount, marks in (("a", 300, (1, 300)), ("b", 1, (2, 301)), ("c", 999, (3, 1_300))):
        place.tip(ref)
        place.later(hours=1)
        (mark,) = place.lose(ref, amount)
        assert (mark.last, place.marks) == (place.now, marks)
    assert place.ann.risk is not None and place.ann.risk.last == place.now
    assert place.ann.frozen == ()


def test_6_28_an_open_dispute_marks_nobody_and_its_end_only_if_it_is_lost() -> None:
    place = Buyers()
    place.tip("a")
    place.tip("b")
    assert place.lose("a", final=False) == place.lose("b", final=False) == []
    assert place.close("a", "WON") == []
    assert len(place.close("b", "LOST")) == 1
    assert place.marks == (1, 1_000)
    again = {"dispute": "d-b", "outcome": "LOST", "processor_ref": "x", **STRIPE}
    assert place.decide("close-dispute", **again) == ()


def test_6_28_a_win_after_all_takes_the_mark_back() -> None:
    place = Buyers()
    for ref in ("a", "b"):
        place.tip(ref)
        place.lose(ref)
    (back,) = place.close("a", "WON")
    assert (back.disputes, back.amount, place.marks) == (1, 1_000, (1, 1_000))
    place.close("b", "WON")
    assert place.marks == (0, 0)


@pytest.mark.parametrize(
    ("risk", "disputes"),
    [
        (None, None),
        ({}, None),
        ({"freeze_after_disputes": 1}, 1),
        ({"freeze_after_disputes": 3}, 3),
        ({"freeze_after_amount": 1_001}, 2),
        ({"freeze_after_amount": 2_000, "freeze_after_disputes": 3}, 2),
        ({"freeze_after_amount": 5_000, "freeze_after_disputes": 2}, 2),
    ],
)
def test_6_28_nothing_is_frozen_unless_the_policy_says_so(
    risk: dict[str, int] | None, disputes: int | None
) -> None:
    place = Buyers(risk=risk)
    for number in range(1, 5):
        if not place.ann.frozen:
            place.tip(f"r{number}")
            place.lose(f"r{number}")
            assert bool(place.ann.frozen) == (number == disputes)
    tip = {"user": "ann", "creator": "carl", "funding": "TOKEN", "amount": 5}
    expected = "INSUFFICIENT_TOKENS" if disputes is None else "ACCOUNT_FROZEN"
    assert code(place.decide("send-tip", **tip)) == expected


def test_6_28_a_lost_purchase_marks_its_buyer_too() -> None:
    place = Buyers()
    bought = {"user": "ann", "package": "small", "price": 999, "processor_ref": "p", **STRIPE}
    place.happens("record-purchase", **bought)
    (mark,) = place.lose("p", 999)
    assert (mark.amount, place.marks) == (999, (1, 999))


def test_6_28_the_parts_of_one_dispute_are_one_mark() -> None:
    tiers = {"default": 7000, "tiers": {"STANDARD": 7000}}
    place = Buyers(products_enabled=["session"], revenue_share=tiers, tip_minimum=1)
    session = {"session": "s", "user": "ann", "payee": "carl", "tier": "STANDARD", "amount": 900}
    (authorized,) = place.happens("authorize", **session, **STRIPE, processor_ref="pi")
    payment = authorized.payment_id  # type: ignore[attr-defined]
    place.happens("capture", payment=payment, amount=500, final=False)
    place.happens("capture", payment=payment, amount=400)
    (mark,) = place.lose("pi", 900)
    assert (mark.amount, mark.disputes, place.marks) == (900, 1, (1, 900))
