"""Disputes of sales and of purchases: what banks took back, and how each dispute ended.

Every event of a dispute says what is disputed and how the dispute stands after it. Of a payment
that waits in suspense the notice is listed, and nothing here: its dispute has no life of its own.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Cursor, sql

from domain.disputes.dispute import DisputeEvent, DisputeOpened, DisputeWon
from domain.event import Event
from domain.payments.payment import DisputeStatus
from ledger.log import reading
from ledger.log.entry import Entry, decode
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, template
from projections.models.event_history import event_history

STATUSES = tuple(str(status) for status in DisputeStatus)


class DisputeRow(msgspec.Struct, frozen=True):
    """A row of the table. Amounts in minor units; `fee` as long as it is not given back."""

    dispute: str
    status: str
    user_id: str
    sale: str | None
    purchase: str | None
    amount: int
    fee: int
    bearer: str
    processor: str
    processor_ref: str
    labels: str | None
    created_at: datetime
    updated_at: datetime
    first_position: int
    last_position: int


def _nothing(_disputes: "Disputes", _event: Any, _position: int) -> None:
    pass


#: Which events are in a dispute's life.
branches: ByClass[Callable[["Disputes", Any, int], None]] = ByClass(
    _nothing, decides_about=(DisputeEvent,)
)


class Disputes(Projection):
    """Disputes by id."""

    name = "disputes"
    version = 1
    branches = branches
    tables = (Table("disputes", ("dispute",)),)
    ordered = True

    def forget(self) -> None:
        """Drop the changes."""
        self._changes: list[tuple[int, DisputeEvent]] = []

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Keep what happens to disputes."""
        for entry in page:
            event = entry.event
            branches[type(event)](self, event, entry.position)  # type: ignore[index]

    def change(self, event: DisputeEvent, position: int) -> None:
        """Keep an event."""
        self._changes.append((position, event))

    def write(self, cursor: Cursor[Any]) -> None:
        """Load the disputes that the page changes, fold, and write them back."""
        if not self._changes:
            return
        names = sorted({event.dispute_id for _, event in self._changes})
        cursor.execute(self.sql["load"], (names,))
        rows = {row[0]: DisputeRow(*row) for row in cursor}
        told = reading.entries(cursor.connection, [position for position, _ in self._changes])
        for position, event in self._changes:
            name, entry = event.dispute_id, decode(told[position])
            if isinstance(event, DisputeOpened):
                rows[name] = _opened(event, entry, position)
            else:
                rows[name] = _closed(rows[name], event, entry, position)
        cursor.executemany(self.sql["put"], [msgspec.structs.asdict(rows[name]) for name in names])
        self._changes = []


@branches.branch(DisputeEvent)
def _happened(disputes: Disputes, event: DisputeEvent, position: int) -> None:
    disputes.change(event, position)


def _opened(event: DisputeOpened, entry: Entry, position: int) -> DisputeRow:
    labels = None if entry.labels is None else _encoded(entry.labels)
    return DisputeRow(
        dispute=event.dispute_id,
        status=event.status,
        user_id=event.user,
        sale=event.sale_id,
        purchase=event.purchase_id,
        amount=event.amount,
        fee=event.fee,
        bearer=event.bearer,
        processor=event.processor,
        processor_ref=event.dispute_ref,
        labels=labels,
        created_at=entry.recorded_at,
        updated_at=entry.recorded_at,
        first_position=position,
        last_position=position,
    )


def _closed(row: DisputeRow, event: DisputeEvent, entry: Entry, position: int) -> DisputeRow:
    """The row after one part of a dispute's end."""
    back = event.fee if isinstance(event, DisputeWon) else 0
    return msgspec.structs.replace(
        row,
        status=event.status,
        fee=row.fee - back,
        updated_at=entry.recorded_at,
        last_position=position,
    )


def _encoded(labels: dict[str, str]) -> str:
    return msgspec.json.encode(labels, order="sorted").decode()


SQL = Disputes().sql
_TEXTS = sql_files.load("dispute_list", "projections")
_LIST = {
    order: template(_TEXTS["list"]).format(
        disputes=sql.Identifier("disputes"),
        order=sql.SQL(order),
        beyond=sql.SQL("<" if order == "DESC" else ">"),
    )
    for order in ("ASC", "DESC")
}


class DisputeFilter(msgspec.Struct, frozen=True):
    """Which disputes: of these statuses, and whatever else is given."""

    statuses: tuple[str, ...] = STATUSES
    user: str | None = None
    sale: str | None = None
    purchase: str | None = None
    processor: str | None = None
    processor_ref: str | None = None
    min_amount: int = 0
    labels: dict[str, str] = {}


def disputes(
    connection: Connection,
    wanted: DisputeFilter,
    currency: str,
    *,
    until: int | None = None,
    created_by: datetime | None = None,
    after: int | None = None,
    newest_first: bool = True,
    limit: int,
) -> tuple[list[dict[str, Any]], int]:
    """At most `limit` disputes in the order in which they were opened, and the position they stand
    for. `until`: opened up to that position; `created_by`: up to that time.
    """
    values = {
        **msgspec.structs.asdict(wanted),
        "statuses": list(wanted.statuses),
        "labels": _encoded(wanted.labels),
        "until": until,
        "created_by": created_by,
        "after": after if after is not None else reading.POSITION_MAX if newest_first else 0,
        "limit": limit,
    }
    rows = connection.execute(_LIST["DESC" if newest_first else "ASC"], values).fetchall()
    found = [DisputeRow(*row[1:]) for row in rows if row[1] is not None]
    return [_item(row, currency) for row in found], rows[0][0] if rows else 0


def dispute(connection: Connection, name: str, currency: str) -> dict[str, Any]:
    """One dispute with its `history`; only `as_of_position` where there is none."""
    position, *values = connection.execute(SQL["one"], (name,)).fetchone() or (0, None)
    if values[0] is None:
        return {"as_of_position": position}
    row = DisputeRow(*values)

    def status(event: Event) -> str | None:
        mine = isinstance(event, DisputeEvent) and event.dispute_id == name
        return str(event.status) if mine else None  # type: ignore[attr-defined]

    history = event_history(connection, f"dispute:{name}", row.last_position, status)
    return {**_item(row, currency), "history": history, "as_of_position": position}


def _item(row: DisputeRow, currency: str) -> dict[str, Any]:
    """A dispute as it is answered."""
    item = msgspec.structs.asdict(row)
    labels = None if row.labels is None else msgspec.json.decode(row.labels)
    name, user = item.pop("dispute"), item.pop("user_id")
    return {"id": name, "user": user, **item, "labels": labels, "currency": currency}
