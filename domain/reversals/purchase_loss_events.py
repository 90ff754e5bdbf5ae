"""What every event says that takes a part of a purchase's price, or gives it back.

Tokens that come back to a purchase of which a part was lost before have an event of their own: then
everybody bears something else of the loss.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.command import Given
from domain.event import stored_as
from domain.purchases.disputed_lots import LotCancelled, LotMovements
from domain.purchases.purchase import PurchaseEvent, PurchaseRecord
from domain.reversals.clawback import Clawback, Reversal
from domain.reversals.purchase_loss import LossAllocation, allocation
from domain.sales.sale import SaleEvent, SaleRecord, recharged
from domain.wallets.lot_changes import LotChange
from domain.wallets.wallet import LotPrice, LotUse, Wallet, WalletEvent


class Borne(Protocol):
    """The part of an event that says who bears how much of a purchase's loss."""

    @property
    def user(self) -> str: ...
    @property
    def country(self) -> str | None: ...
    @property
    def platform_share(self) -> int: ...
    @property
    def tax(self) -> int: ...
    @property
    def released(self) -> int: ...
    @property
    def debt(self) -> int: ...
    @property
    def excess(self) -> int: ...
    @property
    def breakage(self) -> int: ...
    @property
    def promo(self) -> int: ...
    @property
    def recovered(self) -> int: ...


def loss_legs(event: Borne, assets: Assets, income: str) -> tuple[Posting, ...]:
    """The postings of everybody's part but the creators'; the platform's is of `income`."""
    money = assets.currency
    return (
        (income, money, event.platform_share),
        (accounts.vat(event.country or ""), money, event.tax),
        (accounts.DEFERRED, money, event.released),
        (accounts.PROMO_EXPENSE, money, event.promo),
        (accounts.BREAKAGE_REVENUE, money, event.breakage),
        (accounts.fan_debt(event.user), money, event.debt + event.recovered),
        (accounts.BAD_DEBT_EXPENSE, money, event.excess - event.recovered),
    )


def record_after(record: PurchaseRecord, event: Borne, bearer: str) -> PurchaseRecord:
    """The purchase's record after the event took, or gave back, its parts."""
    return msgspec.structs.replace(
        record,
        lost_tax=record.lost_tax + event.tax,
        lost_net=record.lost_net + event.released,
        lost_promo=record.lost_promo + event.promo,
        lost_breakage=record.lost_breakage + event.breakage,
        debt=record.debt + event.debt,
        bearer=record.bearer or bearer,
    )


def charged(record: SaleRecord, purchase: str, shares: Iterable[Clawback]) -> SaleRecord:
    """The record of a sale once it is charged its share of the loss of a purchase."""
    sale = record.sale
    if sale is None:
        return record
    claws = {claw.creator: claw.share for claw in shares if claw.sale_id == sale.sale_id}
    if not claws:
        return record
    taken = tuple(claws.get(payee.creator, 0) for payee in sale.payees)
    return msgspec.structs.replace(record, charges=recharged(record.charges, purchase, taken))


class PurchaseLossEvent(Reversal, SaleEvent, PurchaseEvent, WalletEvent, frozen=True, kw_only=True):
    """Part `part` of `parts` of what a loss takes, or with negative amounts gives back.

    Who bears it: shares (the creators), `platform_share` (the margin), `tax`, `released` (deferred
    revenue of unspent tokens), `breakage` and `promo` (undone), `debt` (the buyer) and `excess`
    (the platform, beyond the price). `held` tokens, `lots` (cancelled), `restored`, `freed` and
    `repriced` say what becomes of the purchase's lots, in this order. `recovered` of a debt that
    ends had been written off: it is bad debt that comes back and no credit of the buyer's.
    """

    purchase_id: str
    user: str
    bearer: str
    part: int = 1
    parts: int = 1
    country: str | None = None
    platform_share: int = 0
    tax: int = 0
    released: int = 0
    debt: int = 0
    excess: int = 0
    breakage: int = 0
    promo: int = 0
    #: What of it a failed payment had taken already.
    bounced: int = 0
    held: tuple[LotUse, ...] = ()
    lots: tuple[LotCancelled, ...] = ()
    restored: tuple[LotCancelled, ...] = ()
    freed: tuple[LotUse, ...] = ()
    repriced: tuple[LotPrice, ...] = ()
    recovered: int = 0

    def labelled_by(self) -> str:
        return f"purchase:{self.purchase_id}"

    def tags(self) -> tuple[str, ...]:
        """The wallet, the purchase, and the sales and creators who bear a part."""
        sales = dict.fromkeys(f"sale:{claw.sale_id}" for claw in self.shares)
        purchase = f"purchase:{self.purchase_id}"
        return (f"wallet:{self.user}", purchase, *sales, *self.creator_tags())

    def lot_movements(self) -> LotMovements:
        """What becomes of the purchase's lots."""
        return LotMovements(self.restored, self.held, self.lots, self.freed, self.repriced)

    def lot_changes(self) -> tuple[LotChange, ...]:
        return self.lot_movements().changes(self.user)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """Everybody's part, and tokens `w.free -> supply`."""
        return (
            *self.creator_legs(assets),
            *loss_legs(self, assets, accounts.MARGIN_REVENUE),
            *self.token_postings(assets),
        )

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """What became of tokens, and what the buyer owes now."""
        wallet = super().in_wallet(wallet, user).with_contested(self.purchase_id)
        return wallet.owing(self.purchase_id, self.debt, self.recovered)

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        return record_after(record, self, self.bearer).moved(self.lot_movements())

    def in_sale(self, record: SaleRecord) -> SaleRecord:
        """It is charged more, or less."""
        return charged(record, self.purchase_id, self.shares)


@stored_as("purchase_loss.restated.v1")
class PurchaseLossRestated(PurchaseLossEvent, frozen=True):
    """Tokens came back to a purchase after a part of it was lost: now it stands as if they had
    come back first. No money moves but between those who bear the loss.
    """


def restated(
    given: Given,
    record: PurchaseRecord,
    wallet: Wallet,
    later: Mapping[str, SaleRecord] | None = None,
) -> LossAllocation | None:
    """What changes now that tokens of the purchase are back in `wallet`, if it is contested.

    `later` are the sales that have changed, as they stand now.
    """
    if not record.contested:
        return None
    found = allocation(given, record, record, wallet, later)
    return None if found.is_empty else found


def restatement(record: PurchaseRecord, found: LossAllocation) -> tuple[PurchaseLossRestated, ...]:
    """The events of it, in parts that balance each: the margin lends what later sales bear."""
    parts = list(found.parts())
    lent = sum(own for own, _ in parts)
    events = []
    for own, part in parts:
        if part["part"] == 1:
            part["platform_share"] += lent
        else:
            part["platform_share"] = -own
        events.append(PurchaseLossRestated(**common_fields(record), **lot_fields(found, part)))
    return tuple(events)


def common_fields(record: PurchaseRecord) -> dict[str, Any]:
    """The fields by which every event of a loss says whose it is."""
    return {
        "purchase_id": record.purchase_id,
        "user": record.user,
        "bearer": record.bearer,
        "country": record.country,
    }


def lot_fields(found: LossAllocation, part: dict[str, Any]) -> dict[str, Any]:
    """The fields of a part, the first of which says what becomes of lots."""
    if part["part"] > 1:
        return part
    moved = found.movements
    lots = {"held": moved.held, "lots": moved.cancelled, "restored": moved.restored}
    return {**part, **lots, "freed": moved.freed}
