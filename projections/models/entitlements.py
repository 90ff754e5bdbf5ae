"""Entitlements: which user may use which item, and until when.

The domain's own fold says what an event does to an entitlement, so whatever grants, prolongs or
ends one is handled here without being named. An ended one stays visible as revoked.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import Cursor

from domain.sales.entitlement import Entitlement, EntitlementEvent, Grant
from domain.sales.sale import Sale
from ledger.postgres.database import Connection
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, texts

_TAG = "entitlement:"


class EntitlementRow(msgspec.Struct, frozen=True):
    """A row of the table; after the end of an entitlement, the sale that last gave it.

    `grants` is what the domain's fold holds, as JSON.
    """

    source: str | None = None
    sale: str | None = None
    valid_until: datetime | None = None
    revoked: bool = True
    grants: str = "[]"

    def after(self, event: EntitlementEvent) -> "EntitlementRow":
        """The row after `event`."""
        now = event.in_entitlement(Entitlement(grants=_grants.decode(self.grants)))
        longest = now.longest
        if longest is None:
            return EntitlementRow(self.source, self.sale, self.valid_until)
        source = self.source
        if isinstance(event, Sale) and event.sale_id == longest.sale_id:
            source = event.product
        grants = msgspec.json.encode(now.grants).decode()
        return EntitlementRow(
            source, longest.sale_id, longest.valid_until, revoked=False, grants=grants
        )


def _nothing(_entitlements: "Entitlements", _event: Any) -> None:
    pass


#: Which events change an entitlement.
branches: ByClass[Callable[["Entitlements", Any], None]] = ByClass(
    _nothing, decides_about=(EntitlementEvent,)
)


class Entitlements(Projection):
    """Rights by user and item."""

    name = "entitlements"
    version = 2
    weight = 4
    branches = branches
    tables = (Table("entitlements", ("user_id", "item")),)

    def forget(self) -> None:
        """Drop the changes."""
        self._changes: list[tuple[tuple[str, str], EntitlementEvent]] = []

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Keep what changes an entitlement."""
        for entry in page:
            event = entry.event
            branches[type(event)](self, event)  # type: ignore[index]

    def change(self, event: EntitlementEvent) -> None:
        """Keep an event for each entitlement that it is tagged with."""
        for tag in event.tags():
            if tag.startswith(_TAG):
                _, user, item = tag.split(":")
                self._changes.append(((user, item), event))

    def write(self, cursor: Cursor[Any]) -> None:
        """Load what the page changes, fold, and write it back."""
        if not self._changes:
            return
        keys = sorted({key for key, _ in self._changes})
        users, items = (texts(column) for column in zip(*keys, strict=True))
        cursor.execute(self.sql["load"], (users, items))
        held = {(user, item): EntitlementRow(*rest) for user, item, *rest in cursor}
        for key, event in self._changes:
            held[key] = held.get(key, _NOTHING).after(event)
        rows = [held[key] for key in keys]
        cursor.execute(
            self.sql["put"],
            (
                users,
                items,
                texts([row.source for row in rows]),
                texts([row.sale for row in rows]),
                [row.valid_until for row in rows],
                [row.revoked for row in rows],
                [row.grants for row in rows],
            ),
        )
        self._changes = []


@branches.branch(EntitlementEvent)
def _changed(entitlements: Entitlements, event: EntitlementEvent) -> None:
    entitlements.change(event)


_NOTHING = EntitlementRow()
_grants = msgspec.json.Decoder(tuple[Grant, ...])
SQL = Entitlements().sql


def entitlement(
    connection: Connection, user: str, item: str, *, now: datetime | None = None
) -> dict[str, Any]:
    """The right of `user` to `item` at `now`; without one, `source` and `sale` are None."""
    row = connection.execute(SQL["entitlement"], (user, item)).fetchone()
    position, source, sale, valid_until, revoked = row or (0, None, None, None, True)
    now = now or datetime.now(UTC)
    if revoked or revoked is None or (valid_until is not None and valid_until <= now):
        source = sale = valid_until = None
    return {
        "user": user,
        "item": item,
        "source": source,
        "sale": sale,
        "valid_until": valid_until,
        "as_of_position": position,
    }


def library(
    connection: Connection,
    user: str,
    *,
    in_force: bool,
    now: datetime,
    after: str = "",
    limit: int = 100,
) -> tuple[list[dict[str, Any]], int]:
    """What `user` is entitled to at `now`, or was ever unless only what is `in_force` is wanted, by
    item; and the position it stands for."""
    asked = {"user": user, "after": after, "limit": limit, "now": now, "only_in_force": in_force}
    rows = connection.execute(SQL["library"], asked).fetchall()
    names = ("item", "source", "sale", "valid_until", "entitled")
    found = [dict(zip(names, row[1:], strict=True)) for row in rows if row[1] is not None]
    return found, rows[0][0] if rows else 0


def check_entitlements(
    connection: Connection, pairs: Sequence[tuple[str, str]], *, now: datetime
) -> tuple[list[dict[str, Any]], int]:
    """Whether users have rights to items at `now`, pair by pair; and the position it stands for."""
    users, items = (texts(column) for column in zip(*pairs, strict=True))
    rows = connection.execute(SQL["check"], {"users": users, "items": items, "now": now}).fetchall()
    found = [
        {
            "user": user,
            "item": item,
            "entitled": source is not None,
            "source": source,
            "sale": sale,
            "valid_until": until,
        }
        for _, user, item, source, sale, until in rows
    ]
    return found, rows[0][0] if rows else 0
