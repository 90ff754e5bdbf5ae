"""What processors report of a purchase of tokens that they took back, outside of disputes.

One function for each notice; a purchase bears nothing of it yet, so a person decides.
"""

from domain.command import Command, Decision, Given
from domain.payments.suspense import suspended
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.notice import PaymentNotice, RefundReport
from domain.rejections import INVALID_TRANSITION
from domain.sales.sale import SaleRecord


def refunded_on(given: Given, notice: RefundReport, record: PurchaseRecord) -> Decision:
    """A refund of the purchase, by amount or cumulatively."""
    purchase_id = record.purchase_id or ""
    told = given.state(SaleRecord, purchase_id).over_refunded
    new = notice.new_part(given, told)
    if not isinstance(new, int):
        return new
    return suspended(notice, -new, INVALID_TRANSITION.code, refund_of=purchase_id)


def failed_on(notice: PaymentNotice) -> Decision:
    """The payment of a purchase failed after it had succeeded."""
    return suspended(notice, 0, INVALID_TRANSITION.code)


def refund_failed_on(notice: Command) -> Decision:
    """A recorded refund of a purchase failed."""
    return suspended(notice, 0, INVALID_TRANSITION.code)
