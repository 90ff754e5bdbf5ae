"""A sale: a fan pays a creator, in tokens or by card. Tips, unlocks and tickets are sales.

This module says what a sale is and how it posts; `commands` how one comes about. Tokens: the
lots consumed release what was paid for them; the creator gets a share of the tokens' unit value,
whatever they were bought for; the difference is the platform's margin. Promotional tokens
release nothing, so their part of the share is the platform's expense. Card: tax comes out first,
then creator and platform split the rest.
"""

from datetime import datetime
from typing import ClassVar

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem, maturing
from domain.creators.creator import Bucket, Creator, CreatorEvent
from domain.entity import State, entity
from domain.event import Event
from domain.fields import Funding
from domain.offers.offer import OfferEvent, offer_keys
from domain.payments.payment import (
    DisputeStatus,
    PaymentEvent,
    PaymentRecord,
    PaymentStatus,
    PaymentSuspended,
    payment_key,
)
from domain.wallets.lot_changes import Cause, LotChange, changes_of
from domain.wallets.wallet import LotUse, Wallet, WalletEvent

TOKEN, CARD = Funding
#: Plain strings, and bound: an enum's value costs a call in Python, and every sale asks for one.
_AVAILABLE, _PENDING, _RESERVED = (
    each.value for each in (Bucket.AVAILABLE, Bucket.PENDING, Bucket.RESERVED)
)


class PayeeShare(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A creator's share in minor units; of a token sale, what paid and promo tokens bear of it."""

    creator: str
    share: int
    paid_part: int = 0
    promo_part: int = 0


class SaleEvent(Event, frozen=True):
    """An event in the life of a sale."""

    def in_sale(self, record: "SaleRecord") -> "SaleRecord":
        """The sale's record after this event."""
        raise NotImplementedError(type(self).__name__)


class InFlight(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A refund by card that was requested and that the processor has not confirmed."""

    refund: str
    amount: int


class RecordedRefund(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What stands of a refund by card that a notice of reference `ref` told of: `amount` the sale
    has borne, and `over` is what went to suspense because it was beyond the sale.
    """

    refund: str
    ref: str
    amount: int
    over: int = 0


class SaleDispute(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A dispute of a sale by card."""

    dispute: str
    amount: int
    bearer: str
    status: DisputeStatus


class Charge(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What lost disputes of a purchase took of a sale that its tokens paid, by payee."""

    purchase: str
    shares: tuple[int, ...]


def recharged(
    charges: tuple[Charge, ...], purchase: str, taken: tuple[int, ...]
) -> tuple[Charge, ...]:
    """`charges` once `taken` more, by payee, is taken for the loss of `purchase`."""
    before = {charge.purchase: charge.shares for charge in charges}
    known = before.pop(purchase, (0,) * len(taken))
    shares = tuple(a + b for a, b in zip(known, taken, strict=True))
    others = tuple(Charge(*other) for other in before.items())
    return (*others, Charge(purchase, shares)) if any(shares) else others


@entity
class SaleRecord(State, frozen=True, kw_only=True):
    """A sale and what became of it. Tuples of numbers follow the sale's payees, or its lots."""

    KIND = "sale"
    FOLD_VERSION = 4
    CACHED = False
    LISTS: ClassVar = {"in_flight": 500, "disputes": 500, "recorded": 500, "foreign": 50}

    #: What all sales have of it, as a snapshot keeps it. What a product adds stands beside it.
    sale: "Sale | None" = None
    #: Minor units (CARD) or tokens (TOKEN) refunded so far.
    refunded: int = 0
    in_flight: tuple[InFlight, ...] = ()
    disputes: tuple[SaleDispute, ...] = ()
    #: TOKEN: what refunds took back of each payee's share, and returned of each lot.
    clawed: tuple[int, ...] = ()
    returned: tuple[int, ...] = ()
    charges: tuple[Charge, ...] = ()
    #: Minor units that a processor refunded beyond what a card had paid: they went to suspense.
    over_refunded: int = 0
    #: What notices of refunds in other currencies told of it: that waits in suspense.
    foreign: dict[str, int] = msgspec.field(default_factory=dict)
    #: CARD: the refunds that these figures are made of, the oldest first.
    recorded: tuple[RecordedRefund, ...] = ()
    #: CARD: whether the payment failed after it had succeeded.
    failed: bool = False
    #: When it, or a refund, failed last: a cumulative figure from before speaks of other refunds.
    failed_at: datetime | None = None
    #: The account of the platform's part of a sale by card; None: commission.
    income: str | None = None
    #: The items that it entitles its buyer to by itself, and until when.
    items: tuple[str, ...] = ()
    entitled_until: datetime | None = None

    @property
    def bounced(self) -> int:
        """What a failed payment took back: all that refunds and lost disputes had not."""
        lost = self.disputed(DisputeStatus.LOST)
        return max(0, self.by_card - self.refunded - lost) if self.failed else 0

    @property
    def labels(self) -> dict[str, str] | None:
        """The labels of the sale."""
        return None if self.sale is None else self.sale.labels

    @property
    def by_card(self) -> int:
        """Minor units that a card paid: what refunds and disputes by card can take back."""
        return self.paid if self.sale is not None and self.sale.funding == CARD else 0

    @property
    def paid(self) -> int:
        """What the buyer paid: minor units (CARD) or tokens (TOKEN)."""
        if self.sale is None:
            return 0
        if self.sale.funding == TOKEN:
            return self.sale.tokens_paid + self.sale.tokens_promo
        return self.sale.charged

    def disputed(self, status: DisputeStatus, bearer: str | None = None) -> int:
        """The amount of its disputes with this status, of every bearer or of one."""
        return sum(
            dispute.amount
            for dispute in self.disputes
            if dispute.status == status and bearer in (None, dispute.bearer)
        )

    def apply(self, key: str, event: Event) -> "SaleRecord":
        """The record after `event`: every event in a sale's life says how.

        Money in suspense is in nobody's life; it is remembered, so as to count once.
        """
        if isinstance(event, PaymentSuspended):
            if event.currency is not None:
                told = self.foreign.get(event.currency, 0) - event.amount
                foreign = {**self.foreign, event.currency: told}
                return msgspec.structs.replace(self, foreign=foreign)
            return self._with_over(event.ref, -event.amount)
        assert isinstance(event, SaleEvent)
        return event.in_sale(self)

    def _with_over(self, ref: str, over: int) -> "SaleRecord":
        """The record once `over` more of the refund `ref` waits in suspense.

        Less, if another refund has failed: then the sale bears that part.
        """
        known = [one for one in self.recorded if one.ref == ref]
        recorded = self.recorded
        if over > 0:
            recorded = (*recorded, RecordedRefund("", ref, 0, over))
        elif known:
            last = known[-1]
            moved = msgspec.structs.replace(last, amount=last.amount - over, over=last.over + over)
            recorded = tuple(moved if one is last else one for one in recorded)
        return msgspec.structs.replace(
            self, over_refunded=self.over_refunded + over, recorded=recorded
        )


class Sale(
    WalletEvent,
    CreatorEvent,
    SaleEvent,
    PaymentEvent,
    OfferEvent,
    AgendaEvent,
    frozen=True,
    kw_only=True,
):
    """The body every sale shares. Amounts in minor units, tokens in tokens.

    CARD: gross - discount = tax + creator_share + platform_share = charged + platform_discount.
    TOKEN: released + promo parts = creator_share + platform_share (the margin).
    """

    sale_id: str
    buyer: str
    #: Empty where the platform itself sells.
    creator: str = ""
    product: str
    funding: str
    gross: int
    discount: int
    tokens_paid: int
    tokens_promo: int
    released: int
    tax: int
    creator_share: int
    platform_share: int
    item_id: str | None = None
    attribution: dict[str, str] | None = None
    mature_at: datetime | None = None
    escrowed_at: datetime | None = None
    expires_at: datetime | None = None
    processor: str | None = None
    processor_ref: str | None = None
    country: str | None = None
    lots: tuple[LotUse, ...] = ()
    payees: tuple[PayeeShare, ...] = ()
    #: The inclusive rate that `tax` was computed with.
    vat_bps: int = 0
    #: Until when a refund may be requested (exclusive).
    refund_until: datetime | None = None
    #: Whether the agenda has to learn that earnings mature at `mature_at`.
    on_agenda: bool = False
    #: The class of the item, where it was sold as one of a class.
    item_class: str | None = None
    #: CARD: what the platform pays of the price after discount.
    platform_discount: int = 0
    #: The offer that its discounts follow from.
    offer_id: str | None = None

    @property
    def charged(self) -> int:
        """Minor units that the buyer pays: the price after both discounts."""
        return self.gross - self.discount - self.platform_discount

    @property
    def bucket(self) -> str:
        """Where the creator's share goes: pending until mature, reserved under escrow."""
        if self.escrowed_at is not None:
            return _RESERVED
        return _AVAILABLE if self.mature_at is None else _PENDING

    @property
    def income(self) -> str | None:
        """The account of the platform's part of a sale by card; None: commission."""
        return None

    @property
    def items(self) -> tuple[str, ...]:
        """What it entitles its buyer to."""
        return ()

    @property
    def entitled_until(self) -> datetime | None:
        """Until when it does by itself; None: for good, or not at all."""
        return None

    def plain(self) -> "Sale":
        """What all sales have of it."""
        return Sale(**{field: getattr(self, field) for field in Sale.__struct_fields__})

    def party_keys(self) -> tuple[str, ...]:
        """The buyer's wallet and the creators."""
        return f"wallet:{self.buyer}", *(f"creator:{payee.creator}" for payee in self.payees)

    def tags(self) -> tuple[str, ...]:
        """Buyer's wallet, creators, the sale itself, and the payment of a card sale."""
        wallet, sale, payees = f"wallet:{self.buyer}", f"sale:{self.sale_id}", self.payees
        one = len(payees) == 1 and not self.on_agenda and self.offer_id is None
        if one and self.processor_ref is None:  # most sales for tokens
            return wallet, sale, f"creator:{payees[0].creator}"
        tags = [wallet, sale, *(f"creator:{payee.creator}" for payee in payees)]
        if self.processor_ref is not None:
            tags.append(payment_key(self.processor_ref))
        if self.on_agenda:
            tags.append(AGENDA)
        if self.offer_id is not None:
            tags += offer_keys(self.offer_id, self.buyer)
        return tuple(tags)

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """The earnings mature."""
        if self.mature_at is None or not self.on_agenda:
            return ()
        at = self.mature_at
        return tuple(maturing(payee.creator, at) for payee in self.payees)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """Tokens to supply and deferred revenue released; or the card payment to its parties."""
        money = assets.currency
        bucket = self.bucket
        credits: list[Posting] = []
        for payee in self.payees:  # nearly always one: a comprehension would be one more call
            account = accounts.creator(payee.creator, bucket)
            credits.append((account, money, -payee.share))
        if self.funding == CARD:
            return (
                (accounts.processor(self.processor or ""), money, self.charged),
                (accounts.PROMO_EXPENSE, money, self.platform_discount),
                (accounts.vat(self.country or ""), money, -self.tax),
                *credits,
                (self.income or accounts.COMMISSION_REVENUE, money, -self.platform_share),
            )
        free = accounts.wallet_free(self.buyer)
        promo_part = self.creator_share + self.platform_share - self.released
        return (
            (free, assets.paid, self.tokens_paid),
            (accounts.SUPPLY, assets.paid, -self.tokens_paid),
            (free, assets.promo, self.tokens_promo),
            (accounts.SUPPLY, assets.promo, -self.tokens_promo),
            (accounts.DEFERRED, money, self.released),
            (accounts.PROMO_EXPENSE, money, promo_part),
            *credits,
            (accounts.MARGIN_REVENUE, money, -self.platform_share),
        )

    def lot_changes(self) -> tuple[LotChange, ...]:
        """What the buyer spends; postings and wallet say the same with less to do on the way."""
        return changes_of(self.buyer, self.lots, Cause.SPENT)

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """The buyer's lots are consumed; of a card sale it only remembers that there was one."""
        if self.lots:
            return wallet.without(self.lots)
        if wallet.has_bought or self.gross == self.discount:
            return wallet
        return msgspec.structs.replace(wallet, has_bought=True)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """The share is earned into the sale's bucket."""
        for payee in self.payees:
            if payee.creator == creator_id:
                return creator.earned(payee.share, self.bucket, self.mature_at)
        return creator

    def in_sale(self, record: "SaleRecord") -> "SaleRecord":
        """The sale itself begins its record."""
        return SaleRecord(
            sale=self.plain(),
            clawed=(0,) * len(self.payees),
            returned=(0,) * len(self.lots),
            income=self.income,
            items=self.items,
            entitled_until=self.entitled_until,
        )

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        return payment.became(
            status=PaymentStatus.APPLIED,
            sale_id=self.sale_id,
            processor=self.processor or "",
            amount=self.charged,
        )

    def uses(self) -> int:
        """The sale uses its offer, if it names one."""
        return 1
