"""Erasure: only of those who are owed nothing and have nothing open; no balance changes."""

from typing import Any

import msgspec
import pytest

from domain.rejections import Rejection
from tests.domain.in_memory_book import ASSETS, InMemoryBook
from tests.scenarios.policies import MICRO_UNLOCK


def world() -> InMemoryBook:
    return InMemoryBook(MICRO_UNLOCK)


def erase(place: InMemoryBook, subject: str, kind: str) -> Any:
    return place.decide("erase-subject", "root", subject=subject, kind=kind)


def buy(place: InMemoryBook) -> None:
    fields: dict[str, Any] = {"user": "ann", "package": "small", "price": 999}
    place.happens("record-purchase", **fields, processor="stripe", processor_ref="p1")


def tip(place: InMemoryBook, amount: int) -> None:
    place.happens("send-tip", user="ann", creator="carl", funding="TOKEN", amount=amount)


def test_an_empty_wallet_is_erased_once() -> None:
    place = world()
    buy(place)
    tip(place, 1_100)
    before = dict(place.states)
    (event,) = place.record(*erase(place, "ann", "wallet"))
    assert event.postings(ASSETS) == ()
    assert event.tags() == ("wallet:ann", "erased:wallet:ann")
    left = before.pop("wallet:ann")
    assert {key: place.states[key] for key in before} == before
    assert place.states["wallet:ann"] == msgspec.structs.replace(left, erased=True)
    assert erase(place, "ann", "wallet") == ()


def test_a_wallet_with_tokens_stays() -> None:
    place = world()
    buy(place)
    tip(place, 1_099)
    decision = erase(place, "ann", "wallet")
    assert isinstance(decision, Rejection)
    assert decision.reason.code == "ACCOUNT_HAS_BALANCE"
    assert decision.details == {"subject": "ann", "what": "tokens"}


@pytest.mark.parametrize("share", [1, -1])
def test_a_creator_who_is_owed_or_owes_stays(share: int) -> None:
    place = world()
    legs = [["exp.goodwill", "USD", share], ["cr.carl.available", "USD", -share]]
    (proposed,) = place.happens("propose-adjustment", "fay", postings=legs, reason_code="GOODWILL")
    adjustment = proposed.adjustment_id  # type: ignore[attr-defined]
    place.happens("approve-adjustment", "bob", adjustment=adjustment)
    decision = erase(place, "carl", "creator")
    assert isinstance(decision, Rejection)
    assert decision.details["what"] == "a balance"


def test_a_payout_on_its_way_keeps_a_creator() -> None:
    place = InMemoryBook({**MICRO_UNLOCK, "payout_minimum": None})
    buy(place)
    tip(place, 1_100)
    place.happens("set-payout-account", creator="carl", payouts_enabled=True)
    place.happens("request-payout", "fay", creator="carl", amount=880)
    decision = erase(place, "carl", "creator")
    assert isinstance(decision, Rejection)
    assert decision.details["what"] == "an open payout"


def test_a_subscription_that_may_be_charged_keeps_a_wallet() -> None:
    place = InMemoryBook({**MICRO_UNLOCK, "products_enabled": ["subscription"]})
    fan = {"subscription": "s1", "user": "ann", "creator": "carl"}
    place.happens("start-subscription", **fan, price=999)
    decision = erase(place, "ann", "wallet")
    assert isinstance(decision, Rejection)
    assert decision.details["what"] == "an open subscription"
    place.happens("cancel-subscription", subscription="s1")
    assert len(erase(place, "ann", "wallet")) == 1


def test_a_debt_keeps_a_wallet_until_it_is_written_off() -> None:
    place = world()

    def adjust(owed: int) -> None:
        legs = [["fan_debt.ann", "USD", owed], ["exp.baddebt", "USD", -owed]]
        (event,) = place.happens(
            "propose-adjustment", "fay", postings=legs, reason_code="WRITE_OFF"
        )
        adjustment = event.adjustment_id  # type: ignore[attr-defined]
        place.happens("approve-adjustment", "bob", adjustment=adjustment)

    adjust(599)
    decision = erase(place, "ann", "wallet")
    assert isinstance(decision, Rejection)
    assert decision.details["what"] == "a debt"
    adjust(-599)
    assert len(erase(place, "ann", "wallet")) == 1
