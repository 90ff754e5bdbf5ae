"""What the dispute of a purchase of tokens does at each step: tokens held, taken, given back.

Each step is the difference of what is lost of the purchase before and after it
(`domain/reversals/purchase_loss.py`), so the order in which several disputes of a purchase are
heard of does not matter.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from domain.command import Given
from domain.disputes.dispute import DisputeLost, DisputeOpened, DisputeWon, common, on_agenda
from domain.event import Event
from domain.payments.payment import DisputeStatus
from domain.purchases.purchase import PurchaseDispute, PurchaseRecord
from domain.refunds.purchase_freezes import with_freezes
from domain.reversals.purchase_loss import LossAllocation, allocation, movements
from domain.sales.invoices import Document, credit_note, invoice
from domain.wallets.wallet import Wallet


def opened_on(record: PurchaseRecord, wallet: Wallet, dispute: DisputeOpened) -> DisputeOpened:
    """The dispute with the unspent tokens, bonus included, that it holds."""
    after = _after(record, dispute, DisputeStatus.OPEN)
    return msgspec.structs.replace(dispute, held=movements(record, after, wallet).held)


def lost_on(
    given: Given, record: PurchaseRecord, wallet: Wallet, dispute: DisputeOpened
) -> tuple[Event, ...]:
    """The loss in parts, the freeze of the wallet, and the credit note."""
    after = _after(record, dispute, DisputeStatus.LOST)
    found = allocation(given, record, after, wallet)
    lost = tuple(
        DisputeLost(
            **{**common(dispute), **fields},
            held=found.movements.held if nth == 0 else (),
            lots=found.movements.cancelled if nth == 0 else (),
        )
        for nth, fields in enumerate(_parts(record, dispute, found))
    )
    document = _document(record, net=found.amount - found.tax, vat=found.tax)
    note = credit_note(given, document, dispute.dispute_id)
    return *with_freezes(record, wallet, lost, lost=True), *note


def won_on(
    given: Given, record: PurchaseRecord, wallet: Wallet, dispute: DisputeOpened
) -> tuple[Event, ...]:
    """The win: held tokens are free; after a loss, what it took goes back, in parts."""
    statuses = {one.dispute: one.status for one in record.disputes}
    fee = dispute.fee if dispute.fee_refundable else 0
    after_loss = statuses[dispute.dispute_id] == DisputeStatus.LOST
    after = _after(record, dispute, DisputeStatus.WON)
    if after_loss:
        found = allocation(given, record, after, wallet)
    else:
        found = LossAllocation(movements(record, after, wallet))
    still_lost = after.disputed(DisputeStatus.LOST) + after.taken + after.bounced
    won = tuple(
        on_agenda(
            DisputeWon(
                **{**common(dispute), **fields},
                fee=fee if nth == 0 else 0,
                after_loss=after_loss,
                held=found.movements.held if nth == 0 else (),
                freed=found.movements.freed if nth == 0 else (),
                restored=found.movements.restored if nth == 0 else (),
                cleared=after_loss and not still_lost,
            )
        )
        for nth, fields in enumerate(_parts(record, dispute, found))
    )
    document = _document(record, net=found.tax - found.amount, vat=-found.tax)
    return *with_freezes(record, wallet, won), *invoice(given, document)


def _after(record: PurchaseRecord, dispute: DisputeOpened, status: DisputeStatus) -> PurchaseRecord:
    """The record once the dispute is `status`."""
    after = record.with_dispute(PurchaseDispute(dispute.dispute_id, dispute.amount, status))
    return msgspec.structs.replace(after, bearer=record.bearer or dispute.bearer)


def _parts(
    record: PurchaseRecord, dispute: DisputeOpened, found: LossAllocation
) -> Iterator[dict[str, Any]]:
    """The fields of each part; an amount is positive, whichever way it goes."""
    parts = list(found.parts())
    sign = -1 if found.amount + found.excess + found.bounced < 0 else 1
    first = dispute.amount - sign * sum(own for own, _ in parts)
    for own, part in parts:
        if part["part"] == 1:
            yield {**part, "amount": first, "country": record.country}
        else:
            yield {**part, "amount": sign * own}


def _document(record: PurchaseRecord, *, net: int, vat: int) -> Document:
    return Document(
        country=record.country,
        net=net,
        vat=vat,
        rate=record.vat_bps,
        purchase_id=record.purchase_id,
    )
