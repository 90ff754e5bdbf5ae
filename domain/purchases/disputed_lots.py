"""Tokens of a disputed purchase: held while it is open, cancelled when it is lost, restored if won.

How many tokens are held and how many are cancelled follows from how much of the price is disputed
and lost by now, whichever disputes said so in whatever order. The last lots in the spending order
go first and come back last.

What the cancelled ones are worth follows from sums as well: all that is left of the purchase, in
tokens and in money, whatever lots it is in. Where the lots would release another cent, one of them
is repriced, so that deferred revenue is what the lots have left, always.
"""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from math import floor

import msgspec

from domain.money import portion
from domain.wallets.lot_changes import Cause, LotChange, changes_of
from domain.wallets.wallet import Lot, LotPrice, LotUse, TokenClass, Wallet


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
    repriced: tuple[LotPrice, ...] = ()

    def changes(self, user: str) -> tuple[LotChange, ...]:
        """The same, as changes of `user`'s lots."""
        return (
            *(LotChange(user, lot.whole(0), lot.tokens, Cause.RESTORED) for lot in self.restored),
            *changes_of(user, self.held, Cause.HELD),
            *changes_of(user, self.cancelled, Cause.CANCELLED),
            *(LotChange(user, use, -use.tokens, Cause.HELD) for use in self.freed),
            *(LotChange(user, lot, 0, Cause.REPRICED) for lot in self.repriced),
        )


class Targets(msgspec.Struct, frozen=True):
    """What part of the price is disputed or lost, and what part is lost."""

    disputed: Fraction
    lost: Fraction

    def of(self, tokens: int) -> tuple[int, int]:
        """Of the tokens that were unspent: (held or cancelled, cancelled), rounded down."""
        return floor(tokens * self.disputed), floor(tokens * self.lost)


def settling(lots: Iterable[Lot], tokens: int) -> tuple[LotCancelled, ...]:
    """`tokens` of the free paid ones, the last in the spending order first, for a debt they settle.

    When the loss that left the debt is undone they come back. They go after the other free ones, so
    that both together release what all free ones are worth.
    """
    mine = Wallet(lots=tuple(lot for lot in lots if lot.kind == TokenClass.PAID))
    free = {lot.lot: lot for lot in mine.lots}
    gone = _cancelled(mine, {name: lot.free for name, lot in free.items()}, tokens)
    return tuple(msgspec.structs.replace(one, released=_last(free[one.lot], one)) for one in gone)


def _last(lot: Lot, gone: LotCancelled) -> int:
    """What the last of a lot's free tokens release."""
    return lot.released(lot.free) - lot.released(lot.free - gone.tokens)


def lot_movements(
    lots: Iterable[Lot],
    held: dict[str, int],
    cancelled: tuple[LotCancelled, ...],
    targets: Targets,
    *,
    frees: bool = False,
    restores: bool = False,
) -> LotMovements:
    """From what disputes hold and have cancelled of a purchase to what `targets` ask for.

    `lots` are the purchase's in the wallet; `held` is by lot. Only where less is disputed are
    tokens set free, and only where less is lost are they restored, whatever was spent in between.
    """
    found = LotMovements()
    for kind in (TokenClass.PAID, TokenClass.PROMO):
        mine = [lot for lot in lots if lot.kind == kind]
        gone = [lot for lot in cancelled if lot.kind == kind]
        part = _movements(mine, held, gone, targets, frees=frees, restores=restores)
        found = LotMovements(
            restored=found.restored + part.restored,
            held=found.held + part.held,
            cancelled=found.cancelled + part.cancelled,
            freed=found.freed + part.freed,
        )
    return found


def priced(
    lots: Iterable[Lot],
    cancelled: tuple[LotCancelled, ...],
    moved: LotMovements,
    *,
    worth: int,
    limit: int,
) -> tuple[LotMovements, int]:
    """The movements with the lots that they reprice, and what all cancelled tokens are worth then.

    `worth` is what those that were cancelled before are worth. All tokens of the purchase that are
    left or cancelled share what is left of its price evenly; those that are cancelled have no more
    than `limit` of it.
    """
    before = Wallet(lots=tuple(lot for lot in lots if lot.kind == TokenClass.PAID))
    after = before.changed(
        change for change in moved.changes("") if change.lot.kind == TokenClass.PAID
    )
    gone = sum(lot.tokens for lot in cancelled if lot.kind == TokenClass.PAID)
    tokens = sum(lot.left for lot in before.lots) + gone
    money = sum(lot.released(lot.left) for lot in before.lots) + worth
    gone = tokens - sum(lot.left for lot in after.lots)
    target = min(limit, portion(money, gone, tokens)) if after.lots else money
    missing = money - target - sum(lot.released(lot.left) for lot in after.lots)
    repriced = []
    for lot in after.lots:
        price = lot.released(lot.left)
        wanted = max(0, price + missing)
        missing -= wanted - price
        if wanted != price or lot.consumed < 0:
            repriced.append(LotPrice(lot.lot, lot.purchase, lot.kind, wanted))
    return msgspec.structs.replace(moved, repriced=tuple(repriced)), target


def _movements(
    lots: list[Lot],
    held: dict[str, int],
    cancelled: list[LotCancelled],
    targets: Targets,
    *,
    frees: bool,
    restores: bool,
) -> LotMovements:
    """The same for one class of tokens."""
    wallet = Wallet(lots=tuple(lots))
    before = sum(lot.tokens for lot in cancelled)
    pool = {lot.lot: held[lot.lot] for lot in lots if held.get(lot.lot)}
    free = sum(lot.free for lot in lots)
    both, lost = targets.of(free + sum(pool.values()) + before)
    lost = (min if restores else max)(lost, before)
    both = max(lost, (min if frees else max)(both, before + sum(pool.values())))
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
        now = wallet.lot(lot.lot) or lot.whole(lot.lot_tokens)
        worth = portion(now.price, now.consumed, now.tokens) - portion(
            now.price, now.consumed - back, now.tokens
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
