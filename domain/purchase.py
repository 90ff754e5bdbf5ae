"""A purchase of tokens and what became of it: refunds, disputes, what they took back.

Folded from the log when a decision asks for it; nothing that sells or spends ever does.
"""

from datetime import datetime

import msgspec

from domain.entity import State, entity
from domain.event import Event


class PurchaseDispute(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A dispute of a purchase: OPEN, WON or LOST.

    What a lost one took: `settled` of the price (the rest was more than there was), of it `tax`
    and `net` (the price of the tokens it cancelled), and `debt` for what no sale accounts for.
    """

    dispute: str
    amount: int
    state: str
    paid: int = 0
    promo: int = 0
    settled: int = 0
    tax: int = 0
    net: int = 0
    debt: int = 0


@entity
class PurchaseRecord(State, frozen=True, kw_only=True, omit_defaults=True, array_like=True):
    """A purchase: `tokens` with a price and `bonus` ones without; minor units as paid."""

    KIND = "purchase"
    CACHED = False

    purchase_id: str | None = None
    user: str = ""
    tokens: int = 0
    bonus: int = 0
    bonus_expires_at: datetime | None = None
    price: int = 0
    tax: int = 0
    vat_bps: int = 0
    country: str | None = None
    processor: str = ""
    #: What refunds took back: worth of the price, of it tax; bonus tokens cancelled, and those
    #: that were spent and deducted.
    refunded: int = 0
    refunded_tax: int = 0
    bonus_cancelled: int = 0
    bonus_deducted: int = 0
    disputes: tuple[PurchaseDispute, ...] = ()

    @property
    def net(self) -> int:
        """The price without VAT: what its tokens release."""
        return self.price - self.tax

    @property
    def refundable(self) -> int:
        """Minor units of its price that no refund took back."""
        return self.price - self.refunded

    def in_state(self, *states: str) -> tuple[PurchaseDispute, ...]:
        """Its disputes in these states."""
        return tuple(dispute for dispute in self.disputes if dispute.state in states)

    @property
    def settled(self) -> int:
        """Minor units of its price that lost disputes took."""
        return sum(dispute.settled for dispute in self.disputes)

    def with_dispute(self, dispute: PurchaseDispute) -> "PurchaseRecord":
        """The record with a new dispute, or with a known one as it is now."""
        others = [other for other in self.disputes if other.dispute != dispute.dispute]
        return msgspec.structs.replace(self, disputes=(*others, dispute))

    def apply(self, key: str, event: Event) -> "PurchaseRecord":
        """The record after `event`: every event in a purchase's life says how."""
        assert isinstance(event, PurchaseEvent)
        return event.in_purchase(self)


class PurchaseEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An event in the life of a purchase."""

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        """The purchase's record after this event."""
        raise NotImplementedError(type(self).__name__)
