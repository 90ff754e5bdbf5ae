"""Purchases of tokens: what was bought for how much, and what went back of it.

`status` is what became of the money last, as of sales.
"""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from domain.payments.payment import DisputeStatus
from domain.purchases.purchase import PurchaseEvent, PurchaseRecord, TokensPurchased
from projections.engine.columns import INTEGER, TEXT, first, kept, said
from projections.engine.register import Detail, Register, lives
from projections.models.sales import SaleStatus, money_status


@dataclass(frozen=True)
class DisputeOfPurchase:
    """A dispute of a purchase, in minor units."""

    dispute: str
    amount: int
    status: str


class Purchases(Register):
    """Purchases of tokens, in minor units. `status` is what became of the money last."""

    name, item = "purchases", "purchase"
    version = 1
    state = PurchaseRecord
    statuses = tuple(SaleStatus)
    branches = lives(PurchaseEvent)
    amount = "price"
    columns = (
        kept("user", TEXT, by="user"),
        said("package", TEXT, first(TokensPurchased, field="package_id"), nullable=False),
        said("tokens", INTEGER, first(TokensPurchased, field="tokens"), nullable=False),
        said("bonus", INTEGER, first(TokensPurchased, field="bonus"), nullable=False),
        kept("price", INTEGER),
        kept("tax", INTEGER),
        kept(
            "refunded",
            INTEGER,
            lambda record: record.sent_back + record.taken,
            text="by command and by the processor",
        ),
        kept("lost", INTEGER, lambda record: record.disputed(DisputeStatus.LOST)),
        kept(
            "debt",
            INTEGER,
            text="what its losses leave the buyer owing, paid or written off or not",
        ),
        kept("processor", TEXT, by="processor"),
        kept("processor_ref", TEXT, attrgetter("payment_ref"), by="processor_ref"),
        kept("country", TEXT, nullable=True),
    )
    details = (
        Detail(
            "disputes",
            list[DisputeOfPurchase],
            lambda record: [
                DisputeOfPurchase(one.dispute, one.amount, one.status) for one in record.disputes
            ],
        ),
    )

    @classmethod
    def status_of(cls, state: Any) -> str | None:
        """The status; None for what is named like a purchase and is none."""
        record: PurchaseRecord = state
        if record.purchase_id is None:
            return None
        return money_status(
            failed=record.failed,
            disputed=record.disputed(DisputeStatus.OPEN),
            lost=record.disputed(DisputeStatus.LOST),
            paid=record.price,
            refunded=record.sent_back + record.taken,
        )
