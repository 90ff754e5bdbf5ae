"""Kept notices as one list: suspended ones by the read model, all others by the inbox.

A parked or ignored notice made no event, so nothing of the log could say that it is there; the
inbox keeps it, in the transaction that answered it. What suspense knows of stands in the read model
alone, and the inbox's row of it is left out.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from psycopg import sql

from domain.event import Event
from domain.payments.payment import PaymentRecord, SuspenseResolution, payment_key
from domain.payments.suspense import ReleasePayment
from domain.rejections import AWAITING_REFERENT, STALE_FIGURE
from ledger.log import reading
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.event_history import HISTORY_MAX, event_history
from projections.engine.projection import template
from projections.models.notices import APPLIED, SUSPENDED, Notices

PARKED, IGNORED = "PARKED", "IGNORED"
STATUSES = (PARKED, SUSPENDED, IGNORED, APPLIED)
#: The code of a parked notice that somebody has given up.
DROPPED = "DROPPED"
#: What a notice of the inbox is answered with, by its status.
_CODES = {PARKED: AWAITING_REFERENT, IGNORED: STALE_FIGURE}
_NAMES = {"notices": sql.Identifier("notices")}
#: The parameters that say where a page goes on.
_PLACE = ("received_at", "after_processor", "after_ref", "after_command", "after_payment")
_TEXTS = sql_files.load("notice_list", "projections")
_LIST = {
    order: template(_TEXTS["list"]).format(
        **_NAMES, order=sql.SQL(order), beyond=sql.SQL("<" if order == "DESC" else ">")
    )
    for order in ("ASC", "DESC")
}
_ONE = template(_TEXTS["one"]).format(**_NAMES)
SQL = Notices().sql


class NoticeFilter(msgspec.Struct, frozen=True):
    """Which notices: of these statuses, and where given, of one code, processor and command."""

    statuses: tuple[str, ...] = STATUSES
    code: str | None = None
    processor: str | None = None
    command: str | None = None

    def of_inbox(self) -> list[str]:
        """The states of the inbox in which such notices can be."""
        return [
            status.lower()
            for status in self.statuses
            if self.code in (None, _CODES.get(status))
            or (self.code == DROPPED and status == IGNORED)
        ]


class NoticePlace(msgspec.Struct, frozen=True, array_like=True):
    """Where a notice stands in the order of lists: by when it came to wait, then by its name."""

    received_at: datetime
    processor: str = ""
    processor_ref: str = ""
    command: str = ""
    payment_ref: str = ""


class SuspendedCount(NamedTuple):
    """How many notices wait for somebody's decision, and for how long the oldest has, in
    seconds."""

    notices: int
    oldest_s: float


def suspended_count(connection: Connection) -> SuspendedCount:
    """What is suspended in the connection's book; nothing while the read model is not there."""
    if connection.execute(SQL["there"]).fetchone() != (True,):
        return SuspendedCount(0, 0.0)
    row = connection.execute(SQL["suspended"]).fetchone()
    assert row is not None
    return SuspendedCount(*row)


def notices(
    connection: Connection,
    wanted: NoticeFilter,
    *,
    until: datetime,
    after: NoticePlace | None = None,
    newest_first: bool = True,
    limit: int,
) -> tuple[list[dict[str, Any]], int]:
    """At most `limit` notices that came no later than `until`, and the position they stand for."""
    edge = "infinity" if newest_first else "-infinity"
    start = (edge, "", "", "", "") if after is None else msgspec.structs.astuple(after)
    values = {
        "statuses": list(wanted.statuses),
        "kept": wanted.of_inbox(),
        "code": wanted.code,
        "processor": wanted.processor,
        "command": wanted.command,
        "until": until,
        **dict(zip(_PLACE, start, strict=True)),
        "limit": limit,
    }
    rows = connection.execute(_LIST["DESC" if newest_first else "ASC"], values).fetchall()
    return [_item(row[1:]) for row in rows if row[1] is not None], rows[0][0] if rows else 0


def place_of(item: dict[str, Any]) -> NoticePlace:
    """Where an item of a list stands."""
    return NoticePlace(
        item["received_at"],
        item["processor"],
        item["processor_ref"],
        item["command"],
        item["payment_ref"] or "",
    )


def notice(
    connection: Connection, processor: str, command: str, processor_ref: str
) -> dict[str, Any]:
    """One notice with its `history`; only `as_of_position` where it is not kept."""
    named = {"processor": processor, "command": command, "ref": processor_ref}
    row = connection.execute(_ONE, named).fetchone() or (0, None)
    if row[1] is None:
        return {"as_of_position": row[0]}
    item = _item(row[1:])
    return {**item, "history": _history(connection, item, row[0]), "as_of_position": row[0]}


def _item(values: Sequence[Any]) -> dict[str, Any]:
    """A notice as it is answered."""
    received_at, processor, ref, command, payment_ref, fields, status, awaits, code, *rest = values
    amount, left, currency, principal, settled_at, resolution, first, position = rest
    said = msgspec.json.decode(fields)
    return {
        "id": f"{processor}:{command}:{ref}",
        "processor": processor,
        "processor_ref": ref,
        "command": command,
        "fields": said,
        "status": status,
        "awaits": awaits,
        "code": code or _CODES.get(status),
        "amount": _said_amount(said) if amount is None else amount,
        "in_suspense": left or 0,
        "currency": currency or said.get("currency"),
        "labels": said.get("labels"),
        "payment_ref": payment_ref or None,
        "sender": principal,
        "owner": _owner(status),
        "resolved_by": _resolved_by(status, payment_ref, foreign=currency is not None),
        "resolution": resolution,
        "received_at": received_at,
        "settled_at": settled_at,
        "first_position": first if payment_ref else position,
        "position": position,
    }


def _said_amount(fields: dict[str, Any]) -> int | None:
    """The figure of a notice that made no event, in minor units; None where it has none."""
    for name in ("amount", "price", "cumulative"):
        if name in fields:
            figure: int = fields[name]
            return figure
    return None


def _owner(status: str) -> str | None:
    """The role that has to do something: who decides, or who sends what is awaited."""
    if status == SUSPENDED:
        (role,) = ReleasePayment.roles
        return role
    return "service" if status == PARKED else None


def _resolved_by(status: str, payment_ref: str, *, foreign: bool) -> list[dict[str, Any]]:
    """The commands that take it out of suspense: money of another currency can only go back."""
    if status != SUSPENDED:
        return []
    decisions = [SuspenseResolution.RETURN] if foreign else list(SuspenseResolution)
    return [
        {
            "command": ReleasePayment.name,
            "fields": {"payment_ref": payment_ref, "resolution": str(resolution)},
        }
        for resolution in decisions
    ]


def _history(connection: Connection, item: dict[str, Any], until: int) -> list[dict[str, Any]]:
    """What happened to the money of a notice; nothing to that of one which never was suspended."""
    ref, name = item["payment_ref"], (item["processor"], item["command"], item["processor_ref"])
    if ref is None:
        return []
    tag, payment = payment_key(ref), PaymentRecord()

    def status(event: Event, _position: int) -> str | None:
        nonlocal payment
        before, payment = payment, payment.apply(tag, event)
        waited, waits = (
            [one for one in record.waiting if one.notice_id == name] for record in (before, payment)
        )
        if waited == waits:
            return None
        return SUSPENDED if waits else APPLIED

    rows = reading.listing(connection, until=until, tag=tag, limit=HISTORY_MAX)
    return event_history(rows, status)
