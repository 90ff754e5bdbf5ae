"""Messages that were put aside: listed, shown, let go on, given up.

Each function takes an autocommit connection with the book's schema first on its search path.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from ledger.postgres import sql_files
from ledger.postgres.database import Connection

SQL = sql_files.load("parked")

Headers = Sequence[tuple[str, bytes]]


class Place(msgspec.Struct, frozen=True):
    """Where a message stands: `consumer` is who put it aside."""

    consumer: str
    topic: str
    partition: int
    offset: int


FIRST = Place("", "", -1, -1)


class Count(msgspec.Struct, frozen=True):
    """What one consumer has put aside, since when, and how many of them are let go on."""

    consumer: str
    messages: int
    oldest_at: datetime
    released: int


class ParkedMessage(msgspec.Struct, frozen=True):
    """One message; `headers` and `value` only where it was asked for alone."""

    place: Place
    topic_id: UUID
    key: bytes | None
    reason: str
    detail: str
    tries: int
    released: bool
    sent_at: datetime
    parked_at: datetime
    headers: tuple[tuple[str, bytes], ...] = ()
    value: bytes | None = None


def counts(connection: Connection) -> list[Count]:
    """By consumer; empty where nothing waits."""
    return [Count(*row) for row in connection.execute(SQL["count"])]


def listed(connection: Connection, *, after: Place = FIRST, limit: int) -> list[ParkedMessage]:
    """At most `limit` messages after a place."""
    values = {**msgspec.structs.asdict(after), "limit": limit}
    return [_parked(row) for row in connection.execute(SQL["list"], values)]


def shown(connection: Connection, place: Place) -> ParkedMessage | None:
    """One message with headers and value."""
    row = connection.execute(SQL["show"], msgspec.structs.asdict(place)).fetchone()
    if row is None:
        return None
    found = _parked(row[:-2])
    return msgspec.structs.replace(found, headers=read_headers(row[-2]), value=row[-1])


def release(connection: Connection, place: Place) -> int:
    """Let it and the others of its key be tried again; how many those are, 0: it is not there."""
    return len(connection.execute(SQL["release"], msgspec.structs.asdict(place)).fetchall())


def drop(connection: Connection, place: Place) -> bool:
    """Give it up for good; False if it is not there."""
    return connection.execute(SQL["drop"], msgspec.structs.asdict(place)).fetchone() is not None


def stored_headers(headers: Headers) -> bytes:
    """Headers as they are kept."""
    return msgspec.json.encode([[name, b64encode(value).decode()] for name, value in headers])


def read_headers(stored: bytes) -> tuple[tuple[str, bytes], ...]:
    """Headers as they came."""
    return tuple((name, b64decode(value)) for name, value in msgspec.json.decode(stored))


def _parked(row: tuple[Any, ...]) -> ParkedMessage:
    return ParkedMessage(Place(*row[:4]), *row[4:])


def held(connection: Connection, claim: Mapping[str, object]) -> dict[bytes, bool]:
    """The keys of a claimed partition that are put aside; True: they hold up later messages."""
    return dict(connection.execute(SQL["held"], claim).fetchall())


def dropped(connection: Connection, claim: Mapping[str, object]) -> list[int]:
    """Offsets of a claimed partition that were given up and may be read again."""
    values = {**claim, "settled": claim["settled_offset"]}
    return [offset for (offset,) in connection.execute(SQL["dropped"], values)]


def revisions(connection: Connection, consumer: str, subjects: Sequence[str]) -> dict[str, int]:
    """The last revision told of each subject that any was told of."""
    return dict(connection.execute(SQL["revisions"], (consumer, list(subjects))).fetchall())
