"""Refunds: a sale is undone in part or whole, and every party gives back its part.

A refund of tokens returns tokens, at once. A refund by card is requested, and recorded when the
processor confirms it; what is in flight counts as refunded until the processor says it failed.
"""

from enum import StrEnum
from typing import ClassVar

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.fields import Funding
from domain.payments.payment import PaymentSuspended
from domain.payments.suspense_drawn import SuspenseDrawn
from domain.rejections import CURRENCY_MISMATCH, STALE_FIGURE
from domain.reversals.clawback import Reversal
from domain.reversals.token_sales import LotReturned, ends
from domain.sales.entitlement import Entitlement, EntitlementEvent, entitlement_key
from domain.sales.sale import Charge, InFlight, RecordedRefund, SaleEvent, SaleRecord, recharged
from domain.transitions import Transitions
from domain.wallets.lot_changes import Cause, LotChange, changes_of
from domain.wallets.wallet import WalletEvent


class RefundStatus(StrEnum):
    """Whether a processor has confirmed a refund by card."""

    REQUESTED = "requested"
    RECORDED = "recorded"
    FAILED = "failed"
    IGNORED = "ignored"


class Figure(StrEnum):
    """What a notice's figure may say besides a refund."""

    STALE = STALE_FIGURE


#: By card: one that is confirmed in part stays requested. Tokens come back at once. A notice whose
#: figure says nothing new is ignored, and so is its failure.
TRANSITIONS: Transitions[RefundStatus] = {
    (None, "refund"): RefundStatus.REQUESTED,
    (None, "record-refund"): RefundStatus.RECORDED,
    (None, Figure.STALE): RefundStatus.IGNORED,
    (RefundStatus.REQUESTED, "record-refund"): RefundStatus.RECORDED,
    (RefundStatus.REQUESTED, "fail-refund"): RefundStatus.FAILED,
    (RefundStatus.RECORDED, "fail-refund"): RefundStatus.FAILED,
}


class RefundEvent(Event, frozen=True):
    """An event in the life of a refund."""

    def in_refund(self, refund: "RefundRecord", refund_id: str) -> "RefundRecord":
        """The refund called `refund_id` after this event."""
        raise NotImplementedError(type(self).__name__)

    def told_by(self, processor_ref: str) -> int:
        """Minor units that it adds to what notices under a reference have recorded."""
        raise NotImplementedError(type(self).__name__)


@entity
class RefundRecord(State, frozen=True, kw_only=True):
    """A refund: requested, recorded or failed; None while unknown.

    It is known by its id and, `processor:reference`, by the notice that told of it. Such a notice
    may have told of refunds of several sales that one payment paid, or of one in suspense.
    """

    KIND = "refund"
    FOLD_VERSION = 3
    CACHED = False
    LISTS: ClassVar = {"further": 500}

    status: RefundStatus | None = None
    sale_id: str = ""
    #: More sales of the payment that the notice spoke of.
    further: tuple[str, ...] = ()
    #: The payment in suspense that it was a refund of.
    payment_ref: str | None = None
    #: The purchase of tokens that it was a refund of.
    purchase_id: str | None = None
    #: Whether it is in another currency than what it was of: then it waits in suspense, and
    #: `foreign_of` is the sale or purchase that was named, if one was.
    foreign: bool = False
    foreign_of: str | None = None

    @property
    def sale_ids(self) -> tuple[str, ...]:
        """The sales that it is a refund of."""
        return (self.sale_id, *self.further) if self.sale_id else ()

    def of_sale(self, status: RefundStatus, sale_id: str) -> "RefundRecord":
        """The refund once `status` holds for what it refunded of a sale."""
        others = self.further
        if self.sale_id and sale_id not in self.sale_ids:
            others = (*others, sale_id)
        return RefundRecord(status=status, sale_id=self.sale_id or sale_id, further=others)

    def apply(self, key: str, event: Event) -> "RefundRecord":
        """The refund after `event`; what goes beyond a sale, or is of a payment in suspense, is
        known by its reference alone.
        """
        if isinstance(event, SuspenseDrawn):
            return RefundRecord(
                status=RefundStatus.RECORDED if event.refunded > 0 else RefundStatus.FAILED,
                payment_ref=event.ref,
            )
        if isinstance(event, PaymentSuspended) and (
            self.foreign or event.code == CURRENCY_MISMATCH.code
        ):
            failed = event.amount > 0
            return RefundRecord(
                status=RefundStatus.FAILED if failed else RefundStatus.RECORDED,
                foreign=True,
                foreign_of=event.refund_of,
            )
        if isinstance(event, PaymentSuspended) and self.purchase_id is not None:
            return self  # what a purchase did not bear is for a person
        if isinstance(event, PaymentSuspended):
            assert event.refund_of is not None
            failed = event.amount > 0
            status = RefundStatus.FAILED if failed else RefundStatus.RECORDED
            return self.of_sale(status, event.refund_of)
        assert isinstance(event, RefundEvent)
        return event.in_refund(self, key[7:])


@entity
class RefundNotice(State, frozen=True, kw_only=True):
    """What a processor's notices of refunds under one reference have recorded, in minor units."""

    KIND = "refund_notice"
    CACHED = False

    amount: int = 0

    def apply(self, key: str, event: Event) -> "RefundNotice":
        """So much more, or less by what has failed of it."""
        assert isinstance(event, RefundEvent)
        processor_ref = key.split(":", 2)[2]
        return RefundNotice(amount=self.amount + event.told_by(processor_ref))


def refund_notice_key(processor: str, processor_ref: str) -> str:
    """The tag of what notices of refunds under a reference have recorded."""
    return f"refund_notice:{processor}:{processor_ref}"


def notice_key(processor: str, processor_ref: str) -> str:
    """By which a refund is known that a notice told of, without its kind."""
    return f"{processor}:{processor_ref}"


@stored_as("refund.ignored.v1")
class RefundIgnored(RefundEvent, frozen=True, kw_only=True):
    """A notice of a refund whose figure said nothing new: it moved nothing, and fails for nothing.

    `code` is STALE_FIGURE.
    """

    processor: str
    processor_ref: str
    code: str

    def tags(self) -> tuple[str, ...]:
        """The refund by its notice."""
        return (f"refund:{notice_key(self.processor, self.processor_ref)}",)

    def in_refund(self, refund: RefundRecord, refund_id: str) -> RefundRecord:
        """Heard of, and of nothing."""
        return refund if refund.status else RefundRecord(status=RefundStatus.IGNORED)


@stored_as("refund.requested.v1")
class RefundRequested(SaleEvent, RefundEvent, frozen=True, kw_only=True):
    """`amount` minor units shall go back to a card."""

    refund_id: str
    sale_id: str
    amount: int
    reason: str

    def labelled_by(self) -> str:
        return f"sale:{self.sale_id}"

    def tags(self) -> tuple[str, ...]:
        return f"sale:{self.sale_id}", f"refund:{self.refund_id}"

    def in_sale(self, record: SaleRecord) -> SaleRecord:
        """One more refund is in flight."""
        flight = InFlight(self.refund_id, self.amount)
        return msgspec.structs.replace(record, in_flight=(*record.in_flight, flight))

    def in_refund(self, refund: RefundRecord, refund_id: str) -> RefundRecord:
        return refund.of_sale(RefundStatus.REQUESTED, self.sale_id)


@stored_as("refund.failed.v1")
class RefundFailed(SaleEvent, RefundEvent, frozen=True, kw_only=True):
    """The processor did not carry out a refund."""

    refund_id: str
    sale_id: str
    amount: int
    reason: str

    def labelled_by(self) -> str:
        return f"sale:{self.sale_id}"

    def tags(self) -> tuple[str, ...]:
        return f"sale:{self.sale_id}", f"refund:{self.refund_id}"

    def in_sale(self, record: SaleRecord) -> SaleRecord:
        """It is in flight no more."""
        flights = tuple(one for one in record.in_flight if one.refund != self.refund_id)
        return msgspec.structs.replace(record, in_flight=flights)

    def in_refund(self, refund: RefundRecord, refund_id: str) -> RefundRecord:
        return msgspec.structs.replace(refund, status=RefundStatus.FAILED)


class Confirmed(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A requested refund that a recorded one confirms, and what of it is still in flight."""

    refund_id: str
    left: int = 0


@stored_as("refund.recorded.v1")
class RefundRecorded(
    Reversal,
    SaleEvent,
    WalletEvent,
    EntitlementEvent,
    RefundEvent,
    AgendaEvent,
    frozen=True,
    kw_only=True,
):
    """`amount` went back to the buyer, `cumulative` in all: minor units (CARD) or tokens (TOKEN).

    CARD: amount - bounced + promo_part (what the platform had paid) = tax + shares
    + platform_share (commission) + excess (beyond the sale).
    TOKEN: released + promo_part = shares + platform_share (the margin).
    """

    refund_id: str
    sale_id: str
    buyer: str
    funding: str
    amount: int
    cumulative: int
    reason: str
    tax: int = 0
    platform_share: int = 0
    excess: int = 0
    released: int = 0
    promo_part: int = 0
    processor: str | None = None
    processor_ref: str | None = None
    country: str | None = None
    lots: tuple[LotReturned, ...] = ()
    confirms: tuple[Confirmed, ...] = ()
    #: The items whose entitlement ends with a full refund.
    revoked: tuple[str, ...] = ()
    #: CARD: what of `amount` a failed payment had taken back already.
    bounced: int = 0
    #: Whether the agenda has to learn when returned lots end.
    on_agenda: bool = False
    #: Whether it is found by its notice's reference; those recorded before this field are not.
    by_reference: bool = False
    #: Whether the refund itself is found by it, too, should it fail.
    may_fail: bool = False
    #: TOKEN: what losses of purchases had taken of it, and now is the refund's to take.
    uncharged: tuple[Charge, ...] = ()

    def labelled_by(self) -> str:
        return f"sale:{self.sale_id}"

    def tags(self) -> tuple[str, ...]:
        """Wallet, sale, refunds, creators, the entitlements that end, and its notice."""
        refunds = {self.refund_id: 0} | {done.refund_id: 0 for done in self.confirms}
        return (
            f"wallet:{self.buyer}",
            f"sale:{self.sale_id}",
            *(f"refund:{refund}" for refund in refunds),
            *self.creator_tags(),
            *(entitlement_key(self.buyer, item) for item in self.revoked),
            *((AGENDA,) if self.on_agenda else ()),
            *((self._notice(),) if self.by_reference else ()),
            *((self._own(),) if self.may_fail else ()),
        )

    def _notice(self) -> str:
        return refund_notice_key(self.processor or "", self.processor_ref or "")

    def _own(self) -> str:
        return f"refund:{notice_key(self.processor or '', self.processor_ref or '')}"

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """Returned lots end when their first lots do."""
        if not self.on_agenda:
            return ()
        return ends(self.buyer, [lot for lot in self.lots if not lot.lapsed])

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """CARD: parties and tax to the processor. TOKEN: supply to wallet, parties to deferred."""
        money = assets.currency
        if self.funding == Funding.TOKEN:
            return (
                *self.token_postings(assets),
                *self.creator_legs(assets),
                (accounts.MARGIN_REVENUE, money, self.platform_share),
                (accounts.DEFERRED, money, -self.released),
                (accounts.PROMO_EXPENSE, money, -self.promo_part),
            )
        return (
            *self.creator_legs(assets),
            (self.platform_account, money, self.platform_share),
            (accounts.vat(self.country or ""), money, self.tax),
            (accounts.BAD_DEBT_EXPENSE, money, self.excess),
            (accounts.PROMO_EXPENSE, money, -self.promo_part),
            (accounts.processor(self.processor or ""), money, self.bounced - self.amount),
        )

    def in_sale(self, record: SaleRecord) -> SaleRecord:
        """So much more is refunded; what was confirmed is not in flight any more."""
        left = {done.refund_id: done.left for done in self.confirms}
        if self.funding != Funding.TOKEN:
            record = msgspec.structs.replace(record, recorded=self._in_recorded(record))
        flights = (
            InFlight(one.refund, left.get(one.refund, one.amount)) for one in record.in_flight
        )
        record = msgspec.structs.replace(
            record,
            refunded=self.cumulative,
            in_flight=tuple(one for one in flights if one.amount),
        )
        if self.funding != Funding.TOKEN or record.sale is None:
            return record
        back = {lot.origin: lot.tokens for lot in self.lots}
        taken = {claw.creator: claw.share for claw in self.shares}
        uses, payees = record.sale.lots, record.sale.payees
        charges, own = record.charges, (0,) * len(payees)
        for charge in self.uncharged:
            charges = recharged(charges, charge.purchase, tuple(-each for each in charge.shares))
            own = tuple(a + b for a, b in zip(own, charge.shares, strict=True))
        return msgspec.structs.replace(
            record,
            returned=tuple(
                before + back.get(use.lot, 0)
                for use, before in zip(uses, record.returned, strict=True)
            ),
            clawed=tuple(
                before + taken.get(payee.creator, 0) + charged
                for payee, before, charged in zip(payees, record.clawed, own, strict=True)
            ),
            charges=charges,
        )

    def _in_recorded(self, record: SaleRecord) -> tuple[RecordedRefund, ...]:
        """What is known of the sale's refunds, with the part of each that this one confirms."""
        ref, unconfirmed, told = self.processor_ref or "", self.amount, []
        asked = {one.refund: one.amount for one in record.in_flight}
        for done in self.confirms:
            part = asked.get(done.refund_id, 0) - done.left
            unconfirmed -= part
            told.append(RecordedRefund(done.refund_id, ref, part))
        if unconfirmed:
            told.append(RecordedRefund("" if told else self.refund_id, ref, unconfirmed))
        return (*record.recorded, *told)

    def lot_changes(self) -> tuple[LotChange, ...]:
        """Returned lots stand at their places; what has lapsed is not revived."""
        revived = tuple(lot.as_lot() for lot in self.lots if not lot.lapsed)
        return changes_of(self.buyer, revived, Cause.RETURNED)

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """Only what other sales grant is left."""
        return entitlement.without(self.sale_id)

    def told_by(self, processor_ref: str) -> int:
        return self.amount

    def in_refund(self, refund: RefundRecord, refund_id: str) -> RefundRecord:
        """It is done, unless only a part of it was."""
        left = {done.refund_id: done.left for done in self.confirms}.get(refund_id, 0)
        status = RefundStatus.REQUESTED if left else RefundStatus.RECORDED
        return refund.of_sale(status, self.sale_id)
