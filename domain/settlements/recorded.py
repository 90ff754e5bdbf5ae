"""What the ledger has recorded under the references that lines of settlement files name.

A line names a payment by its reference, or a refund or a dispute by its own or by its payment's.
"""

from collections.abc import Iterable
from itertools import chain

from domain.command import Given
from domain.disputes.dispute import (
    DisputeOpened,
    DisputeRecord,
    ReportedDispute,
    known_dispute,
)
from domain.payments.payment import DisputeStatus, PaymentRecord, PaymentStatus, payment_key
from domain.payments.suspense_drawn import dispute_notice_key
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.refund import RefundNotice, refund_notice_key
from domain.sales.sale import SaleRecord
from domain.settlements.settlement import DisputeFee, LineKind, numbered_key, settled_key

CHARGEBACKS = (LineKind.CHARGEBACK, LineKind.CHARGEBACK_REVERSAL)
DISPUTED = (*CHARGEBACKS, LineKind.FEE)
OF_PAYMENTS = (LineKind.PAYMENT, LineKind.REFUND, *CHARGEBACKS)


def subject_keys(processor: str, kind: str, reference: str) -> tuple[str, ...]:
    """The entities that say at once what lines and ledger know of a reference."""
    dispute: tuple[str, ...] = ()
    if kind in DISPUTED:
        dispute = f"dispute:{reference}", dispute_notice_key(processor, reference)
    if kind not in OF_PAYMENTS:
        return dispute
    known = settled_key(processor, kind, reference), payment_key(reference)
    notice = (refund_notice_key(processor, reference),) if kind == LineKind.REFUND else ()
    numbered = (numbered_key(reference),) if kind == LineKind.PAYMENT else ()
    return (*known, *dispute, *notice, *numbered)


#: (kind of line, the reference it names)
Named = tuple[str, str]


class Recorded:
    """The ledger's side of some lines of a processor, loaded in as few steps as there are hops."""

    def __init__(self, given: Given, processor: str, named: Iterable[Named]) -> None:
        named = tuple(named)
        self._processor = processor
        self._payments = given.states_of(PaymentRecord, _of(named, *OF_PAYMENTS))
        self._refunds = given.states_of(
            RefundNotice, (self._own(ref) for ref in _of(named, LineKind.REFUND))
        )
        self._disputes = {
            ref: known_dispute(given, processor, ref) for ref in self._loaded(given, named)
        }
        undone = [self._payments[ref] for ref in _of(named, LineKind.REFUND, *CHARGEBACKS)]
        sales = (sale_id for payment in undone for sale_id in payment.sale_ids)
        self._sales = given.states_of(SaleRecord, dict.fromkeys(sales))
        bought = (payment.purchase_id for payment in undone if payment.purchase_id is not None)
        self._purchases = given.states_of(PurchaseRecord, dict.fromkeys(bought))
        disputed: Iterable[SaleRecord | PurchaseRecord] = chain(
            self._sales.values(), self._purchases.values()
        )
        by_id = dict.fromkeys(one.dispute for record in disputed for one in record.disputes)
        self._by_id = given.states_of(DisputeRecord, by_id)
        own = (part.dispute_id for found in self._disputes.values() for part in found.parts)
        given.states_of(DisputeFee, dict.fromkeys((*by_id, *own)))

    def expected(self, kind: str, reference: str) -> int | None:
        """What lines of this kind about this reference should add up to; None where the ledger
        knows nothing of it.
        """
        match kind:
            case LineKind.PAYMENT:
                payment = self._payment(reference)
                return None if payment is None else payment.amount
            case LineKind.REFUND:
                return -self._refunded(reference) or None
            case LineKind.CHARGEBACK:
                taken = [opened.amount for _, opened in self._disputed(reference)]
                return -(sum(taken) + self._suspended(reference, "open-dispute", "amount")) or None
            case LineKind.CHARGEBACK_REVERSAL:
                disputes = self._disputed(reference)
                won = [one.amount for status, one in disputes if status == DisputeStatus.WON]
                return sum(won) or None
        return None

    def dispute_fees(self, kind: str, reference: str | None) -> dict[str, int]:
        """By id, the disputes whose fees a line of this kind may pay, and what they have posted."""
        if kind not in DISPUTED or reference is None:
            return {}
        found = self._own_dispute(reference) if kind == LineKind.FEE else self._disputed(reference)
        return {
            opened.dispute_id: 0
            if status == DisputeStatus.WON and opened.fee_refundable
            else opened.fee
            for status, opened in found
        }

    def _own(self, reference: str) -> str:
        return f"{self._processor}:{reference}"

    def _payment(self, reference: str) -> PaymentRecord | None:
        """The processor's payment of this reference."""
        payment = self._payments[reference]
        known = payment.status is not None and payment.processor == self._processor
        return payment if known else None

    def _refunded(self, reference: str) -> int:
        """What went back: of the payment of this reference, else under a refund's own."""
        payment = self._payment(reference)
        if payment is not None:
            if payment.sale_id is not None:
                sales = (self._sales[sale_id] for sale_id in payment.sale_ids)
                return sum(sale.refunded + sale.over_refunded + sale.bounced for sale in sales)
            if payment.purchase_id is not None:
                purchase = self._purchases[payment.purchase_id]
                return purchase.sent_back + purchase.taken + purchase.bounced
            waiting = payment.suspended_by(self._processor)
            if waiting is not None:
                return waiting.refunded
            if payment.status == PaymentStatus.RELEASED:
                return payment.amount
        beyond = self._suspended(reference, "record-refund", None)
        return self._refunds[self._own(reference)].amount + beyond

    def _loaded(self, given: Given, named: Iterable[Named]) -> list[str]:
        """The references of disputes, once all that is known of them is loaded."""
        refs = _of(named, *DISPUTED)
        given.states_of(DisputeRecord, refs)
        given.states_of(ReportedDispute, (f"{self._processor}:{ref}" for ref in refs))
        return refs

    def _disputed(self, reference: str) -> list[tuple[DisputeStatus, DisputeOpened]]:
        """The dispute of this reference, else those of the payment of this reference."""
        own = self._own_dispute(reference)
        payment = self._payment(reference)
        if own or payment is None:
            return own
        records: list[SaleRecord | PurchaseRecord] = [
            self._sales[sale_id] for sale_id in payment.sale_ids
        ]
        if payment.purchase_id is not None:
            records = [self._purchases[payment.purchase_id]]
        return [
            (found.status, found.opened)
            for record in records
            for found in (self._by_id[one.dispute] for one in record.disputes)
            if found.status is not None and found.opened is not None
        ]

    def _own_dispute(self, reference: str) -> list[tuple[DisputeStatus, DisputeOpened]]:
        found = self._disputes[reference]
        if found.status is None or found.opened is None:
            return []
        status, processor = found.status, self._processor
        return [(status, part) for part in found.parts if part.processor == processor]

    def _suspended(self, reference: str, command: str, field: str | None) -> int:
        """What notices of `command` took that wait in suspense under their own reference."""
        return sum(
            -waiting.amount if field is None else waiting.notice[field]
            for waiting in self._payments[reference].waiting
            if waiting.command == command and waiting.processor == self._processor
        )


def _of(named: Iterable[Named], *kinds: str) -> list[str]:
    """The references that lines of these kinds name, each once."""
    return list(dict.fromkeys(reference for kind, reference in named if kind in kinds))
