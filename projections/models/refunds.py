"""Refunds of sales: what was asked back, what processors confirmed, and what failed.

Its parties are those of the sale, which a refund's own events do not all name. A purchase that is
refunded says so in the register of purchases.
"""

from collections.abc import Sequence
from typing import Any

from domain.refunds.refund import (
    RefundEvent,
    RefundFailed,
    RefundRecord,
    RefundRecorded,
    RefundRequested,
    RefundStatus,
)
from domain.refunds.refund_reversed import RefundReversed
from ledger.postgres.database import Connection
from projections.engine.columns import INTEGER, TEXT, Column, first, followed, kept, said
from projections.engine.register import Register, RegisterRow, lives
from projections.models.parties import parties_of


def _amount(before: int | None, event: RefundEvent) -> int:
    """What was asked for, or what the processor told of without."""
    if before is not None:
        return before
    assert isinstance(event, RefundRequested | RefundRecorded)
    return event.amount


def _of_sale(name: str, *, nullable: bool = False, by: str | None = None) -> Column:
    """What the sale says."""
    return said(name, TEXT, lambda _event: None, nullable=nullable, by=by)


class Refunds(Register):
    """Refunds of sales; `amount` as the sale is funded: tokens or minor units.

    One that a processor confirmed in part stays REQUESTED; tokens are RECORDED at once.
    """

    name, item = "refunds", "refund"
    version = 1
    state = RefundRecord
    statuses = tuple(
        status.upper() for status in RefundStatus if status is not RefundStatus.IGNORED
    )
    branches = lives(RefundEvent)
    amount = "amount"
    columns = (
        _of_sale("user", by="user"),
        _of_sale("creator", nullable=True, by="creator"),
        _of_sale("funding"),
        kept("sale", TEXT, lambda refund: refund.sale_id, by="sale"),
        followed("amount", INTEGER, _amount),
        said("processor", TEXT, first(RefundRecorded, field="processor"), by="processor"),
        said(
            "processor_ref",
            TEXT,
            first(RefundRecorded, field="processor_ref"),
            by="processor_ref",
            text="of the notice that confirmed it",
        ),
        said("reason", TEXT, first(RefundRequested, RefundRecorded, field="reason")),
        said("failure", TEXT, first(RefundFailed, RefundReversed, field="reason")),
    )

    def complete(self, connection: Connection, rows: Sequence[RegisterRow], until: int) -> None:
        """The parties of the sale, for refunds that are new."""
        new: list[tuple[str, list[Any]]] = []
        for row in rows:
            assert isinstance(row.state, RefundRecord)
            if row.values[0] is None:
                new.append((f"sale:{row.state.sale_id}", row.values))
        parties = parties_of(connection, {tag for tag, _ in new}, until)
        for tag, values in new:
            values[:3] = parties[tag]
