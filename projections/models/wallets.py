"""Wallets: each user's tokens, what they were bought, given and spent for, and what is frozen.

Balances come from the postings on the accounts `w.<user>.free|held`, so they hold for every event
there ever will be. What a movement was for, the event's branch says; branches are found by class,
so an event derived from `Sale` needs none of its own. Of every wallet and at any time,
free + held = purchased + granted - spent + refunded - expired: what the refund or the lost dispute
of a purchase takes away was not purchased or granted, and what an adjustment gives was granted.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psycopg import Cursor

from domain.controls.adjustments import AdjustmentApproved
from domain.controls.freezes import AccountFrozen, FreezeEvent
from domain.disputes.dispute import DisputeLost, DisputeWon
from domain.holds.hold import HoldSettled
from domain.purchases.purchase import TokensPurchased
from domain.refunds.purchases import TokenPurchaseRefunded
from domain.refunds.refund import RefundRecorded
from domain.reversals.token_sales import Counted
from domain.sales.sale import TOKEN, Sale
from domain.wallets.expiry import LotEnded
from domain.wallets.promo_grants import PromoTokensGranted
from domain.wallets.wallet import PROMO, WalletEvent
from ledger.postgres.database import Connection
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, integers, texts

_BALANCES = {".free": 0, ".held": 2}
PURCHASED, GRANTED, SPENT, REFUNDED, EXPIRED = range(4, 9)
_COLUMNS = 9


def _nothing(_wallets: "Wallets", _event: Any) -> None:
    pass


branches: ByClass[Callable[["Wallets", Any], None]] = ByClass(
    _nothing,
    decides_about=(WalletEvent,),
    postings="credits.held.v1 hold.released.v1 dispute.opened.v1",
    nothing="""
        adjustment.proposed.v1 adjustment.rejected.v1 call.started.v1 call.ended.v1
        subject.erased.v1 subscription.cancelled.v1 subscription.lapsed.v1 subscription.started.v1
        subscription_period.failed.v1
        """,
)
"""What an event adds to the lifetime figures of wallets, or freezes of them."""


class Wallets(Projection):
    """Tokens by user."""

    name = "wallets"
    version = 2
    branches = branches
    tables = (Table("wallets", ("user_id",)), Table("wallet_freezes", ("user_id", "scope")))

    def forget(self) -> None:
        """Drop the sums."""
        self._added: dict[str, list[int]] = {}
        self._frozen: dict[tuple[str, str], bool] = {}

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
        for query, frozen in (("freeze", True), ("unfreeze", False)):
            keys = sorted(key for key, value in self._frozen.items() if value is frozen)
            if keys:
                cursor.execute(
                    self.sql[query], [list(column) for column in zip(*keys, strict=True)]
                )
        self._frozen = {}


@branches.branch(TokensPurchased)
def _purchased(wallets: Wallets, event: TokensPurchased) -> None:
    sums = wallets.sums(event.user)
    sums[PURCHASED] += event.tokens
    sums[GRANTED] += event.bonus


@branches.branch(PromoTokensGranted)
def _granted(wallets: Wallets, event: PromoTokensGranted) -> None:
    wallets.sums(event.user)[GRANTED] += event.tokens


@branches.branch(Sale)
def _spent(wallets: Wallets, event: Sale) -> None:
    if event.funding == TOKEN:
        wallets.sums(event.buyer)[SPENT] += event.tokens_paid + event.tokens_promo


@branches.branch(HoldSettled)
def _used(wallets: Wallets, event: HoldSettled) -> None:
    wallets.sums(event.user)[SPENT] += event.tokens


@branches.branch(LotEnded)
def _ended(wallets: Wallets, event: LotEnded) -> None:
    wallets.sums(event.user)[EXPIRED] += event.tokens


@branches.branch(RefundRecorded)
def _refunded(wallets: Wallets, event: RefundRecorded) -> None:
    if event.lots:
        back = sum(lot.tokens for lot in event.lots if not lot.lapsed)
        wallets.sums(event.buyer)[REFUNDED] += back


@branches.branch(TokenPurchaseRefunded)
def _given_back(wallets: Wallets, event: TokenPurchaseRefunded) -> None:
    _unbought(wallets, event.user, event.lots)


@branches.branch(DisputeLost)
def _cancelled(wallets: Wallets, event: DisputeLost) -> None:
    _unbought(wallets, event.user, event.lots)


@branches.branch(DisputeWon)
def _restored(wallets: Wallets, event: DisputeWon) -> None:
    _unbought(wallets, event.user, event.restored, sign=-1)


def _unbought(wallets: Wallets, user: str, lots: Iterable[Counted], sign: int = 1) -> None:
    """Tokens, bonus included, of which the purchase is undone, or with -1 stands again."""
    for lot in lots:
        wallets.sums(user)[GRANTED if lot.kind == PROMO else PURCHASED] -= sign * lot.tokens


@branches.branch(AdjustmentApproved)
def _adjusted(wallets: Wallets, event: AdjustmentApproved) -> None:
    for account, _, amount in event.legs:
        kind, _, rest = account.partition(".")
        if kind == "w":
            wallets.sums(rest.partition(".")[0])[GRANTED] -= amount


@branches.branch(FreezeEvent)
def _frozen(wallets: Wallets, event: FreezeEvent) -> None:
    if event.kind == "wallet":
        frozen = isinstance(event, AccountFrozen)
        wallets.freeze(event.subject, event.scope, frozen=frozen)


SQL = Wallets().sql


def wallet(connection: Connection, user: str) -> dict[str, Any]:
    """The wallet of `user`; zeros for a user never seen."""
    row = connection.execute(SQL["wallet"], (user,)).fetchone()
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
    row = connection.execute(SQL["totals"]).fetchone() or (0,) * 6
    position, wallets, paid, promo, held_paid, held_promo = row
    return {
        "wallets": wallets,
        "free": {"paid": paid, "promo": promo},
        "held": {"paid": held_paid, "promo": held_promo},
        "as_of_position": position,
    }
