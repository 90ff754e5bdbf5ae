"""Words of buyers and their banks: refunds asked for, disputes opened and closed."""

import itertools
from typing import Any

from tests.scenarios.steps import Sent

_references = itertools.count(1)

FEE = 1_500


def asks_back(sale: str, amount: int) -> Sent:
    """The backend asks for a refund."""
    return Sent("refund", {"sale": sale, "amount": amount, "reason_code": "REQUESTED"})


def disputed(amount: int, ref: str = "dispute", fee: int = FEE, **what: Any) -> Sent:
    """A bank takes so much of a payment back for now; the processor charges its fee."""
    return _notice("open-dispute", ref, {**what, "amount": amount, "fee": fee})


def lost(dispute: str = "dispute") -> Sent:
    """The bank keeps it."""
    return ended(dispute, "LOST")


def won(dispute: str = "dispute") -> Sent:
    """The bank gives it back."""
    return ended(dispute, "WON")


def ended(dispute: str, outcome: str, ref: str | None = None) -> Sent:
    """The bank decides: LOST or WON."""
    fields = {"dispute": dispute, "outcome": outcome}
    return _notice("close-dispute", ref or f"{dispute}-{outcome}-{next(_references)}", fields)


def _notice(command: str, ref: str, fields: dict[str, Any]) -> Sent:
    return Sent(command, {**fields, "processor": "stripe", "processor_ref": ref})
