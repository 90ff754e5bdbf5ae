"""A sale by card, and the notices that follow it: reports of refunds, disputes and their ends."""

from typing import Any

from domain.command import Ignored, Parked, Suspended
from domain.creators.creator import Creator
from domain.rejections import Rejection
from domain.sales.sale import Sale
from tests.domain.books import balances
from tests.domain.in_memory_book import InMemoryBook
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps_disputes import disputed, ended
from tests.scenarios.steps_finance import refunded

CARD = {"funding": "CARD", "processor": "stripe", "processor_ref": "r1"}


def world(bearer: str = "CREATOR_PROPORTIONAL", **policy: Any) -> InMemoryBook:
    return InMemoryBook({**MICRO_UNLOCK, "packages": {}, "dispute_bearer": bearer, **policy})


def sold(place: InMemoryBook, price: int = 399, **more: Any) -> Sale:
    """Ann unlocks Carl's photo by card."""
    fields: dict[str, Any] = {
        "user": "ann",
        "creator": "carl",
        "item": "photo",
        "price": price,
        **CARD,
        **more,
    }
    sale = place.happens("unlock", **fields)[0]
    assert isinstance(sale, Sale)
    return sale


def opened(amount: int = 399, fee: int = 1500, ref: str = "d1", **more: Any) -> dict[str, Any]:
    """The fields of a dispute, of the payment r1 if nothing else is named."""
    what: dict[str, Any] = {} if {"sale", "purchase"} & set(more) else {"payment_ref": "r1"}
    return disputed(amount, ref, fee, **{**what, **more}).fields


def closed(outcome: str, dispute: str = "d1") -> dict[str, Any]:
    """The fields of a dispute's end."""
    return ended(dispute, outcome, f"{dispute}-{outcome}").fields


def sums(place: InMemoryBook) -> dict[str, int]:
    """Balances of money that are not zero, credits positive for liabilities and income."""
    found = balances(place.history)
    return {account: amount for (account, asset), amount in found.items() if amount}


def hear(place: InMemoryBook, notices: list[tuple[str, dict[str, Any]]]) -> None:
    """Every notice once; what waits is heard again whenever something has happened."""
    waiting = list(notices)
    while waiting:
        for notice in waiting:
            decision = place.decide(notice[0], **notice[1])
            if isinstance(decision, Parked):
                continue
            assert not isinstance(decision, Rejection)
            if isinstance(decision, Ignored):
                decision = ()
            place.record(*(decision.events if isinstance(decision, Suspended) else decision))
            waiting.remove(notice)
            break
        else:
            raise AssertionError(waiting)


def refund(place: InMemoryBook, sale: Sale, amount: int) -> Any:
    return place.decide("refund", sale=sale.sale_id, amount=amount, reason_code="ASKED")


def reported(cumulative: int, sale: str = "r1", ref: str | None = None) -> dict[str, Any]:
    """The fields of a processor's report of what was refunded so far."""
    return refunded(sale, cumulative, ref or f"refund-{cumulative}").fields


def creator(place: InMemoryBook, name: str = "carl") -> Creator:
    state = place.states[f"creator:{name}"]
    assert isinstance(state, Creator)
    return state
