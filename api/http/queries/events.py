"""The log itself: its entries in order, and one entry with its leaf hash.

A listing is pinned to the head at its first page, so it ends, and what is recorded meanwhile
comes with the cursor that follows. Both answer JSON made around the entries' own bytes.
"""

import base64
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Path, Query
from pydantic import ConfigDict

from api.http.queries.access import Readers
from api.http.queries.parameters import EventTag, EventType
from api.http.queries.question import Asked, Question, not_before
from api.http.schemas import AsOf
from domain.catalogue import Problem
from domain.rejections import Reason, reject
from ledger.log import reading
from ledger.log.reading import POSITION_MAX
from ledger.write.admission import Denied, invalid

LIMIT_MAX = 1_000
#: Positions that one page looks through when it filters by type alone.
SCAN_MAX = 50_000
#: Entries of a tag that one page looks through when it filters by type, too: each is looked up.
TAGGED_SCAN_MAX = 5_000

UNKNOWN_EVENT = Reason("UNKNOWN_EVENT", 404, "Unknown event", "the log has no position {position}")
_READERS = Readers("events")


class Event(AsOf):
    """One entry of the log."""

    position: int
    leaf_hash: str

    model_config = ConfigDict(extra="allow")


class Events(AsOf):
    """A page of the log."""

    events: list[dict[str, Any]]
    next_cursor: str
    has_more: bool
    head: int


class Cursor(msgspec.Struct, array_like=True):
    """Where a listing goes on, and the position at which it ends; None: at the next head."""

    after: int
    until: int | None = None

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
    if not 0 <= cursor.after <= POSITION_MAX or not 0 <= (cursor.until or 0) <= POSITION_MAX:
        raise invalid(Problem("/after", "is beyond any log"))
    return cursor


def _decoded(text: str) -> Cursor:
    if not text.startswith("c"):
        raise ValueError(text)
    padded = text[1:] + "=" * (-len(text[1:]) % 4)
    return msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=Cursor)


_Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]


def read_events(
    asked: Asked,
    cursor: Annotated[Cursor, Depends(read_cursor)],
    limit: _Limit = 100,
    tag: EventTag = None,
    type: EventType = None,  # noqa: A002  (the parameter is called so)
) -> bytes:
    """Entries in the order of the log, optionally of one tag and one type.

    A page by `type` looks through a bounded part of the log, so it may be empty while there is
    more. A listing ends at the head as its first page saw it; the last `next_cursor` goes on from
    there.
    """
    head = _head(asked)
    until = min(head, cursor.until or head)
    end = _reach(asked, cursor.after, until, tag, type)
    rows = reading.listing(
        asked.connection, after=cursor.after, until=end, tag=tag, type_name=type, limit=limit
    )
    reached = rows[-1][0] if len(rows) == limit else max(end, cursor.after)
    more = reached < until
    following = Cursor(reached, until if more else None)
    events = b",".join(b'{"position":%d,%b' % (at, data[1:]) for at, data in rows)
    return b'{"events":[%b],"next_cursor":"%b","has_more":%b,"head":%d,"as_of_position":%d}' % (
        events,
        following.text().encode(),
        b"true" if more else b"false",
        head,
        until,
    )


def _reach(asked: Asked, after: int, until: int, tag: str | None, type_name: str | None) -> int:
    """How far this page looks."""
    if type_name is None:
        return until
    if tag is None:
        return min(until, after + SCAN_MAX)
    return reading.reach_of_tag(
        asked.connection, tag=tag, after=after, until=until, entries=TAGGED_SCAN_MAX
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
)
