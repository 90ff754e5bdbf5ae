"""What a projection sees of the log: positions, postings, dates, times and events.

Entries are decoded once for all projections, and only as far as read models need them; the
envelope's ids stay in the log.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import msgspec

from domain.accounts import Posting
from domain.catalogue import event_class
from domain.event import Event


class PlacedEntry(msgspec.Struct, kw_only=True, gc=False):
    """One entry at its place. `event` is None where no reader of the page asked for bodies."""

    type: str
    effective_on: date
    occurred_at: datetime
    recorded_at: datetime
    postings: tuple[Posting, ...]
    body: msgspec.Raw
    position: int = 0
    event: Event | None = None
    labels: dict[str, str] | None = None
    #: The business day of recording, once somebody has asked for it.
    recorded_on: date | None = None


_entries = msgspec.json.Decoder(PlacedEntry)
_bodies: dict[str, msgspec.json.Decoder[Any]] = {}


def decoded(rows: Iterable[tuple[int, bytes]], *, bodies: bool) -> list[PlacedEntry]:
    """Entries of (position, data); raises UnknownEventType, or MsgspecError on what is none."""
    decode = _entries.decode
    page = []
    for position, data in rows:
        entry = decode(data)
        decoder = _bodies.get(entry.type)
        if decoder is None:
            decoder = _bodies[entry.type] = msgspec.json.Decoder(event_class(entry.type))
        entry.position = position
        if bodies:
            event = decoder.decode(entry.body)
            if entry.labels is not None:
                event = msgspec.structs.replace(event, labels=entry.labels)
            entry.event = event
        page.append(entry)
    return page
