"""Disputes of sales and of purchases: what banks took back, and how each dispute ended.

Of a payment that waits in suspense the notice is listed, and nothing here: its dispute has no life
of its own.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from domain.disputes.dispute import DisputeEvent, DisputeRecord, DisputeWon
from domain.event import Event
from domain.payments.payment import DisputeStatus
from projections.engine.columns import INTEGER, TEXT, followed, kept
from projections.engine.register import Register, lives


def _opened(field: str) -> Callable[[Any], Any]:
    """A field of the event that opened a dispute."""
    return attrgetter(f"opened.{field}")


def _fee(before: int | None, event: DisputeEvent) -> int:
    """What was charged, less what a win gives back."""
    if before is None:
        return event.fee
    return before - event.fee if isinstance(event, DisputeWon) else before


class Disputes(Register):
    """Disputes by id."""

    name, item = "disputes", "dispute"
    version = 1
    state = DisputeRecord
    statuses = tuple(DisputeStatus)
    branches = lives(DisputeEvent)
    amount = "amount"
    columns = (
        kept("user", TEXT, _opened("user"), by="user"),
        kept("sale", TEXT, _opened("sale_id"), nullable=True, by="sale"),
        kept("purchase", TEXT, _opened("purchase_id"), nullable=True, by="purchase"),
        kept("amount", INTEGER, _opened("amount")),
        followed("fee", INTEGER, _fee, text="the processor's, unless it was given back"),
        kept("bearer", TEXT, _opened("bearer")),
        kept("processor", TEXT, _opened("processor"), by="processor"),
        kept("processor_ref", TEXT, _opened("dispute_ref"), by="processor_ref"),
    )

    @classmethod
    def ids_of(cls, event: Event) -> Iterable[str]:
        """Its own name alone: its tags tell the processor's reference beside it."""
        assert isinstance(event, DisputeEvent)
        return (event.dispute_id,)
