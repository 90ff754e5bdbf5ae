"""A purchase of tokens and what became of it: refunds, disputes, what they took back.

Folded from the log when a decision asks for it; nothing that sells or spends ever does.
"""

from collections import Counter
from datetime import datetime
from fractions import Fraction
from typing import ClassVar

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem, ending
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.money import split_by_weight
from domain.payments.payment import (
    DisputeStatus,
    PaymentEvent,
    PaymentRecord,
    PaymentStatus,
    payment_key,
)
from domain.purchases.disputed_lots import LotCancelled, LotMovements
from domain.wallets.lot_changes import Cause, LotChange
from domain.wallets.wallet import LOTS_MAX, PAID, PROMO, Lot, Wallet, WalletEvent

PURCHASED, GRANTED, APPLIED = Cause.PURCHASED, Cause.GRANTED, PaymentStatus.APPLIED


class PurchaseDispute(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A dispute of a purchase."""

    dispute: str
    amount: int
    status: DisputeStatus


@entity
class PurchaseRecord(State, frozen=True, kw_only=True):
    """A purchase: `tokens` with a price and `bonus` ones without; minor units as paid."""

    KIND = "purchase"
    FOLD_VERSION = 3
    CACHED = False
    LISTS: ClassVar = {
        "disputes": 200,
        "recorded": 200,
        "held": LOTS_MAX,
        "cancelled": LOTS_MAX,
    }

    purchase_id: str | None = None
    user: str = ""
    tokens: int = 0
    bonus: int = 0
    price: int = 0
    tax: int = 0
    vat_bps: int = 0
    country: str | None = None
    processor: str = ""
    payment_ref: str = ""
    #: Whether what is left of its tokens lapses some time.
    lapses: bool = False
    #: What refunds by command paid back, and what they took for it: of the price of its tokens,
    #: and of the tax.
    sent_back: int = 0
    refunded_net: int = 0
    refunded_tax: int = 0
    #: Bonus tokens that were spent and deducted from refunds, and minor units deducted for them.
    bonus_deducted: int = 0
    deducted: int = 0
    disputes: tuple[PurchaseDispute, ...] = ()
    #: Minor units that its processor refunded, and by which notice; whether its payment has failed
    #: after all, and when a refund of it or the payment failed last.
    taken: int = 0
    recorded: tuple[tuple[str, int], ...] = ()
    failed: bool = False
    failed_at: datetime | None = None
    #: Who bears what is lost: as the first loss had it.
    bearer: str = ""
    #: Tokens that disputes hold, by lot, and those that lost ones have cancelled.
    held: dict[str, int] = msgspec.field(default_factory=dict)
    cancelled: tuple[LotCancelled, ...] = ()
    #: What losses took: of tax, of the price of unspent tokens, of breakage, of what was deducted
    #: for a bonus; and what they left the buyer owing.
    lost_tax: int = 0
    lost_net: int = 0
    lost_breakage: int = 0
    lost_promo: int = 0
    debt: int = 0
    labels: dict[str, str] | None = None

    @property
    def net(self) -> int:
        """The price without VAT: what its tokens release."""
        return self.price - self.tax

    @property
    def refundable(self) -> int:
        """Minor units of its price that no refund by command sent back."""
        return self.price - self.sent_back

    @property
    def net_left(self) -> int:
        """The same without VAT: what its tokens release, and what was deducted for its bonus."""
        return self.refundable - self.tax + self.refunded_tax

    def disputed(self, *statuses: DisputeStatus) -> int:
        """Minor units of its disputes with these statuses."""
        return sum(dispute.amount for dispute in self.disputes if dispute.status in statuses)

    @property
    def lost_amount(self) -> int:
        """Minor units of its price that banks and processors took for good."""
        lost = self.disputed(DisputeStatus.LOST) + self.taken
        return self.refundable if self.failed else min(self.refundable, lost)

    @property
    def bounced(self) -> int:
        """Minor units that its failed payment took: all that nothing else has."""
        lost = self.disputed(DisputeStatus.LOST) + self.taken
        return max(0, self.refundable - lost) if self.failed else 0

    @property
    def excess(self) -> int:
        """Minor units that they took beyond all that there was."""
        return max(0, self.disputed(DisputeStatus.LOST) + self.taken - self.refundable)

    @property
    def contested(self) -> int:
        """Minor units that are disputed, or lost for good."""
        return self.disputed(DisputeStatus.OPEN, DisputeStatus.LOST) + self.taken + self.bounced

    def part(self, amount: int) -> Fraction:
        """Which part of what no refund sent back `amount` minor units of the price are."""
        whole = self.refundable
        return Fraction(min(amount, whole), whole) if whole else Fraction(0)

    @property
    def tax_to_lose(self) -> int:
        """The VAT in what is lost, rounded half down."""
        left = self.tax - self.refunded_tax
        if not self.refundable:
            return 0
        return split_by_weight(self.lost_amount, self.refundable - left, left)[1]

    def with_dispute(self, dispute: PurchaseDispute) -> "PurchaseRecord":
        """The record with a new dispute, or with a known one as it is now."""
        others = [other for other in self.disputes if other.dispute != dispute.dispute]
        return msgspec.structs.replace(self, disputes=(*others, dispute))

    def moved(self, movements: LotMovements) -> "PurchaseRecord":
        """The record after tokens were held, cancelled, restored or set free."""
        held = Counter(self.held)
        gone = {lot.lot: lot for lot in self.cancelled}
        for use in movements.held:
            held[use.lot] += use.tokens
        for use in movements.freed:
            held[use.lot] -= use.tokens
        for lot in movements.cancelled:
            held[lot.lot] -= lot.tokens
            before = gone.get(lot.lot)
            tokens = lot.tokens + (before.tokens if before else 0)
            gone[lot.lot] = msgspec.structs.replace(lot, tokens=tokens, released=0)
        for lot in movements.restored:
            left = gone[lot.lot].tokens - lot.tokens
            gone[lot.lot] = msgspec.structs.replace(lot, tokens=left, released=0)
        return msgspec.structs.replace(
            self,
            held={lot: tokens for lot, tokens in held.items() if tokens},
            cancelled=tuple(lot for lot in gone.values() if lot.tokens),
        )

    def apply(self, key: str, event: Event) -> "PurchaseRecord":
        """The record after `event`: every event in a purchase's life says how."""
        assert isinstance(event, PurchaseEvent)
        return event.in_purchase(self)


class PurchaseEvent(Event, frozen=True):
    """An event in the life of a purchase."""

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        """The purchase's record after this event."""
        raise NotImplementedError(type(self).__name__)


@stored_as("tokens.purchased.v1")
class TokensPurchased(
    WalletEvent, PaymentEvent, AgendaEvent, PurchaseEvent, frozen=True, kw_only=True
):
    """`tokens` and `bonus` tokens for `price` minor units, of which `tax` is VAT.

    Bonus tokens of class PROMO are a lot of their own that releases nothing; of class PAID they
    share the purchase's lot and its price.
    """

    purchase_id: str
    user: str
    package_id: str
    tokens: int
    bonus: int
    bonus_class: str
    price: int
    tax: int
    processor: str
    processor_ref: str
    country: str | None = None
    bonus_expires_at: datetime | None = None
    #: When what is left of the purchased tokens lapses (exclusive).
    lapses_at: datetime | None = None
    #: The inclusive rate that `tax` was computed with.
    vat_bps: int = 0
    #: Whether the agenda has to learn of the end of bonus or tokens.
    on_agenda: bool = False

    def tags(self) -> tuple[str, ...]:
        """The wallet, the purchase and the payment; the agenda, if any of it ends by itself."""
        tags = (
            f"wallet:{self.user}",
            f"purchase:{self.purchase_id}",
            payment_key(self.processor_ref),
        )
        return (*tags, AGENDA) if self.on_agenda else tags

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """What is left of bonus and tokens ends."""
        if not self.on_agenda:
            return ()
        lot = self.purchase_id
        return (
            *ending(f"{lot}b", "expire-promo", self.user, self.bonus_expires_at),
            *ending(lot, "lapse-tokens", self.user, self.lapses_at),
        )

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`psp -> deferred + vat` and `supply -> w.free`."""
        return (
            (accounts.processor(self.processor), assets.currency, self.price),
            (accounts.vat(self.country or ""), assets.currency, -self.tax),
            (accounts.DEFERRED, assets.currency, self.tax - self.price),
            *self.token_postings(assets),
        )

    def token_postings(self, assets: Assets) -> tuple[Posting, ...]:
        """What `lot_changes` say of them, with less to do on the way: there are many purchases."""
        promo = self.bonus if self.bonus_class == PROMO else 0
        paid = self.tokens + self.bonus - promo
        free = accounts.wallet_free(self.user)
        return (
            (accounts.SUPPLY, assets.paid, paid),
            (free, assets.paid, -paid),
            (accounts.SUPPLY, assets.promo, promo),
            (free, assets.promo, -promo),
        )

    def lot_changes(self) -> tuple[LotChange, ...]:
        """A lot of what was bought; the bonus in it or beside it."""
        lots = self._lots()
        changes = (LotChange(self.user, lots[0], self.tokens, PURCHASED),)
        if not self.bonus:
            return changes
        return (*changes, LotChange(self.user, lots[-1], self.bonus, GRANTED))

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """What `lot_changes` say of it, with less to do on the way."""
        return wallet.with_lots(self._lots())

    def _lots(self) -> tuple[Lot, ...]:
        """The lot of what was bought, and of the bonus where that is one of its own."""
        promo = self.bonus if self.bonus_class == PROMO else 0
        bought = Lot(
            self.purchase_id,
            self.purchase_id,
            PAID,
            self.tokens + self.bonus - promo,
            self.price - self.tax,
            expires_at=self.lapses_at,
        )
        if not promo:
            return (bought,)
        given = Lot(
            f"{self.purchase_id}b",
            self.purchase_id,
            PROMO,
            promo,
            0,
            expires_at=self.bonus_expires_at,
        )
        return bought, given

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        promo = self.bonus if self.bonus_class == PROMO else 0
        return PurchaseRecord(
            purchase_id=self.purchase_id,
            user=self.user,
            tokens=self.tokens + self.bonus - promo,
            bonus=promo,
            price=self.price,
            tax=self.tax,
            vat_bps=self.vat_bps,
            country=self.country,
            processor=self.processor,
            payment_ref=self.processor_ref,
            labels=self.labels,
            lapses=self.lapses_at is not None,
        )

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        return payment.became(
            status=APPLIED,
            purchase_id=self.purchase_id,
            processor=self.processor,
            amount=self.price,
        )
