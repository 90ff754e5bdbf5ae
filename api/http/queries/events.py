"""The log itself: its entries in order, and one entry with its leaf hash.

A listing is pinned to the head at its first page, so it ends, and what is recorded meanwhile
comes with the cursor that follows. Both answer JSON made around the entries' own bytes.
"""

import base64
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from fastapi import Depends, Path, Query
from pydantic import BaseModel, ConfigDict

from api.http.queries.access import Readers
from api.http.queries.parameters import Actor, EventTag, EventType
from api.http.queries.question import Answered, Asked, Question, TaggedBytes, not_before
from api.http.schemas import AsOf
from domain.catalogue import Problem
from domain.rejections import Reason, reject
from ledger.log import reading
from ledger.log.entry import actor_of, decode
from ledger.log.reading import POSITION_MAX, Placed
from ledger.write.admission import Denied, invalid

LIMIT_MAX = 1_000
#: Positions that one page looks through when it filters by type alone.
SCAN_MAX = 50_000
#: Entries of a tag that one page looks through when it filters by type, too: each is looked up.
TAGGED_SCAN_MAX = 5_000

#: Entries that one page decodes when it filters by what only they say.
LOOKED_MAX = 20_000
_CHUNK = 1_000
#: Events that a tag has for it to relate them.
RELATED_MAX = 100
SUMMARY = (
    "event_id", "type", "command", "correlation_id", "effective_on", "occurred_at", "recorded_at",
    "tags",
)  # fmt: skip

UNKNOWN_EVENT = Reason("UNKNOWN_EVENT", 404, "Unknown event", "the log has no position {position}")
_READERS = Readers("events")


class Event(AsOf):
    """One entry of the log."""

    position: int
    leaf_hash: str

    model_config = ConfigDict(extra="allow")


class StoredEntry(BaseModel):
    """An entry as canonical JSON."""

    event_id: str
    type: str

    model_config = ConfigDict(extra="allow")


class Events(AsOf):
    """A page of the log."""

    events: list[dict[str, Any]]
    next_cursor: str
    has_more: bool
    head: int


class RelatedEvent(BaseModel):
    """An event, and what it has in common with the one that was asked about."""

    position: int
    type: str
    relation: str


class RelatedEvents(AsOf):
    """In the order of the log."""

    items: list[RelatedEvent]


class Cursor(msgspec.Struct, array_like=True):
    """Where a listing goes on, and the position at which it ends; None: at the next head. `top`:
    where a listing began that goes back."""

    after: int
    until: int | None = None
    top: int | None = None

    def text(self) -> str:
        """As a client carries it."""
        return "c" + base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


_After = Annotated[
    str, Query(description="a position, or the `next_cursor` of an answer", max_length=200)
]


async def read_cursor(after: _After = "0") -> Cursor:
    """A position, or a cursor of ours; raises Denied."""
    try:
        cursor = Cursor(int(after)) if after.isdecimal() else _decoded(after)
    except (ValueError, msgspec.MsgspecError):
        raise invalid(Problem("/after", "must be a position or a next_cursor")) from None
    places = cursor.after, cursor.until or 0, cursor.top or 0
    if not all(0 <= place <= POSITION_MAX for place in places):
        raise invalid(Problem("/after", "is beyond any log"))
    return cursor


def _decoded(text: str) -> Cursor:
    if not text.startswith("c"):
        raise ValueError(text)
    padded = text[1:] + "=" * (-len(text[1:]) % 4)
    return msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=Cursor)


_Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
_Order = Annotated[Literal["asc", "desc"], Query(description="oldest first, or newest first")]
_Fields = Annotated[
    Literal["summary"] | None, Query(description="`summary`: without bodies and postings")
]
_EventId = Annotated[UUID | None, Query(description="the one event of this id")]
_CorrelationId = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
_Command = Annotated[str | None, Query(description="like send-tip", pattern=r"^[a-z0-9-]{1,64}$")]


class EventFilter(NamedTuple):
    """Which events; None: any."""

    tag: str | None
    type: str | None
    event_id: UUID | None
    correlation_id: str | None
    actor: str | None
    command: str | None

    @property
    def plain(self) -> bool:
        """Whether the log's columns say it all."""
        return self.correlation_id is self.actor is self.command is None

    def chooses(self, data: bytes) -> bool:
        """Whether an entry of the tag is asked for."""
        entry = decode(data)
        return (
            self.type in {None, entry.type}
            and self.correlation_id in {None, entry.correlation_id}
            and self.actor in {None, actor_of(entry)}
            and self.command in {None, entry.command}
        )


async def read_filter(
    *,
    tag: EventTag = None,
    type: EventType = None,  # noqa: A002  (the parameter is called so)
    event_id: _EventId = None,
    correlation_id: _CorrelationId = None,
    actor: Actor = None,
    command: _Command = None,
) -> EventFilter:
    """The events that a question asks for."""
    return EventFilter(tag, type, event_id, correlation_id, actor, command)


def read_events(
    asked: Asked,
    cursor: Annotated[Cursor, Depends(read_cursor)],
    wanted: Annotated[EventFilter, Depends(read_filter)],
    *,
    limit: _Limit = 100,
    order: _Order = "asc",
    fields: _Fields = None,
) -> bytes:
    """Entries in the order of the log, or the newest first.

    A page by type, actor, command or correlation looks through a bounded part of the log, so it may
    be short, or empty, while there is more. A listing ends at the head as its first page saw it;
    the last `next_cursor` goes on from there. With `fields=summary` without bodies and postings.
    """
    head = _head(asked)
    top = min(head, cursor.top or cursor.until or head)
    until = min(head, cursor.until or head)
    back = order == "desc"
    if wanted.event_id is not None:
        rows, reached = _one(asked, wanted, cursor.after, until), until
        more = False
    else:
        rows, reached = _walked(asked, wanted, cursor.after, until, back=back, limit=limit)
        more = reached > cursor.after if back else reached < until
    if not more:
        following = Cursor(max(top, cursor.after))
    elif back:
        following = Cursor(cursor.after, reached, top)
    else:
        following = Cursor(reached, until)
    events = b",".join(_summary(at, data) if fields else _placed(at, data) for at, data in rows)
    return b'{"events":[%b],"next_cursor":"%b","has_more":%b,"head":%d,"as_of_position":%d}' % (
        events,
        following.text().encode(),
        b"true" if more else b"false",
        head,
        top,
    )


def _walked(
    asked: Asked, wanted: EventFilter, after: int, until: int, *, back: bool, limit: int
) -> tuple[list[Placed], int]:
    """What is found after one position and up to another, and up to where it was looked for:
    what is beyond that, or from the other end below it, is left."""
    low, high = after, until
    if wanted.type is not None and wanted.tag is None:
        low = max(after, until - SCAN_MAX) if back else after
        high = until if back else min(until, after + SCAN_MAX)
    elif wanted.type is not None and not back:
        high = reading.reach_of_tag(
            asked.connection, tag=str(wanted.tag), after=after, until=until, entries=TAGGED_SCAN_MAX
        )
    by_type = None if back and wanted.tag else wanted.type
    plain = wanted.plain and by_type == wanted.type
    found: list[Placed] = []
    looked = 0
    while looked < LOOKED_MAX:
        size = limit - len(found) if plain else _CHUNK
        rows = reading.listing(
            asked.connection,
            after=low,
            until=high,
            tag=wanted.tag,
            type_name=by_type,
            newest_first=back,
            limit=size,
        )
        looked += len(rows)
        for row in rows:
            if plain or wanted.chooses(row[1]):
                found.append(row)
                if len(found) == limit:
                    return found, row[0] - 1 if back else row[0]
        if len(rows) < size:
            return found, low if back else max(high, after)
        low, high = (low, rows[-1][0] - 1) if back else (rows[-1][0], high)
    return found, high if back else low


def _one(asked: Asked, wanted: EventFilter, after: int, until: int) -> list[Placed]:
    assert wanted.event_id is not None
    position = reading.position_of(asked.connection, wanted.event_id)
    found = None if position is None else reading.entry(asked.connection, position)
    if position is None or found is None or not after < position <= until:
        return []
    entry = decode(found[0])
    fits = wanted.tag in {None, *entry.tags} and wanted.chooses(found[0])
    return [(position, found[0])] if fits else []


def _placed(position: int, data: bytes) -> bytes:
    return b'{"position":%d,%b' % (position, data[1:])


def _summary(position: int, data: bytes) -> bytes:
    entry = decode(data)
    return msgspec.json.encode(
        {"position": position, "actor": actor_of(entry)}
        | {name: getattr(entry, name) for name in SUMMARY}
    )


def read_event(asked: Asked, position: Annotated[int, Path(ge=1, le=POSITION_MAX)]) -> bytes:
    """The entry as the log keeps it, with its position and its leaf hash (RFC 6962)."""
    head = _head(asked)
    found = reading.entry(asked.connection, position)
    if found is None:
        raise Denied(reject(UNKNOWN_EVENT, position=position))
    data, leaf_hash = found
    return b'{"position":%d,"leaf_hash":"%b","as_of_position":%d,%b' % (
        position,
        leaf_hash.hex().encode(),
        head,
        data[1:],
    )


def read_entry(asked: Asked, position: Annotated[int, Path(ge=1, le=POSITION_MAX)]) -> bytes:
    """The bytes of an entry exactly as the log keeps them; the `ETag` is their leaf hash."""
    _head(asked)
    found = reading.entry(asked.connection, position)
    if found is None:
        raise Denied(reject(UNKNOWN_EVENT, position=position))
    return TaggedBytes.of(found[0], found[1].hex())


def list_related(asked: Asked, position: Annotated[int, Path(ge=1, le=POSITION_MAX)]) -> Answered:
    """Events that are in the life of the same sale, purchase, payout, … `relation` is the tag that
    they share, or `cause`. A tag that more than 100 events have, such as a busy wallet's, is left
    out."""
    head = _head(asked)
    found = reading.entry(asked.connection, position)
    if found is None:
        raise Denied(reject(UNKNOWN_EVENT, position=position))
    entry = decode(found[0])
    shared = reading.sharing(asked.connection, entry.tags, RELATED_MAX + 1)
    related = {
        (at, tag)
        for tag, positions in shared.items()
        if len(positions) <= RELATED_MAX
        for at in positions
        if at != position
    }
    cause = entry.causation_id and reading.position_of(asked.connection, UUID(entry.causation_id))
    if cause:
        related.add((cause, "cause"))
    entries = reading.entries(asked.connection, sorted({at for at, _ in related}))
    items = [
        {"position": at, "type": decode(entries[at]).type, "relation": relation}
        for at, relation in sorted(related)
        if at in entries
    ]
    return {"items": items, "as_of_position": head}


def _head(asked: Asked) -> int:
    head = reading.head(asked.connection)
    not_before(asked.min_position, {"as_of_position": head})
    return head


QUESTIONS = (
    Question("/events", "The log's entries in order", Events, _READERS, read_events),
    Question(
        "/events/{position}",
        "One entry with its leaf hash",
        Event,
        _READERS,
        read_event,
        statuses=(404,),
    ),
    Question(
        "/events/{position}/entry",
        "The stored bytes of an entry",
        StoredEntry,
        _READERS,
        read_entry,
        statuses=(404,),
    ),
    Question(
        "/events/{position}/related",
        "Events in the lives of the same things",
        RelatedEvents,
        _READERS,
        list_related,
        statuses=(404,),
    ),
)
