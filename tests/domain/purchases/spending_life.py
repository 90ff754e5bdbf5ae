"""What a fan does with tokens in any life: hold, use, release, have refunded, be unfrozen."""

from abc import ABC, abstractmethod
from typing import Any

from domain.holds.hold import HoldSettled
from domain.wallets.wallet import TokenClass


class SpendingLife(ABC):
    """Steps that answer whether they were accepted; `nth` picks one of what there is."""

    def __init__(self) -> None:
        self.sales: list[str] = []
        self.holds: list[str] = []
        self.batches = 0
        #: Bonus tokens that batches used.
        self.bonus_used = 0

    @abstractmethod
    def _accepted(self, name: str, actor: str = "backend", **fields: Any) -> tuple[Any, ...]:
        """The events of a command, recorded; none if it is refused."""

    def _hold(self, tokens: int) -> bool:
        events = self._accepted("hold-credits", user="ann", tokens=tokens)
        self.holds += [event.hold_id for event in events]
        return bool(events)

    def _use(self, nth: int, used: int) -> bool:
        if not self.holds:
            return False
        self.batches += 1
        hold = self.holds[nth % len(self.holds)]
        events = self._accepted("settle-batch", hold=hold, batch_no=self.batches, used=used)
        for event in events:
            if isinstance(event, HoldSettled):
                promo = (lot.tokens for lot in event.lots if lot.kind == TokenClass.PROMO)
                self.bonus_used += sum(promo)
        return bool(events)

    def _release(self, nth: int) -> bool:
        return bool(self.holds) and bool(
            self._accepted("release-hold", hold=self.holds[nth % len(self.holds)])
        )

    def _refund(self, nth: int, tokens: int) -> bool:
        if not self.sales:
            return False
        sale = self.sales[nth % len(self.sales)]
        return bool(self._accepted("refund", sale=sale, amount=tokens, reason_code="ASKED"))

    def _unfreeze(self) -> bool:
        fields = {"subject": "ann", "kind": "wallet", "scope": "SPEND", "reason_code": "CLEARED"}
        return bool(self._accepted("unfreeze", **fields))
