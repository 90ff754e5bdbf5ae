"""Risk: what each buyer has lost in disputes by card, and when last.

The events that mark a buyer, or take a mark back, say how the marks stand by then, as the wallet
keeps them. Whether anything is frozen for it the policy says, and the wallets' model shows.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Cursor

from domain.disputes.dispute import DisputeClosed, DisputeEvent
from domain.wallets.wallet import BuyerRisk
from ledger.postgres.database import Connection
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, integers, texts


def _nothing(_risk: "Risk", _event: Any, _position: int) -> None:
    pass


#: Which events say what a buyer has lost.
branches: ByClass[Callable[["Risk", Any, int], None]] = ByClass(
    _nothing, decides_about=(DisputeEvent,), nothing="dispute.opened.v1"
)


class Risk(Projection):
    """Lost disputes by buyer."""

    name = "risk"
    version = 1
    branches = branches
    tables = (Table("buyer_risks", ("user_id",)),)

    def forget(self) -> None:
        """Drop the marks."""
        self._marks: dict[str, tuple[BuyerRisk, int]] = {}

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Keep each buyer's last marks."""
        for entry in page:
            event = entry.event
            branches[type(event)](self, event, entry.position)  # type: ignore[index]

    def mark(self, user: str, risk: BuyerRisk, position: int) -> None:
        """Note how the marks of `user` stand from `position` on."""
        self._marks[user] = risk, position

    def write(self, cursor: Cursor[Any]) -> None:
        """Write down the marks as they stand now."""
        if not self._marks:
            return
        users = sorted(self._marks)
        marks = [self._marks[user] for user in users]
        values = (
            texts(users),
            integers(risk.disputes for risk, _ in marks),
            integers(risk.amount for risk, _ in marks),
            [risk.last for risk, _ in marks],
            integers(position for _, position in marks),
        )
        cursor.execute(self.sql["put"], values)
        self._marks = {}


@branches.branch(DisputeClosed)
def _marked(risk: Risk, event: DisputeClosed, position: int) -> None:
    if event.risk is not None:
        risk.mark(event.user, event.risk, position)


class RiskFilter(msgspec.Struct, frozen=True):
    """Which buyers: with so many lost disputes, for so many minor units, or one of them."""

    user: str | None = None
    min_disputes: int = 1
    min_amount: int = 0


SQL = Risk().sql


def risk(
    connection: Connection,
    wanted: RiskFilter,
    currency: str,
    *,
    after: tuple[datetime, str] | None = None,
    newest_first: bool = True,
    limit: int,
) -> tuple[list[dict[str, Any]], int]:
    """At most `limit` buyers with lost disputes, by when they lost last, and the position that
    they stand for."""
    edge = "infinity" if newest_first else "-infinity"
    last_at, after_user = after or (edge, "")
    values = {
        **msgspec.structs.asdict(wanted),
        "last_at": last_at,
        "after_user": after_user,
        "limit": limit,
    }
    query = SQL["newest" if newest_first else "oldest"]
    rows = connection.execute(query, values).fetchall()
    items = [
        {
            "id": user,
            "user": user,
            "disputes": disputes,
            "amount": amount,
            "currency": currency,
            "last_at": last,
            "frozen": frozen,
            "last_position": position,
        }
        for _, user, disputes, amount, last, position, frozen in rows
        if user is not None
    ]
    return items, rows[0][0] if rows else 0
