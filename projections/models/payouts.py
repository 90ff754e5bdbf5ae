"""Payouts: where each is on its way, its amounts, who decided, and when.

A row is the domain's own fold of the payout, with what its events say beside it: who approved it,
the processor's reference, why it was rejected or came back.
"""

from datetime import datetime
from typing import Any

import msgspec

from domain.event import Event
from domain.payouts.payout import Payout, PayoutEvent, PayoutPaid, PayoutStatus
from ledger.log.entry import Entry
from ledger.postgres.database import Connection
from projections.engine.projection import Table
from projections.engine.register import Register, RegisterList, decoded_labels, encoded, lives
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


class Payouts(Register[PayoutEvent, PayoutRow]):
    """Payouts by id."""

    name = "payouts"
    version = 1
    row = PayoutRow
    branches = lives(PayoutEvent)
    tables = (Table("payouts", ("payout",)),)

    def id_of(self, event: PayoutEvent) -> str:
        """Its payout."""
        return event.payout_id

    def after(
        self, row: PayoutRow | None, event: PayoutEvent, entry: Entry, position: int
    ) -> PayoutRow:
        """The payout as the domain folds it, and what the event says beside."""
        before = Payout() if row is None else row.state
        after = msgspec.structs.asdict(before.apply(f"payout:{event.payout_id}", event))
        said = {name: value for name in _SAID if (value := getattr(event, name, None)) is not None}
        if isinstance(event, PayoutPaid):
            said["paid_at"] = event.at
        known = {} if row is None else msgspec.structs.asdict(row)
        first = {
            **dict.fromkeys((*_SAID, "paid_at")),
            "payout": event.payout_id,
            "labels": encoded(entry.labels),
            "created_at": entry.recorded_at,
            "first_position": position,
        }
        last = {"updated_at": entry.recorded_at, "last_position": position}
        status = {"status": after["status"].upper()}
        return PayoutRow(**{**first, **known, **after, **status, **said, **last})


SQL = Payouts().sql
_LIST = RegisterList("payouts", "payout_list", PayoutRow)


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
    connection: Connection, wanted: PayoutFilter, currency: str, **page: Any
) -> tuple[list[dict[str, Any]], int]:
    """Payouts in the order of their requests, and the position they stand for; `page` as
    `RegisterList.rows` takes it."""
    rows, position = _LIST.rows(connection, wanted, **page)
    return [_item(row, currency) for row in rows], position


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
    labels = decoded_labels(row.labels)
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
