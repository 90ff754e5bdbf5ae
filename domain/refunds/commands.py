"""Refunding: who may ask for a refund, what a processor reports of it, and what follows.

A request may be rejected. A processor's report never is: its figures
are cumulative, so that what is reported twice or late changes nothing.
"""

from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates
from domain.fields import Code, Funding, Id, PositiveAmount
from domain.payments.payment import DisputeStatus
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.reasons import reason_refusal
from domain.refunds.refund import (
    RefundRequested,
)
from domain.refunds.tokens import refund_of_tokens
from domain.rejections import (
    DISPUTE_OPEN,
    REFUND_EXCEEDS_REMAINING,
    REFUND_WINDOW_CLOSED,
    UNKNOWN_SALE,
    Rejection,
    reject,
)
from domain.reversals.card_sales import (
    went_back,
)
from domain.reversals.clawback import with_cancelled_payouts
from domain.reversals.token_sales import refundable
from domain.sales.sale import Sale, SaleRecord


@command
class Refund(Command):
    """Refund `amount` of a sale: tokens, or minor units of a sale by card."""

    name = "refund"
    roles = frozenset({"service", "finance"})

    sale: Id
    amount: PositiveAmount
    reason_code: Code

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The sale; of one in tokens its parties, and the purchases of the tokens."""
        key = f"sale:{self.sale}"
        record = states.loaded(SaleRecord, self.sale)
        if record is None or record.sale is None or record.sale.funding == Funding.CARD:
            return (key,)
        sale = record.sale
        purchases = dict.fromkeys(use.purchase for use in sale.lots)
        keys = [key, *sale.party_keys()]
        for purchase in purchases:
            keys.append(f"purchase:{purchase}")
            known = states.loaded(PurchaseRecord, purchase)
            if known is not None and known.contested:
                keys.append(f"trail:{sale.buyer}:{purchase}")
        return tuple(keys)

    def decide(self, given: Given) -> Decision:
        """Tokens come back at once; of a card the refund is requested."""
        record = given.state(SaleRecord, self.sale)
        refusal = _refusal(given, record, self)
        if refusal is not None:
            return refusal
        assert record.sale is not None
        if record.sale.funding == Funding.CARD:
            requested = RefundRequested(
                refund_id=given.new_id,
                sale_id=self.sale,
                amount=self.amount,
                reason=self.reason_code,
            )
            return (requested,)
        events = refund_of_tokens(
            given,
            record,
            record.sale,
            amount=self.amount,
            reason=self.reason_code,
            revoked=record.items,
        )
        return with_cancelled_payouts(given, events)


def _refusal(given: Given, record: SaleRecord, request: Refund) -> Rejection | None:
    """The first rejection of a request, in the order of `domain/rejections.py`."""
    sale, sale_id, amount = record.sale, request.sale, request.amount
    if sale is None:
        return reject(UNKNOWN_SALE, sale=sale_id)
    unlisted = reason_refusal(given, request.reason_code)
    if unlisted is not None:
        return unlisted
    if sale.refund_until is not None and sale.refund_until <= given.now:
        return reject(REFUND_WINDOW_CLOSED, sale=sale_id, refund_until=sale.refund_until)
    if record.disputed(DisputeStatus.OPEN) or _purchases_disputed(given, sale):
        return reject(DISPUTE_OPEN, subject=f"sale {sale_id}", sale=sale_id)
    remaining = _remaining(record, sale)
    if amount > remaining:
        return reject(
            REFUND_EXCEEDS_REMAINING,
            subject=f"sale {sale_id}",
            requested=amount,
            remaining=remaining,
        )
    return None


def _purchases_disputed(given: Given, sale: Sale) -> bool:
    """Whether a purchase whose tokens paid this sale is being disputed."""
    purchases = dict.fromkeys(use.purchase for use in sale.lots)
    records = given.states_of(PurchaseRecord, purchases)
    return any(record.disputed(DisputeStatus.OPEN) for record in records.values())


def _remaining(record: SaleRecord, sale: Sale) -> int:
    """What could still be refunded: what is in flight or was charged back is gone."""
    if sale.funding == Funding.TOKEN:
        return sum(refundable(record))
    in_flight = sum(one.amount for one in record.in_flight)
    lost = record.disputed(DisputeStatus.LOST)
    return max(0, record.paid - went_back(record) - lost - in_flight)
