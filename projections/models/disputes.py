"""Disputes of sales and of purchases: what banks took back, and how each dispute ended.

Every event of a dispute says what is disputed and how the dispute stands after it. Of a payment
that waits in suspense the notice is listed, and nothing here: its dispute has no life of its own.
"""

from datetime import datetime
from typing import Any

import msgspec

from domain.disputes.dispute import DisputeEvent, DisputeOpened, DisputeWon
from domain.event import Event
from domain.payments.payment import DisputeStatus
from ledger.log.entry import Entry
from ledger.postgres.database import Connection
from projections.engine.projection import Table
from projections.engine.register import Register, RegisterList, decoded_labels, encoded, lives
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


class Disputes(Register[DisputeEvent, DisputeRow]):
    """Disputes by id."""

    name = "disputes"
    version = 1
    row = DisputeRow
    branches = lives(DisputeEvent)
    tables = (Table("disputes", ("dispute",)),)

    def id_of(self, event: DisputeEvent) -> str:
        """Its dispute."""
        return event.dispute_id

    def after(
        self, row: DisputeRow | None, event: DisputeEvent, entry: Entry, position: int
    ) -> DisputeRow:
        """The dispute as the event says that it stands."""
        if isinstance(event, DisputeOpened):
            return _opened(event, entry, position)
        assert row is not None
        return _closed(row, event, entry, position)


def _opened(event: DisputeOpened, entry: Entry, position: int) -> DisputeRow:
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
        labels=encoded(entry.labels),
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


SQL = Disputes().sql
_LIST = RegisterList("disputes", "dispute_list", DisputeRow)


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
    connection: Connection, wanted: DisputeFilter, currency: str, **page: Any
) -> tuple[list[dict[str, Any]], int]:
    """Disputes in the order in which they were opened, and the position they stand for; `page` as
    `RegisterList.rows` takes it."""
    rows, position = _LIST.rows(connection, wanted, **page)
    return [_item(row, currency) for row in rows], position


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
    labels = decoded_labels(row.labels)
    name, user = item.pop("dispute"), item.pop("user_id")
    return {"id": name, "user": user, **item, "labels": labels, "currency": currency}
