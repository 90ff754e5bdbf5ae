"""A wallet: token lots in the order in which they are spent, and what may be spent now.

Lots are consumed promotional first (earliest expiry first), then paid, first in first out. Each
lot releases exactly its price over its life: what n tokens release is the difference of two
cumulative floors, never a floor of its own.
"""

import re
from bisect import insort
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar

import msgspec

from domain.accounts import Assets, Posting
from domain.entity import State, entity
from domain.event import Event
from domain.wallets.debts import Debts, owing, recovered
from domain.wallets.lot_changes import ROUTES, Cause, LotChange, TokenPlace


class TokenClass(StrEnum):
    """Whether tokens were sold or given: only paid ones release money."""

    PAID = "PAID"
    PROMO = "PROMO"


#: Bound, for the spending order asks for every lot: an enum's attribute costs five globals.
PAID, PROMO = TokenClass
REPRICED = Cause.REPRICED
#: By cause, what each token that moves adds to the consumed and to the held ones of its lot.
_EFFECTS = {
    cause: (
        (target is TokenPlace.SUPPLY) - (source is TokenPlace.SUPPLY),
        (target is TokenPlace.HELD) - (source is TokenPlace.HELD),
    )
    for cause, (source, target) in ROUTES.items()
}
NEVER = datetime.max.replace(tzinfo=UTC)
#: The milliseconds since 1970 and the microsecond within the last one, in an event's id.
_EVENT_ID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7([0-9a-f]{3})-")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Lots in a wallet: so many that one entry can speak of all of them, whatever happens to them.
LOTS_MAX = 150
#: After its end a call may be metered for that long; then what is unpaid is written off.
LATE_WITHIN = timedelta(minutes=15)
#: From so many lots on, tokens that come in join a lot that differs in nothing from them.
JOIN_FROM = 32


class Lot(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True, gc=False):
    """Tokens that came in together. `price`: minor units they were sold for, VAT excluded."""

    lot: str
    purchase: str
    kind: str
    tokens: int
    price: int
    consumed: int = 0
    expires_at: datetime | None = None
    #: Set aside by holds: not consumed, and not free.
    held: int = 0

    @property
    def left(self) -> int:
        """Tokens not yet consumed, held ones included."""
        return self.tokens - self.consumed

    @property
    def free(self) -> int:
        """Tokens neither consumed nor held."""
        return self.tokens - self.consumed - self.held

    @property
    def since(self) -> datetime | None:
        """When its tokens came into the wallet, as the id of the event that brought them tells."""
        return _recorded_at(self.lot)  # remembered: a call asks each lot for it at every block

    def released(self, tokens: int) -> int:
        """What the next `tokens` of it release of its price: a difference of two floors."""
        price, consumed, whole = self.price, self.consumed, self.tokens
        if not price:
            return 0
        return price * (consumed + tokens) // whole - price * consumed // whole

    def after(self, tokens: int) -> "Lot":
        """The lot once `tokens` more of it are consumed."""
        return Lot(
            self.lot,
            self.purchase,
            self.kind,
            self.tokens,
            self.price,
            self.consumed + tokens,
            self.expires_at,
            self.held,
        )

    def repriced(self, price: int) -> "Lot":
        """What is left of it, as a lot of its own that has `price` to release."""
        return Lot(
            self.lot,
            self.purchase,
            self.kind,
            self.left,
            price,
            expires_at=self.expires_at,
            held=self.held,
        )

    def joined_by(self, tokens: int, price: int) -> "Lot":
        """What is left of it and `tokens` more, which have `price` to release, as one lot."""
        return Lot(
            self.lot,
            self.purchase,
            self.kind,
            self.left + tokens,
            self.released(self.left) + price,
            expires_at=self.expires_at,
            held=self.held,
        )

    def order(self) -> tuple[bool, datetime, str]:
        """Place in the spending order; ids are ordered by time."""
        if self.kind == PROMO:
            return False, self.expires_at or NEVER, self.lot
        return True, NEVER, self.lot


class LotUse(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A lot's part in a sale: `tokens` taken, `released` minor units of its price earned."""

    lot: str
    purchase: str
    kind: str
    tokens: int
    released: int
    #: When the lot ends; tokens that a refund returns keep it.
    expires_at: datetime | None = None


@lru_cache(65_536)
def _recorded_at(lot_id: str) -> datetime | None:
    ids = _EVENT_ID.findall(lot_id)
    if not ids:
        return None
    high, low, micros = ids[-1]
    return _EPOCH + timedelta(milliseconds=int(high + low, 16), microseconds=int(micros, 16))


class BuyerRisk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The disputes that a buyer's banks have won: how many, for how much, when the last."""

    disputes: int
    amount: int
    last: datetime


class FanTier(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The tier that a user is in, since when, and up to where the log was read for it."""

    tier: str
    at: datetime
    as_of_position: int


class LotPrice(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is left of a lot, held tokens included, is worth `price` minor units from now on."""

    lot: str
    purchase: str
    kind: str
    price: int


@entity
class Wallet(State, frozen=True, kw_only=True):
    """One user's tokens. `lots` holds only lots with something left."""

    KIND = "wallet"
    FOLD_VERSION = 10
    LISTS: ClassVar = {
        "lots": LOTS_MAX,
        "frozen_for": 200,
        "subscriptions": 1_000,
        "contested": 500,
        "debts": 500,
    }

    lots: tuple[Lot, ...] = ()
    frozen: tuple[str, ...] = ()
    #: Why spending is frozen, by reason and purchase; empty for what a person did.
    frozen_for: tuple[str, ...] = ()
    #: The call this user is in as the fan; one at a time.
    call: str | None = None
    #: What the user owes, in minor units; negative, a credit that people have given.
    debt: int = 0
    #: The subscriptions that may still be charged.
    subscriptions: tuple[str, ...] = ()
    #: Whether the user left: requests that name this id are refused for ever.
    erased: bool = False
    #: Lost disputes of this buyer; None: none that stands.
    risk: BuyerRisk | None = None
    #: The purchases that a bank or a processor has taken back, or tries to, in part or whole.
    contested: tuple[str, ...] = ()
    #: Whether this user has ever paid for a sale, whatever became of it.
    has_bought: bool = False
    #: When the last call ended that this user was in as the fan.
    called_until: datetime | None = None
    #: What of the debt is for which purchase, and what people have settled of it.
    debts: Debts = ()
    #: The tier by spend; None before it first changed.
    tier: FanTier | None = None

    def spendable(self, now: datetime) -> int:
        """Free tokens that have not expired at `now`; expiry is exclusive."""
        return sum(
            lot.tokens - lot.consumed - lot.held
            for lot in self.lots
            if lot.expires_at is None or now < lot.expires_at
        )

    def at(self, moment: datetime) -> "Wallet":
        """The wallet without the lots that came in after `moment`."""
        for lot in self.lots:
            if (since := _recorded_at(lot.lot)) is not None and since > moment:
                break
        else:
            return self
        lots = tuple(lot for lot in self.lots if (since := lot.since) is None or since <= moment)
        return msgspec.structs.replace(self, lots=lots)

    def take(self, tokens: int, now: datetime) -> tuple[LotUse, ...] | None:
        """What spending `tokens` at `now` takes from which lots; None if they do not cover it."""
        uses: list[LotUse] = []
        for lot in self.lots:
            if not tokens:
                break
            if lot.expires_at is None or now < lot.expires_at:
                taken = min(tokens, lot.tokens - lot.consumed - lot.held)
                if taken:
                    released = lot.released(taken)
                    uses.append(
                        LotUse(lot.lot, lot.purchase, lot.kind, taken, released, lot.expires_at)
                    )
                    tokens -= taken
        return None if tokens else tuple(uses)

    def without(self, uses: tuple[LotUse, ...]) -> "Wallet":
        """The wallet after a sale took `uses` from its lots."""
        lots = self.lots
        if (
            len(uses) == 1
            and lots
            and lots[0].lot == uses[0].lot
            and lots[0].consumed + uses[0].tokens < lots[0].tokens
        ):  # nearly always: no look at the others
            lots = (lots[0].after(uses[0].tokens), *lots[1:])
        else:
            taken = {use.lot: use.tokens for use in uses}
            after = [(lot, taken.get(lot.lot, 0)) for lot in self.lots]
            lots = tuple(
                lot.after(tokens) if tokens else lot
                for lot, tokens in after
                if lot.consumed + tokens < lot.tokens
            )
        return msgspec.structs.replace(self, lots=lots, has_bought=True)

    def with_lots(self, lots: Iterable[Lot]) -> "Wallet":
        """The wallet with lots that came in whole, each at its place in the spending order."""
        after = list(self.lots)
        for lot in lots:
            insort(after, lot, key=Lot.order)
        return msgspec.structs.replace(self, lots=tuple(after))

    def owing(self, purchase: str | None, change: int, back: int) -> "Wallet":
        """The wallet once its user owes `change` more for a purchase, of which `back` is no credit
        but bad debt recovered.
        """
        if purchase is None or not (change or back):
            return self
        debts = owing(self.debts, purchase, change, back)
        return msgspec.structs.replace(self, debt=self.debt + change + back, debts=debts)

    def recovered(self, purchase: str | None, change: int) -> int:
        """What of bad debt comes back when its user owes `change` more for a purchase."""
        return recovered(self.debts, purchase or "", change)

    def with_contested(self, purchase: str) -> "Wallet":
        """The wallet once `purchase` is contested."""
        if purchase in self.contested:
            return self
        return msgspec.structs.replace(self, contested=(*self.contested, purchase))

    def changed(self, changes: Iterable[LotChange]) -> "Wallet":
        """The wallet after its lots have changed; what comes in stands at its place.

        Outside the wallet all tokens of a lot count as consumed.
        """
        lots = {lot.lot: lot for lot in self.lots}
        for _, named, tokens, cause in changes:
            lot = lots.get(named.lot)
            if cause is REPRICED:
                assert lot is not None, named
                assert isinstance(named, LotPrice), named
                lots[named.lot] = lot.repriced(named.price)
                continue
            if lot is not None and _joins(cause, named.kind):
                assert isinstance(named, Lot), named
                lots[named.lot] = lot.joined_by(tokens, named.price)
                continue
            before = 0 if lot is None else lot.consumed
            if lot is None:
                assert isinstance(named, Lot), named
                lot, before = named, named.tokens
            consumed, held = _EFFECTS[cause]
            lots[named.lot] = msgspec.structs.replace(
                lot, consumed=before + tokens * consumed, held=lot.held + tokens * held
            )
        left = [lot for lot in lots.values() if lot.tokens > lot.consumed]
        if len(left) > 1:
            left.sort(key=Lot.order)
        return msgspec.structs.replace(self, lots=tuple(left))

    def may_join(self, now: datetime) -> bool:
        """Whether tokens that come in at `now` may join a lot that came in before.

        Not while a block of a call may still be paid that ended before they came.
        """
        if len(self.lots) < JOIN_FROM or self.call is not None:
            return False
        return self.called_until is None or now > self.called_until + LATE_WITHIN

    def lot(self, lot_id: str) -> Lot | None:
        """The lot called `lot_id`, if anything of it is left."""
        return next((lot for lot in self.lots if lot.lot == lot_id), None)

    def apply(self, key: str, event: Any) -> "Wallet":
        """The wallet after `event`: every event with wallets among its parties says how."""
        after: Wallet = event.in_wallet(self, key[7:])
        return after


def _joins(cause: Cause, kind: str) -> bool:
    """Whether tokens that come into a lot that is there are more than it ever was.

    The bonus of a purchase is in its lot from the first where it is paid tokens.
    """
    return cause is Cause.RETURNED or (cause is Cause.GRANTED and kind == PROMO)


class WalletEvent(Event, frozen=True):
    """An event that changes a wallet."""

    def lot_changes(self) -> tuple[LotChange, ...]:
        """Every movement of tokens, in order; none where the event moves none."""
        return ()

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """`user`'s wallet after this event."""
        changes = [change for change in self.lot_changes() if change.user == user]
        return wallet.changed(changes) if changes else wallet

    def token_postings(self, assets: Assets) -> tuple[Posting, ...]:
        """The half of its postings in which tokens move: by account, then by class."""
        sums: dict[tuple[str, str], list[int]] = {}
        for user, lot, tokens, cause in self.lot_changes():
            source, target = ROUTES[cause]
            route = source.account(user), target.account(user)
            sums.setdefault(route, [0, 0])[lot.kind == PROMO] += tokens
        return tuple(
            leg
            for (source_account, target_account), moved in sums.items()
            for asset, tokens in zip((assets.paid, assets.promo), moved, strict=True)
            if tokens
            for leg in ((source_account, asset, tokens), (target_account, asset, -tokens))
        )
