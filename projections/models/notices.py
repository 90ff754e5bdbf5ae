"""Suspended notices: what waits in suspense for a person, why, and what became of it.

The domain's own fold of a payment says what waits under its reference, so whatever takes money out
of suspense, or brings it back, is handled here without being named. A notice that is parked or was
ignored made no event: the inbox keeps it, and `notice_list` shows both as one list.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Cursor

from domain.payments.payment import (
    PaymentRecord,
    PaymentReleased,
    PaymentSuspended,
    SuspenseEvent,
    payment_key,
)
from domain.payments.waiting import Waiting
from ledger.log import reading
from ledger.log.entry import Entry, canonical, decode
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table

SUSPENDED = "SUSPENDED"
APPLIED = "APPLIED"

#: Payment reference, processor, command, the notice's own reference.
Key = tuple[str, str, str, str]
#: What waits, by the notice that told of it.
Groups = dict[Key, list[Waiting]]

_TAG = payment_key("")


class NoticeRow(msgspec.Struct, frozen=True):
    """A row of the table. Amounts in minor units of `currency`; None: of the book's."""

    payment_ref: str
    processor: str
    command: str
    processor_ref: str
    status: str
    code: str | None
    amount: int
    in_suspense: int
    currency: str | None
    fields: str
    principal: str
    received_at: datetime
    settled_at: datetime | None
    resolution: str | None
    first_position: int
    position: int


def _nothing(_notices: "Notices", _event: Any, _position: int) -> None:
    pass


#: Which events change what waits in suspense.
branches: ByClass[Callable[["Notices", Any, int], None]] = ByClass(
    _nothing, decides_about=(SuspenseEvent,)
)


class Notices(Projection):
    """Suspended notices by the reference under which their money waits."""

    name = "notices"
    #: Goes up with the shape or the fold of `PaymentRecord`, too: its states are kept here.
    version = 1
    branches = branches
    tables = (
        Table("notices", ("payment_ref", "processor", "command", "processor_ref")),
        Table("payments_in_suspense", ("payment_ref",)),
    )
    ordered = True

    def forget(self) -> None:
        """Drop the changes."""
        self._changes: list[tuple[int, str, SuspenseEvent]] = []

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Keep what changes suspense."""
        for entry in page:
            event = entry.event
            branches[type(event)](self, event, entry.position)  # type: ignore[index]

    def change(self, event: SuspenseEvent, position: int) -> None:
        """Keep an event with the reference of its payment."""
        (ref,) = (tag[len(_TAG) :] for tag in event.tags() if tag.startswith(_TAG))
        self._changes.append((position, ref, event))

    def write(self, cursor: Cursor[Any]) -> None:
        """Load what the page changes, fold, and write it back."""
        if not self._changes:
            return
        refs = sorted({ref for _, ref, _ in self._changes})
        cursor.execute(self.sql["load_payments"], (refs,))
        payments = {ref: _payments.decode(state) for ref, state in cursor}
        cursor.execute(self.sql["load_notices"], (refs,))
        rows: dict[Key, NoticeRow] = {}
        for values in cursor:
            row = NoticeRow(*values)
            rows[row.payment_ref, row.processor, row.command, row.processor_ref] = row
        told = reading.entries(cursor.connection, [position for position, *_ in self._changes])
        for position, ref, event in self._changes:
            before = payments.get(ref, _NOTHING)
            after = payments[ref] = event.in_payment(before)
            waiting = _by_notice(ref, before.waiting), _by_notice(ref, after.waiting)
            rows.update(_changed(rows, event, waiting, decode(told[position]), position))
        cursor.executemany(
            self.sql["put_payment"],
            [(ref, msgspec.json.encode(payments[ref]).decode()) for ref in refs],
        )
        cursor.executemany(
            self.sql["put_notice"], [msgspec.structs.asdict(rows[key]) for key in sorted(rows)]
        )
        self._changes = []


@branches.branch(SuspenseEvent)
def _moved(notices: Notices, event: SuspenseEvent, position: int) -> None:
    notices.change(event, position)


def _changed(
    rows: dict[Key, NoticeRow],
    event: SuspenseEvent,
    waiting: tuple[Groups, Groups],
    entry: Entry,
    position: int,
) -> dict[Key, NoticeRow]:
    """The rows that an event leaves otherwise than they were: what waits, and what does no more."""
    before, after = waiting
    found: dict[Key, NoticeRow] = {}
    for key, group in after.items():
        if before.get(key) == group:
            continue
        known = rows.get(key) or _arrived(key, group[0], event, entry, position)
        found[key] = msgspec.structs.replace(
            known,
            status=SUSPENDED,
            amount=sum(one.amount for one in group),
            in_suspense=sum(one.left for one in group),
            settled_at=None,
            resolution=None,
            position=position,
        )
    for key in before.keys() - after.keys():
        found[key] = msgspec.structs.replace(
            rows[key],
            status=APPLIED,
            in_suspense=0,
            settled_at=entry.recorded_at,
            resolution=_resolution(event),
            position=position,
        )
    return found


def _by_notice(ref: str, waiting: Sequence[Waiting]) -> Groups:
    """What waits under a reference, by the notice that told of it."""
    found: Groups = {}
    for one in waiting:
        found.setdefault((ref, *one.notice_id), []).append(one)
    return found


def _arrived(
    key: Key, waiting: Waiting, event: SuspenseEvent, entry: Entry, position: int
) -> NoticeRow:
    """The row of a notice whose money has just come into suspense."""
    return NoticeRow(
        *key,
        status=SUSPENDED,
        code=event.code if isinstance(event, PaymentSuspended) else None,
        amount=0,
        in_suspense=0,
        currency=waiting.currency,
        fields=canonical(waiting.notice).decode(),
        principal=entry.principal,
        received_at=entry.recorded_at,
        settled_at=None,
        resolution=None,
        first_position=position,
        position=position,
    )


def _resolution(event: SuspenseEvent) -> str | None:
    """What a person decided, or the code under which the money came back by itself."""
    if isinstance(event, PaymentReleased):
        return event.resolution
    return event.code if isinstance(event, PaymentSuspended) else None


_NOTHING = PaymentRecord()
_payments = msgspec.json.Decoder(PaymentRecord)
