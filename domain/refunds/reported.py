"""What processors report of refunds and of failed payments: notices, so never rejected.

What a notice is about decides what it does: sales by card, a purchase of tokens, or a payment that
waits in suspense have a function each.
"""

from domain.authorizations.commands import failed_on as authorization_failed_on
from domain.command import Command, Decision, Given, Ignored, Parked, command
from domain.entity import LoadedStates
from domain.event import Event
from domain.fields import Code, Currency, Funding, Id, Reference
from domain.payments.payment import PaymentRecord, payment_key
from domain.payments.suspense import other_currency, suspended
from domain.purchases.purchase import PurchaseRecord
from domain.refunds import (
    failed_refunds,
    foreign,
    in_suspense,
    payment_failure,
    purchase_notices,
    sale_refunds,
)
from domain.refunds.failed_refunds import Failure
from domain.refunds.notice import PaymentNotice, RefundReport
from domain.refunds.referents import Authorized, InSuspense, SalesPaid, purchase_keys, sale_keys
from domain.refunds.refund import RefundRecord, RefundStatus, notice_key
from domain.rejections import CURRENCY_MISMATCH, INVALID_TRANSITION, STALE_FIGURE
from domain.reversals.clawback import with_cancelled_payouts
from domain.sales.sale import SaleRecord


@command
class RecordRefund(RefundReport):
    """Record that a processor refunded a payment (notice).

    One of `sale`, `purchase` (ids, or the processor's references of their payments) and
    `payment_ref` says what was refunded; `cumulative` how much of it by now, or `amount` how much
    by this refund alone. Sales bear their price, the latest capture of a payment first; the rest
    waits in suspense.
    """

    name = "record-refund"

    def decide(self, given: Given) -> Decision:
        """What is new in the figure; a cumulative one that is not above the known one is kept."""
        found = self.referent(given)
        if isinstance(found, Authorized):
            return Parked(payment_key(found.ref))
        if isinstance(found, Parked):
            return found
        other = self.other_currency(given, found)
        if other is not None:
            return foreign.refunded_on(given, self, found, other)
        if isinstance(found, PurchaseRecord):
            return purchase_notices.refunded_on(given, self, found)
        if isinstance(found, InSuspense):
            return in_suspense.refunded_on(given, self, found)
        return sale_refunds.recorded_on(given, self, found)


@command
class FailRefund(Command):
    """Record that a refund did not reach the buyer (notice), also after it was recorded.

    `refund` is its id, or the processor's reference of the notice that told of it. What was
    recorded of it is reversed, what is in flight of it may be refunded again. The failure of a
    refund whose notice was ignored is ignored, too.
    """

    name = "fail-refund"

    refund: Reference
    reason_code: Code
    processor: Id
    processor_ref: Reference
    currency: Currency | None = None

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference of the failure."""
        return self.processor, self.processor_ref

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The refund, what it was of, and whom that concerns."""
        own, told = f"refund:{self.refund}", f"refund:{self._notice_key}"
        refund = states.loaded(RefundRecord, self.refund)
        if refund is None:
            return own, told
        if refund.status is None:
            refund = states.loaded(RefundRecord, self._notice_key) or refund
        sales = (key for sale_id in refund.sale_ids for key in sale_keys(states, sale_id))
        keys = own, told, *dict.fromkeys(sales)
        if refund.foreign:
            return *keys, payment_key(self.refund)
        if refund.purchase_id is not None:
            return *keys, *purchase_keys(states, refund.purchase_id)
        return keys if refund.payment_ref is None else (*keys, payment_key(refund.payment_ref))

    def decide(self, given: Given) -> Decision:
        """What it gives back, to where each sale's earnings are now; nothing the second time."""
        refund, by_id = given.state(RefundRecord, self.refund), True
        if refund.status is None:
            refund, by_id = given.state(RefundRecord, self._notice_key), False
        if refund.status is None:
            return Parked(f"refund:{self._notice_key}")
        if refund.status == RefundStatus.IGNORED:
            return Ignored(STALE_FIGURE, ())
        if refund.foreign:
            return foreign.failed_on(given, self, self.currency, refund, self.refund)
        if refund.payment_ref is not None:
            return self._in_suspense(given, refund.payment_ref)
        if other_currency(self, given) is not None:
            return suspended(self, 0, CURRENCY_MISMATCH.code)
        if refund.purchase_id is not None:
            return purchase_notices.refund_failed_on(
                given, self, self.reason_code, refund, self.refund
            )
        return self._of_sales(given, refund, by_id=by_id)

    def _of_sales(self, given: Given, refund: RefundRecord, *, by_id: bool) -> Decision:
        failure = Failure(
            notice=self,
            reason=self.reason_code,
            processor=self.processor,
            processor_ref=self.processor_ref,
            at=self.occurred_at or given.now,
            refund_id=self.refund if by_id else None,
            refund_ref=None if by_id else self.refund,
        )
        events: list[Event] = []
        for sale_id in refund.sale_ids:
            record = given.state(SaleRecord, sale_id)
            if record.sale is None or record.sale.funding == Funding.TOKEN:
                return suspended(self, 0, INVALID_TRANSITION.code)
            notes = sale_refunds.notes(events)
            events += failed_refunds.failed_on(given, record, failure, notes=notes)
        return tuple(events)

    def _in_suspense(self, given: Given, payment_ref: str) -> Decision:
        payment = given.state(PaymentRecord, payment_ref)
        waiting = payment.suspended_by(self.processor)
        if waiting is None:
            return ()
        if self.currency not in (None, waiting.currency or given.assets.currency):
            return suspended(self, 0, CURRENCY_MISMATCH.code)
        found = InSuspense(payment_ref, waiting)
        return in_suspense.refund_failed_on(self, found, self.refund, self.processor_ref)

    @property
    def _notice_key(self) -> str:
        return notice_key(self.processor, self.refund)


@command
class FailPayment(PaymentNotice):
    """Record that a payment failed (notice), also after it had succeeded.

    One of `payment` (an authorisation), `sale`, `purchase` (ids, or the processor's references)
    and `payment_ref` says which. An authorisation ends; of what was paid, the processor takes back
    all that has not gone back yet.
    """

    name = "fail-payment"

    payment: Reference | None = None
    reason_code: Code

    def decide(self, given: Given) -> Decision:
        """The failure; a second one, or one after the end of an authorisation, changes nothing."""
        found = self.referent(given)
        if isinstance(found, Parked):
            return found
        if self.other_currency(given, found) is not None:
            return suspended(self, 0, CURRENCY_MISMATCH.code)
        if isinstance(found, Authorized):
            return authorization_failed_on(given, found.payment, self.reason_code)
        if isinstance(found, PurchaseRecord):
            return purchase_notices.failed_on(given, self, self.reason_code, found)
        if isinstance(found, InSuspense):
            return in_suspense.failed_on(self, found)
        return self._of_sales(given, found)

    def _of_sales(self, given: Given, sales: SalesPaid) -> Decision:
        events: list[Event] = []
        for record in sales.records:
            if not record.by_card:
                return suspended(self, 0, INVALID_TRANSITION.code)
            notes = sale_refunds.notes(events)
            events += payment_failure.failed_on(given, self, self.reason_code, record, notes=notes)
        return with_cancelled_payouts(given, tuple(events))
