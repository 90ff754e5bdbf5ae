"""Refunds that failed after they were recorded: the sale stands again as without them."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from domain.command import Command, Given
from domain.event import Event
from domain.payments.payment import PaymentSuspended
from domain.payments.suspense import kept_fields
from domain.refunds.refund import RefundFailed
from domain.refunds.refund_reversed import RefundReversed, failed_part
from domain.rejections import REFUND_FAILED
from domain.reversals.card_sales import (
    change,
    clawbacks,
    is_fully_reversed,
    reversed_so_far,
    undone_of,
    with_refund,
)
from domain.sales.invoices import for_reversal
from domain.sales.sale import RecordedRefund, SaleRecord


class Failure(msgspec.Struct, frozen=True):
    """A refund has failed, named by its id or by the reference of the notice that told of it."""

    notice: Command
    reason: str
    processor: str
    processor_ref: str
    at: datetime
    refund_id: str | None = None
    refund_ref: str | None = None

    def is_of(self, one: RecordedRefund) -> bool:
        """Whether `one` has failed."""
        refunds = () if self.refund_id is None else (self.refund_id,)
        return failed_part(one, refunds, self.refund_ref)


def failed_on(
    given: Given, record: SaleRecord, failure: Failure, *, notes: int
) -> tuple[Event, ...]:
    """What comes back of a sale: what is recorded of the refund; what is in flight of it is free.

    A notice's reference stands for the whole of a request that it alone has confirmed so far.
    """
    parts = [one for one in record.recorded if failure.is_of(one)]
    refunds = dict.fromkeys(one.refund for one in parts if one.refund)
    if failure.refund_id is not None:
        refunds[failure.refund_id] = None
    others = {one.refund for one in record.recorded if not failure.is_of(one)}
    ended = tuple(
        RefundFailed(
            refund_id=flight.refund,
            sale_id=record.sale.sale_id if record.sale else "",
            amount=flight.amount,
            reason=failure.reason,
        )
        for flight in record.in_flight
        if flight.refund in refunds and flight.refund not in others
    )
    if not parts:
        return ended
    return *_reversed(given, record, failure, parts, tuple(refunds), notes=notes), *ended


def _reversed(
    given: Given,
    record: SaleRecord,
    failure: Failure,
    parts: list[RecordedRefund],
    refunds: tuple[str, ...],
    *,
    notes: int,
) -> Iterator[Event]:
    sale = record.sale
    assert sale is not None
    told = record.refunded + record.over_refunded - sum(one.amount + one.over for one in parts)
    cumulative = min(record.by_card, told)
    after = with_refund(record, cumulative)
    moved = change(reversed_so_far(record), reversed_so_far(after))
    restored = is_fully_reversed(record) and not is_fully_reversed(after)
    event = RefundReversed(
        sale_id=sale.sale_id,
        buyer=sale.buyer,
        amount=record.refunded - cumulative,
        cumulative=cumulative,
        reason=failure.reason,
        processor=failure.processor,
        processor_ref=failure.processor_ref,
        failed_at=failure.at,
        refunds=refunds,
        refund_ref=failure.refund_ref,
        notices=tuple(one for one in parts if one.amount),
        shares=clawbacks(given, sale, moved.clawed, moved.reserved),
        tax=moved.tax,
        platform_share=moved.platform,
        income=record.income,
        excess=moved.excess,
        promo_part=moved.promo,
        bounced=after.bounced - record.bounced,
        country=sale.country,
        items=record.items if restored else (),
        valid_until=record.entitled_until,
    )
    timed = event.maturing_again()
    yield msgspec.structs.replace(event, on_agenda=True) if timed else event
    undone = undone_of(record) - undone_of(after)
    yield from for_reversal(
        given, sale, amount=undone, tax=-moved.tax, refund_id=_first(refunds), nth=notes
    )
    yield from _out_of_suspense(record, failure, parts, told - cumulative)


def _out_of_suspense(
    record: SaleRecord, failure: Failure, parts: list[RecordedRefund], over: int
) -> Iterator[PaymentSuspended]:
    """What stood in suspense beyond the sale and does no more, of which `over` is left.

    Of what failed itself it has come back; of other refunds the sale bears more instead.
    """
    assert record.sale is not None
    back = record.over_refunded - over
    others = [one for one in record.recorded if one not in parts]
    for one in (*parts, *others):
        part = min(back, one.over)
        if part:
            back -= part
            yield PaymentSuspended(
                processor=failure.processor,
                ref=one.ref,
                amount=part,
                code=REFUND_FAILED,
                command=failure.notice.name,
                notice=kept_fields(failure.notice),
                refund_of=record.sale.sale_id,
                by_ref=one in parts,
            )


def _first(refunds: tuple[str, ...]) -> str | None:
    return refunds[0] if refunds else None
