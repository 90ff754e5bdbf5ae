"""Users by tier, as they are asked for: the tier of the last change, and what is spent by now."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import sql

from domain.event import Event
from domain.tiers.tier import NEW, TIER, TierChanged
from ledger.log import reading
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.event_history import HISTORY_MAX, event_history
from projections.engine.projection import template
from projections.models.tier_forecast import Ladders
from projections.models.tiers import TierRow, Tiers, ladders_of

_TABLES = {table.name: sql.Identifier(table.name) for table in Tiers.tables}
_ORDERS = {name: sql.SQL(name) for name in ("ASC", "DESC")}
_TEXTS = sql_files.load("tier_list", "projections")
_LIST = {
    name: template(_TEXTS["list"]).format(**_TABLES, order=order) for name, order in _ORDERS.items()
}
_ONE = template(_TEXTS["one"]).format(**_TABLES)


class TierFilter(msgspec.Struct, frozen=True):
    """Which users: in these tiers, by default in all; or one of them."""

    statuses: tuple[str, ...] = ()
    user: str | None = None


def tiers(
    connection: Connection,
    wanted: TierFilter,
    currency: str,
    *,
    first: int = 0,
    last: int = reading.POSITION_MAX,
    newest_first: bool = True,
    limit: int,
    now: datetime | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """At most `limit` users whose first sale is at `first` to `last`, and the position they stand
    for."""
    ladders, now = _ladders(connection), now or datetime.now(UTC)
    edge = now - ladders.at(now).window
    if wanted.user is not None:
        rows = connection.execute(_ONE, {"user": wanted.user, "edge": edge}).fetchall()
        kept = [row for row in rows if _wanted(row, wanted, first, last)]
    else:
        values = {
            "statuses": list(wanted.statuses or _named(ladders)),
            "edge": edge, "first": first, "last": last, "limit": limit,
        }  # fmt: skip
        rows = connection.execute(_LIST["DESC" if newest_first else "ASC"], values).fetchall()
        kept = [row for row in rows if row[1] is not None]
    return [_item(row, currency) for row in kept], rows[0][0] if rows else 0


def tier(
    connection: Connection, user: str, currency: str, now: datetime | None = None
) -> dict[str, Any]:
    """One user, with the changes so far; whoever was never seen is NEW and has spent nothing."""
    ladders, now = _ladders(connection), now or datetime.now(UTC)
    ladder = ladders.at(now)
    values = {"user": user, "edge": now - ladder.window}
    row = connection.execute(_ONE, values).fetchone() or (0, None)
    item = _nobody(user, currency) if row[1] is None else _item(row, currency)
    told = reading.listing(connection, until=row[0], tag=f"{TIER}{user}", limit=HISTORY_MAX)
    history = event_history(told, _status)
    return {
        **item,
        "window_days": ladder.window_days,
        "ladder": [{"tier": name, "min": least} for name, least in ladder.steps],
        "history": history,
        "as_of_position": row[0],
    }


def _status(event: Event, _position: int) -> str | None:
    return event.tier if isinstance(event, TierChanged) else None


def _ladders(connection: Connection) -> Ladders:
    return ladders_of(connection.execute(Tiers().sql["ladders"]))


def _named(ladders: Ladders) -> set[str]:
    """Every tier that anybody may be in."""
    return {NEW, *(name for ladder in ladders.all for name, _ in ladder.steps)}


def _wanted(row: tuple[Any, ...], wanted: TierFilter, first: int, last: int) -> bool:
    if row[1] is None:
        return False
    found = TierRow(*row[1:-1])
    in_tier = not wanted.statuses or found.tier in wanted.statuses
    return in_tier and first <= found.first_position <= last


def _item(row: tuple[Any, ...], currency: str) -> dict[str, Any]:
    _, *values, spend = row
    found = TierRow(*values)
    return {
        "id": found.user,
        "status": found.tier,
        "user": found.user,
        "spend": spend,
        "currency": currency,
        "since": found.changed_at,
        "changes_at": found.changes_at,
        "changes_to": found.changes_to,
        "labels": None,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "first_position": found.first_position,
        "last_position": found.last_position,
    }


def _nobody(user: str, currency: str) -> dict[str, Any]:
    known = {"id": user, "status": NEW, "user": user, "spend": 0, "currency": currency}
    nothing = ("since", "changes_at", "changes_to", "labels", "created_at", "updated_at")
    return {**known, **dict.fromkeys((*nothing, "first_position", "last_position"))}
