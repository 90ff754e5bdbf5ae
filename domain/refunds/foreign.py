"""Refunds in another currency than what they are about: they wait in suspense, in their own."""

from domain.command import Command, Decision, Given, Ignored, Suspended
from domain.payments.payment import PaymentRecord, PaymentSuspended
from domain.payments.suspense import kept_fields, suspended
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.notice import RefundReport
from domain.refunds.referents import Authorized, InSuspense, Referent
from domain.refunds.refund import RefundRecord
from domain.rejections import CURRENCY_MISMATCH, REFUND_FAILED
from domain.sales.sale import SaleRecord


def refunded_on(
    given: Given, notice: RefundReport, found: Referent, currency: str
) -> Suspended | Ignored:
    """What is new in the figure; a cumulative one goes on from those in the same currency."""
    subject = _subject(found)
    told = 0
    if subject is not None:
        told = given.state(SaleRecord, subject).foreign.get(currency, 0)
    new = notice.new_part(given, told)
    if isinstance(new, Ignored):
        return new
    money = None if currency == given.assets.currency else currency
    return suspended(
        notice, -new, CURRENCY_MISMATCH.code, refund_of=subject, currency=money, by_ref=True
    )


def failed_on(
    given: Given, failure: Command, currency: str | None, refund: RefundRecord, ref: str
) -> Decision:
    """A refund that waits under `ref` failed: what waits of it comes back, once. Nothing does
    where a person has settled it already.
    """
    processor, _ = failure.notice_id() or ("", "")
    waiting = [
        one
        for one in given.state(PaymentRecord, ref).waiting
        if one.processor == processor and one.command == "record-refund" and one.amount < 0
    ]
    if any(currency not in (None, one.currency or given.assets.currency) for one in waiting):
        return suspended(failure, 0, CURRENCY_MISMATCH.code)
    return tuple(
        PaymentSuspended(
            processor=processor,
            ref=ref,
            amount=-one.amount,
            code=REFUND_FAILED,
            command=failure.name,
            notice=kept_fields(failure),
            refund_of=refund.foreign_of,
            by_ref=True,
            currency=one.currency,
        )
        for one in waiting
    )


def _subject(found: Referent) -> str | None:
    """The sale or purchase that the refund is told of."""
    if isinstance(found, PurchaseRecord):
        return found.purchase_id
    if isinstance(found, InSuspense | Authorized):
        return None
    sale = found.records[0].sale
    return None if sale is None else sale.sale_id
