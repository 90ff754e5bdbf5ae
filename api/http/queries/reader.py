"""Answers questions: who asks, of which book, and as of which position.

A query function answers one dictionary with the position that it stands for, read in one
statement; so waiting for `min_position` is asking again until the answer is new enough.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
import psycopg
from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from api.http.authentication import authenticate
from api.http.headers import BodyBudget, RequestHeaders, headers_of, read_body
from api.http.problems import RETRY_AFTER_S
from api.http.queries.question import Asked, NotYet, Question, TaggedBytes, not_before
from api.service import DatabaseAway, Service
from domain.catalogue import problems_of
from domain.rejections import RATE_LIMITED, UNAVAILABLE, reject
from ledger.api_keys import Identity
from ledger.books import Book
from ledger.write.admission import Denied, invalid, read_fields

WAIT_MAX_S = 60.0
_POLL_S = 0.02
_PREFER_WAIT = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?([0-9]+)', re.IGNORECASE)


class QueryReader:
    """Answers questions about books."""

    def __init__(self, service: Service, bodies: BodyBudget) -> None:
        self._service = service
        self._bodies = bodies
        self._waiting: Counter[str] = Counter()

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
        book, identity = await authenticate(self._service, name, headers.bearer)
        question.who_may(identity, parameters)
        if question.body is not None:
            sent = await self._body(request, headers, question.body)
            parameters = {**parameters, "body": sent}
        deadline = time.monotonic() + self._patience_s(request)
        ask = partial(self._read, book, question, parameters, min_position, identity)
        try:
            body = await asyncio.to_thread(ask)
        except NotYet as early:
            with self._waiting_for(identity):
                body = await _asked_again(ask, early, deadline)
        if not isinstance(body, TaggedBytes):
            return Response(body, media_type="application/json")
        tag = {"ETag": body.etag}
        if body.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=tag)
        return Response(bytes(body), media_type="application/json", headers=tag)

    async def _body(
        self, request: Request, headers: RequestHeaders, form: type[BaseModel]
    ) -> BaseModel:
        """The body, read once the caller may ask; raises Denied where it is malformed."""
        limit = self._service.settings.body_bytes_max
        fields = read_fields(await read_body(headers, request.receive, limit, self._bodies))
        try:
            return form.model_validate(fields)
        except ValidationError as error:
            raise invalid(*problems_of(error)) from None

    @contextmanager
    def _waiting_for(self, identity: Identity) -> Iterator[None]:
        """One more question of this key waits; raises Denied if too many do."""
        key, waiting = identity.key_id, self._waiting
        if waiting[key] >= self._service.settings.waiting_reads_max:
            raise Denied(reject(RATE_LIMITED, retry_after=RETRY_AFTER_S))
        waiting[key] += 1
        try:
            yield
        finally:
            waiting[key] -= 1
            if not waiting[key]:
                del waiting[key]

    def _read(
        self,
        book: Book,
        question: Question,
        parameters: Mapping[str, Any],
        min_position: int,
        identity: Identity,
    ) -> bytes:
        try:
            with self._service.reading(book) as connection:
                asked = Asked(connection, book, min_position, identity)
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


async def _asked_again(ask: Callable[[], bytes], early: NotYet, deadline: float) -> bytes:
    """What `ask` answers in the end; raises Denied when the client's patience is over."""
    while time.monotonic() < deadline:
        # The read model lives in another process, which signals nothing: look again.
        await asyncio.sleep(_POLL_S)
        try:
            return await asyncio.to_thread(ask)
        except NotYet as again:
            early = again
    raise Denied(reject(UNAVAILABLE, what=str(early)))
