"""Lists: how many items, in which order, and from where on.

A cursor is opaque. It says after which item a list goes on and what its first page was pinned to,
and belongs to one list with its filters: another list's, or one that was changed, is refused.
"""

import base64
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
from fastapi import Depends, Query, Request
from pydantic import BaseModel

from api.http.queries.question import Answered, Asked
from domain.catalogue import Problem
from ledger.log import reading
from ledger.write.admission import ID, invalid
from projections.queries import RankPlace

LIMIT_MAX = 1_000
_CHECK_BYTES = 8
_AGE = re.compile(r"([0-9]{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

P = TypeVar("P")
#: What a query of a ranked list finds.
Ranking = tuple[list[dict[str, Any]], list[RankPlace], int]
#: A query of a register: its items, and the position that they stand for.
Ask = Callable[..., tuple[list[dict[str, Any]], int]]

After = Annotated[str | None, Query(description="the `next_cursor` of an answer", max_length=2_000)]
_Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
_Order = Annotated[Literal["desc", "asc"], Query(description="newest first, or oldest first")]


class Page(NamedTuple):
    """What a list is asked for besides its filters."""

    after: str | None
    limit: int
    order: str

    @property
    def newest_first(self) -> bool:
        """Whether the list goes back in time."""
        return self.order == "desc"


async def read_page(after: After = None, limit: _Limit = 100, order: _Order = "desc") -> Page:
    """The page that a question asks for."""
    return Page(after, limit, order)


Paged = Annotated[Page, Depends(read_page)]


class PageInOrder(NamedTuple):
    """What a list is asked for that has one order: so many items, after the one in the cursor."""

    after: str | None
    limit: int


async def read_page_in_order(after: After = None, limit: _Limit = 100) -> PageInOrder:
    """The page that a question asks for of a list with one order."""
    return PageInOrder(after, limit)


PagedInOrder = Annotated[PageInOrder, Depends(read_page_in_order)]

_OlderThan = Annotated[
    str | None,
    Query(description="only what has waited for so long: `72h`, `90m`, `3d`", max_length=8),
]


async def read_age(older_than: _OlderThan = None) -> timedelta | None:
    """The age that items of a list must have; raises Denied."""
    if older_than is None:
        return None
    found = _AGE.fullmatch(older_than)
    if found is None:
        raise invalid(Problem("/older_than", "must be a number of m, h or d, like 72h"))
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


OlderThan = Annotated[timedelta | None, Depends(read_age)]


async def read_labels(request: Request) -> dict[str, str]:
    """The labels that a question asks for as `label.KEY=VALUE`; raises Denied."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        prefix, dot, key = name.partition(".")
        if prefix != "label" or not dot:
            continue
        if key in found or not ID.match(key) or not ID.match(value):
            raise invalid(Problem(f"/{name}", "must be label.KEY=VALUE of two ids, once"))
        found[key] = value
    return found


Labels = Annotated[dict[str, str], Depends(read_labels)]


def cursor_text(which: Sequence[Any], place: Any) -> str:
    """The cursor with which the list `which` (its book, path and filters) goes on after `place`."""
    text = msgspec.json.encode(place)
    return "c" + base64.urlsafe_b64encode(_check(which, text) + text).decode().rstrip("=")


def read_cursor(which: Sequence[Any], cursor: str, form: type[P]) -> P:
    """The place in a cursor of the list `which`; raises Denied."""
    try:
        if not cursor.startswith("c"):
            raise ValueError(cursor)
        padded = cursor[1:] + "=" * (-len(cursor[1:]) % 4)
        whole = base64.b64decode(padded, b"-_", validate=True)
        check, text = whole[:_CHECK_BYTES], whole[_CHECK_BYTES:]
        if check != _check(which, text):
            raise ValueError(cursor)
        return msgspec.json.decode(text, type=form)
    except (ValueError, msgspec.MsgspecError):
        raise invalid(Problem("/after", "must be a next_cursor of this list")) from None


def _check(which: Sequence[Any], text: bytes) -> bytes:
    return sha256(msgspec.json.encode(which) + b"\0" + text).digest()[:_CHECK_BYTES]


class Pinned(NamedTuple):
    """What the cursor of a register holds: the position and the time to which the list is pinned,
    and the place of the last item."""

    until: int
    created_by: datetime | None
    after: int


class ItemStep(BaseModel):
    """An event in the life of an item of a register."""

    position: int
    event_id: str
    type: str
    status: str
    at: str
    principal: str
    on_behalf_of: str | None
    postings: list[list[Any]]


def status_filter(given: Sequence[str] | None, statuses: tuple[str, ...]) -> tuple[str, ...]:
    """The statuses that a question asks for, in either case; by default all. Raises Denied."""
    found = tuple(dict.fromkeys(each.upper() for each in given or statuses))
    if not set(found) <= set(statuses):
        raise invalid(Problem("/status", f"must be of {', '.join(statuses)}"))
    return found


def register_page(
    asked: Asked, name: str, ask: Ask, wanted: Any, *, age: timedelta | None, page: Page
) -> Answered:
    """A page of the register `name`: `ask(connection, wanted, currency, …)` finds the items."""
    which = (asked.book.name, name, wanted, age, page.order)
    after = None
    if page.after is not None:
        until, created_by, after = read_cursor(which, page.after, Pinned)
    else:
        until = reading.head(asked.connection)
        created_by = None if age is None else datetime.now(UTC) - age
    found, position = ask(
        asked.connection,
        wanted,
        asked.book.currency,
        until=until,
        created_by=created_by,
        after=after,
        newest_first=page.newest_first,
        limit=page.limit + 1,
    )
    answered = listed(found, page.limit, position)
    if answered["has_more"]:
        last = answered["items"][-1]["first_position"]
        answered["next_cursor"] = cursor_text(which, Pinned(until, created_by, last))
    return answered


def ranked_page(
    asked: Asked, name: str, order_by: str, page: Page, ask: Callable[..., Ranking]
) -> Answered:
    """A page of the list `name` in the order of an amount or of names: `ask(connection, …)` finds
    the items, the place of each, and the position that they stand for."""
    which = (asked.book.name, name, order_by, page.order)
    after = None if page.after is None else read_cursor(which, page.after, RankPlace)
    items, places, position = ask(
        asked.connection,
        order_by=order_by,
        after=after,
        largest_first=page.newest_first,
        limit=page.limit + 1,
    )
    answered = listed(items, page.limit, position)
    if answered["has_more"]:
        answered["next_cursor"] = cursor_text(which, places[page.limit - 1])
    return answered


def listed(items: list[dict[str, Any]], limit: int, position: int) -> dict[str, Any]:
    """The answer without its cursor, of up to one item more than `limit`."""
    return {
        "items": items[:limit],
        "next_cursor": None,
        "has_more": len(items) > limit,
        "as_of_position": position,
    }
