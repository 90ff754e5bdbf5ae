"""An event as a message: CloudEvents 1.0 in Kafka's binary mode, out of the stored entry alone.

The value is the entry, byte for byte as the log keeps it, so whoever receives it can recompute its
leaf hash. Key and headers follow from the entry and its position: published again, the message is
the same to the last byte.
"""

import re
from datetime import datetime
from hashlib import blake2b

import msgspec

Headers = list[tuple[str, bytes]]

SPEC_VERSION = b"1.0"
JSON = b"application/json"
_LEADING = ("wallet:", "creator:")
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What a message says about its entry."""

    book: str
    correlation_id: str
    event_id: str
    occurred_at: str
    recorded_at: str
    tags: tuple[str, ...]
    type: str


class EventMessage(msgspec.Struct, frozen=True, gc=False):
    """One event, ready to be sent. `timestamp_ms`: when it was recorded."""

    key: bytes
    value: bytes
    headers: Headers
    timestamp_ms: int


_envelopes = msgspec.json.Decoder(Envelope)


def event_message(position: int, entry: bytes) -> EventMessage:
    """The message of the event at `position`; raises msgspec.MsgspecError if it is no entry."""
    envelope = _envelopes.decode(entry)
    event_id = envelope.event_id.encode()
    key = leading_tag(envelope.tags).encode()
    kind = envelope.type.encode()
    headers = [
        ("ce_specversion", SPEC_VERSION),
        ("ce_id", event_id),
        ("ce_source", b"/v1/books/" + envelope.book.encode()),
        ("ce_type", kind),
        ("ce_subject", key),
        ("ce_time", envelope.occurred_at.encode()),
        ("ce_recordedtime", envelope.recorded_at.encode()),
        ("ce_sequence", b"%020d" % position),
        ("ce_partitionkey", key),
        ("ce_dataschema", b"urn:tokenledger:schema:" + kind),
        ("content-type", JSON),
        ("traceparent", traceparent(envelope.correlation_id, event_id)),
    ]
    recorded = datetime.fromisoformat(envelope.recorded_at)
    return EventMessage(key, entry, headers, int(recorded.timestamp() * 1_000))


def leading_tag(tags: tuple[str, ...]) -> str:
    """The entity whose order matters: the fan's wallet, else the creator, else the first tag.

    An event of a fan and a creator goes with the fan: a wallet is spent from and must not be seen
    below zero, while what creators earn is a sum that any order adds up to.
    """
    for leading in _LEADING:
        for tag in tags:
            if tag.startswith(leading):
                return tag
    return tags[0]


def traceparent(correlation_id: str, event_id: bytes) -> bytes:
    """A W3C trace context: a span per event, in the sender's trace if its id is the correlation id,
    else in one that follows from the correlation id."""
    trace = correlation_id
    if not _TRACE_ID.fullmatch(trace):
        trace = blake2b(correlation_id.encode(), digest_size=16).hexdigest()
    span = blake2b(event_id, digest_size=8).hexdigest()
    return f"00-{trace}-{span}-01".encode()
