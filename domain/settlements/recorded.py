"""What the ledger has recorded under the references that lines of settlement files name.

A line names a payment by its reference, or a refund or a dispute by its own or by its payment's.
Money in suspense is recorded, too: a processor settles it like any other, with the refunds and
disputes of it, and does not know that nobody has decided about it yet.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from domain.command import Given
from domain.disputes.dispute import (
    DisputeOpened,
    DisputeRecord,
    ReportedDispute,
    known_dispute,
)
from domain.payments.early_fees import EarlyFee
from domain.payments.payment import DisputeStatus, PaymentRecord, PaymentStatus, payment_key
from domain.payments.suspense_drawn import dispute_notice_key
from domain.payments.waiting import Waiting
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.in_suspense import refunds_of
from domain.refunds.refund import RefundNotice, RefundRecord, notice_key, refund_notice_key
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
        return (*dispute, payment_key(reference)) if dispute else ()
    known = settled_key(processor, kind, reference), payment_key(reference)
    notice: tuple[str, ...] = ()
    if kind == LineKind.REFUND:
        own = f"refund:{notice_key(processor, reference)}"
        notice = refund_notice_key(processor, reference), own
    numbered = (numbered_key(reference),) if kind == LineKind.PAYMENT else ()
    return (*known, *dispute, *notice, *numbered)


#: (kind of line, the reference it names)
Named = tuple[str, str]


class DisputeClaim(NamedTuple):
    """A dispute as lines may tell of it: what the bank took, and the fee that it has posted.

    What lines pay of the fee is counted under the first of `fee_keys`; what they paid while the
    dispute was one of money in suspense, under the second.
    """

    amount: int
    won: bool
    fee: int
    fee_keys: tuple[str, ...]


class Recorded:
    """The ledger's side of some lines of a processor, loaded in as few steps as there are hops."""

    def __init__(self, given: Given, processor: str, named: Iterable[Named]) -> None:
        named = tuple(named)
        self._processor = processor
        refunds, undone = _of(named, LineKind.REFUND), (LineKind.REFUND, *CHARGEBACKS)
        self._payments = given.states_of(PaymentRecord, _of(named, *OF_PAYMENTS, LineKind.FEE))
        own = [self._own(reference) for reference in refunds]
        self._refunds = given.states_of(RefundNotice, own)
        self._told = given.states_of(RefundRecord, own)
        self._disputes = {
            ref: known_dispute(given, processor, ref) for ref in self._loaded(given, named)
        }
        refs = [one.payment_ref for one in self._told.values()]
        refs += [one.payment_ref for one in self._disputes.values()]
        waiting = dict.fromkeys(ref for ref in refs if ref is not None)
        self._payments |= given.states_of(PaymentRecord, waiting)
        paid = [self._payments[ref] for ref in _of(named, *undone)]
        bought = [one.purchase_id for one in paid]
        bought += [one.purchase_id for one in self._told.values()]
        purchases = dict.fromkeys(name for name in bought if name is not None)
        sales = (sale_id for payment in paid for sale_id in payment.sale_ids)
        self._sales = given.states_of(SaleRecord, dict.fromkeys((*sales, *purchases)))
        self._purchases = given.states_of(PurchaseRecord, purchases)
        disputed: Iterable[SaleRecord | PurchaseRecord] = chain(
            self._sales.values(), self._purchases.values()
        )
        by_id = dict.fromkeys(one.dispute for record in disputed for one in record.disputes)
        self._by_id = given.states_of(DisputeRecord, by_id)
        self._early = given.states_of(EarlyFee, dict.fromkeys(self._names_of_disputes()))
        claims = (claim for kind, ref in named for claim in self._claims(kind, ref))
        keys = dict.fromkeys(key for claim in claims for key in claim.fee_keys)
        self._fees = given.states_of(DisputeFee, keys)

    def expected(self, kind: str, reference: str) -> int | None:
        """What lines of this kind about this reference should add up to; None where the ledger
        knows nothing of it.
        """
        match kind:
            case LineKind.PAYMENT:
                return self._paid(reference)
            case LineKind.REFUND:
                return -self._refunded(reference) or None
            case LineKind.CHARGEBACK:
                return -sum(claim.amount for claim in self._claims(kind, reference)) or None
            case LineKind.CHARGEBACK_REVERSAL:
                claims = self._claims(kind, reference)
                return sum(claim.amount for claim in claims if claim.won) or None
        return None

    def dispute_fees(self, kind: str, reference: str | None) -> list[DisputeClaim]:
        """The disputes whose fees a line of this kind may pay."""
        return [] if reference is None else self._claims(kind, reference)

    def may_come(self, kind: str, reference: str | None, *, beyond: bool) -> bool:
        """Whether a dispute that nobody has heard of may explain what a line of this kind pays.

        `beyond`: its chargebacks took more than the disputes that are known, or nothing.
        """
        if reference is None or kind not in (LineKind.CHARGEBACK, LineKind.FEE):
            return False
        payment = self._payments[reference]
        if kind == LineKind.FEE:
            known = self._is_own(payment) or payment.waiting
            return not (known or self._claims(kind, reference))
        return not any(self._own_dispute(reference)) and (
            beyond or not self._claims(kind, reference)
        )

    def may_be_won(self, kind: str, reference: str | None, *, beyond: bool) -> bool:
        """Whether a win that nobody has heard of may explain what a line of this kind gives back:
        that of a dispute which is not won, or, as its reversals go beyond the wins, not known.
        """
        if reference is None or kind not in (LineKind.CHARGEBACK_REVERSAL, LineKind.FEE):
            return False
        open_ones = not all(claim.won for claim in self._claims(kind, reference))
        return open_ones or (beyond and kind == LineKind.CHARGEBACK_REVERSAL)

    def _claims(self, kind: str, reference: str) -> list[DisputeClaim]:
        """The dispute of this reference, else those of the payment of this reference."""
        if kind not in DISPUTED:
            return []
        own = [*self._own_dispute(reference)]
        if own or kind == LineKind.FEE:
            return own
        payment = self._payments[reference]
        waiting = (claim for one in self._waiting(reference) for claim in self._of_waiting(one))
        return [*self._of_payment(payment), *waiting]

    def _names_of_disputes(self) -> Iterator[str]:
        """The references of all disputes that claims may be made of."""
        known = (*self._disputes.values(), *self._by_id.values())
        yield from (self._own(part.dispute_ref) for found in known for part in found.parts)
        for payment in self._payments.values():
            for one in (*payment.waiting, *payment.returned):
                yield from (self._own(ref) for ref in one.claimed)

    def _own(self, reference: str) -> str:
        return notice_key(self._processor, reference)

    def _is_own(self, payment: PaymentRecord) -> bool:
        """Whether the reference is a payment of this processor's that is not in suspense."""
        elsewhere = (None, PaymentStatus.SUSPENDED, PaymentStatus.RELEASED)
        return payment.status not in elsewhere and payment.processor == self._processor

    def _waiting(self, reference: str) -> list[Waiting]:
        """The processor's payments under this reference that are, or were, in suspense."""
        payment = self._payments[reference]
        return [
            one
            for one in (*payment.waiting, *payment.returned)
            if one.processor == self._processor and one.amount > 0 and one.currency is None
        ]

    def _paid(self, reference: str) -> int | None:
        payment = self._payments[reference]
        paid = [one.amount for one in self._waiting(reference)]
        if self._is_own(payment):
            paid.append(payment.amount)
        return sum(paid) if paid else None

    def _refunded(self, reference: str) -> int:
        """What went back: of the payment of this reference, else under a refund's own."""
        payment, waiting = self._payments[reference], self._waiting(reference)
        if self._is_own(payment) or waiting:
            return self._back_of(payment) + sum(one.refunded + one.bounced for one in waiting)
        told, own = self._told[self._own(reference)], self._own(reference)
        back = self._refunds[own].amount
        if told.purchase_id is not None:
            back += dict(self._purchases[told.purchase_id].recorded).get(own, 0)
        if told.payment_ref is not None:
            notices = (refunds_of(one, reference) for one in self._waiting(told.payment_ref))
            back += sum(one.refunded - one.unconfirmed for notice in notices for one in notice)
        return back - sum(one.amount for one in self._kept(reference, "record-refund"))

    def _back_of(self, payment: PaymentRecord) -> int:
        """What went back of the sales or of the purchase that it paid, or beyond them."""
        if not self._is_own(payment):
            return 0
        sales = [self._sales[sale_id] for sale_id in payment.sale_ids]
        back = sum(sale.refunded + sale.over_refunded + sale.bounced for sale in sales)
        if payment.purchase_id is None:
            return back
        purchase = self._purchases[payment.purchase_id]
        beyond = self._sales[payment.purchase_id].over_refunded
        return purchase.sent_back + purchase.taken + purchase.bounced + beyond

    def _loaded(self, given: Given, named: Iterable[Named]) -> list[str]:
        """The references of disputes, once all that is known of them is loaded."""
        refs = _of(named, *DISPUTED)
        given.states_of(DisputeRecord, refs)
        given.states_of(ReportedDispute, (self._own(ref) for ref in refs))
        return refs

    def _own_dispute(self, reference: str) -> Iterator[DisputeClaim]:
        """The dispute that this processor calls so: of what it paid, of money in suspense, or one
        whose notice waits in suspense itself.
        """
        found = self._disputes[reference]
        if found.opened is not None:
            mine = (part for part in found.parts if part.processor == self._processor)
            yield from (self._opened(found.status, part) for part in mine)
        elif found.payment_ref is not None:
            waiting = self._waiting(found.payment_ref)
            yield from (claim for one in waiting for claim in self._of_waiting(one, reference))
        for one in self._kept(reference, "open-dispute"):
            amount, fee = one.notice["amount"], one.notice["fee"]
            yield DisputeClaim(amount, False, fee, (self._own(reference),))

    def _of_payment(self, payment: PaymentRecord) -> Iterator[DisputeClaim]:
        """The disputes of what it paid."""
        if not self._is_own(payment):
            return
        records: list[SaleRecord | PurchaseRecord] = [self._sales[one] for one in payment.sale_ids]
        if payment.purchase_id is not None:
            records = [self._purchases[payment.purchase_id]]
        for record in records:
            for one in record.disputes:
                found = self._by_id[one.dispute]
                if found.opened is not None:
                    yield self._opened(found.status, found.opened)

    def _opened(self, status: DisputeStatus | None, opened: DisputeOpened) -> DisputeClaim:
        won = status == DisputeStatus.WON
        keys: tuple[str, ...] = (opened.dispute_id,)
        if opened.fee:  # which may have been paid while it was a dispute of money in suspense
            keys = (*keys, self._own(opened.dispute_ref))
        fee = 0 if won and opened.fee_refundable else opened.fee
        early = self._early[self._own(opened.dispute_ref)].borne if opened.fee else 0
        return DisputeClaim(opened.amount, won, fee - early, keys)

    def _of_waiting(self, waiting: Waiting, dispute: str | None = None) -> Iterator[DisputeClaim]:
        """Its disputes, or the one of this reference."""
        for ref, claimed in waiting.claimed.items():
            if dispute in (None, ref):
                fee = claimed.fee - self._early[self._own(ref)].borne
                yield DisputeClaim(claimed.amount, claimed.won, fee, (self._own(ref),))

    def _kept(self, reference: str, command: str) -> Iterator[Waiting]:
        """The notices of `command` that wait in suspense under their own reference."""
        for one in self._payments[reference].waiting:
            mine = one.processor == self._processor and one.currency is None
            if mine and one.command == command:
                yield one


def _of(named: Iterable[Named], *kinds: str) -> list[str]:
    """The references that lines of these kinds name, each once."""
    return list(dict.fromkeys(reference for kind, reference in named if kind in kinds))
