"""How a question is asked: by whom it may be, of which book, and as of which position.

A query function answers one dictionary with the position that it stands for, read in one
statement; so waiting for `min_position` is asking again until the answer is new enough.
"""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import psycopg
from fastapi import Path, Query
from fastapi import Request as HttpRequest
from starlette.responses import Response

from api.http.authentication import find_sender
from api.http.headers import head_of
from api.service import DatabaseAway, Service
from domain.rejections import ROLE_FORBIDDEN, UNAVAILABLE, Reason, reject
from ledger.api_keys import Identity, Role
from ledger.books import Book
from ledger.postgres.database import Connection
from ledger.write.admission import ID, Denied

#: Roles that may read everything in their book.
READERS = frozenset({Role.SERVICE, Role.FINANCE, Role.ADMIN, Role.APPROVER, Role.AUDITOR})
#: Roles that belong to one person, who sees nothing of anybody else.
PERSONS = frozenset({Role.FAN, Role.CREATOR})

POSITION_MAX = 2**63 - 1
WAIT_MAX_S = 60.0
_POLL_S = 0.02
_PREFER_WAIT = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?([0-9]+)', re.IGNORECASE)

Subject = Annotated[str, Path(pattern=ID.pattern)]
MinPosition = Annotated[
    int,
    Query(ge=0, le=POSITION_MAX, description="wait until the answer includes this position"),
]
Answered = dict[str, Any]
Ask = Callable[[Connection, Book], Answered | bytes]
"""Runs in a thread; answers a dictionary with `as_of_position`, or JSON that is checked already.
Raises `NotYet` where it must be asked again, Denied where there is nothing to answer."""
May = Callable[[Identity], None]
"""Raises Denied unless this identity may ask."""


class NotYet(Exception):
    """The answer does not include what it must include yet."""


def not_before(position: int, answered: Answered) -> Answered:
    """The answer, if it includes `position`; raises `NotYet`."""
    reached = answered["as_of_position"]
    if reached < position:
        raise NotYet(f"position {position} is not there yet; the answer stands at {reached}")
    return answered


def anybody_reading(what: str) -> May:
    """Only who reads everything may ask this."""

    def judge(identity: Identity) -> None:
        if identity.role not in READERS:
            raise Denied(reject(ROLE_FORBIDDEN, role=str(identity.role), action=f"read {what}"))

    return judge


def owner_or_reader(owner: Role, subject: str, missing: Reason) -> May:
    """Who reads everything may ask this, and `owner` of themselves; others find nothing."""

    def judge(identity: Identity) -> None:
        if identity.role in READERS or (identity.role is owner and identity.actor == subject):
            return
        if identity.role in PERSONS:
            raise Denied(reject(missing, subject=subject))
        raise Denied(reject(ROLE_FORBIDDEN, role=str(identity.role), action="read balances"))

    return judge


class Asking:
    """Answers questions about books."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def answer(
        self, request: HttpRequest, name: str, may: May, ask: Ask, *, min_position: int = 0
    ) -> Response:
        """JSON of what `ask` finds once it includes `min_position`; raises Denied."""
        head = head_of(request.scope)
        sender = await find_sender(self._service, name, head.bearer)
        book, identity = sender.required()
        may(identity)
        deadline = time.monotonic() + self._patience_s(request)
        while True:
            try:
                body = await asyncio.to_thread(self._asked, book, ask, min_position)
            except NotYet as early:
                if time.monotonic() >= deadline:
                    raise Denied(reject(UNAVAILABLE, what=str(early))) from None
            else:
                return Response(body, media_type="application/json")
            # The read model lives in another process, which signals nothing: look again.
            await asyncio.sleep(_POLL_S)

    def _asked(self, book: Book, ask: Ask, min_position: int) -> bytes:
        try:
            with self._service.reading(book) as connection:
                answered = ask(connection, book)
        except psycopg.errors.UndefinedTable:
            raise NotYet("the read models are not there yet: does the projector run?") from None
        except psycopg.InterfaceError as error:
            raise DatabaseAway(str(error)) from error
        if isinstance(answered, bytes):
            return answered
        not_before(min_position, answered)
        return msgspec.json.encode(answered)

    def _patience_s(self, request: HttpRequest) -> float:
        preferred = _PREFER_WAIT.search(request.headers.get("prefer", ""))
        if preferred is None:
            return self._service.settings.read_wait_s
        return min(float(preferred[1]), WAIT_MAX_S)
