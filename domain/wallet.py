"""A wallet: token lots in the order in which they are spent, and what may be spent now.

Lots are consumed promotional first (earliest expiry first), then paid, first in first out. Each
lot releases exactly its price over its life: what n tokens release is the difference of two
cumulative floors, never a floor of its own.
"""

from datetime import UTC, datetime

import msgspec

from domain.entity import State, entity
from domain.event import Event

PAID = "PAID"
PROMO = "PROMO"
NEVER = datetime.max.replace(tzinfo=UTC)


class Lot(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True, gc=False):
    """Tokens that came in together. `price`: minor units they were sold for, VAT excluded."""

    lot: str
    purchase: str
    kind: str
    tokens: int
    price: int
    consumed: int = 0
    expires_at: datetime | None = None

    @property
    def left(self) -> int:
        """Tokens not yet consumed."""
        return self.tokens - self.consumed

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


@entity
class Wallet(State, frozen=True, kw_only=True, omit_defaults=True, array_like=True):
    """One user's tokens. `lots` holds only lots with something left."""

    KIND = "wallet"

    lots: tuple[Lot, ...] = ()
    frozen: tuple[str, ...] = ()

    def spendable(self, now: datetime) -> int:
        """Free tokens that have not expired at `now`; expiry is exclusive."""
        return sum(
            lot.tokens - lot.consumed
            for lot in self.lots
            if lot.expires_at is None or now < lot.expires_at
        )

    def take(self, tokens: int, now: datetime) -> tuple[LotUse, ...]:
        """What spending `tokens` at `now` takes from which lots; the wallet must cover it."""
        uses = []
        for lot in self.lots:
            if lot.expires_at is not None and lot.expires_at <= now:
                continue
            taken = min(tokens, lot.tokens - lot.consumed)
            after = lot.consumed + taken
            released = (
                lot.price * after // lot.tokens - lot.price * lot.consumed // lot.tokens
                if lot.price
                else 0
            )
            uses.append(LotUse(lot.lot, lot.purchase, lot.kind, taken, released))
            tokens -= taken
            if not tokens:
                return tuple(uses)
        raise AssertionError(f"the wallet lacks {tokens} of the tokens to take")

    def with_lots(self, *new: Lot) -> "Wallet":
        """The wallet with more lots, each at its place."""
        lots = sorted((*self.lots, *new), key=Lot.order)
        return msgspec.structs.replace(self, lots=tuple(lots))

    def without(self, uses: tuple[LotUse, ...]) -> "Wallet":
        """The wallet after `uses` were taken from its lots."""
        taken = {use.lot: use.tokens for use in uses}
        lots = []
        for lot in self.lots:
            tokens = taken.get(lot.lot)
            if tokens is None:
                lots.append(lot)
            elif lot.consumed + tokens < lot.tokens:
                lots.append(msgspec.structs.replace(lot, consumed=lot.consumed + tokens))
        return Wallet(lots=tuple(lots), frozen=self.frozen)

    def apply(self, key: str, event: Event) -> "Wallet":
        """The wallet after `event`: every event with wallets among its parties says how."""
        assert isinstance(event, WalletEvent)
        return event.in_wallet(self, key[7:])


class WalletEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An event that changes a wallet."""

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """`user`'s wallet after this event."""
        raise NotImplementedError(type(self).__name__)
