"""Disputes: a buyer's bank takes a payment back, for the time being or for good.

While a dispute is open its amount stands in `disputed`, creators' parts are reserved and unspent
tokens are held. When it is lost, the parties pay; when it is won, even later, all goes back.
"""

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem
from domain.command import Given
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.payments.early_fees import EarlyFee, EarlyFeeEvent, TakenOver, early_fee_key
from domain.payments.payment import DisputeStatus
from domain.payments.suspense_drawn import REPORTED, SuspenseDrawn, dispute_notice_key
from domain.purchases.disputed_lots import LotCancelled, LotMovements
from domain.purchases.purchase import PurchaseDispute, PurchaseEvent, PurchaseRecord
from domain.reversals.card_sales import with_dispute
from domain.reversals.clawback import Reversal
from domain.reversals.purchase_loss_events import charged, loss_legs, record_after
from domain.reversals.token_sales import ends
from domain.sales.entitlement import Entitlement, EntitlementEvent, entitlement_key
from domain.sales.sale import SaleDispute, SaleEvent, SaleRecord
from domain.transitions import Transitions
from domain.wallets.lot_changes import LotChange
from domain.wallets.wallet import BuyerRisk, LotPrice, LotUse, Wallet, WalletEvent

#: `close-dispute` names its outcome; a win is final.
TRANSITIONS: Transitions[DisputeStatus] = {
    (None, "open-dispute"): DisputeStatus.OPEN,
    (DisputeStatus.OPEN, DisputeStatus.WON): DisputeStatus.WON,
    (DisputeStatus.OPEN, DisputeStatus.LOST): DisputeStatus.LOST,
    (DisputeStatus.LOST, DisputeStatus.WON): DisputeStatus.WON,
}


@entity
class DisputeRecord(State, frozen=True, kw_only=True):
    """A dispute; `status` is None while it is unknown.

    By its reference it may be of several sales that one payment paid: `further` are the others.
    """

    KIND = "dispute"
    FOLD_VERSION = 2
    CACHED = False
    LISTS: ClassVar = {"further": 500}

    status: DisputeStatus | None = None
    opened: "DisputeOpened | None" = None
    further: "tuple[DisputeOpened, ...]" = ()
    #: The payment in suspense that is disputed, and who reported it.
    payment_ref: str | None = None
    reported_by: str = ""

    @property
    def processor(self) -> str:
        """Whose dispute it is."""
        return self.reported_by if self.opened is None else self.opened.processor

    @property
    def parts(self) -> "tuple[DisputeOpened, ...]":
        """What was opened by it: mostly one thing."""
        return () if self.opened is None else (self.opened, *self.further)

    def apply(self, key: str, event: Event) -> "DisputeRecord":
        """The dispute after `event`; money in suspense is disputed without a life of its own.

        A reference alone stands for the dispute of the processor that used it first.
        """
        assert isinstance(event, SuspenseDrawn | DisputeEvent)
        if self.status is not None and event.processor != self.processor:
            return self
        if isinstance(event, SuspenseDrawn):
            assert event.dispute_status is not None
            status = DisputeStatus(event.dispute_status)
            return type(self)(status=status, payment_ref=event.ref, reported_by=event.processor)
        return event.in_dispute(self)


@entity
class ReportedDispute(DisputeRecord, frozen=True, kw_only=True):
    """A dispute by its processor and the reference of the notice that opened it."""

    KIND = REPORTED
    FOLD_VERSION = 1


def known_dispute(given: Given, processor: str, reference: str) -> DisputeRecord:
    """The dispute that `processor` calls `reference`: by its id, else by the processor's reference.

    It comes with all its parts. Those opened before a processor was part of their names are found
    by the reference alone.
    """
    dispute = given.state(DisputeRecord, reference)
    opened = dispute.opened
    if opened is not None and opened.dispute_id == reference:
        if opened.by_processor:
            return given.state(ReportedDispute, f"{opened.processor}:{opened.dispute_ref}")
        return given.state(DisputeRecord, opened.dispute_ref)
    reported = given.state(ReportedDispute, f"{processor}:{reference}")
    if reported.status is not None:
        return reported
    return dispute if dispute.processor == processor else DisputeRecord()


class DisputeEvent(
    Reversal, SaleEvent, PurchaseEvent, WalletEvent, EntitlementEvent, frozen=True, kw_only=True
):
    """An event in the life of a dispute of a sale by card or of a purchase of tokens.

    The dispute is known by its id and by the processor's reference of the notice that opened it.
    """

    status: ClassVar[DisputeStatus]

    dispute_id: str
    dispute_ref: str
    user: str
    amount: int
    processor: str
    bearer: str
    sale_id: str | None = None
    purchase_id: str | None = None
    fee: int = 0
    #: Unspent tokens of a purchase that are held from now on.
    held: tuple[LotUse, ...] = ()
    #: The items whose entitlement ends with a lost sale, or is given back.
    items: tuple[str, ...] = ()
    #: Whether it is known by processor and reference, and not by the reference alone.
    by_processor: bool = False

    def labelled_by(self) -> str:
        """What is disputed."""
        return f"purchase:{self.purchase_id}" if self.sale_id is None else f"sale:{self.sale_id}"

    def tags(self) -> tuple[str, ...]:
        """The dispute by both its names, what is disputed, and everybody it concerns."""
        disputed = self.labelled_by()
        sales = dict.fromkeys(f"sale:{claw.sale_id}" for claw in self.shares if claw.sale_id)
        names = [f"dispute:{self.dispute_id}", f"dispute:{self.dispute_ref}"]
        if self.by_processor:
            names.append(dispute_notice_key(self.processor, self.dispute_ref))
        return (
            *dict.fromkeys(names),
            f"wallet:{self.user}",
            disputed,
            *sales,
            *self.creator_tags(),
            *(entitlement_key(self.user, item) for item in self.items),
        )

    def in_dispute(self, record: DisputeRecord) -> DisputeRecord:
        return msgspec.structs.replace(record, status=self.status)

    def in_sale(self, record: SaleRecord) -> SaleRecord:
        """The disputes of a sale by card; a sale that a disputed purchase paid has `charges`."""
        if self.sale_id is None:
            return record
        dispute = SaleDispute(self.dispute_id, self.amount, self.bearer, self.status)
        return with_dispute(record, dispute)

    def lot_movements(self) -> LotMovements:
        """What it does to the tokens of a purchase."""
        return LotMovements(held=self.held)

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        """The dispute as it is now, and what became of tokens."""
        known = {one.dispute: one.amount for one in record.disputes}
        amount = known.get(self.dispute_id, self.amount)
        dispute = PurchaseDispute(self.dispute_id, amount, self.status)
        return record.with_dispute(dispute).moved(self.lot_movements())

    def lot_changes(self) -> tuple[LotChange, ...]:
        """What became of tokens."""
        return self.lot_movements().changes(self.user)

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """What became of tokens; the purchase is contested."""
        wallet = super().in_wallet(wallet, user)
        return wallet if self.purchase_id is None else wallet.with_contested(self.purchase_id)

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """The entitlement to one of `items` after this event."""
        return entitlement


class DisputeFeeEvent(DisputeEvent, EarlyFeeEvent, frozen=True, kw_only=True):
    """An event that posts a dispute's fee, or its return: some of it lines may have told before."""

    def taken_over(self) -> TakenOver:
        """What it takes over of fees told early."""
        raise NotImplementedError(type(self).__name__)

    def tags(self) -> tuple[str, ...]:
        """Those of any dispute, and what lines told early of its fee."""
        return (*super().tags(), *self.taken_over().tags(self.processor, self.dispute_ref))

    def in_early_fee(self, early: EarlyFee, key: str) -> EarlyFee:
        own = key == early_fee_key(self.processor, self.dispute_ref)
        return self.taken_over().in_early_fee(early, own=own)


@stored_as("dispute.opened.v1")
class DisputeOpened(DisputeFeeEvent, frozen=True, kw_only=True):
    """A bank took back `amount` and the processor charged `fee`; nobody has lost anything yet."""

    status = DisputeStatus.OPEN

    fee_refundable: bool = False
    #: What of `fee` lines of settlement files had paid before, as the processor's cost.
    fee_paid: int = 0
    #: What of that stood under the reference of the payment, and that reference.
    of_payment: int = 0
    payment_ref: str | None = None

    def taken_over(self) -> TakenOver:
        return TakenOver(self.fee_paid, self.of_payment, self.payment_ref)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`disputed -> psp`, `exp.dispute -> psp`, `cr.* -> cr.reserved`, `w.free -> w.held`; a fee
        that is paid already `exp.dispute -> exp.processor`.
        """
        money = assets.currency
        return (
            (accounts.DISPUTED, money, self.amount),
            (accounts.DISPUTE_EXPENSE, money, self.fee),
            (accounts.PROCESSOR_EXPENSE, money, -self.fee_paid),
            (
                accounts.processor(self.processor),
                money,
                self.fee_paid - self.amount - self.fee,
            ),
            *self.creator_legs(assets),
            *self.token_postings(assets),
        )

    def in_dispute(self, record: DisputeRecord) -> DisputeRecord:
        if record.opened is None or record.opened.dispute_id == self.dispute_id:
            return type(record)(status=DisputeStatus.OPEN, opened=self)
        return msgspec.structs.replace(record, further=(*record.further, self))


def common(dispute: DisputeOpened) -> dict[str, Any]:
    """The fields by which every event of a dispute says which one it is."""
    names = ("dispute_id", "dispute_ref", "user", "amount", "processor", "bearer", "by_processor")
    return {name: getattr(dispute, name) for name in (*names, "sale_id", "purchase_id")}


class DisputeClosed(DisputeEvent, frozen=True, kw_only=True):
    """What became of a dispute: part `part` of `parts`, of which each balances by itself.

    Who bears a loss of `amount`: shares (the creators), `platform_share` (commission of a sale,
    margin of a purchase), `tax`, `released` (deferred revenue of unspent tokens), `breakage` and
    `promo` (which are undone), `debt` (the buyer) and `excess` (the platform). A win after a loss
    has them all negative. Of a sale `promo` is negative: the platform has back what it had paid.
    `recovered` of a debt that ends had been written off: it is bad debt that comes back.
    """

    part: int = 1
    parts: int = 1
    platform_share: int = 0
    tax: int = 0
    country: str | None = None
    released: int = 0
    debt: int = 0
    excess: int = 0
    #: What of the loss a failed payment had taken from the same parties already.
    bounced: int = 0
    #: What the buyer has lost in disputes by now; on the first event of a command that changes it.
    risk: BuyerRisk | None = None
    breakage: int = 0
    promo: int = 0
    #: Lots of the purchase that are worth something else afterwards.
    repriced: tuple[LotPrice, ...] = ()
    recovered: int = 0

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """What became of tokens, what the buyer owes now, and how risky that buyer is."""
        wallet = super().in_wallet(wallet, user)
        wallet = wallet.owing(self.purchase_id, self.debt, self.recovered)
        return wallet if self.risk is None else msgspec.structs.replace(wallet, risk=self.risk)

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        """What this part took, or gave back, too."""
        return record_after(super().in_purchase(record), self, self.bearer)

    def in_sale(self, record: SaleRecord) -> SaleRecord:
        """The sale's dispute has ended, or the sale is charged for a purchase that was lost."""
        if self.purchase_id is not None:
            return charged(record, self.purchase_id, self.shares)
        return super().in_sale(record)

    def bearers(self, assets: Assets) -> tuple[Posting, ...]:
        """The postings of everybody's part of the loss."""
        income = accounts.MARGIN_REVENUE if self.sale_id is None else self.platform_account
        return *self.creator_legs(assets), *loss_legs(self, assets, income)


@stored_as("dispute.lost.v1")
class DisputeLost(DisputeClosed, frozen=True, kw_only=True):
    """The bank keeps `amount`; `lots` are unspent tokens that are cancelled."""

    status = DisputeStatus.LOST

    lots: tuple[LotCancelled, ...] = ()

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """Everybody's part `-> disputed`, and `w.held -> supply`."""
        return (
            *self.bearers(assets),
            (accounts.DISPUTED, assets.currency, -self.amount),
            (accounts.processor(self.processor), assets.currency, self.bounced),
            *self.token_postings(assets),
        )

    def lot_movements(self) -> LotMovements:
        """Tokens are cancelled."""
        return LotMovements(held=self.held, cancelled=self.lots, repriced=self.repriced)

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """It ends once refunds and losses have reached what was paid."""
        return entitlement.without(self.sale_id)


@stored_as("dispute.won.v1")
class DisputeWon(DisputeClosed, DisputeFeeEvent, AgendaEvent, frozen=True, kw_only=True):
    """The bank gives `amount` back, and the processor `fee`.

    `freed` are held tokens that are free again; after a loss `restored` ones come back, of which
    other disputes may hold some. `cleared`: no loss of the purchase is left.
    """

    status = DisputeStatus.WON

    after_loss: bool = False
    freed: tuple[LotUse, ...] = ()
    restored: tuple[LotCancelled, ...] = ()
    cleared: bool = False
    #: Until when `items` may be used again.
    valid_until: datetime | None = None
    #: Whether the agenda has to learn of earnings that mature and of lots that end.
    on_agenda: bool = False
    #: What of `fee` lines of settlement files had given back before, to the processor's cost.
    fee_returned: int = 0
    #: What of that stood under the reference of the payment, and that reference.
    of_payment: int = 0
    payment_ref: str | None = None

    def taken_over(self) -> TakenOver:
        return TakenOver(-self.fee_returned, -self.of_payment, self.payment_ref)

    def tags(self) -> tuple[str, ...]:
        """Those of any dispute; the agenda, if time acts on what goes back."""
        return (*super().tags(), AGENDA) if self.on_agenda else super().tags()

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """Earnings go back to where they mature, lots to where they end."""
        return self.timed() if self.on_agenda else ()

    def timed(self) -> tuple[AgendaItem, ...]:
        """All that time acts on of what goes back."""
        lots = (*ends(self.user, self.freed), *ends(self.user, self.restored))
        return (*self.maturing_again(), *lots)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`psp -> disputed`, or after a loss `psp ->` everybody's part; the fee comes back, or
        has: `exp.processor -> exp.dispute`.
        """
        money, back = assets.currency, self.fee - self.fee_returned
        return (
            (accounts.processor(self.processor), money, self.amount + back + self.bounced),
            (accounts.DISPUTE_EXPENSE, money, -self.fee),
            (accounts.PROCESSOR_EXPENSE, money, self.fee_returned),
            (accounts.DISPUTED, money, 0 if self.after_loss else -self.amount),
            *self.bearers(assets),
            *self.token_postings(assets),
        )

    def lot_movements(self) -> LotMovements:
        """Tokens come back."""
        return LotMovements(self.restored, self.held, (), self.freed, self.repriced)

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """What a loss ended is given back."""
        if self.sale_id is None:
            return entitlement
        return entitlement.granted(self.sale_id, self.valid_until)


def on_agenda(won: DisputeWon) -> DisputeWon:
    """The win, told to the agenda if time acts on what goes back."""
    return msgspec.structs.replace(won, on_agenda=True) if won.timed() else won
