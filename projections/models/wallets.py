"""Wallets: each user's tokens, what they were bought, given and spent for, and what is frozen.

Balances come from the postings on the accounts `w.<user>.free|held`, so they hold for every event
there ever will be. What a movement was for, the event says in its `lot_changes`, so a new event
needs nothing here and a new cause one more line. Of every wallet and at any time,
free + held = purchased + granted - spent + refunded - expired: what the refund or the lost dispute
of a purchase takes away was not purchased or granted, and what an adjustment gives was granted.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, assert_never

from psycopg import Cursor

from domain.controls.freezes import AccountUnfrozen, FreezeEvent
from domain.fields import Funding
from domain.sales.sale import Sale
from domain.wallets.lot_changes import ROUTES, Cause, TokenPlace
from domain.wallets.wallet import Lot, TokenClass, WalletEvent
from ledger.postgres.database import Connection
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, integers, texts

_BALANCES = {".free": 0, ".held": 2}
PURCHASED, GRANTED, SPENT, REFUNDED, EXPIRED = range(4, 9)
_COLUMNS = 9


def _nothing(_wallets: "Wallets", _event: Any) -> None:
    pass


#: What an event adds to the lifetime figures of wallets, or freezes of them.
branches: ByClass[Callable[["Wallets", Any], None]] = ByClass(
    _nothing,
    decides_about=(WalletEvent,),
)


class Wallets(Projection):
    """Tokens by user."""

    name = "wallets"
    version = 4
    weight = 4
    branches = branches
    tables = (
        Table("wallets", ("user_id",)),
        Table("wallet_freezes", ("user_id", "scope")),
        Table("wallet_ends", ("user_id", "lot")),
    )

    def forget(self) -> None:
        """Drop the sums."""
        self._added: dict[str, list[int]] = {}
        self._frozen: dict[tuple[str, str], bool] = {}
        self._free: dict[tuple[str, str], int] = {}
        self._ends: dict[tuple[str, str], tuple[str, datetime]] = {}

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Sum up what the page adds to each wallet."""
        added = self._added
        for entry in page:
            for account, asset, amount in entry.postings:
                if account[:2] == "w.":
                    user = account[2:-5]
                    sums = added.get(user)
                    if sums is None:
                        sums = added[user] = [0] * _COLUMNS
                    sums[_BALANCES[account[-5:]] + (asset[-6:] == ".PROMO")] -= amount
            event = entry.event
            branches[type(event)](self, event)  # type: ignore[index]

    def sums(self, user: str) -> list[int]:
        """What the page adds to a wallet."""
        sums = self._added.get(user)
        if sums is None:
            sums = self._added[user] = [0] * _COLUMNS
        return sums

    def free(self, user: str, lot: str, tokens: int) -> None:
        """`tokens` more of a lot are free."""
        key = user, lot
        self._free[key] = self._free.get(key, 0) + tokens

    def ends(self, user: str, lot: str, kind: str, at: datetime) -> None:
        """A lot that came into a wallet ends."""
        self._ends[user, lot] = kind, at

    def freeze(self, user: str, scope: str, *, frozen: bool) -> None:
        """A scope is frozen from now on, or is not."""
        self._frozen[user, scope] = frozen

    def write(self, cursor: Cursor[Any]) -> None:
        """Add the sums to the table."""
        if self._added:
            users = sorted(self._added)
            columns = zip(*(self._added[user] for user in users), strict=True)
            cursor.execute(self.sql["add"], (texts(users), *map(integers, columns)))
            self._added = {}
        if self._ends:
            ending = sorted(self._ends)
            rows = [(*key, *self._ends[key]) for key in ending]
            cursor.execute(self.sql["end"], [list(column) for column in zip(*rows, strict=True)])
            self._ends = {}
        if self._free:
            changed = sorted(key for key, tokens in self._free.items() if tokens)
            users, lots = [key[0] for key in changed], [key[1] for key in changed]
            tokens = integers(self._free[key] for key in changed)
            cursor.execute(self.sql["free"], (texts(users), texts(lots), tokens))
            self._free = {}
        for query, frozen in (("freeze", True), ("unfreeze", False)):
            keys = sorted(key for key, value in self._frozen.items() if value is frozen)
            if keys:
                cursor.execute(
                    self.sql[query], [list(column) for column in zip(*keys, strict=True)]
                )
        self._frozen = {}


@branches.branch(Sale)
def _spent(wallets: Wallets, event: Sale) -> None:
    if event.funding == Funding.TOKEN:
        wallets.sums(event.buyer)[SPENT] += event.tokens_paid + event.tokens_promo
        for use in event.lots:
            wallets.free(event.buyer, use.lot, -use.tokens)


@branches.branch(WalletEvent)
def _moved(wallets: Wallets, event: WalletEvent) -> None:
    for user, lot, tokens, cause in event.lot_changes():
        figure = lifetime_figure(cause, lot.kind)
        if figure is not None:
            column, sign = figure
            wallets.sums(user)[column] += sign * tokens
        wallets.free(user, lot.lot, _FREED[cause] * tokens)
        if isinstance(lot, Lot) and lot.expires_at is not None:
            wallets.ends(user, lot.lot, lot.kind, lot.expires_at)


#: How many tokens of a wallet are free for each that a cause moves: one more, one less, or none.
_FREED = {
    cause: (to is TokenPlace.FREE) - (there is TokenPlace.FREE)
    for cause, (there, to) in ROUTES.items()
}


def lifetime_figure(cause: Cause, kind: str) -> tuple[int, int] | None:
    """The lifetime figure that a movement changes, and whether it adds to it or takes from it."""
    bought = GRANTED if kind == TokenClass.PROMO else PURCHASED
    match cause:
        case Cause.PURCHASED:
            return PURCHASED, 1
        case Cause.GRANTED | Cause.CREDITED:
            return GRANTED, 1
        case Cause.DEBITED:
            return GRANTED, -1
        case Cause.SPENT | Cause.USED:
            return SPENT, 1
        case Cause.RETURNED:
            return REFUNDED, 1
        case Cause.EXPIRED:
            return EXPIRED, 1
        case Cause.REVOKED | Cause.CANCELLED:
            return bought, -1
        case Cause.RESTORED:
            return bought, 1
        case Cause.HELD | Cause.RELEASED | Cause.REPRICED:
            return None
    assert_never(cause)


@branches.branch(FreezeEvent)
def _frozen(wallets: Wallets, event: FreezeEvent) -> None:
    if event.kind == "wallet":
        frozen = not isinstance(event, AccountUnfrozen) or event.remains
        wallets.freeze(event.subject, event.scope, frozen=frozen)


SQL = Wallets().sql


def wallet(connection: Connection, user: str, at: datetime | None = None) -> dict[str, Any]:
    """The wallet of `user`; zeros for a user never seen.

    Tokens whose time is over at `at` (by default, now) are not free any more, also while no event
    says so yet: `lapsing` were bought, `expired` were given.
    """
    row = connection.execute(SQL["wallet"], {"user": user, "at": at}).fetchone()
    position, *figures = row or (0, *[None] * _COLUMNS, 0, 0, [])
    return {**shown_wallet(user, figures), "as_of_position": position}


def shown_wallet(user: str, figures: Sequence[Any]) -> dict[str, Any]:
    """A wallet as it is answered: its sums, what has ended of each class, frozen scopes."""
    *amounts, lapsing, expired_now, frozen = figures
    paid, promo, held_paid, held_promo, purchased, granted, spent, refunded, expired = (
        amount or 0 for amount in amounts
    )
    return {
        "user": user,
        "free": {"paid": paid - lapsing, "promo": promo - expired_now},
        "lapsing": lapsing,
        "expired": expired_now,
        "held": {"paid": held_paid, "promo": held_promo},
        "lifetime": {
            "purchased": purchased,
            "granted": granted,
            "spent": spent,
            "refunded": refunded,
            "expired": expired,
        },
        "frozen": frozen,
    }


def wallet_totals(connection: Connection) -> dict[str, Any]:
    """How many wallets there are and what they hold together."""
    row = connection.execute(SQL["totals"]).fetchone() or (0,) * 6
    position, wallets, paid, promo, held_paid, held_promo = row
    return {
        "wallets": wallets,
        "free": {"paid": paid, "promo": promo},
        "held": {"paid": held_paid, "promo": held_promo},
        "as_of_position": position,
    }
