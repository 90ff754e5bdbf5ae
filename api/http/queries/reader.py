"""Answers questions: who asks, of which book, and as of which position.

A query function answers one dictionary with the position that it stands for, read in one
statement; so waiting for `min_position` is asking again until the answer is new enough.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import psycopg
from fastapi import Request
from starlette.responses import Response

from api.http.authentication import authenticate
from api.http.headers import headers_of
from api.http.queries.question import Asked, NotYet, Question, not_before
from api.service import DatabaseAway, Service
from domain.rejections import UNAVAILABLE, reject
from ledger.books import Book
from ledger.write.admission import Denied

WAIT_MAX_S = 60.0
_POLL_S = 0.02
_PREFER_WAIT = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?([0-9]+)', re.IGNORECASE)


class QueryReader:
    """Answers questions about books."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def answer(
        self,
        request: Request,
        name: str,
        question: Question,
        parameters: Mapping[str, Any],
        *,
        min_position: int = 0,
    ) -> Response:
        """JSON of what the query finds in the book `name`, once it includes `min_position`.

        Raises Denied: the caller may not ask, there is nothing to answer, or the position did
        not come in time.
        """
        headers = headers_of(request.scope)
        caller = await authenticate(self._service, name, headers.bearer)
        book, identity = caller.authenticated()
        question.who_may(identity, parameters)
        deadline = time.monotonic() + self._patience_s(request)
        while True:
            try:
                body = await asyncio.to_thread(self._read, book, question, parameters, min_position)
            except NotYet as early:
                if time.monotonic() >= deadline:
                    raise Denied(reject(UNAVAILABLE, what=str(early))) from None
            else:
                return Response(body, media_type="application/json")
            # The read model lives in another process, which signals nothing: look again.
            await asyncio.sleep(_POLL_S)

    def _read(
        self, book: Book, question: Question, parameters: Mapping[str, Any], min_position: int
    ) -> bytes:
        try:
            with self._service.reading(book) as connection:
                asked = Asked(connection, book, min_position)
                answered = question.query(asked, **parameters)
        except psycopg.errors.UndefinedTable:
            raise NotYet("the read models are not there yet: does the projector run?") from None
        except psycopg.errors.UndefinedColumn:
            what = "the read models are of another version until `tokenledger rebuild` has run"
            raise NotYet(what) from None
        except psycopg.InterfaceError as error:
            raise DatabaseAway(str(error)) from error
        if isinstance(answered, bytes):
            return answered
        not_before(min_position, answered)
        return msgspec.json.encode(answered)

    def _patience_s(self, request: Request) -> float:
        preferred = _PREFER_WAIT.search(request.headers.get("prefer", ""))
        if preferred is None:
            return self._service.settings.read_wait_s
        return min(float(preferred[1]), WAIT_MAX_S)
