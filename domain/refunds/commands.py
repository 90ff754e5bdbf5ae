"""Refunding: who may ask for a refund, what a processor reports of it, and what follows.

A request may be rejected. A processor's report never is: its figures
are cumulative, so that what is reported twice or late changes nothing.
"""

from collections.abc import Iterable
from datetime import datetime

from domain.command import Command, Decision, Given, Parked, Suspended, command
from domain.entity import LoadedStates
from domain.event import Event
from domain.fields import Code, Funding, Id, PositiveAmount, Reference
from domain.payments.payment import DisputeStatus, PaymentRecord, payment_key
from domain.payments.suspense import suspended
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.refund import (
    TRANSITIONS,
    Confirmed,
    RefundFailed,
    RefundRecord,
    RefundRecorded,
    RefundRequested,
    RefundStatus,
)
from domain.rejections import (
    DISPUTE_OPEN,
    INVALID_TRANSITION,
    REFUND_EXCEEDS_REMAINING,
    REFUND_WINDOW_CLOSED,
    UNKNOWN_SALE,
    Rejection,
    reject,
)
from domain.reversals.card_sales import (
    change,
    clawbacks,
    is_fully_reversed,
    reversed_so_far,
    undone_of,
    with_refund,
)
from domain.reversals.clawback import with_cancelled_payouts
from domain.reversals.token_sales import ends, refundable, token_refund
from domain.sales.entitlement import Entitlement, EntitlementEvent
from domain.sales.invoices import for_refund, series_keys
from domain.sales.sale import InFlight, Sale, SaleRecord


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
        purchases = dict.fromkeys(f"purchase:{use.purchase}" for use in record.sale.lots)
        return key, *record.sale.party_keys(), *purchases

    def decide(self, given: Given) -> Decision:
        """Tokens come back at once; of a card the refund is requested."""
        record = given.state(SaleRecord, self.sale)
        refusal = _refusal(given, record, self.sale, self.amount)
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
        return with_cancelled_payouts(given, (self._of_tokens(given, record, record.sale),))

    def _of_tokens(self, given: Given, record: SaleRecord, sale: Sale) -> RefundRecorded:
        back = token_refund(record, self.amount, given.new_id, given.now)
        cumulative = record.refunded + self.amount
        return RefundRecorded(
            refund_id=given.new_id,
            sale_id=sale.sale_id,
            buyer=sale.buyer,
            funding=Funding.TOKEN,
            amount=self.amount,
            cumulative=cumulative,
            reason=self.reason_code,
            shares=clawbacks(given, sale, back.clawed),
            platform_share=back.released + back.promo_part - sum(back.clawed),
            released=back.released,
            promo_part=back.promo_part,
            lots=back.lots,
            revoked=entitled_items(sale) if cumulative == record.paid else (),
            on_agenda=bool(ends(sale.buyer, [lot for lot in back.lots if not lot.lapsed])),
        )


@command
class RecordRefund(Command):
    """Record that a processor refunded a card (notice): by now `cumulative` minor units of a sale.

    `sale` is the sale's id, or the processor's reference of its payment. The sale bears its price;
    the rest of the highest figure waits in suspense.
    """

    name = "record-refund"

    sale: Reference
    cumulative: PositiveAmount
    processor: Id
    processor_ref: Reference

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference of the refund."""
        return self.processor, self.processor_ref

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The sale, and its parties."""
        return sale_keys(states, self.sale)

    def decide(self, given: Given) -> Decision:
        """What is new in the figure; nothing where a later one was heard first.

        A figure beyond the sale is for a person each time, also where nothing in it is new.
        """
        record = sale_of(given, self.sale)
        if isinstance(record, Parked):
            return record
        borne = min(self.cumulative, record.by_card)
        events: tuple[Event, ...] = ()
        if record.sale is not None and borne > record.refunded:
            recorded = self._recorded(given, record, record.sale, borne)
            events = with_cancelled_payouts(given, recorded)
        if borne == self.cumulative:
            return events
        return Suspended(INVALID_TRANSITION.code, (*events, *self._beyond(record, borne).events))

    def _beyond(self, record: SaleRecord, borne: int) -> Suspended:
        """What is new in the part of the figure that goes beyond the sale: it waits in suspense."""
        new = max(0, self.cumulative - borne - record.over_refunded)
        name = self.sale if record.sale is None else record.sale.sale_id
        return suspended(self, -new, INVALID_TRANSITION.code, refund_of=name)

    def _recorded(
        self, given: Given, record: SaleRecord, sale: Sale, cumulative: int
    ) -> tuple[Event, ...]:
        amount = cumulative - record.refunded
        after = with_refund(record, cumulative)
        moved = change(reversed_so_far(record), reversed_so_far(after))
        confirms = tuple(_confirmed(record.in_flight, amount))
        refund_id = confirms[0].refund_id if confirms else given.new_id
        recorded = RefundRecorded(
            refund_id=refund_id,
            sale_id=sale.sale_id,
            buyer=sale.buyer,
            funding=Funding.CARD,
            amount=amount,
            cumulative=cumulative,
            reason="REQUESTED" if confirms else "PROCESSOR",
            shares=clawbacks(given, sale, moved.clawed, moved.reserved),
            tax=moved.tax,
            platform_share=moved.platform,
            excess=moved.excess,
            processor=self.processor,
            processor_ref=self.processor_ref,
            country=sale.country,
            confirms=confirms,
            revoked=entitled_items(sale) if is_fully_reversed(after) else (),
            by_reference=True,
        )
        documented = undone_of(after) - undone_of(record)
        note = for_refund(given, sale, amount=documented, tax=moved.tax, refund_id=refund_id)
        return recorded, *note


@command
class FailRefund(Command):
    """Record that a processor did not carry out a requested refund (notice)."""

    name = "fail-refund"

    refund: Reference
    reason_code: Code
    processor: Id
    processor_ref: Reference

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference of the failure."""
        return self.processor, self.processor_ref

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The refund, and its sale."""
        key = f"refund:{self.refund}"
        refund = states.loaded(RefundRecord, self.refund)
        return (
            (key,) if refund is None or refund.status is None else (key, f"sale:{refund.sale_id}")
        )

    def decide(self, given: Given) -> Decision:
        """The amount is free to be refunded again; a failure after success is an anomaly."""
        refund = given.state(RefundRecord, self.refund)
        if refund.status is None:
            return Parked(f"refund:{self.refund}")
        if refund.status == RefundStatus.FAILED:
            return ()
        if (refund.status, self.name) not in TRANSITIONS:
            return suspended(self, 0, INVALID_TRANSITION.code)
        record = given.state(SaleRecord, refund.sale_id)
        failed = RefundFailed(
            refund_id=self.refund,
            sale_id=refund.sale_id,
            amount=sum(one.amount for one in record.in_flight if one.refund == self.refund),
            reason=self.reason_code,
        )
        return (failed,)


def sale_keys(states: LoadedStates, reference: str) -> tuple[str, ...]:
    """What `sale_of` will look at, the parties of the sale, and the invoices of its country."""
    record = states.loaded(SaleRecord, reference)
    if record is None:
        return (f"sale:{reference}",)
    if record.sale is not None:
        sale = record.sale
        return f"sale:{reference}", *sale.party_keys(), *series_keys(sale.country)
    payment = states.loaded(PaymentRecord, reference)
    if payment is None or payment.sale_id in (None, reference):
        return f"sale:{reference}", payment_key(reference)
    return sale_keys(states, payment.sale_id)


def sale_of(given: Given, reference: str) -> SaleRecord | Parked:
    """The sale called `reference`, or the one that this payment paid; parked until there is one.

    A payment that bought something else answers an empty record.
    """
    record = given.state(SaleRecord, reference)
    if record.sale is not None:
        return record
    payment = given.state(PaymentRecord, reference)
    if payment.sale_id is not None:
        return given.state(SaleRecord, payment.sale_id)
    return record if payment.purchase_id is not None else Parked(payment_key(reference))


def entitled_items(sale: Sale) -> tuple[str, ...]:
    """The items that a sale entitles its buyer to."""
    mine = f"entitlement:{sale.buyer}:"
    return tuple(tag.removeprefix(mine) for tag in sale.tags() if tag.startswith(mine))


def entitled_until(sale: Sale) -> datetime | None:
    """Until when a sale by itself entitles its buyer."""
    if isinstance(sale, EntitlementEvent):
        granted = sale.in_entitlement(Entitlement()).longest
        return None if granted is None else granted.valid_until
    return None


def _refusal(given: Given, record: SaleRecord, sale_id: str, amount: int) -> Rejection | None:
    """The first rejection of a request, in the order of `domain/rejections.py`."""
    sale = record.sale
    if sale is None:
        return reject(UNKNOWN_SALE, sale=sale_id)
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
    return max(0, record.paid - record.refunded - record.disputed(DisputeStatus.LOST) - in_flight)


def _confirmed(in_flight: Iterable[InFlight], amount: int) -> Iterable[Confirmed]:
    """Which requested refunds a recorded `amount` confirms: one of that amount, else the oldest."""
    waiting = list(in_flight)
    for flight in waiting:
        if flight.amount == amount:
            return [Confirmed(flight.refund)]
    found = []
    for flight in waiting:
        if not amount:
            break
        part = min(amount, flight.amount)
        found.append(Confirmed(flight.refund, flight.amount - part))
        amount -= part
    return found
