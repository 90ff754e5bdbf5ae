"""Payouts: where each is on its way, its amounts, who decided, and when.

A row is the domain's own fold of the payout, with what its events say beside it: who approved it,
the processor's reference, why it was rejected or came back.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Cursor, sql

from domain.event import Event
from domain.payouts.payout import Payout, PayoutEvent, PayoutPaid, PayoutStatus
from ledger.log import reading
from ledger.log.entry import Entry, decode
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, template
from projections.models.event_history import event_history

STATUSES = tuple(status.upper() for status in PayoutStatus)
#: What events say of a payout beside what the domain's fold keeps.
_SAID = ("instant", "approver", "processor", "processor_ref", "reason")


class PayoutRow(msgspec.Struct, frozen=True):
    """A row of the table. Amounts in minor units; gross = fee + withheld + net."""

    payout: str
    status: str
    creator: str
    requester: str
    sender: str | None
    gross: int
    fee: int
    withheld: int
    net: int
    country: str | None
    instant: bool | None
    approver: str | None
    processor: str | None
    processor_ref: str | None
    reason: str | None
    paid_at: datetime | None
    labels: str | None
    created_at: datetime
    updated_at: datetime
    first_position: int
    last_position: int

    @property
    def state(self) -> Payout:
        """The payout as the domain keeps it."""
        fields = {name: getattr(self, name) for name in Payout.__struct_fields__}
        return Payout(**{**fields, "status": PayoutStatus(self.status.lower())})


def _nothing(_payouts: "Payouts", _event: Any, _position: int) -> None:
    pass


#: Which events are in a payout's life.
branches: ByClass[Callable[["Payouts", Any, int], None]] = ByClass(
    _nothing, decides_about=(PayoutEvent,)
)


class Payouts(Projection):
    """Payouts by id."""

    name = "payouts"
    version = 1
    branches = branches
    tables = (Table("payouts", ("payout",)),)
    ordered = True

    def forget(self) -> None:
        """Drop the changes."""
        self._changes: list[tuple[int, PayoutEvent]] = []

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Keep what happens to payouts."""
        for entry in page:
            event = entry.event
            branches[type(event)](self, event, entry.position)  # type: ignore[index]

    def change(self, event: PayoutEvent, position: int) -> None:
        """Keep an event."""
        self._changes.append((position, event))

    def write(self, cursor: Cursor[Any]) -> None:
        """Load the payouts that the page changes, fold, and write them back."""
        if not self._changes:
            return
        names = sorted({event.payout_id for _, event in self._changes})
        cursor.execute(self.sql["load"], (names,))
        rows = {row[0]: PayoutRow(*row) for row in cursor}
        told = reading.entries(cursor.connection, [position for position, _ in self._changes])
        for position, event in self._changes:
            name, entry = event.payout_id, decode(told[position])
            rows[name] = _after(rows.get(name), event, entry, position)
        cursor.executemany(self.sql["put"], [msgspec.structs.asdict(rows[name]) for name in names])
        self._changes = []


@branches.branch(PayoutEvent)
def _happened(payouts: Payouts, event: PayoutEvent, position: int) -> None:
    payouts.change(event, position)


def _after(row: PayoutRow | None, event: PayoutEvent, entry: Entry, position: int) -> PayoutRow:
    """The row of a payout after `event`; None: before its first."""
    before = Payout() if row is None else row.state
    after = msgspec.structs.asdict(before.apply(f"payout:{event.payout_id}", event))
    said = {name: value for name in _SAID if (value := getattr(event, name, None)) is not None}
    if isinstance(event, PayoutPaid):
        said["paid_at"] = event.at
    known = {} if row is None else msgspec.structs.asdict(row)
    first = {
        **dict.fromkeys((*_SAID, "paid_at")),
        "payout": event.payout_id,
        "labels": _encoded(entry.labels),
        "created_at": entry.recorded_at,
        "first_position": position,
    }
    last = {"updated_at": entry.recorded_at, "last_position": position}
    status = {"status": after["status"].upper()}
    return PayoutRow(**{**first, **known, **after, **status, **said, **last})


def _encoded(labels: dict[str, str] | None) -> str | None:
    return None if labels is None else msgspec.json.encode(labels, order="sorted").decode()


SQL = Payouts().sql
_TEXTS = sql_files.load("payout_list", "projections")
_LIST = {
    order: template(_TEXTS["list"]).format(
        payouts=sql.Identifier("payouts"),
        order=sql.SQL(order),
        beyond=sql.SQL("<" if order == "DESC" else ">"),
    )
    for order in ("ASC", "DESC")
}


class PayoutFilter(msgspec.Struct, frozen=True):
    """Which payouts: of these statuses, and whatever else is given."""

    statuses: tuple[str, ...] = STATUSES
    creator: str | None = None
    requested_by: str | None = None
    processor: str | None = None
    processor_ref: str | None = None
    min_amount: int = 0
    labels: dict[str, str] = {}


def payouts(
    connection: Connection,
    wanted: PayoutFilter,
    currency: str,
    *,
    until: int | None = None,
    created_by: datetime | None = None,
    after: int | None = None,
    newest_first: bool = True,
    limit: int,
) -> tuple[list[dict[str, Any]], int]:
    """At most `limit` payouts in the order of their requests, and the position they stand for.

    `until`: requested up to that position; `created_by`: up to that time.
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
    found = [PayoutRow(*row[1:]) for row in rows if row[1] is not None]
    return [_item(row, currency) for row in found], rows[0][0] if rows else 0


def payout(connection: Connection, name: str, currency: str) -> dict[str, Any]:
    """One payout with its `history`; only `as_of_position` where there is none."""
    position, *values = connection.execute(SQL["one"], (name,)).fetchone() or (0, None)
    if values[0] is None:
        return {"as_of_position": position}
    row = PayoutRow(*values)
    history = _history(connection, name, row.last_position)
    return {**_item(row, currency), "history": history, "as_of_position": position}


def _item(row: PayoutRow, currency: str) -> dict[str, Any]:
    """A payout as it is answered."""
    labels = None if row.labels is None else msgspec.json.decode(row.labels)
    item = {"id": row.payout, **msgspec.structs.asdict(row), "labels": labels}
    del item["payout"]
    return {**item, "currency": currency}


def _history(connection: Connection, name: str, until: int) -> list[dict[str, Any]]:
    tag, state = f"payout:{name}", Payout()

    def status(event: Event) -> str | None:
        nonlocal state
        state = state.apply(tag, event)
        return None if state.status is None else state.status.upper()

    return event_history(connection, tag, until, status)
