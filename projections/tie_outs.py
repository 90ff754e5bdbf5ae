"""Tie-outs: figures of the read models that must be the same, each with its difference.

A sum over a read model's rows is held against the balance that the journal's classes have at the
position at which that read model stands. So they tie out however far apart the read models are,
while commands go on.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from domain.accounts import CLASSES, DISPUTED, SUPPLY, SUSPENSE, AccountType, Assets
from domain.payments.payment import DisputeStatus
from domain.payouts.payout import PayoutStatus
from ledger.postgres.database import Connection
from projections.catalogue import PROJECTIONS
from projections.engine.projection import bound
from projections.models.class_balances import Balances, class_balances
from projections.models.revenue import ACCOUNTS

SQL = bound("tie_outs", [table for each in PROJECTIONS for table in each.tables])

_IN_PAYOUT = [
    status.upper()
    for status in (PayoutStatus.REQUESTED, PayoutStatus.APPROVED, PayoutStatus.SUBMITTED)
]
_OPEN = [str(DisputeStatus.OPEN)]


class TieOut(msgspec.Struct, frozen=True):
    """Two figures of one asset and by how much the first is more than the second, in minor units
    or tokens; `position`: as of where in the log they were taken."""

    name: str
    asset: str
    difference: int
    position: int

    @property
    def ok(self) -> bool:
        """Whether they are the same."""
        return self.difference == 0

    def shown(self) -> dict[str, Any]:
        """For answers and logs."""
        return {
            "name": self.name,
            "asset": self.asset,
            "ok": self.ok,
            "difference": self.difference,
            "position": self.position,
        }


class Sum(msgspec.Struct, frozen=True):
    """A column of a query, and the class whose balance it must be, in which of `Assets`' fields."""

    name: str
    account_class: str
    asset: str = "currency"

    def of(self, balances: Balances, assets: Assets) -> int:
        """The balance, on the side on which its class stands."""
        balance = balances.get((self.account_class, getattr(assets, self.asset)), 0)
        known = CLASSES[self.account_class]
        return balance if known.type in _DEBIT else -balance


class ModelSums(msgspec.Struct, frozen=True):
    """The sums of one query over a read model's rows."""

    model: str
    query: str
    sums: tuple[Sum, ...]
    values: tuple[Any, ...] = ()


#: The read models whose rows are compared with the accounts'.
_ROW_BY_ROW = ("journal", "wallets", "earnings")
_DEBIT = (AccountType.ASSET, AccountType.EXPENSE, AccountType.CONTRA)
MODEL_SUMS = (
    ModelSums(
        "wallets",
        "wallets",
        (
            Sum("wallets.free", "w.*.free", "paid"),
            Sum("wallets.held", "w.*.held", "paid"),
            Sum("wallets.free", "w.*.free", "promo"),
            Sum("wallets.held", "w.*.held", "promo"),
            Sum("tokens.outstanding", SUPPLY, "paid"),
            Sum("tokens.outstanding", SUPPLY, "promo"),
        ),
    ),
    ModelSums(
        "earnings",
        "creators",
        (
            Sum("creators.pending", "cr.*.pending"),
            Sum("creators.available", "cr.*.available"),
            Sum("creators.reserved", "cr.*.reserved"),
            Sum("creators.in_payout", "cr.*.payout"),
        ),
    ),
    ModelSums("payouts", "payouts", (Sum("payouts.open", "cr.*.payout"),), (_IN_PAYOUT,)),
    ModelSums("disputes", "disputes", (Sum("disputes.open", DISPUTED),), (_OPEN,)),
    ModelSums(
        "revenue",
        "revenue",
        tuple(Sum(f"revenue.{name}", account) for name, (account, _) in ACCOUNTS.items()),
    ),
)


class Consistency(msgspec.Struct, frozen=True):
    """What must be zero, and as of where in the log it was counted."""

    tie_outs: list[TieOut]
    wallets_differing: int
    negative_wallets: int
    creators_differing: int
    position: int


class ReadModelsApart(Exception):
    """Two read models stand at different positions: their rows cannot be compared just now."""


def tie_outs(connection: Connection, assets: Assets) -> list[TieOut]:
    """Every tie-out of the connection's book; empty before its read models are installed. A read
    model that is ahead of the classes is left out until they have come up."""
    with connection.transaction():
        connection.execute(SQL["snapshot"])
        positions = _positions(connection)
        return list(_tied(connection, assets, positions)) if positions else []


def consistency(connection: Connection, assets: Assets) -> Consistency:
    """Every tie-out, and every wallet and creator against the accounts; raises ReadModelsApart."""
    with connection.transaction():
        connection.execute(SQL["snapshot"])
        positions = _positions(connection)
        if not positions or len({positions[name] for name in _ROW_BY_ROW}) > 1:
            raise ReadModelsApart
        tokens = {"paid": assets.paid, "promo": assets.promo}
        differing, negative = connection.execute(SQL["wallets_differing"], tokens).fetchone() or ()
        money = {"currency": assets.currency}
        (creators,) = connection.execute(SQL["creators_differing"], money).fetchone() or ()
        return Consistency(
            list(_tied(connection, assets, positions)),
            wallets_differing=differing,
            negative_wallets=negative,
            creators_differing=creators,
            position=positions["journal"],
        )


def _positions(connection: Connection) -> dict[str, int]:
    """How far each read model is; empty unless all are installed."""
    positions: dict[str, int] = dict(connection.execute(SQL["positions"]).fetchall())
    return positions if all(each.name in positions for each in PROJECTIONS) else {}


def _tied(connection: Connection, assets: Assets, positions: dict[str, int]) -> Iterator[TieOut]:
    at = positions["journal"]
    for asset, total in connection.execute(SQL["accounts"]):
        yield TieOut("accounts.debits_and_credits", asset, total, at)
    at = positions["account_classes"]
    balances = _ByPosition(connection, at)
    for asset in sorted({asset for _, asset in balances.at(at)}):
        total = sum(amount for (_, other), amount in balances.at(at).items() if other == asset)
        yield TieOut("classes.debits_and_credits", asset, total, at)
    for summed in MODEL_SUMS:
        at = positions[summed.model]
        if at > balances.checkpoint:
            continue
        found = connection.execute(SQL[summed.query], summed.values).fetchone() or ()
        for each, total in zip(summed.sums, found, strict=True):
            off = (total or 0) - each.of(balances.at(at), assets)
            yield TieOut(each.name, getattr(assets, each.asset), off, at)
    at = positions["notices"]
    if at == positions["breaks"] <= balances.checkpoint:
        yield from _suspense(connection, assets, balances.at(at), at)


def _suspense(
    connection: Connection, assets: Assets, balances: Balances, position: int
) -> Iterator[TieOut]:
    """What notices and breaks have in suspense, in every currency in which something is or should
    be there."""
    waiting: dict[str, int] = {}
    for currency, amount in connection.execute(SQL["suspense"]):
        asset = currency or assets.currency
        waiting[asset] = waiting.get(asset, 0) + amount
    posted = {asset: -amount for (name, asset), amount in balances.items() if name == SUSPENSE}
    for asset in sorted({assets.currency, *waiting, *posted}):
        off = waiting.get(asset, 0) - posted.get(asset, 0)
        yield TieOut("suspense.waiting", asset, off, position)


class _ByPosition:
    """The balances of the classes at the few positions at which the read models stand."""

    def __init__(self, connection: Connection, checkpoint: int) -> None:
        self.checkpoint = checkpoint
        self._connection = connection
        self._found: dict[int, Balances] = {}

    def at(self, position: int) -> Balances:
        if position not in self._found:
            self._found[position] = class_balances(self._connection, position)
        return self._found[position]
