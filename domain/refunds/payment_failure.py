"""Payments that failed after they had succeeded, such as a bank debit that bounced.

The processor takes back all that has not gone back yet. The failure stays known: what it took is
always the price less refunds and lost disputes, whatever is heard of those later.
"""

from datetime import datetime

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.command import Given
from domain.event import Event, stored_as
from domain.refunds.notice import PaymentNotice
from domain.refunds.refund import RefundFailed
from domain.refunds.refund_reversed import latest
from domain.reversals.card_sales import (
    change,
    clawbacks,
    is_fully_reversed,
    reversed_so_far,
    undone_of,
)
from domain.reversals.clawback import Reversal
from domain.sales.entitlement import Entitlement, EntitlementEvent, entitlement_key
from domain.sales.invoices import for_refund
from domain.sales.sale import SaleEvent, SaleRecord
from domain.wallets.wallet import WalletEvent


@stored_as("sale_payment.failed.v1")
class SalePaymentFailed(
    Reversal, SaleEvent, WalletEvent, EntitlementEvent, frozen=True, kw_only=True
):
    """The payment of a sale has failed: the processor took `amount`, all that was left of it.

    amount + promo_part (what the platform had paid of the price) = tax + shares
    + platform_share (commission) + excess.
    """

    sale_id: str
    buyer: str
    amount: int
    reason: str
    processor: str
    processor_ref: str
    failed_at: datetime
    tax: int = 0
    platform_share: int = 0
    excess: int = 0
    promo_part: int = 0
    country: str | None = None
    #: The items whose entitlement ends.
    revoked: tuple[str, ...] = ()

    def labelled_by(self) -> str:
        return f"sale:{self.sale_id}"

    def tags(self) -> tuple[str, ...]:
        """Wallet, sale, creators, and the entitlements that end."""
        return (
            f"wallet:{self.buyer}",
            f"sale:{self.sale_id}",
            *self.creator_tags(),
            *(entitlement_key(self.buyer, item) for item in self.revoked),
        )

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """Parties and tax to the processor."""
        money = assets.currency
        return (
            *self.creator_legs(assets),
            (self.platform_account, money, self.platform_share),
            (accounts.vat(self.country or ""), money, self.tax),
            (accounts.BAD_DEBT_EXPENSE, money, self.excess),
            (accounts.PROMO_EXPENSE, money, -self.promo_part),
            (accounts.processor(self.processor), money, -self.amount),
        )

    def in_sale(self, record: SaleRecord) -> SaleRecord:
        """It has failed for good."""
        return _failed(record, self.failed_at)

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """Only what other sales grant is left."""
        return entitlement.without(self.sale_id)


def failed_on(
    given: Given, notice: PaymentNotice, reason: str, record: SaleRecord, *, notes: int
) -> tuple[Event, ...]:
    """The failure, the end of refunds in flight, and the credit note; nothing the second time."""
    sale = record.sale
    if sale is None or record.failed:
        return ()
    after = _failed(record, notice.at(given))
    moved = change(reversed_so_far(record), reversed_so_far(after))
    ended = is_fully_reversed(after) and not is_fully_reversed(record)
    failed = SalePaymentFailed(
        sale_id=sale.sale_id,
        buyer=sale.buyer,
        amount=after.bounced,
        reason=reason,
        processor=notice.processor,
        processor_ref=notice.processor_ref,
        failed_at=notice.at(given),
        shares=clawbacks(given, sale, moved.clawed, moved.reserved),
        tax=moved.tax,
        platform_share=moved.platform,
        income=record.income,
        excess=moved.excess,
        promo_part=moved.promo,
        country=sale.country,
        revoked=record.items if ended else (),
    )
    freed = (
        RefundFailed(
            refund_id=flight.refund, sale_id=sale.sale_id, amount=flight.amount, reason=reason
        )
        for flight in record.in_flight
    )
    undone = undone_of(after) - undone_of(record)
    note = for_refund(given, sale, amount=undone, tax=moved.tax, refund_id=None, nth=notes)
    return failed, *freed, *note


def _failed(record: SaleRecord, at: datetime) -> SaleRecord:
    return msgspec.structs.replace(record, failed=True, failed_at=latest(record.failed_at, at))
