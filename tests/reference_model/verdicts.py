"""What an auditor says of a command, and the arithmetic it says it with.

Fractions instead of the integer tricks of the product; a tie always goes to the first of two.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

OURS = "USD"


@dataclass
class Verdict:
    """What must come of a command: accepted, nothing, rejected, suspended, parked or ignored.

    `amount` goes to suspense if it is suspended, of `currency` where that is not the book's;
    `numbers` must stand in the answer.
    """

    outcome: str
    code: str | None = None
    numbers: dict[str, Any] = field(default_factory=dict)
    amount: int = 0
    currency: str | None = None


ACCEPTED = Verdict("accepted")
NOTHING = Verdict("nothing")


def rejected(code: str, **numbers: Any) -> Verdict:
    """A refusal."""
    return Verdict("rejected", code, numbers)


def suspended(code: str, amount: int, currency: str | None = None) -> Verdict:
    """A contradiction; the money waits."""
    return Verdict("suspended", code, amount=amount, currency=currency)


def foreign(amount: int, currency: str) -> Verdict:
    """It is told in another currency; what moves is of that one."""
    return suspended("CURRENCY_MISMATCH", amount, None if currency == OURS else currency)


def parked() -> Verdict:
    """What it speaks of is not here yet."""
    return Verdict("parked", "AWAITING_REFERENT")


def ignored() -> Verdict:
    """It says nothing new, and is kept so that somebody sees it."""
    return Verdict("ignored", "STALE_FIGURE")


def nearest(value: Fraction) -> int:
    """Half up."""
    return floor(value + Fraction(1, 2))


def of(total: int, bps: int) -> int:
    """So many basis points of it."""
    return nearest(Fraction(total * bps, 10_000))


def in_turn(total: int, weights: list[int]) -> list[int]:
    """One after the other takes its part of what is left."""
    parts = []
    for nth, weight in enumerate(weights):
        whole = sum(weights[nth:])
        part = nearest(Fraction(total * weight, whole)) if whole else 0
        parts.append(part)
        total -= part
    return parts
