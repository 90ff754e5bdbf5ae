"""Sums over a history, for tests: what stands on each account, what lots still owe."""

from collections import Counter
from collections.abc import Iterable

from domain.accounts import balanced
from domain.event import Event
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import ASSETS, InMemoryBook


def balances(history: Iterable[Event]) -> Counter[tuple[str, str]]:
    """(account, asset) to balance, a debit positive; every event must balance."""
    sums: Counter[tuple[str, str]] = Counter()
    for event in history:
        for account, asset, amount in balanced(event.postings(ASSETS)):
            sums[account, asset] += amount
    return sums


def deferred_of_lots(place: InMemoryBook) -> int:
    """What the tokens of all wallets have not released of their price."""
    return sum(
        lot.released(lot.left)
        for state in place.states.values()
        if isinstance(state, Wallet)
        for lot in state.lots
    )
