"""Purchase usage: which sales the tokens of a purchase paid, and how those sales stand now.

Only a dispute or the refund of the purchase asks for it, so no sale carries a tag of its own for
it: usage is folded from all that happened to the wallet, when a decision needs it.
"""

from collections.abc import Mapping
from typing import assert_never

import msgspec

from domain.entity import State, entity
from domain.event import Event
from domain.reversals.token_sales import paid_parts_left, released_by
from domain.sales.sale import Sale, SaleEvent, SaleRecord
from domain.wallets.expiry import TokensLapsed
from domain.wallets.lot_changes import Cause
from domain.wallets.wallet import TokenClass, WalletEvent


class PaidSale(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A sale that tokens of the purchase paid, as it stands."""

    sale_id: str
    record: SaleRecord


@entity
class PurchaseUsage(State, frozen=True, kw_only=True):
    """`trail:user:purchase`: the sales that its tokens paid, in the order in which they were made.

    Every token pays at most one of them.
    """

    KIND = "trail"
    FOLD_VERSION = 2
    CACHED = False
    FOLDED_FROM = "wallet"

    paid: tuple[PaidSale, ...] = ()
    #: Bonus tokens of the purchase that were used without a sale.
    bonus_used: int = 0
    #: Minor units of its price that lapsed.
    lapsed: int = 0

    def apply(self, key: str, event: Event) -> "PurchaseUsage":
        """The usage after an event of the wallet: what it paid for, and what became of sales."""
        _, user, purchase = key.split(":")
        if isinstance(event, Sale):
            if all(use.purchase != purchase for use in event.lots):
                return self
            sale = PaidSale(event.sale_id, event.plain().in_sale(SaleRecord()))
            return msgspec.structs.replace(self, paid=(*self.paid, sale))
        assert isinstance(event, WalletEvent)
        if isinstance(event, TokensLapsed):
            mine = event.lot_id.partition("_")[0] == purchase
            return msgspec.structs.replace(self, lapsed=self.lapsed + mine * event.released)
        used = sum(
            change.tokens
            for change in event.lot_changes()
            if change.user == user
            and change.lot.purchase == purchase
            and is_used_without_sale(change.cause)
            and change.lot.kind == TokenClass.PROMO
        )
        after = self.after(event) if isinstance(event, SaleEvent) else self
        return msgspec.structs.replace(after, bonus_used=self.bonus_used + used) if used else after

    def after(self, event: SaleEvent) -> "PurchaseUsage":
        """The usage once its sales are as `event` leaves them."""
        named = {tag.removeprefix("sale:") for tag in event.tags() if tag.startswith("sale:")}
        if named.isdisjoint(one.sale_id for one in self.paid):
            return self
        return msgspec.structs.replace(
            self,
            paid=tuple(
                PaidSale(one.sale_id, event.in_sale(one.record)) if one.sale_id in named else one
                for one in self.paid
            ),
        )

    def sales(self) -> dict[str, SaleRecord]:
        """The sales that the purchase's tokens paid, in the order in which they were made."""
        return {one.sale_id: one.record for one in self.paid}


class Paid(msgspec.Struct, frozen=True):
    """What the tokens of one purchase still pay of a sale, refunds deducted.

    `parts` are minor units of the payees' paid parts, in the order of the payees; `charged` what
    lost disputes of the purchase have taken of them.
    """

    record: SaleRecord
    released: int
    parts: tuple[int, ...]
    charged: tuple[int, ...]


def paid_by(purchase: str, record: SaleRecord) -> Paid:
    """The part of a sale that the tokens of `purchase` pay.

    Paid parts are divided among the paid lots by their tokens, cumulatively in the lots' order.
    """
    sale = record.sale
    assert sale is not None
    released = before = 0
    kept = [
        (use, back, use.tokens - back if use.kind == TokenClass.PAID else 0)
        for use, back in zip(sale.lots, record.returned, strict=True)
    ]
    whole = sum(tokens for _, _, tokens in kept)
    left = paid_parts_left(record)
    parts = [0] * len(left)
    for use, back, tokens in kept:
        if use.purchase == purchase:
            released += use.released - released_by(use, back)
            for nth, part in enumerate(left):
                parts[nth] += _share(part, before + tokens, whole) - _share(part, before, whole)
        before += tokens
    charged = [charge.shares for charge in record.charges if charge.purchase == purchase]
    return Paid(
        record,
        released,
        tuple(parts),
        tuple(sum(each) for each in zip(*charged, strict=True)) if charged else (0,) * len(left),
    )


def bonus_spent(purchase: str, usage: PurchaseUsage, sales: Mapping[str, SaleRecord]) -> int:
    """Bonus tokens of `purchase` that were used, by whatever, and that no refund returned.

    Those that expired, were cancelled or are left were not. `sales` are those that it paid.
    """
    return usage.bonus_used + sum(
        use.tokens - back
        for record in sales.values()
        if record.sale is not None
        for use, back in zip(record.sale.lots, record.returned, strict=True)
        if use.purchase == purchase and use.kind == TokenClass.PROMO
    )


def is_used_without_sale(cause: Cause) -> bool:
    """Whether tokens that move for this cause are used up, and no sale tells what for.

    Those of a sale are counted by its record, which knows what a refund has returned of them.
    """
    match cause:
        case Cause.USED | Cause.DEBITED:
            return True
        case Cause.SPENT:
            raise TypeError("only sales spend: their tokens are followed by their records")
        case Cause.EXPIRED | Cause.REVOKED | Cause.CANCELLED | Cause.RESTORED | Cause.REPRICED:
            return False
        case Cause.PURCHASED | Cause.GRANTED | Cause.CREDITED | Cause.RETURNED:
            return False
        case Cause.HELD | Cause.RELEASED:
            return False
    assert_never(cause)


def _share(part: int, tokens: int, whole: int) -> int:
    """Of `part`, what the first `tokens` of `whole` bear, rounded half up."""
    return (2 * part * tokens + whole) // (2 * whole) if whole else 0
