"""The inbox: every kept notice is what was answered, and its state is what the log made of it."""

from collections.abc import Iterator
from typing import Any

import msgspec

from domain.catalogue import InvalidRequest, read_command
from domain.command import Command
from domain.payments.payment import PaymentReleased, payment_key
from ledger.log import reading
from ledger.log.entry import decode
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.verification.answers import released_by
from ledger.verification.difference import Difference
from ledger.write.inbox import NoticeStatus
from ledger.write.request import fingerprint, former_key, request_key

SQL = sql_files.load("verify_beside")
PAGE = 1_000
#: How far before a notice's position stands what released it, where nothing came of it.
RELEASED_WITHIN = 64


class _Kept(msgspec.Struct):
    """A row of the inbox, and the receipt of its key; `passed`: what it awaits came since."""

    processor: str
    processor_ref: str
    command: str
    fields: bytes
    key: bytes
    fingerprint: bytes
    state: str
    awaits: str | None
    position: int | None
    receipt_fingerprint: bytes | None
    receipt_position: int
    receipt_events: int
    code: str | None
    passed: bool

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.command} {self.processor_ref} of {self.processor}"


def verify_inbox(connection: Connection) -> Iterator[Difference]:
    """Every kept notice that is not what the log and its receipt say."""
    counted, waiting = connection.execute(SQL["parked"]).fetchone() or (0, 0)
    if counted != waiting:
        yield Difference(None, "inbox", f"{waiting} parked notices in the head", f"{counted}")
    after = ("", "", "")
    while rows := _rows(connection, after, PAGE):
        for row in rows:
            kept = _Kept(*row)
            if any(_faults(connection, kept)):
                kept = _Kept(*_rows(connection, after, 1)[0])  # it may have been dealt with since
            for expected, found in _faults(connection, kept):
                at = kept.position or kept.receipt_position or None
                yield Difference(at, "inbox", f"{kept.name}: {expected}", found)
            after = row[:3]


def _rows(connection: Connection, after: tuple[str, str, str], limit: int) -> list[Any]:
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(SQL["inbox"], (*after, limit)).fetchall()


def _faults(connection: Connection, kept: _Kept) -> Iterator[tuple[str, str]]:
    try:
        command = read_command(kept.command, msgspec.json.decode(kept.fields))
    except InvalidRequest:
        pass  # a release before this one could read it
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield "fields that can be read", repr(error)
    else:
        yield from _identity_faults(kept, command)
    if kept.receipt_fingerprint is None:
        yield f"a receipt of its key {kept.key.hex()}", "none"
        return
    if kept.receipt_fingerprint != kept.fingerprint:
        expected = f"the fingerprint {kept.fingerprint.hex()} in its receipt"
        yield expected, kept.receipt_fingerprint.hex()
    if kept.code is None:
        yield "a receipt that says why it was kept", "one that says that it was applied"
    match kept.state:
        case NoticeStatus.PARKED:
            if kept.passed or kept.awaits is None:
                yield "it is parked until what it awaits is there", f"that is there: {kept.awaits}"
        case NoticeStatus.SUSPENDED:
            yield from _suspended_faults(connection, kept)
        case NoticeStatus.APPLIED:
            if not _was_applied(connection, kept):
                yield "an event at its position by which it was applied", f"{kept.position}"


def _identity_faults(kept: _Kept, command: Command) -> Iterator[tuple[str, str]]:
    notice = command.notice_id()
    if notice != (kept.processor, kept.processor_ref):
        yield "fields with its own reference", str(notice)
    elif kept.key not in (request_key("", kept.command, notice, ""), former_key(notice)):
        yield "the key of its reference", kept.key.hex()
    if fingerprint(command) != kept.fingerprint:
        yield f"the fingerprint of its fields, {fingerprint(command).hex()}", kept.fingerprint.hex()


def _suspended_faults(connection: Connection, kept: _Kept) -> Iterator[tuple[str, str]]:
    """It is in suspense by an event of its own, and nobody has released it since."""
    at = kept.position or kept.receipt_position
    if _key_at(connection, at) != kept.key.hex():
        yield "an event by which it is in suspense", f"none at {at}"
    for position, event in _releases(connection, kept, after=at):
        if event.released() == (kept.processor, kept.processor_ref, kept.command):
            yield f"applied, for it was released at {position}", kept.state
            return


def _was_applied(connection: Connection, kept: _Kept) -> bool:
    at = kept.position
    if at is None:
        return False
    if _key_at(connection, at) == kept.key.hex():
        return True
    entry = reading.entries(connection, [at]).get(at)
    if entry is not None and decode(entry).command == "release-payment":
        return True
    around = [
        decode(data) for _, data in reading.page(connection, max(0, at - RELEASED_WITHIN), at)
    ]
    known_by = kept.processor, kept.processor_ref, kept.command
    for one in around:  # two people released it: that is a command of another name
        event = one.event() if one.type == PaymentReleased.type else None
        if isinstance(event, PaymentReleased) and event.released() == known_by:
            return True
    keys = list({bytes.fromhex(one.key) for one in around if one.key})
    return any(
        (kept.processor, kept.command, kept.processor_ref)
        == (one.processor, one.command, one.processor_ref)
        for (body,) in connection.execute(SQL["bodies"], (keys,), binary=True)
        for one in released_by(body)
    )


def _key_at(connection: Connection, position: int) -> str:
    found = reading.entries(connection, [position]).get(position)
    return "" if found is None else decode(found).key


def _releases(
    connection: Connection, kept: _Kept, *, after: int
) -> Iterator[tuple[int, PaymentReleased]]:
    item: reading.QueryItem = {
        "types": [PaymentReleased.type],
        "tags": [payment_key(kept.processor_ref)],
    }
    rows: list[Any] = reading.matching(
        connection, [item], after=after, until=reading.POSITION_MAX, limit=PAGE
    )
    for position, _, data, _ in rows:
        event = decode(data).event()
        assert isinstance(event, PaymentReleased)
        yield position, event
