"""Fees that settlement files told of before anybody had heard of the dispute, or of its win.

A fee that was paid under the reference of a dispute is that dispute's; under the reference of its
payment a chargeback paid it, or a reversal gave it back, for whichever dispute comes first.
"""

from collections import Counter

Ref = tuple[str, str]


class EarlyFees:
    """By processor and reference: what was paid or given back early, and what became of it."""

    def __init__(self) -> None:
        self.paid: Counter[Ref] = Counter()
        self.by_chargebacks: Counter[Ref] = Counter()
        self.given_back: Counter[Ref] = Counter()
        #: What the dispute itself has taken over of either, its payment's included.
        self.of_dispute: Counter[Ref] = Counter()
        self.of_win: Counter[Ref] = Counter()
        #: What of a payment's went to one of its disputes.
        self.lent: Counter[Ref] = Counter()
        self.lent_back: Counter[Ref] = Counter()

    def opens(self, dispute: Ref, payment: Ref, fee: int) -> int:
        """What the dispute takes over of a fee that is paid: first what names it."""
        due = max(0, fee - self.of_dispute[dispute])
        own = min(due, max(0, self.paid[dispute] - self.of_dispute[dispute] - self.lent[dispute]))
        beside = 0
        if payment != dispute:
            free = self.paid[payment] - self.of_dispute[payment] - self.lent[payment]
            charged = self.by_chargebacks[payment] - self.lent[payment]
            beside = min(due - own, max(0, free), max(0, charged))
            self.lent[payment] += beside
            self.paid[dispute] += beside
        self.of_dispute[dispute] += own + beside
        return own + beside

    def wins(self, dispute: Ref, payment: Ref, fee: int) -> int:
        """What the win takes over of a fee that came back already."""
        due = max(0, fee - self.of_win[dispute])
        own = min(due, self.given_back[dispute] - self.of_win[dispute] - self.lent_back[dispute])
        beside = 0
        if payment != dispute:
            free = self.given_back[payment] - self.of_win[payment] - self.lent_back[payment]
            beside = min(due - own, free)
            self.lent_back[payment] += beside
            self.given_back[dispute] += beside
        self.of_win[dispute] += own + beside
        return own + beside

    def told_of(self, dispute: Ref) -> int:
        """What of the dispute's fee needs no line any more."""
        return self.of_dispute[dispute] - self.of_win[dispute]
