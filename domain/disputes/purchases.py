"""What the dispute of a purchase of tokens does: unspent tokens pay first, then who bears the rest.

Under PLATFORM the buyer owes what was spent. Under CREATOR_PROPORTIONAL the sales that the
purchase's tokens paid are undone: the creators' paid parts, then the platform's margin. A dispute
of a part of the price takes that part of everything, and the margin what rounding leaves. What no
sale accounts for (usage, breakage, tokens in other holds) the buyer owes.

Each step is the difference between what is taken with so much of the price lost before and after
it, so the order in which several disputes of a purchase are heard of does not matter.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from domain.command import Given
from domain.controls.freezes import AccountFrozen
from domain.creators.creator import Creator
from domain.disputes.dispute import DisputeLost, DisputeOpened, DisputeWon, common, on_agenda
from domain.event import Event
from domain.fields import FreezeScope, SubjectKind
from domain.money import split_among, split_by_weight
from domain.payments.payment import DisputeBearer, DisputeStatus
from domain.purchases.disputed_lots import LotMovements, Targets, lot_movements
from domain.purchases.purchase import PurchaseDispute, PurchaseRecord
from domain.reversals.clawback import Clawback
from domain.reversals.purchase_usage import Paid, PurchaseUsage, paid_by
from domain.reversals.token_sales import still_owned
from domain.sales.invoices import Document, credit_note, invoice
from domain.wallets.wallet import Lot, Wallet

#: Sales in one event; an entry has to have room for a hundred cancelled lots beside them.
SALES_PER_PART = 60

Claws = tuple[Clawback, ...]


class LossAllocation(msgspec.Struct, frozen=True):
    """What the end of a dispute takes, or with negative amounts gives back: see DisputeClosed."""

    movements: LotMovements
    lost_amount: int
    excess: int
    tax: int = 0
    released: int = 0
    debt: int = 0
    platform_share: int = 0
    sales: tuple[Claws, ...] = ()


def opened_on(record: PurchaseRecord, wallet: Wallet, dispute: DisputeOpened) -> DisputeOpened:
    """The dispute with the unspent tokens, bonus included, that it holds."""
    after = record.with_dispute(
        PurchaseDispute(dispute.dispute_id, dispute.amount, DisputeStatus.OPEN)
    )
    return msgspec.structs.replace(dispute, held=_movements(record, after, wallet).held)


def lost_on(
    given: Given, record: PurchaseRecord, wallet: Wallet, dispute: DisputeOpened
) -> tuple[Event, ...]:
    """The loss in parts, the freeze of the wallet, and the credit note."""
    allocation = _allocation(given, record, wallet, dispute, DisputeStatus.LOST)
    lost = [
        DisputeLost(
            **{**common(dispute), **fields},
            held=allocation.movements.held if nth == 0 else (),
            lots=allocation.movements.cancelled if nth == 0 else (),
        )
        for nth, fields in enumerate(_parts(record, dispute, allocation))
    ]
    document = _document(record, net=allocation.lost_amount - allocation.tax, vat=allocation.tax)
    note = credit_note(given, document, dispute.dispute_id)
    return *lost, *_frozen(record, wallet), *note


def won_on(
    given: Given, record: PurchaseRecord, wallet: Wallet, dispute: DisputeOpened
) -> tuple[Event, ...]:
    """The win: held tokens are free; after a loss, what it took goes back, in parts."""
    allocation = _allocation(given, record, wallet, dispute, DisputeStatus.WON)
    statuses = {one.dispute: one.status for one in record.disputes}
    fee = dispute.fee if dispute.fee_refundable else 0
    after_loss = statuses[dispute.dispute_id] == DisputeStatus.LOST
    others = [one for one in record.disputes if one.dispute != dispute.dispute_id]
    won = [
        on_agenda(
            DisputeWon(
                **{**common(dispute), **fields},
                fee=fee if nth == 0 else 0,
                after_loss=after_loss,
                held=allocation.movements.held if nth == 0 else (),
                freed=allocation.movements.freed if nth == 0 else (),
                restored=allocation.movements.restored if nth == 0 else (),
                cleared=after_loss and all(one.status != DisputeStatus.LOST for one in others),
            )
        )
        for nth, fields in enumerate(_parts(record, dispute, allocation))
    ]
    document = _document(record, net=allocation.tax - allocation.lost_amount, vat=-allocation.tax)
    return *won, *invoice(given, document)


def _allocation(
    given: Given,
    record: PurchaseRecord,
    wallet: Wallet,
    dispute: DisputeOpened,
    status: DisputeStatus,
) -> LossAllocation:
    """What changes when the dispute comes to be `status`."""
    after = record.with_dispute(PurchaseDispute(dispute.dispute_id, dispute.amount, status))
    moved = _movements(record, after, wallet)
    lost_amount = after.lost_amount - record.lost_amount
    excess = after.disputed(DisputeStatus.LOST) - record.disputed(DisputeStatus.LOST) - lost_amount
    released = sum(lot.released for lot in moved.cancelled)
    released -= sum(lot.released for lot in moved.restored)
    if not lost_amount and not released:
        return LossAllocation(moved, lost_amount, excess)
    tax = _tax(after) - record.lost_tax
    rest = lost_amount - tax - released
    if dispute.bearer != DisputeBearer.CREATOR_PROPORTIONAL:
        return LossAllocation(moved, lost_amount, excess, tax, released, debt=rest)
    usage = given.state(PurchaseUsage, f"{record.user}:{record.purchase_id}")
    paid = [paid_by(record.purchase_id or "", each) for each in usage.sales().values()]
    debt = _untraced(record, wallet, paid, after.lost_amount) - record.debt
    sales = tuple(_undone(given, paid, after))
    margin = rest - debt - sum(claw.share for sale in sales for claw in sale)
    return LossAllocation(moved, lost_amount, excess, tax, released, debt, margin, sales)


def _movements(record: PurchaseRecord, after: PurchaseRecord, wallet: Wallet) -> LotMovements:
    """What becomes of the unspent tokens when the disputes are as in `after`."""
    targets = Targets(
        after.refundable,
        after.disputed(DisputeStatus.OPEN, DisputeStatus.LOST),
        after.disputed(DisputeStatus.LOST),
    )
    won = targets.disputed < record.disputed(DisputeStatus.OPEN, DisputeStatus.LOST)
    return lot_movements(_lots(record, wallet), record.held, record.cancelled, targets, won=won)


def _parts(
    record: PurchaseRecord, dispute: DisputeOpened, allocation: LossAllocation
) -> Iterator[dict[str, object]]:
    """The fields of each part: the first has everything but the shares of the later sales."""
    chunks = list(_chunks(allocation.sales)) or [()]
    sums = [sum(claw.share for claw in chunk) for chunk in chunks]
    sign = -1 if allocation.lost_amount < 0 or allocation.excess < 0 else 1
    later = sum(sums[1:])
    yield {
        "amount": dispute.amount - sign * later,
        "parts": len(chunks),
        "shares": chunks[0],
        "platform_share": allocation.platform_share,
        "tax": allocation.tax,
        "country": record.country,
        "released": allocation.released,
        "debt": allocation.debt,
        "excess": allocation.excess,
    }
    for nth, (chunk, amount) in enumerate(zip(chunks[1:], sums[1:], strict=True), 2):
        yield {"amount": sign * amount, "part": nth, "parts": len(chunks), "shares": chunk}


def _lots(record: PurchaseRecord, wallet: Wallet) -> list[Lot]:
    """The purchase's lots with anything left, in the spending order."""
    return [lot for lot in wallet.lots if lot.purchase == record.purchase_id]


def _tax(record: PurchaseRecord) -> int:
    """The VAT in what lost disputes took of the price."""
    lost_amount = record.lost_amount
    taken = record.refunded + lost_amount
    cumulative = split_by_weight(taken, record.net, record.tax)[1]
    return max(0, min(lost_amount, cumulative - record.refunded_tax))


def _untraced(record: PurchaseRecord, wallet: Wallet, paid: list[Paid], lost_amount: int) -> int:
    """What the buyer owes of what neither is unspent nor was paid to anybody by a sale."""
    unspent = sum(lot.released(lot.left) for lot in _lots(record, wallet))
    refunded = record.refunded - record.refunded_tax
    whole = record.net - refunded - unspent - record.lost_net - sum(each.released for each in paid)
    return _part(max(0, whole), lost_amount, record.refundable)


def _undone(given: Given, paid: list[Paid], after: PurchaseRecord) -> Iterator[Claws]:
    """What is taken of every sale, so that the part of the price that is lost is undone of all.

    A sale of which nothing is taken is named all the same: its tokens were paid back.
    """
    weights = [part for each in paid for part in each.parts]
    lost = _part(sum(weights), after.lost_amount, after.refundable)
    parts = iter(split_among(lost, weights))
    payees = {
        payee.creator for each in paid if each.record.sale for payee in each.record.sale.payees
    }
    creators = given.states_of(Creator, sorted(payees))
    for each in paid:
        sale = each.record.sale
        assert sale is not None
        owned = still_owned(each.record)
        yield tuple(
            Clawback(
                creator=payee.creator,
                share=max(-charged, min(own, next(parts) - charged)),
                bucket=creators[payee.creator].bucket(sale.escrowed_at, sale.mature_at),
                mature_at=sale.mature_at,
                sale_id=sale.sale_id,
            )
            for payee, charged, own in zip(sale.payees, each.charged, owned, strict=True)
        )


def _part(amount: int, lost_amount: int, whole: int) -> int:
    """Of `amount`, what belongs to `lost_amount` of `whole`."""
    return split_by_weight(amount, lost_amount, whole - lost_amount)[0] if whole else 0


def _chunks(sales: Iterable[Claws]) -> Iterator[Claws]:
    """The clawbacks of so many sales each as fit into one event."""
    left = iter(sales)
    while chunk := tuple(islice(left, SALES_PER_PART)):
        yield tuple(claw for sale in chunk for claw in sale)


def _frozen(record: PurchaseRecord, wallet: Wallet) -> tuple[AccountFrozen, ...]:
    """The freeze of the wallet's spending, until a person has looked at it."""
    if FreezeScope.SPEND in wallet.frozen:
        return ()
    return (
        AccountFrozen(
            subject=record.user,
            kind=SubjectKind.WALLET,
            scope=FreezeScope.SPEND,
            reason="DISPUTE_LOST",
        ),
    )


def _document(record: PurchaseRecord, *, net: int, vat: int) -> Document:
    return Document(
        country=record.country,
        net=net,
        vat=vat,
        rate=record.vat_bps,
        purchase_id=record.purchase_id,
    )
