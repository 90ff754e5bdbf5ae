"""A recorded refund that failed: what it took comes back to everybody."""

from datetime import datetime

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem
from domain.event import stored_as
from domain.refunds.refund import (
    RefundEvent,
    RefundRecord,
    RefundStatus,
    notice_key,
    refund_notice_key,
)
from domain.reversals.clawback import Reversal
from domain.sales.entitlement import Entitlement, EntitlementEvent, entitlement_key
from domain.sales.sale import RecordedRefund, SaleEvent, SaleRecord
from domain.wallets.wallet import WalletEvent


@stored_as("refund.reversed.v1")
class RefundReversed(
    Reversal,
    SaleEvent,
    WalletEvent,
    EntitlementEvent,
    RefundEvent,
    AgendaEvent,
    frozen=True,
    kw_only=True,
):
    """A recorded refund has failed: `amount` of it came back from the buyer's bank.

    The sale stands as without it, `cumulative` refunded in all; all parts are negative:
    amount - bounced = promo_part - (tax + shares + platform_share + excess).
    """

    sale_id: str
    buyer: str
    amount: int
    cumulative: int
    reason: str
    processor: str
    processor_ref: str
    failed_at: datetime
    #: The refunds that have failed, and the reference of their notice where that was named.
    refunds: tuple[str, ...] = ()
    refund_ref: str | None = None
    #: What the sale had borne of them, by the notices that had told of it.
    notices: tuple[RecordedRefund, ...] = ()
    tax: int = 0
    platform_share: int = 0
    excess: int = 0
    promo_part: int = 0
    #: What of `amount` a failed payment takes back instead.
    bounced: int = 0
    country: str | None = None
    #: The items to which the sale entitles again, and until when.
    items: tuple[str, ...] = ()
    valid_until: datetime | None = None
    #: Whether the agenda has to learn of earnings that mature.
    on_agenda: bool = False

    def labelled_by(self) -> str:
        return f"sale:{self.sale_id}"

    def tags(self) -> tuple[str, ...]:
        """Wallet, sale, refunds, creators, and the entitlements that are given back."""
        ref = () if self.refund_ref is None else (notice_key(self.processor, self.refund_ref),)
        told = dict.fromkeys(one.ref for one in self.notices)
        return (
            f"wallet:{self.buyer}",
            f"sale:{self.sale_id}",
            *(f"refund:{refund}" for refund in (*self.refunds, *ref)),
            *self.creator_tags(),
            *(entitlement_key(self.buyer, item) for item in self.items),
            *((AGENDA,) if self.on_agenda else ()),
            *(refund_notice_key(self.processor, ref) for ref in told),
        )

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """Earnings that are pending again mature."""
        return self.maturing_again() if self.on_agenda else ()

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """The processor to the parties and tax."""
        money = assets.currency
        return (
            (accounts.processor(self.processor), money, self.amount - self.bounced),
            *self.creator_legs(assets),
            (self.platform_account, money, self.platform_share),
            (accounts.vat(self.country or ""), money, self.tax),
            (accounts.BAD_DEBT_EXPENSE, money, self.excess),
            (accounts.PROMO_EXPENSE, money, -self.promo_part),
        )

    def in_sale(self, record: SaleRecord) -> SaleRecord:
        """The sale as it would stand without what has failed."""
        return msgspec.structs.replace(
            record,
            refunded=self.cumulative,
            recorded=tuple(one for one in record.recorded if not self.is_of(one)),
            failed_at=latest(record.failed_at, self.failed_at),
        )

    def is_of(self, refund: RecordedRefund) -> bool:
        """Whether it is what stood of this refund."""
        return failed_part(refund, self.refunds, self.refund_ref)

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """What the refund had ended is given back."""
        return entitlement.granted(self.sale_id, self.valid_until)

    def told_by(self, processor_ref: str) -> int:
        return -sum(one.amount for one in self.notices if one.ref == processor_ref)

    def in_refund(self, refund: RefundRecord, refund_id: str) -> RefundRecord:
        return refund.of_sale(RefundStatus.FAILED, self.sale_id)


def failed_part(one: RecordedRefund, refunds: tuple[str, ...], refund_ref: str | None) -> bool:
    """Whether `one` is of the refunds that failed: those of a notice, or those of these ids."""
    return one.refund in refunds if refund_ref is None else one.ref == refund_ref


def latest(known: datetime | None, at: datetime) -> datetime:
    """The later of two failures."""
    return at if known is None else max(known, at)
