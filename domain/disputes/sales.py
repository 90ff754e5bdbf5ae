"""What the dispute of a sale by card does at each step: what is reserved, taken, given back.

All of it is the difference between two standings of the sale, so the order in which refunds and
disputes are heard of does not matter.
"""

import msgspec

from domain.command import Given
from domain.disputes.dispute import DisputeLost, DisputeOpened, DisputeWon, common, on_agenda
from domain.event import Event
from domain.payments.payment import DisputeStatus
from domain.reversals.card_sales import (
    Reversed,
    change,
    clawbacks,
    is_fully_reversed,
    reversed_so_far,
    undone_of,
    with_dispute,
)
from domain.sales.invoices import Document, for_refund, invoice
from domain.sales.sale import Sale, SaleDispute, SaleRecord


def opened_on(given: Given, record: SaleRecord, dispute: DisputeOpened) -> DisputeOpened:
    """The dispute, with what is reserved of the creators' parts."""
    sale, _, moved = _moved(record, dispute, DisputeStatus.OPEN)
    shares = clawbacks(given, sale, moved.clawed, moved.reserved)
    return msgspec.structs.replace(dispute, shares=shares)


def lost_on(
    given: Given, record: SaleRecord, dispute: DisputeOpened, *, notes: int = 0
) -> tuple[Event, ...]:
    """The loss, and the credit note of the VAT it takes back, after `notes` others."""
    sale, after, moved = _moved(record, dispute, DisputeStatus.LOST)
    lost = DisputeLost(
        **common(dispute),
        shares=clawbacks(given, sale, moved.clawed, moved.reserved),
        platform_share=moved.platform,
        income=record.income,
        tax=moved.tax,
        country=sale.country,
        excess=moved.excess,
        promo=-moved.promo,
        bounced=record.bounced - after.bounced,
        items=record.items if is_fully_reversed(after) else (),
    )
    amount = undone_of(after) - undone_of(record)
    note = for_refund(
        given, sale, amount=amount, tax=moved.tax, refund_id=dispute.dispute_id, nth=notes
    )
    return lost, *note


def won_on(
    given: Given, record: SaleRecord, dispute: DisputeOpened, *, notes: int = 0
) -> tuple[Event, ...]:
    """The win; after a loss, all that was taken goes back, and its VAT is invoiced again."""
    sale, after, moved = _moved(record, dispute, DisputeStatus.WON)
    after_loss = any(
        one.dispute == dispute.dispute_id and one.status == DisputeStatus.LOST
        for one in record.disputes
    )
    back = after_loss and not is_fully_reversed(after)
    won = DisputeWon(
        **common(dispute),
        fee=dispute.fee if dispute.fee_refundable else 0,
        shares=clawbacks(given, sale, moved.clawed, moved.reserved),
        platform_share=moved.platform,
        income=record.income,
        tax=moved.tax,
        country=sale.country,
        excess=moved.excess,
        promo=-moved.promo,
        bounced=record.bounced - after.bounced,
        after_loss=after_loss,
        items=record.items if back else (),
        valid_until=record.entitled_until,
    )
    amount = undone_of(record) - undone_of(after)
    document = Document(
        country=sale.country,
        net=amount + moved.tax,
        vat=-moved.tax,
        rate=sale.vat_bps,
        sale_id=sale.sale_id,
    )
    return on_agenda(won), *invoice(given, document, notes)


def _moved(
    record: SaleRecord, dispute: DisputeOpened, status: DisputeStatus
) -> tuple[Sale, SaleRecord, Reversed]:
    """The sale, its record once the dispute is `status`, and what that moves."""
    assert record.sale is not None
    known = SaleDispute(dispute.dispute_id, dispute.amount, dispute.bearer, status)
    after = with_dispute(record, known)
    return record.sale, after, change(reversed_so_far(record), reversed_so_far(after))
