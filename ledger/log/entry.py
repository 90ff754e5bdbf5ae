"""Entries: the exact bytes that the log keeps of an event, and their leaf hash.

An entry is canonical JSON (sorted keys, no white space), written once and never re-serialised.
Position is not in it: its place in the log says that. `leaf_hash` is RFC 6962's: SHA-256 over a
zero byte and the entry.
"""

from collections.abc import Iterator
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import msgspec

from domain.accounts import Assets, Posting, balanced
from domain.catalogue import event_class
from domain.event import Event

ENTRY_BYTES_MAX = 65_535
ENVELOPE_VERSION = 1


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One event with everything an auditor needs to place it. Times are UTC.

    `key` and `fingerprint` are hex of 16 bytes each, empty where a scheduler sent the command;
    `effective_on` is a date in the book's zone.
    """

    body: msgspec.Raw
    book: str
    client: str
    command: str
    correlation_id: str
    currency: str
    effective_on: date
    envelope_version: int
    event_id: str
    fingerprint: str
    key: str
    occurred_at: datetime
    postings: tuple[Posting, ...]
    principal: str
    recorded_at: datetime
    tags: tuple[str, ...]
    type: str
    policy_version: int | None = None
    on_behalf_of: str | None = None
    labels: dict[str, str] | None = None
    causation_id: str | None = None

    def event(self) -> Event:
        """The event in the body; raises UnknownEventType, or msgspec.ValidationError if bent."""
        decoder = _BODIES.get(self.type)
        if decoder is None:
            decoder = _BODIES[self.type] = msgspec.json.Decoder(event_class(self.type))
        event: Event = decoder.decode(self.body)
        return event if self.labels is None else msgspec.structs.replace(event, labels=self.labels)


_LEAF = sha256(b"\x00")
_BODIES: dict[str, msgspec.json.Decoder[Any]] = {}
_canonical = msgspec.json.Encoder(order="sorted")
_entries = msgspec.json.Decoder(Entry)

#: Canonical JSON of a value.
canonical = _canonical.encode

#: An entry whose fields stand, and are given, in the order of canonical JSON, so that `in_order`
#: makes the bytes of `canonical` of it and need not sort them: a quarter less to do.
EntryInOrder = msgspec.defstruct(
    "EntryInOrder",
    [(name, Any, None) for name in sorted(Entry.__struct_fields__)],
    omit_defaults=True,
    frozen=True,
    gc=False,
)
in_order = msgspec.json.Encoder(order="deterministic").encode


def decode(data: bytes) -> Entry:
    """The entry in `data`; raises msgspec.MsgspecError if it is none."""
    return _entries.decode(data)


def actor_of(entry: Entry) -> str:
    """On whose behalf the command ran."""
    return entry.on_behalf_of or entry.principal


def body_of(event: Event) -> bytes:
    """The body of an entry: the event as canonical JSON, without its labels."""
    if event.labels is not None:
        event = msgspec.structs.replace(event, labels=None)
    return canonical(event)


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data), as RFC 6962 hashes a leaf."""
    leaf = _LEAF.copy()  # cheaper than looking the algorithm up anew
    leaf.update(data)
    return leaf.digest()


def faults(data: bytes) -> Iterator[str]:
    """Everything that contradicts itself inside an entry: its form, types, postings or tags."""
    try:
        entry = decode(data)
        event = entry.event()
    except (msgspec.MsgspecError, LookupError) as error:
        yield f"the entry does not decode: {error}"
        return
    yield from contradictions(data, entry, event)


def contradictions(data: bytes, entry: Entry, event: Event) -> Iterator[str]:
    """What in `entry`, decoded from `data`, contradicts its own form or its `event`."""
    if canonical(entry) != data:
        yield "the entry is not canonical JSON, or holds fields that entries do not have"
    if body_of(event) != bytes(entry.body):
        yield "the body holds fields that its event type does not have"
    if event.tags() != entry.tags:
        yield f"the tags are {entry.tags}, the event's are {event.tags()}"
    try:
        postings = balanced(event.postings(Assets.of(entry.book, entry.currency)))
        if postings != entry.postings:
            yield f"the postings are {entry.postings}, the event's are {postings}"
            balanced(entry.postings)
    except ValueError as error:
        yield str(error)
