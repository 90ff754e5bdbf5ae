"""Wallets: each user's tokens, what they were bought, given and spent for, and what is frozen.

Balances come from the postings on the accounts `w.<user>.free|held`, so they hold for every event
there ever will be. What a movement was for is the event's to say: `lifetime` has a branch for
each kind, found by class, so an event derived from `Sale` needs none of its own.
"""

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Cursor

from domain.freezes import AccountFrozen, FreezeEvent
from domain.promos import PromoTokensGranted
from domain.purchases import TokensPurchased
from domain.sale import TOKEN, Sale
from ledger.database import Connection
from projections.by_class import ByClass
from projections.projection import Projection, Table, integers, texts
from projections.record import Recorded

_BALANCES = {".free": 0, ".held": 2}
PURCHASED, GRANTED, SPENT, REFUNDED, EXPIRED = range(4, 9)
_COLUMNS = 9

Lifetime = tuple[tuple[str, int, int], ...]
"""(user, column, tokens), each."""


lifetime: ByClass[Callable[[Any], Lifetime]] = ByClass(lambda _event: ())
"""What an event adds to the lifetime figures of which users; most add nothing."""


@lifetime.branch(TokensPurchased)
def _purchased(event: TokensPurchased) -> Lifetime:
    if not event.bonus:
        return ((event.user, PURCHASED, event.tokens),)
    return (event.user, PURCHASED, event.tokens), (event.user, GRANTED, event.bonus)


@lifetime.branch(PromoTokensGranted)
def _granted(event: PromoTokensGranted) -> Lifetime:
    return ((event.user, GRANTED, event.tokens),)


@lifetime.branch(Sale)
def _spent(event: Sale) -> Lifetime:
    if event.funding != TOKEN:
        return ()
    return ((event.buyer, SPENT, event.tokens_paid + event.tokens_promo),)


class Wallets(Projection):
    """Tokens by user."""

    name = "wallets"
    version = 1
    tables = (Table("wallets", ("user_id",)), Table("wallet_freezes", ("user_id", "scope")))

    def forget(self) -> None:
        """Drop the sums."""
        self._added: dict[str, list[int]] = {}
        self._frozen: dict[tuple[str, str], bool] = {}

    def fold(self, page: Sequence[Recorded]) -> None:
        """Sum up what the page adds to each wallet."""
        added = self._added
        for recorded in page:
            for account, asset, amount in recorded.postings:
                if account[:2] == "w.":
                    user = account[2:-5]
                    sums = added.get(user)
                    if sums is None:
                        sums = added[user] = [0] * _COLUMNS
                    sums[_BALANCES[account[-5:]] + (asset[-6:] == ".PROMO")] -= amount
            event = recorded.event
            for user, column, tokens in lifetime[type(event)](event):  # type: ignore[index]
                sums = added.get(user)
                if sums is None:
                    sums = added[user] = [0] * _COLUMNS
                sums[column] += tokens
            if isinstance(event, FreezeEvent) and event.kind == "wallet":
                self._frozen[event.subject, event.scope] = isinstance(event, AccountFrozen)

    def write(self, cursor: Cursor[Any]) -> None:
        """Add the sums to the table."""
        if self._added:
            users = sorted(self._added)
            columns = zip(*(self._added[user] for user in users), strict=True)
            cursor.execute(self.sql["add"], (texts(users), *map(integers, columns)))
            self._added = {}
        for query, frozen in (("freeze", True), ("unfreeze", False)):
            keys = sorted(key for key, value in self._frozen.items() if value is frozen)
            if keys:
                cursor.execute(
                    self.sql[query], [list(column) for column in zip(*keys, strict=True)]
                )
        self._frozen = {}


_sql = Wallets().sql


def wallet(connection: Connection, user: str) -> dict[str, Any]:
    """The wallet of `user`; zeros for a user never seen."""
    row = connection.execute(_sql["wallet"], (user,)).fetchone()
    position, *amounts, frozen = row or (0, *[None] * _COLUMNS, [])
    paid, promo, held_paid, held_promo, purchased, granted, spent, refunded, expired = (
        amount or 0 for amount in amounts
    )
    return {
        "user": user,
        "free": {"paid": paid, "promo": promo},
        "held": {"paid": held_paid, "promo": held_promo},
        "lifetime": {
            "purchased": purchased,
            "granted": granted,
            "spent": spent,
            "refunded": refunded,
            "expired": expired,
        },
        "frozen": frozen,
        "as_of_position": position,
    }


def wallet_totals(connection: Connection) -> dict[str, Any]:
    """How many wallets there are and what they hold together."""
    row = connection.execute(_sql["totals"]).fetchone() or (0,) * 6
    position, wallets, paid, promo, held_paid, held_promo = row
    return {
        "wallets": wallets,
        "free": {"paid": paid, "promo": promo},
        "held": {"paid": held_paid, "promo": held_promo},
        "as_of_position": position,
    }
