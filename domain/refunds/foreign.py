"""Refunds in another currency than what they are about: they wait in suspense, in their own."""

from domain.command import Given, Ignored, Suspended
from domain.payments.suspense import suspended
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.notice import RefundReport
from domain.refunds.referents import Authorized, InSuspense, Referent
from domain.rejections import CURRENCY_MISMATCH
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
    return suspended(notice, -new, CURRENCY_MISMATCH.code, refund_of=subject, currency=money)


def _subject(found: Referent) -> str | None:
    """The sale or purchase that the refund is told of."""
    if isinstance(found, PurchaseRecord):
        return found.purchase_id
    if isinstance(found, InSuspense | Authorized):
        return None
    sale = found.records[0].sale
    return None if sale is None else sale.sale_id
