"""Sales: who bought what of whom, how it was shared, and what came back of it.

The domain has no status of a sale; here it is what became of the money last: PAID until something
goes back, DISPUTED while a bank has it in dispute, CHARGED_BACK once one has taken some for good.
"""

from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any

from domain.payments.payment import DisputeStatus, PaymentSuspended
from domain.sales.sale import SaleEvent, SaleRecord
from projections.engine.columns import INTEGER, TEXT, TIME, Column, ColumnType, kept
from projections.engine.register import Detail, Register, lives


class SaleStatus(StrEnum):
    """What became of what was paid for a sale."""

    PAID = "PAID"
    PARTLY_REFUNDED = "PARTLY_REFUNDED"
    REFUNDED = "REFUNDED"
    DISPUTED = "DISPUTED"
    CHARGED_BACK = "CHARGED_BACK"
    FAILED = "FAILED"


@dataclass(frozen=True)
class SalePayee:
    """A creator's share of a sale, in minor units."""

    creator: str
    share: int


@dataclass(frozen=True)
class DisputeOfSale:
    """A dispute of a sale by card, in minor units."""

    dispute: str
    amount: int
    status: str


def money_status(*, failed: bool, disputed: int, lost: int, paid: int, refunded: int) -> SaleStatus:
    """The status that follows from what was paid, went back, is disputed and was lost."""
    if failed:
        return SaleStatus.FAILED
    if disputed:
        return SaleStatus.DISPUTED
    if lost:
        return SaleStatus.CHARGED_BACK
    if not refunded:
        return SaleStatus.PAID
    return SaleStatus.REFUNDED if refunded >= paid else SaleStatus.PARTLY_REFUNDED


def _sold(
    name: str,
    column_type: ColumnType,
    field: str = "",
    *,
    nullable: bool = False,
    by: str | None = None,
    text: str | None = None,
) -> Column:
    """A field of the sale itself; an empty text is none."""
    value = attrgetter(f"sale.{field or name}")
    of = (lambda record: value(record) or None) if nullable else value
    return kept(name, column_type, of, nullable=nullable, by=by, text=text)


_AS_FUNDED = "as the sale is funded: tokens or minor units"


class Sales(Register):
    """Sales of any product.

    CARD: gross - discount = tax + creator_share + platform_share. TOKEN: released and what promo
    tokens are worth = creator_share + platform_share (the margin). `status` is what became of the
    money last.
    """

    name, item = "sales", "sale"
    version = 1
    weight = 8
    state = SaleRecord
    statuses = tuple(SaleStatus)
    branches = lives(SaleEvent, PaymentSuspended)
    amount = "gross"
    columns = (
        _sold("user", TEXT, "buyer", by="user"),
        _sold("creator", TEXT, nullable=True, by="creator", text="none: the platform sells"),
        _sold("product", TEXT, by="product"),
        _sold("item", TEXT, "item_id", nullable=True, by="item"),
        _sold("item_class", TEXT, nullable=True),
        _sold("funding", TEXT),
        _sold("gross", INTEGER, text=_AS_FUNDED),
        _sold("discount", INTEGER, text=_AS_FUNDED),
        _sold("platform_discount", INTEGER),
        _sold("tokens_paid", INTEGER),
        _sold("tokens_promo", INTEGER),
        _sold("released", INTEGER),
        _sold("tax", INTEGER),
        _sold("creator_share", INTEGER),
        _sold("platform_share", INTEGER),
        kept("refunded", INTEGER, text=_AS_FUNDED),
        kept("lost", INTEGER, lambda record: record.disputed(DisputeStatus.LOST)),
        _sold("processor", TEXT, nullable=True, by="processor"),
        _sold("processor_ref", TEXT, nullable=True, by="processor_ref"),
        _sold("country", TEXT, nullable=True),
        _sold("offer", TEXT, "offer_id", nullable=True, by="offer"),
        _sold("mature_at", TIME, nullable=True),
        _sold("expires_at", TIME, nullable=True),
    )
    details = (
        Detail("attribution", dict[str, str] | None, attrgetter("sale.attribution")),
        Detail(
            "payees",
            list[SalePayee],
            lambda record: [SalePayee(payee.creator, payee.share) for payee in record.sale.payees],
        ),
        Detail(
            "disputes",
            list[DisputeOfSale],
            lambda record: [
                DisputeOfSale(one.dispute, one.amount, one.status) for one in record.disputes
            ],
        ),
    )

    @classmethod
    def status_of(cls, state: Any) -> str | None:
        """The status; None for what is named like a sale and is none."""
        record: SaleRecord = state
        if record.sale is None:
            return None
        return money_status(
            failed=record.failed,
            disputed=record.disputed(DisputeStatus.OPEN),
            lost=record.disputed(DisputeStatus.LOST),
            paid=record.paid,
            refunded=record.refunded,
        )
