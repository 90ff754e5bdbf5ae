"""What must hold of every event, whoever sent it, and whatever rules it was decided by.

Lots exist and have as much left as is taken of them; nothing that cannot be negative is; and the
postings of an event say what it does to wallets and creators. Pure: states and an event in, faults
out.
"""

from collections.abc import Iterator, Sequence

from domain.accounts import Assets, Posting, fan_debt, wallet_free, wallet_held
from domain.accounts import creator as creator_account
from domain.creators.creator import Bucket, Creator
from domain.event import Event
from domain.holds.hold import Hold
from domain.wallets.lot_changes import ROUTES, Cause, LotChange, TokenPlace
from domain.wallets.wallet import PROMO, Lot, LotUse, Wallet, WalletEvent
from ledger.verification.states import Change

#: What kind of thing is wrong, what it should be, what it is.
Fault = tuple[str, str, str]

#: An account in one asset.
Place = tuple[str, str]

#: How the accounts begin that tell what users and creators have.
_OWNED = ("w.", "cr.", "fan_debt.")

_USED = frozenset({Cause.SPENT, Cause.USED})

#: By cause, what each token that moves adds to the free and to the held ones of its lot.
_MOVES = {
    cause: tuple(
        (target is place) - (source is place) for place in (TokenPlace.FREE, TokenPlace.HELD)
    )
    for cause, (source, target) in ROUTES.items()
}


def lot_faults(event: Event, wallets: dict[str, Wallet]) -> Iterator[Fault]:
    """Tokens that `event` moves and that are not there; `wallets` as they are before it."""
    if not isinstance(event, WalletEvent):
        return
    changes = event.lot_changes()
    if not changes:
        return
    moved: dict[tuple[str, str], tuple[int, int]] = {}
    for user, lot, tokens, cause in changes:
        place = user, lot.lot
        free, held = moved.get(place, (0, 0))
        free_by, held_by = _MOVES[cause]
        moved[place] = free + free_by * tokens, held + held_by * tokens
    for (user, lot_id), (free, held) in moved.items():
        if free >= 0 and held >= 0:
            continue
        wallet = wallets.get(user)
        there = None if wallet is None else wallet.lot(lot_id)
        has_free, has_held = (0, 0) if there is None else (there.free, there.held)
        if has_free + free < 0:
            yield "lot", f"the lot {lot_id} of {user} has {-free} free tokens", f"{has_free}"
        if has_held + held < 0:
            yield "lot", f"the lot {lot_id} of {user} has {-held} held tokens", f"{has_held}"
    yield from _release_faults(changes, wallets)


def _release_faults(changes: Sequence[LotChange], wallets: dict[str, Wallet]) -> Iterator[Fault]:
    """Tokens that are used release of their lot's price what is due, or are of another class."""
    seen: set[str] = set()
    for user, use, tokens, cause in changes:
        if cause not in _USED or tokens < 0 or not isinstance(use, LotUse):
            continue
        wallet = wallets.get(user)
        lot = None if wallet is None else wallet.lot(use.lot)
        if lot is None or use.lot in seen:
            continue
        seen.add(use.lot)
        if use.kind != lot.kind:
            yield "lot", f"the lot {use.lot} of {user} is {lot.kind}", use.kind
        if use.released != lot.released(tokens):
            expected = f"{tokens} of the lot {use.lot} of {user} release {lot.released(tokens)}"
            yield "lot", expected, f"{use.released}"


def state_faults(
    changes: Sequence[Change], postings: Sequence[Posting], assets: Assets
) -> Iterator[Fault]:
    """What the states after an event have that they cannot have, or that it did not post."""
    moved: dict[Place, int] = {}
    for key, before, after in changes:
        if before is after:
            continue
        name = key.partition(":")[2]
        if isinstance(after, Wallet) and isinstance(before, Wallet):
            yield from _wallet_faults(name, after)
            _count_wallet(moved, name, before, after, assets)
        elif isinstance(after, Creator) and isinstance(before, Creator):
            yield from _creator_faults(name, after)
            _count_creator(moved, name, before, after, assets)
        elif isinstance(after, Hold):
            short = [use for use in after.lots if use.tokens < 0]
            if short:
                yield "hold", f"the hold {name} holds what is taken of it", f"{after.lots}"
    left = dict(moved)
    for account, asset, amount in postings:
        if account.startswith(_OWNED):
            place = account, asset
            left[place] = left.get(place, 0) - amount
    for place, missing in left.items():
        if missing:
            account, asset = place
            changed = moved.get(place, 0)
            expected = f"{changed} {asset} on {account}, as the event changes it"
            yield "postings and state", expected, f"{changed - missing}"


def _wallet_faults(user: str, wallet: Wallet) -> Iterator[Fault]:
    for lot in wallet.lots:
        if not (0 <= lot.consumed <= lot.tokens and 0 <= lot.held <= lot.left) or lot.price < 0:
            whole = f"of {lot.tokens} tokens of the lot {lot.lot} of {user} a part is used and held"
            yield "wallet", whole, f"{lot}"
    for one in wallet.debts:
        if one.owed < 0 or one.paid < 0 or not 0 <= one.borne <= one.written_off:
            yield "wallet", f"{user} owes something for {one.purchase}, or nothing", f"{one}"


def _creator_faults(creator: str, after: Creator) -> Iterator[Fault]:
    if after.in_payout < 0:
        yield "creator", f"{creator} has nothing or something in payout", f"{after.in_payout}"
    open_payout = 0 if after.payout is None else after.payout.gross
    if after.in_payout != open_payout:
        yield (
            "creator",
            f"{creator} has {open_payout} in payout, as requested",
            f"{after.in_payout}",
        )


def _count_wallet(
    moved: dict[Place, int], user: str, before: Wallet, after: Wallet, assets: Assets
) -> None:
    if before.debt != after.debt:
        moved[fan_debt(user), assets.currency] = after.debt - before.debt
    if before.lots is after.lots:
        return
    free, held = wallet_free(user), wallet_held(user)
    known = {lot.lot: lot for lot in before.lots}
    for lot in after.lots:
        earlier = known.pop(lot.lot, None)
        if earlier is lot:
            continue
        _count_lot(moved, free, held, lot, assets, sign=1)
        if earlier is not None:
            _count_lot(moved, free, held, earlier, assets, sign=-1)
    for lot in known.values():
        _count_lot(moved, free, held, lot, assets, sign=-1)


def _count_lot(
    moved: dict[Place, int], free: str, held: str, lot: Lot, assets: Assets, *, sign: int
) -> None:
    asset = assets.promo if lot.kind == PROMO else assets.paid
    place = free, asset
    moved[place] = moved.get(place, 0) - sign * (lot.tokens - lot.consumed - lot.held)
    if lot.held:
        place = held, asset
        moved[place] = moved.get(place, 0) - sign * lot.held


def _count_creator(
    moved: dict[Place, int], name: str, before: Creator, after: Creator, assets: Assets
) -> None:
    money = assets.currency
    if before.available != after.available:
        place = creator_account(name, Bucket.AVAILABLE), money
        moved[place] = before.available - after.available
    if before.reserved != after.reserved:
        moved[creator_account(name, Bucket.RESERVED), money] = before.reserved - after.reserved
    if before.in_payout != after.in_payout:
        moved[creator_account(name, Bucket.PAYOUT), money] = before.in_payout - after.in_payout
    if before.maturing is not after.maturing:
        moved[creator_account(name, Bucket.PENDING), money] = before.pending - after.pending
