"""Tokens of a disputed purchase: held while it is open, cancelled when it is lost, restored if won.

How many tokens are held and how many are cancelled follows from how much of the price is disputed
and lost by now, whichever disputes said so in whatever order. The last lots in the spending order
go first and come back last, each exactly as it was.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from domain.money import portion
from domain.wallets.lot_changes import Cause, LotChange, changes_of
from domain.wallets.wallet import Lot, LotUse, TokenClass, Wallet


class LotCancelled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """`tokens` of a lot that a loss cancels or a win restores, worth `released` of its price.

    `lot_tokens` and `lot_price` say what the whole lot was.
    """

    lot: str
    purchase: str
    kind: str
    tokens: int
    released: int
    lot_tokens: int
    lot_price: int
    expires_at: datetime | None = None

    def whole(self, consumed: int) -> Lot:
        """The lot with so much of it consumed."""
        return Lot(
            self.lot,
            self.purchase,
            self.kind,
            self.lot_tokens,
            self.lot_price,
            consumed,
            self.expires_at,
        )


class LotMovements(msgspec.Struct, frozen=True):
    """What becomes of a purchase's unspent tokens: in this order."""

    restored: tuple[LotCancelled, ...] = ()
    held: tuple[LotUse, ...] = ()
    cancelled: tuple[LotCancelled, ...] = ()
    freed: tuple[LotUse, ...] = ()


class Targets(msgspec.Struct, frozen=True):
    """Of `whole` minor units of the price, how much is disputed or lost, and how much is lost."""

    whole: int
    disputed: int
    lost: int

    def of(self, tokens: int) -> tuple[int, int]:
        """Of the tokens that were unspent: (held or cancelled, cancelled), rounded down."""
        if not self.whole:
            return 0, 0
        return (
            tokens * min(self.whole, self.disputed) // self.whole,
            tokens * min(self.whole, self.lost) // self.whole,
        )


def lot_movements(
    lots: Iterable[Lot],
    held: dict[str, int],
    cancelled: tuple[LotCancelled, ...],
    targets: Targets,
    *,
    won: bool = False,
) -> LotMovements:
    """From what disputes hold and have cancelled of a purchase to what `targets` ask for.

    `lots` are the purchase's in the wallet; `held` is by lot. Only a win sets free or restores,
    only a loss cancels, whatever was spent in between.
    """
    found = LotMovements()
    for kind in (TokenClass.PAID, TokenClass.PROMO):
        mine = [lot for lot in lots if lot.kind == kind]
        gone = [lot for lot in cancelled if lot.kind == kind]
        part = _movements(mine, held, gone, targets, won=won)
        found = LotMovements(
            restored=found.restored + part.restored,
            held=found.held + part.held,
            cancelled=found.cancelled + part.cancelled,
            freed=found.freed + part.freed,
        )
    return found


def _movements(
    lots: list[Lot],
    held: dict[str, int],
    cancelled: list[LotCancelled],
    targets: Targets,
    *,
    won: bool,
) -> LotMovements:
    """The same for one class of tokens."""
    wallet = Wallet(lots=tuple(lots))
    before = sum(lot.tokens for lot in cancelled)
    pool = {lot.lot: held[lot.lot] for lot in lots if held.get(lot.lot)}
    free = sum(lot.free for lot in lots)
    both, lost = targets.of(free + sum(pool.values()) + before)
    at_least_or_most = min if won else max
    lost = at_least_or_most(lost, before)
    both = max(lost, at_least_or_most(both, before + sum(pool.values())))
    restored = _restored(wallet, cancelled, before - lost)
    wallet = wallet.changed(
        LotChange("", lot.whole(0), lot.tokens, Cause.RESTORED) for lot in restored
    )
    kept = before - sum(lot.tokens for lot in restored)
    wanted = both - kept - sum(pool.values())
    taken = _taken(wallet, wanted)
    wallet = wallet.changed(changes_of("", taken, Cause.HELD))
    for use in taken:
        pool[use.lot] = pool.get(use.lot, 0) + use.tokens
    gone = _cancelled(wallet, pool, lost - kept)
    for lot in gone:
        pool[lot.lot] -= lot.tokens
    freed = _freed(wallet, pool, -wanted)
    return LotMovements(restored, taken, gone, freed)


def _restored(
    wallet: Wallet, cancelled: list[LotCancelled], tokens: int
) -> tuple[LotCancelled, ...]:
    """`tokens` of the cancelled ones, the first in the spending order first, worth what they are.

    That is the end of what the lot has released, so that it goes on as if they had stayed.
    """
    found = []
    for lot in sorted(cancelled, key=lambda gone: gone.whole(0).order()):
        back = min(lot.tokens, tokens)
        if back <= 0:
            break
        tokens -= back
        now = wallet.lot(lot.lot)
        consumed = lot.lot_tokens if now is None else now.consumed
        worth = portion(lot.lot_price, consumed, lot.lot_tokens) - portion(
            lot.lot_price, consumed - back, lot.lot_tokens
        )
        found.append(msgspec.structs.replace(lot, tokens=back, released=worth))
    return tuple(found)


def _taken(wallet: Wallet, tokens: int) -> tuple[LotUse, ...]:
    """`tokens` of the free ones, the last in the spending order first."""
    found = []
    for lot in reversed(wallet.lots):
        taken = min(tokens, lot.free)
        if taken > 0:
            tokens -= taken
            found.append(LotUse(lot.lot, lot.purchase, lot.kind, taken, 0, lot.expires_at))
    return tuple(found)


def _cancelled(wallet: Wallet, pool: dict[str, int], tokens: int) -> tuple[LotCancelled, ...]:
    """`tokens` of the held ones, the last in the spending order first."""
    found = []
    for lot in reversed(wallet.lots):
        gone = min(tokens, pool.get(lot.lot, 0))
        if gone > 0:
            tokens -= gone
            found.append(
                LotCancelled(
                    lot=lot.lot,
                    purchase=lot.purchase,
                    kind=lot.kind,
                    tokens=gone,
                    released=lot.released(gone),
                    lot_tokens=lot.tokens,
                    lot_price=lot.price,
                    expires_at=lot.expires_at,
                )
            )
    return tuple(found)


def _freed(wallet: Wallet, pool: dict[str, int], tokens: int) -> tuple[LotUse, ...]:
    """`tokens` of the held ones, the first in the spending order first."""
    found = []
    for lot in wallet.lots:
        freed = min(tokens, pool.get(lot.lot, 0))
        if freed > 0:
            tokens -= freed
            found.append(LotUse(lot.lot, lot.purchase, lot.kind, freed, 0, lot.expires_at))
    return tuple(found)
