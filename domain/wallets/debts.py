"""What a buyer owes for purchases that banks and processors took back, purchase by purchase.

People settle it by adjustments, which name the buyer and no purchase: what they say is of the
oldest purchases first. What was written off, as bad debt, is borne by the platform only for as
long as the buyer owes it for the purchase: where a loss is undone after all the expense is
recovered, and the buyer has no credit that nobody paid. It is a function of few sums, so the order
of notices does not matter.
"""

from collections.abc import Iterable

import msgspec


class PurchaseDebt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a buyer owes for one purchase, in minor units."""

    purchase: str
    #: What its losses leave the buyer owing, whatever became of that.
    owed: int = 0
    #: What people say has been paid of it, in whatever way.
    paid: int = 0
    #: How much of it people have written off, and how much of that is an expense now.
    written_off: int = 0
    borne: int = 0

    @property
    def left(self) -> int:
        """What the buyer still owes of it."""
        return max(0, self.owed - self.paid - self.borne)


Debts = tuple[PurchaseDebt, ...]


def recovered(debts: Debts, purchase: str, change: int) -> int:
    """What of the bad debt of a purchase comes back when its losses leave `change` more owing.

    Negative where so much more of what was written off is an expense again.
    """
    for one in debts:
        if one.purchase == purchase and change:
            return one.borne - min(one.written_off, max(0, one.owed + change - one.paid))
    return 0


def owing(debts: Debts, purchase: str, change: int, back: int) -> Debts:
    """The debts once losses of a purchase leave `change` more owing, and `back` is recovered."""
    known = next((one for one in debts if one.purchase == purchase), PurchaseDebt(purchase))
    after = msgspec.structs.replace(known, owed=known.owed + change, borne=known.borne - back)
    others = [one for one in debts if one.purchase != purchase]
    return _sorted((*others, after))


def settled(debts: Debts, paid: int, written_off: int) -> Debts:
    """The debts after people had them paid and written off; negative, they take that back.

    What is beyond all debts is the buyer's credit, of no purchase.
    """
    found = []
    for one in debts:  # the oldest first
        now = max(0, min(paid, one.left))
        off = max(0, min(written_off, one.left - now))
        found.append(
            msgspec.structs.replace(
                one, paid=one.paid + now, written_off=one.written_off + off, borne=one.borne + off
            )
        )
        paid, written_off = paid - now, written_off - off
    for nth, one in reversed([*enumerate(found)]):  # what is taken back: of the last first
        now = max(0, min(-paid, one.paid))
        off = max(0, min(-written_off, one.borne))
        most = one.borne - off if off else one.written_off
        found[nth] = msgspec.structs.replace(
            one, paid=one.paid - now, written_off=most, borne=one.borne - off
        )
        paid, written_off = paid + now, written_off + off
    return _sorted(found)


def _sorted(debts: Iterable[PurchaseDebt]) -> Debts:
    """By purchase, the oldest first; without those of which nothing is to be known any more."""
    kept = (one for one in debts if one.owed or one.paid or one.written_off)
    return tuple(sorted(kept, key=lambda one: one.purchase))
