"""A creator with earnings, and the steps of a payout."""

from typing import Any

from domain.creators.creator import Creator
from domain.event import Event
from tests.domain.in_memory_book import InMemoryBook
from tests.scenarios.policies import MICRO_UNLOCK

REF = {"processor": "bank", "processor_ref": "t1"}


STEPS: dict[str, tuple[str, dict[str, str]]] = {
    "approve-payout": ("bob", {}),
    "reject-payout": ("bob", {"reason_code": "DOUBT"}),
    "submit-payout": ("fay", REF),
    "confirm-payout": ("fay", {}),
    "fail-payout": ("fay", {"reason_code": "CLOSED"}),
    "return-payout": ("fay", {"reason_code": "UNKNOWN_IBAN"}),
}
"""Each step, who takes it, and its further fields."""


WAY = {
    "requested": [],
    "approved": ["approve-payout"],
    "submitted": ["approve-payout", "submit-payout"],
    "paid": ["approve-payout", "submit-payout", "confirm-payout"],
    "rejected": ["reject-payout"],
    "failed": ["approve-payout", "submit-payout", "fail-payout"],
    "returned": ["approve-payout", "submit-payout", "confirm-payout", "return-payout"],
}


def world(available: int = 12_345, *, ready: bool = True, **policy: Any) -> InMemoryBook:
    """Carl has `available` cents and may be paid."""
    everything = {"packages": {}, "revenue_share": {"default": 10_000}}
    place = InMemoryBook({**MICRO_UNLOCK, **everything, **policy})
    if available:
        earn(place, available)
    if ready:
        place.happens("set-payout-account", creator="carl", payouts_enabled=True, country="DE")
    return place


def earn(place: InMemoryBook, amount: int) -> None:
    fields: dict[str, Any] = {"user": "ann", "creator": "carl", "funding": "CARD", "amount": amount}
    paid = {"processor": "stripe", "processor_ref": f"r{len(place.history)}"}
    place.happens("send-tip", **fields, **paid)


def request(amount: int, **more: Any) -> dict[str, Any]:
    return {"creator": "carl", "amount": amount, **more}


def carl(place: InMemoryBook) -> Creator:
    creator = place.states["creator:carl"]
    assert isinstance(creator, Creator)
    return creator


def take(place: InMemoryBook, payout: str, *steps: str) -> tuple[Event, ...]:
    """Take steps; answers the events of the last one."""
    events: tuple[Event, ...] = ()
    for step in steps:
        actor, fields = STEPS[step]
        events = place.happens(step, actor, payout=payout, **fields)
    return events
