"""Tokens move in postings and wallets as the event's lot changes say, and in no other way."""

from collections import Counter
from collections.abc import Mapping

from domain.accounts import Assets, Posting
from domain.entity import State
from domain.event import Event
from domain.wallets.wallet import Wallet, WalletEvent


def check_movements(event: Event, assets: Assets, before: Mapping[str, State]) -> None:
    """Hold what `event` does against what it declares."""
    # The rule itself: what overrides it for speed is held against it, too.
    declared = WalletEvent.token_postings(event, assets) if isinstance(event, WalletEvent) else ()
    assert _tokens(event.postings(assets), assets) == _tokens(declared, assets), event
    if not isinstance(event, WalletEvent):
        return
    changes = event.lot_changes()
    wallets = [tag for tag in event.tags() if tag.startswith("wallet:")]
    assert {f"wallet:{change.user}" for change in changes} <= set(wallets), event
    for tag in wallets:
        wallet = before[tag]
        assert isinstance(wallet, Wallet)
        mine = [change for change in changes if f"wallet:{change.user}" == tag]
        after = wallet.apply(tag, event)
        assert after.lots == wallet.changed(mine).lots, event


def _tokens(postings: tuple[Posting, ...], assets: Assets) -> dict[tuple[str, str], int]:
    """The sums of tokens by account and asset."""
    sums: Counter[tuple[str, str]] = Counter()
    for account, asset, amount in postings:
        if asset in (assets.paid, assets.promo):
            sums[account, asset] += amount
    return {leg: amount for leg, amount in sums.items() if amount}
