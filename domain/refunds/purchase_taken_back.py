"""A processor takes the price of a purchase back without a dispute: by refunds, or for good.

Unspent tokens are cancelled, and the spent part goes to its bearer as after a lost dispute. The
failure of a payment stays known: what it took is always what neither refunds nor lost disputes
have taken, whatever is heard of those later.
"""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem
from domain.event import stored_as
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.refund import RefundEvent, RefundRecord, RefundStatus, notice_key
from domain.reversals.purchase_loss import LossAllocation
from domain.reversals.purchase_loss_events import PurchaseLossEvent, common_fields, lot_fields
from domain.reversals.token_sales import ends


class TakenBack(PurchaseLossEvent, frozen=True, kw_only=True):
    """`amount` of the price went back to the buyer; `reason`: why, as a code."""

    amount: int
    processor: str
    processor_ref: str
    reason: str

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """Everybody's part `-> psp`, and tokens `w.free -> supply`."""
        psp = (accounts.processor(self.processor), assets.currency, self.bounced - self.amount)
        return (*super().postings(assets), psp)


@stored_as("purchase.taken_back.v1")
class PurchaseTakenBack(TakenBack, RefundEvent, AgendaEvent, frozen=True, kw_only=True):
    """The processor refunded `amount` of a purchase; negative, the refund that its notice
    `processor_ref` told of has failed at `failed_at`.

    Of the amount a failed payment had taken `bounced` already.
    """

    failed_at: datetime | None = None
    #: Whether the agenda has to learn of earnings that mature and of lots that end.
    on_agenda: bool = False

    def tags(self) -> tuple[str, ...]:
        """Those of any loss, the refund by its notice, and the agenda if time acts on it."""
        refund = f"refund:{notice_key(self.processor, self.processor_ref)}"
        return (*super().tags(), refund, *((AGENDA,) if self.on_agenda else ()))

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """Earnings go back to where they mature, lots to where they end."""
        return self.timed() if self.on_agenda else ()

    def timed(self) -> tuple[AgendaItem, ...]:
        """All that time acts on of what goes back."""
        lots = (*ends(self.user, self.freed), *ends(self.user, self.restored))
        return (*self.maturing_again(), *lots)

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        """So much more is taken, or less."""
        return with_taken(
            super().in_purchase(record), self._key(), self.amount, failed_at=self.failed_at
        )

    def in_refund(self, refund: RefundRecord, refund_id: str) -> RefundRecord:
        status = RefundStatus.RECORDED if self.failed_at is None else RefundStatus.FAILED
        return RefundRecord(status=status, purchase_id=self.purchase_id)

    def _key(self) -> str:
        return notice_key(self.processor, self.processor_ref)


@stored_as("purchase_payment.failed.v1")
class PurchasePaymentFailed(TakenBack, frozen=True, kw_only=True):
    """The payment of a purchase has failed at `failed_at`: the processor took what was left."""

    failed_at: datetime

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        """It has failed for good."""
        return with_failure(super().in_purchase(record), self.failed_at)


def with_taken(
    record: PurchaseRecord, key: str, amount: int, *, failed_at: datetime | None = None
) -> PurchaseRecord:
    """The record once the refund `key` has taken `amount` more."""
    recorded = dict(record.recorded)
    recorded[key] = recorded.get(key, 0) + amount
    if failed_at is not None and record.failed_at is not None:
        failed_at = max(failed_at, record.failed_at)
    return msgspec.structs.replace(
        record,
        taken=record.taken + amount,
        recorded=tuple((one, taken) for one, taken in recorded.items() if taken),
        failed_at=failed_at or record.failed_at,
    )


def with_failure(record: PurchaseRecord, at: datetime) -> PurchaseRecord:
    """The record once its payment has failed."""
    latest = at if record.failed_at is None else max(at, record.failed_at)
    return msgspec.structs.replace(record, failed=True, failed_at=latest)


T = TypeVar("T", bound=TakenBack)


def in_parts(
    event: type[T], record: PurchaseRecord, found: LossAllocation, **fields: Any
) -> tuple[T, ...]:
    """The events of it, in parts that balance each."""
    parts = list(found.parts())
    first = found.amount + found.excess - sum(own for own, _ in parts)
    if event is PurchaseTakenBack:
        first += found.bounced
    events = []
    for own, part in parts:
        if event is not PurchaseTakenBack:
            part.pop("bounced", None)
        amount = first if part["part"] == 1 else own
        each = {**common_fields(record), **fields, **lot_fields(found, part), "amount": amount}
        events.append(event(**each))
    return tuple(events)
