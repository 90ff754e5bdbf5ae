"""Incoming messages: from what stands in a topic to a request, an answer or a dead letter.

What a sender who may post got wrong is answered, as over HTTP. What nobody who may post has signed,
or what cannot even be read, is a dead letter. Neither is ever applied.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from domain.catalogue import Problem
from domain.command import COMMANDS
from ledger.api_keys import Identity
from ledger.postgres.database import Connection
from ledger.streams import signatures
from ledger.streams.signatures import Unsigned
from ledger.write.admission import Denied, admit, invalid, read_fields
from ledger.write.request import Request

CORRELATION = "correlation-id"
REPLY_KEY = "reply-key"
TRACEPARENT = "traceparent"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Record(Protocol):
    """A message as kafka-python hands it out."""

    @property
    def partition(self) -> int:
        """The partition it stands in."""

    @property
    def offset(self) -> int:
        """Its place there."""

    @property
    def timestamp(self) -> int:
        """When it was sent, in milliseconds since 1970."""

    @property
    def key(self) -> bytes | None:
        """What its order is kept by."""

    @property
    def value(self) -> bytes | None:
        """What it says."""

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """What is said about it."""


class Unreadable(Exception):
    """A dead letter; `reason` is a stable code."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class MessageReading(msgspec.Struct, frozen=True):
    """What a message says: a command, and for facts which revision of which subject it tells."""

    command: str
    fields: dict[str, Any]
    idempotency_key: str | None
    subject: str | None = None
    revision: int = 0


class Item(msgspec.Struct):
    """A message on its way. At most one of `request`, `direct`, `dead` and `parked` is set.

    `direct`: status and body of an answer that needs no decision. `dead`, `parked`: code and
    detail. `tries`: how often applying it has failed.
    """

    offset: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    sent_at_ms: int
    correlation_id: str = ""
    reply_key: bytes | None = None
    idempotency_key: str = ""
    request: Request | None = None
    direct: tuple[int, bytes] | None = None
    dead: tuple[str, str] | None = None
    parked: tuple[str, str] | None = None
    awaiting: bool = False
    tries: int = 0
    subject: str | None = None
    revision: int = 0


class Reader:
    """Reads messages of one topic of one book.

    `read` makes a `MessageReading` of a JSON object, or raises Denied or Unreadable.
    """

    def __init__(
        self,
        book: str,
        read: Callable[[dict[str, Any]], MessageReading],
        *,
        bytes_max: int,
    ) -> None:
        self._book = book
        self._read = read
        self._bytes_max = bytes_max

    def item(self, connection: Connection, topic: str, record: Record) -> Item:
        """The message of a record; raises `psycopg.OperationalError` while the database is away."""
        (item,) = self.items(connection, topic, [record])
        return item

    def items(self, connection: Connection, topic: str, records: Sequence[Record]) -> list[Item]:
        """The messages of some records; who signed them takes one query."""
        items = [self._unread(record) for record in records]
        fitting = [item for item in items if item.dead is None]
        messages = [signatures.Message(i.key, i.value, dict(i.headers)) for i in fitting]
        senders = signatures.verified(connection, self._book, topic, messages)
        for item, sender in zip(fitting, senders, strict=True):
            try:
                self._admit(item, sender)
            except Unreadable as error:
                item.dead = error.reason, error.detail
            except Denied as denied:
                status = denied.rejection.reason.status
                item.direct = status, denied.document(item.correlation_id)
        return items

    def _unread(self, record: Record) -> Item:
        """A message that nobody has looked into yet; one that is too large is dead."""
        item = Item(
            record.offset, record.key, record.value or b"", record.headers, record.timestamp
        )
        headers = dict(record.headers)
        item.reply_key = headers.get(REPLY_KEY, record.key)
        item.correlation_id = _correlation(headers, record)
        if len(item.value) > self._bytes_max:
            size = f"{len(item.value)} bytes; the limit is {self._bytes_max}"
            item.dead = "TOO_LARGE", size
        return item

    def _admit(self, item: Item, sender: Identity | Unsigned) -> None:
        if isinstance(sender, Unsigned):
            raise Unreadable(sender.reason, sender.detail)
        try:
            fields = read_fields(item.value)
        except Denied as denied:
            text = "; ".join(problem.message for problem in denied.problems)
            raise Unreadable("MALFORMED", text) from None
        reading = self._read(fields)
        item.idempotency_key = reading.idempotency_key or ""
        item.subject, item.revision = reading.subject, reading.revision
        item.request = admit(
            reading.command,
            reading.fields,
            sender,
            idempotency_key=reading.idempotency_key,
            correlation_id=item.correlation_id,
        )


def read_command(fields: dict[str, Any]) -> MessageReading:
    """A message of the topic `commands`: an object as a line of a bulk request."""
    name = fields.pop("command", None)
    key = fields.pop("idempotency_key", None)
    if not isinstance(name, str) or name not in COMMANDS:
        raise Unreadable("UNKNOWN_TYPE", f"there is no command {name!r}"[:200])
    if key is not None and not isinstance(key, str):
        raise invalid_field("/idempotency_key", "must be a string")
    return MessageReading(name, fields, key)


def invalid_field(pointer: str, message: str) -> Denied:
    """A field that is wrong."""
    return invalid(Problem(pointer, message))


def _correlation(headers: dict[str, bytes], record: Record) -> str:
    """The sender's own id, else that of its trace, else one that names the message."""
    given = headers.get(CORRELATION, b"").decode("ascii", "replace")
    if _ID.fullmatch(given):
        return given
    trace = _TRACE.fullmatch(headers.get(TRACEPARENT, b"").decode("ascii", "replace"))
    return trace[1] if trace else f"kafka-{record.partition}-{record.offset}"
