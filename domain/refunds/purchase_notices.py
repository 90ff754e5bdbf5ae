"""What processors report of a purchase of tokens that they took back, outside of disputes.

One function for each notice. A purchase bears its price less what refunds by command have sent
back; what a processor refunds beyond that waits in suspense.
"""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from domain.command import Command, Decision, Given, Suspended
from domain.event import Event
from domain.payments.suspense import suspended
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.notice import PaymentNotice, RefundReport
from domain.refunds.purchase_freezes import with_freezes
from domain.refunds.purchase_taken_back import (
    PurchasePaymentFailed,
    PurchaseTakenBack,
    TakenBack,
    in_parts,
    with_failure,
    with_taken,
)
from domain.refunds.refund import RefundRecord, RefundStatus, notice_key
from domain.rejections import INVALID_TRANSITION, NO_POLICY
from domain.reversals.clawback import with_cancelled_payouts
from domain.reversals.purchase_loss import LossAllocation, allocation
from domain.sales.invoices import Document, credit_note, debit_note
from domain.sales.sale import SaleRecord
from domain.wallets.wallet import Wallet

T = TypeVar("T", bound=TakenBack)


def refunded_on(given: Given, notice: RefundReport, record: PurchaseRecord) -> Decision:
    """A refund of the purchase, by amount or cumulatively; what was sent back by command counts."""
    purchase_id = record.purchase_id or ""
    beyond = given.state(SaleRecord, purchase_id).over_refunded
    known = record.sent_back + record.taken + beyond
    new = notice.new_part(given, known, failed_at=record.failed_at, bounced=record.bounced)
    if not isinstance(new, int):
        return new
    bearer = _bearer(given, notice.at(given), record)
    if bearer is None:
        return suspended(notice, -new, NO_POLICY.code, refund_of=purchase_id)
    part = min(new, max(0, record.refundable - record.taken))
    events: tuple[Event, ...] = ()
    if part:
        key = notice_key(notice.processor, notice.processor_ref)
        after = with_taken(msgspec.structs.replace(record, bearer=bearer), key, part)
        fields = {"processor_ref": notice.processor_ref, "reason": "PROCESSOR"}
        events = _taken(given, PurchaseTakenBack, record, after, notice.processor, **fields)
    if part == new:
        return events
    rest = suspended(notice, part - new, INVALID_TRANSITION.code, refund_of=purchase_id)
    return Suspended(rest.code, (*events, *rest.events))


def failed_on(given: Given, notice: PaymentNotice, reason: str, record: PurchaseRecord) -> Decision:
    """The payment of the purchase failed after it had succeeded; nothing the second time."""
    if record.failed:
        return ()
    bearer = _bearer(given, notice.at(given), record)
    if bearer is None:
        return suspended(notice, 0, NO_POLICY.code)
    after = with_failure(msgspec.structs.replace(record, bearer=bearer), notice.at(given))
    fields = {"processor_ref": notice.processor_ref, "reason": reason}
    at = {"failed_at": notice.at(given)}
    return _taken(given, PurchasePaymentFailed, record, after, notice.processor, **fields, **at)


def refund_failed_on(
    given: Given, notice: Command, reason: str, refund: RefundRecord, refund_ref: str
) -> Decision:
    """A recorded refund of a purchase, known by its notice's reference, failed."""
    if refund.status == RefundStatus.FAILED:
        return ()
    record = given.state(PurchaseRecord, refund.purchase_id or "")
    processor, _ = notice.notice_id() or ("", "")
    key = notice_key(processor, refund_ref)
    amount = dict(record.recorded).get(key, 0)
    at = notice.occurred_at or given.now
    after = with_taken(record, key, -amount, failed_at=at)
    fields: dict[str, Any] = {"processor_ref": refund_ref, "reason": reason, "failed_at": at}
    return _taken(given, PurchaseTakenBack, record, after, processor, **fields)


def _taken(
    given: Given,
    event: type[T],
    record: PurchaseRecord,
    after: PurchaseRecord,
    processor: str,
    **fields: Any,
) -> tuple[Event, ...]:
    """What the processor takes, or gives back, its document, and what follows of it."""
    wallet = given.state(Wallet, record.user)
    found = allocation(given, record, after, wallet)
    taken = in_parts(event, after, found, processor=processor, **fields)
    told = tuple(
        msgspec.structs.replace(one, on_agenda=True)
        if isinstance(one, PurchaseTakenBack) and one.timed()
        else one
        for one in taken
    )
    events = with_freezes(record, wallet, told)
    return with_cancelled_payouts(given, (*events, *_document(given, record, found)))


def _document(given: Given, record: PurchaseRecord, found: LossAllocation) -> tuple[Event, ...]:
    """The credit note of what is taken back, or the debit note of what is given back after all."""
    sign = -1 if found.tax < 0 else 1
    document = Document(
        country=record.country,
        net=sign * (found.amount - found.tax),
        vat=sign * found.tax,
        rate=record.vat_bps,
        purchase_id=record.purchase_id,
    )
    if found.tax < 0:
        return debit_note(given, document)
    return credit_note(given, document)


def _bearer(given: Given, at: datetime, record: PurchaseRecord) -> str | None:
    """Who bears what is lost of the purchase: as the first loss had it, else as the policy says."""
    if record.bearer:
        return record.bearer
    version = given.policy_at(at)
    return None if version is None else version.policy.dispute_bearer
