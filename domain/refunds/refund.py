"""Refunds: a sale is undone in part or whole, and every party gives back its part.

A refund of tokens returns tokens, at once. A refund by card is requested, and recorded when the
processor confirms it; what is in flight counts as refunded until the processor says it failed.
"""

from enum import StrEnum

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.fields import Funding
from domain.reversals.clawback import Reversal
from domain.reversals.token_sales import LotReturned, ends
from domain.sales.entitlement import Entitlement, EntitlementEvent, entitlement_key
from domain.sales.sale import InFlight, SaleEvent, SaleRecord
from domain.transitions import Transitions
from domain.wallets.lot_changes import Cause, LotChange, changes_of
from domain.wallets.wallet import WalletEvent


class RefundStatus(StrEnum):
    """Whether a processor has confirmed a refund by card."""

    REQUESTED = "requested"
    RECORDED = "recorded"
    FAILED = "failed"


#: By card: one that is confirmed in part stays requested. Tokens come back at once.
TRANSITIONS: Transitions[RefundStatus] = {
    (None, "refund"): RefundStatus.REQUESTED,
    (None, "record-refund"): RefundStatus.RECORDED,
    (RefundStatus.REQUESTED, "record-refund"): RefundStatus.RECORDED,
    (RefundStatus.REQUESTED, "fail-refund"): RefundStatus.FAILED,
}


class RefundEvent(Event, frozen=True):
    """An event in the life of a refund."""

    def in_refund(self, refund: "RefundRecord", refund_id: str) -> "RefundRecord":
        """The refund called `refund_id` after this event."""
        raise NotImplementedError(type(self).__name__)


@entity
class RefundRecord(State, frozen=True, kw_only=True):
    """A refund: requested, recorded or failed; None while unknown."""

    KIND = "refund"
    CACHED = False

    status: RefundStatus | None = None
    sale_id: str = ""

    def apply(self, key: str, event: Event) -> "RefundRecord":
        """The refund after `event`."""
        assert isinstance(event, RefundEvent)
        return event.in_refund(self, key[7:])


@entity
class RefundNotice(State, frozen=True, kw_only=True):
    """What a processor's notices of refunds under one reference have recorded, in minor units."""

    KIND = "refund_notice"
    CACHED = False

    amount: int = 0

    def apply(self, key: str, event: Event) -> "RefundNotice":
        """So much more."""
        assert isinstance(event, RefundRecorded)
        return RefundNotice(amount=self.amount + event.amount)


def refund_notice_key(processor: str, processor_ref: str) -> str:
    """The tag of what notices of refunds under a reference have recorded."""
    return f"refund_notice:{processor}:{processor_ref}"


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
        return RefundRecord(status=RefundStatus.REQUESTED, sale_id=self.sale_id)


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

    CARD: amount = tax + shares + platform_share (commission) + excess (beyond the sale).
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
    #: Whether the agenda has to learn when returned lots end.
    on_agenda: bool = False
    #: Whether it is found by its notice's reference; those recorded before this field are not.
    by_reference: bool = False

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
        )

    def _notice(self) -> str:
        return refund_notice_key(self.processor or "", self.processor_ref or "")

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
            (accounts.COMMISSION_REVENUE, money, self.platform_share),
            (accounts.vat(self.country or ""), money, self.tax),
            (accounts.BAD_DEBT_EXPENSE, money, self.excess),
            (accounts.processor(self.processor or ""), money, -self.amount),
        )

    def in_sale(self, record: SaleRecord) -> SaleRecord:
        """So much more is refunded; what was confirmed is not in flight any more."""
        left = {done.refund_id: done.left for done in self.confirms}
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
        return msgspec.structs.replace(
            record,
            returned=tuple(
                before + back.get(use.lot, 0)
                for use, before in zip(uses, record.returned, strict=True)
            ),
            clawed=tuple(
                before + taken.get(payee.creator, 0)
                for payee, before in zip(payees, record.clawed, strict=True)
            ),
        )

    def lot_changes(self) -> tuple[LotChange, ...]:
        """Returned lots stand at their places; what has lapsed is not revived."""
        revived = tuple(lot.as_lot() for lot in self.lots if not lot.lapsed)
        return changes_of(self.buyer, revived, Cause.RETURNED)

    def in_entitlement(self, entitlement: Entitlement) -> Entitlement:
        """Only what other sales grant is left."""
        return entitlement.without(self.sale_id)

    def in_refund(self, refund: RefundRecord, refund_id: str) -> RefundRecord:
        """It is done, unless only a part of it was."""
        left = {done.refund_id: done.left for done in self.confirms}.get(refund_id, 0)
        return RefundRecord(
            status=RefundStatus.REQUESTED if left else RefundStatus.RECORDED, sale_id=self.sale_id
        )
