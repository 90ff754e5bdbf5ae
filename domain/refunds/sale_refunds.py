"""What processors refund of sales by card.

Everything posted is the difference between two standings of the sale. What a payment's sales cannot
bear waits in suspense.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from domain.command import Decision, Given, Ignored, Suspended
from domain.event import Event
from domain.fields import Funding
from domain.payments.payment import DisputeStatus
from domain.payments.suspense import suspended
from domain.refunds.notice import RefundReport
from domain.refunds.referents import SalesPaid
from domain.refunds.refund import (
    Confirmed,
    RefundRecorded,
)
from domain.rejections import INVALID_TRANSITION
from domain.reversals.card_sales import (
    change,
    clawbacks,
    is_fully_reversed,
    open_to_refund,
    reversed_so_far,
    undone_of,
    with_refund,
)
from domain.reversals.clawback import with_cancelled_payouts
from domain.sales.invoices import for_refund
from domain.sales.sale import InFlight, SaleRecord


def recorded_on(given: Given, notice: RefundReport, sales: SalesPaid) -> Decision:
    """What is new in the figure: borne by the sales, the latest first, the rest in suspense."""
    records = sales.records
    known = sum(_refunded(record) + record.over_refunded for record in records)
    bounced = sum(record.bounced for record in records)
    new = notice.new_part(given, known, failed_at=last_failure(records), bounced=bounced)
    if isinstance(new, Ignored):
        return new
    events: list[Event] = []
    for record, part in spread(records, new):
        new -= part
        ids = numbered(given.new_id, sum(isinstance(one, RefundRecorded) for one in events))
        events += _recorded(given, notice, record, part, new_id=ids, notes=notes(events))
    posted = with_cancelled_payouts(given, tuple(events))
    if not new:
        return posted
    assert records[0].sale is not None
    beyond = suspended(notice, -new, INVALID_TRANSITION.code, refund_of=records[0].sale.sale_id)
    return Suspended(beyond.code, (*posted, *beyond.events))


def spread(records: Sequence[SaleRecord], amount: int) -> Iterable[tuple[SaleRecord, int]]:
    """How a refund of `amount` falls on the sales of one payment: the first of `records` first.

    Each bears what neither refunds nor lost disputes have taken of it; what is left then goes
    where disputes alone have taken it.
    """
    found = dict.fromkeys(range(len(records)), 0)
    for beside_disputes in (True, False):
        for nth, record in enumerate(records):
            room = open_to_refund(record) - found[nth]
            if beside_disputes:
                room -= record.disputed(DisputeStatus.LOST)
            part = min(amount, max(0, room))
            found[nth] += part
            amount -= part
    return [(records[nth], part) for nth, part in found.items() if part]


def _refunded(record: SaleRecord) -> int:
    """Minor units that a card got back by refunds; of a sale in tokens none."""
    return record.refunded if record.by_card else 0


def last_failure(records: Iterable[SaleRecord]) -> datetime | None:
    """When a refund of one of the sales, or its payment, failed last."""
    return max((one.failed_at for one in records if one.failed_at is not None), default=None)


def numbered(new_id: str, nth: int) -> str:
    """The id of the nth thing that a command creates, from 0."""
    return f"{new_id}-{nth + 1}" if nth else new_id


def notes(events: Iterable[Event]) -> int:
    """How many documents of VAT are among `events`, all of one country."""
    return sum(hasattr(event, "number") for event in events)


def _recorded(
    given: Given,
    notice: RefundReport,
    record: SaleRecord,
    amount: int,
    *,
    new_id: str,
    notes: int,
) -> tuple[Event, ...]:
    """`amount` of a sale went back."""
    sale = record.sale
    assert sale is not None
    cumulative = record.refunded + amount
    after = with_refund(record, cumulative)
    moved = change(reversed_so_far(record), reversed_so_far(after))
    confirms = tuple(_confirmed(record.in_flight, amount))
    refund_id = confirms[0].refund_id if confirms else new_id
    ended = is_fully_reversed(after) and not is_fully_reversed(record)
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
        income=record.income,
        excess=moved.excess,
        promo_part=moved.promo,
        bounced=record.bounced - after.bounced,
        processor=notice.processor,
        processor_ref=notice.processor_ref,
        country=sale.country,
        confirms=confirms,
        revoked=record.items if ended else (),
        by_reference=True,
        may_fail=True,
    )
    documented = undone_of(after) - undone_of(record)
    note = for_refund(given, sale, amount=documented, tax=moved.tax, refund_id=refund_id, nth=notes)
    return recorded, *note


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
