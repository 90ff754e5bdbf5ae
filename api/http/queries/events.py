"""The questions about the log itself: its entries in order, and one entry with its leaf hash.

A listing is pinned to the head at its first page, so it ends, and what is recorded meanwhile
comes with the cursor that follows. Entries are handed out as the bytes that the log keeps.
"""

import base64
from typing import Annotated

import msgspec
from fastapi import FastAPI, Path, Query, Request
from starlette.responses import Response

from api.http import openapi
from api.http.queries.reader import POSITION_MAX, Asking, MinPosition, anybody_reading, not_before
from domain.catalogue import Problem
from domain.rejections import Reason, reject
from ledger.books import Book
from ledger.log import reading
from ledger.postgres.database import Connection
from ledger.write.admission import Denied, invalid

LIMIT_MAX = 1_000
#: Positions that one page looks through when it filters by type alone.
SCAN_MAX = 50_000

_UNKNOWN_EVENT = Reason("UNKNOWN_EVENT", 404, "Unknown event", "the log has no position {position}")
_READING = anybody_reading("events")
_Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
_After = Annotated[
    str, Query(description="a position, or the `next_cursor` of an answer", max_length=200)
]
_Tag = Annotated[
    str | None, Query(description="like wallet:u1", pattern=r"^[A-Za-z0-9_:.-]{1,255}$")
]
_Type = Annotated[
    str | None, Query(description="like tip.sent.v1", pattern=r"^[a-z0-9_.-]{1,100}$")
]


class Cursor(msgspec.Struct, array_like=True):
    """Where a listing goes on, and the position at which it ends; None: at the next head."""

    after: int
    until: int | None = None

    def text(self) -> str:
        """As a client carries it."""
        return "c" + base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


class _Filter(msgspec.Struct):
    tag: str | None
    type: str | None
    limit: int


def install(app: FastAPI, asking: Asking) -> None:
    """Add the routes."""

    @app.get(
        "/v1/books/{book}/events",
        summary="The log's entries in order",
        **openapi.question("Events"),
    )
    async def read_events(
        request: Request,
        book: str,
        *,
        after: _After = "0",
        limit: _Limit = 100,
        tag: _Tag = None,
        type: _Type = None,  # noqa: A002  (the parameter is called so)
        min_position: MinPosition = 0,
    ) -> Response:
        cursor = read_cursor(after)
        wanted = _Filter(tag, type, limit)

        def ask(connection: Connection, _: Book) -> bytes:
            return _page(connection, cursor, wanted, min_position)

        return await asking.answer(request, book, _READING, ask)

    @app.get(
        "/v1/books/{book}/events/{position}",
        summary="One entry with its leaf hash",
        **openapi.question("Event", 404),
    )
    async def read_event(
        request: Request,
        book: str,
        *,
        position: Annotated[int, Path(ge=1, le=POSITION_MAX)],
        min_position: MinPosition = 0,
    ) -> Response:
        def ask(connection: Connection, _: Book) -> bytes:
            head = _head(connection, min_position)
            row = reading.entry(connection, position)
            if row is None:
                raise Denied(reject(_UNKNOWN_EVENT, position=position))
            data, leaf_hash = row
            return b'{"position":%d,"leaf_hash":"%b","as_of_position":%d,%b' % (
                position,
                leaf_hash.hex().encode(),
                head,
                data[1:],
            )

        return await asking.answer(request, book, _READING, ask)


def read_cursor(text: str) -> Cursor:
    """A position, or a cursor of ours; raises Denied."""
    try:
        cursor = Cursor(int(text)) if text.isdecimal() else _decoded(text)
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


def _page(connection: Connection, cursor: Cursor, wanted: _Filter, min_position: int) -> bytes:
    """One page as JSON; the entries' own bytes are not touched."""
    head = _head(connection, min_position)
    until = min(head, cursor.until or head)
    end = until if wanted.type is None or wanted.tag else min(until, cursor.after + SCAN_MAX)
    rows = reading.listing(
        connection,
        after=cursor.after,
        until=end,
        tag=wanted.tag,
        type_name=wanted.type,
        limit=wanted.limit,
    )
    reached = rows[-1][0] if len(rows) == wanted.limit else max(end, cursor.after)
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


def _head(connection: Connection, min_position: int) -> int:
    head = reading.head(connection)
    not_before(min_position, {"as_of_position": head})
    return head
