"""What must hold of every event, whoever sent it, and whatever rules it was decided by.

Lots exist and have as much left as is taken of them; nothing that cannot be negative is; and the
postings of an event say what it does to wallets and creators. Pure: states and an event in, faults
out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from domain.accounts import Assets, Posting, fan_debt, wallet_free, wallet_held
from domain.accounts import creator as creator_account
from domain.creators.creator import Bucket, Creator
from domain.event import Event
from domain.holds.hold import Hold
from domain.wallets.lot_changes import ROUTES, Cause, LotChange, TokenPlace
from domain.wallets.wallet import Lot, LotUse, TokenClass, Wallet, WalletEvent
from ledger.verification.states import Change

#: What kind of thing is wrong, what it should be, what it is.
Fault = tuple[str, str, str]

#: An account in one asset.
Place = tuple[str, str]

_USED = frozenset({Cause.SPENT, Cause.USED})


def lot_faults(event: Event, wallets: dict[str, Wallet]) -> Iterator[Fault]:
    """Tokens that `event` moves and that are not there; `wallets` as they are before it."""
    if not isinstance(event, WalletEvent):
        return
    changes = event.lot_changes()
    if not changes:
        return
    moved: dict[tuple[str, str], list[int]] = {}
    for user, lot, tokens, cause in changes:
        free_held = moved.setdefault((user, lot.lot), [0, 0])
        for place, change in zip(ROUTES[cause], (-tokens, tokens), strict=True):
            if place is not TokenPlace.SUPPLY:
                free_held[place is TokenPlace.HELD] += change
    for (user, lot_id), (free, held) in moved.items():
        wallet = wallets.get(user)
        there = None if wallet is None else wallet.lot(lot_id)
        has_free, has_held = (0, 0) if there is None else (there.free, there.held)
        name = f"the lot {lot_id} of {user}"
        if has_free + free < 0:
            yield "lot", f"{name} has at least {-free} free tokens", f"{has_free}"
        if has_held + held < 0:
            yield "lot", f"{name} has at least {-held} held tokens", f"{has_held}"
    yield from _release_faults(changes, wallets)


def _release_faults(changes: Sequence[LotChange], wallets: dict[str, Wallet]) -> Iterator[Fault]:
    """Tokens that are used release of their lot's price what is due, or are of another class."""
    seen: set[str] = set()
    for user, use, tokens, cause in changes:
        wallet = wallets.get(user)
        if cause not in _USED or tokens < 0 or not isinstance(use, LotUse) or wallet is None:
            continue
        lot = wallet.lot(use.lot)
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
    moved: Counter[Place] = Counter()
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
    posted: Counter[Place] = Counter()
    for account, asset, amount in postings:
        if account.startswith(("w.", "cr.", "fan_debt.")):
            posted[account, asset] += amount
    for place in moved.keys() | posted.keys():
        if posted[place] != moved[place]:
            account, asset = place
            expected = f"{moved[place]} {asset} on {account}, as the event changes it"
            yield "postings and state", expected, f"{posted[place]}"


def _wallet_faults(user: str, wallet: Wallet) -> Iterator[Fault]:
    for lot in wallet.lots:
        if not (0 <= lot.consumed <= lot.tokens and 0 <= lot.held <= lot.left) or lot.price < 0:
            whole = f"of {lot.tokens} tokens of the lot {lot.lot} of {user} a part is used and held"
            yield "wallet", whole, f"{lot}"
    if wallet.debt < 0:
        yield "wallet", f"{user} owes nothing or something", f"{wallet.debt}"


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
    moved: Counter[Place], user: str, before: Wallet, after: Wallet, assets: Assets
) -> None:
    if before.debt != after.debt:
        moved[fan_debt(user), assets.currency] += after.debt - before.debt
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
    moved: Counter[Place], free: str, held: str, lot: Lot, assets: Assets, *, sign: int
) -> None:
    asset = assets.promo if lot.kind == TokenClass.PROMO else assets.paid
    moved[free, asset] -= sign * lot.free
    if lot.held:
        moved[held, asset] -= sign * lot.held


def _count_creator(
    moved: Counter[Place], name: str, before: Creator, after: Creator, assets: Assets
) -> None:
    for bucket, change in (
        (Bucket.AVAILABLE, before.available - after.available),
        (Bucket.RESERVED, before.reserved - after.reserved),
        (Bucket.PAYOUT, before.in_payout - after.in_payout),
        (Bucket.PENDING, before.pending - after.pending if before.maturing is not after.maturing
         else 0),
    ):  # fmt: skip
        if change:
            moved[creator_account(name, bucket), assets.currency] += change
