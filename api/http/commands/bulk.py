"""The bulk route: NDJSON in, NDJSON out, one answer per line in the same order.

Lines are admitted in chunks, so that the sequencer takes one chunk while the next is being read
and single commands get their turn in between. A broken line fails alone, unless the request is
atomic: then nothing of it is written.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from itertools import islice

from fastapi import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from api.http.authentication import authenticate
from api.http.commands.bulk_lines import BulkChunk, admit_lines
from api.http.commands.replies import ReplyDispatcher
from api.http.headers import BodyBudget, RequestHeaders, headers_of, read_body
from api.http.metrics import Metrics
from api.http.problems import unavailable
from api.service import Service
from domain.catalogue import Problem
from ledger import logs
from ledger.api_keys import Identity
from ledger.books import Book
from ledger.write.admission import invalid
from ledger.write.group import Group
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer

NDJSON = "application/x-ndjson"
CHUNK_LINES = 1_000
#: Chunks of one request that may be under way at once.
UNDER_WAY = 3
#: Lines that can stand or fall together: what passes the sequencer in one transaction.
ATOMIC_LINES_MAX = 4_096

log = logs.get_logger(__name__)


class BulkHandler:
    """Answers `POST /v1/books/{book}/commands`."""

    def __init__(
        self,
        service: Service,
        replies: ReplyDispatcher,
        metrics: Metrics,
        bodies: BodyBudget,
    ) -> None:
        self._service = service
        self._replies = replies
        self._metrics = metrics
        self._bodies = bodies

    async def answer(self, request: HttpRequest, book: str, *, atomic: bool) -> Response:
        """Execute every line. 200, unless nothing at all could be tried."""
        headers = headers_of(request.scope)
        found, identity = await authenticate(self._service, book, headers.bearer)
        limit = self._service.settings.bulk_body_bytes_max
        body = await read_body(headers, request.receive, limit, self._bodies)
        run = _BulkRequest(self, found, identity, headers)
        try:
            if atomic:
                return Response(await run.all_or_none(body), media_type=NDJSON)
            answers = run.each(body)
            first = await anext(answers, b"")
        except Unavailable as away:
            log.info("bulk refused", book=book, reason=away.reason)
            return unavailable(away, headers.correlation_id)
        return StreamingResponse(_followed(first, answers), media_type=NDJSON)

    def writer(self, book: Book) -> Writer:
        """The book's writer."""
        return self._service.writer(book)

    def lines_max(self, wanted: int) -> int:
        """So many lines, but no more than the sequencer's queue can ever hold."""
        return min(wanted, self._service.settings.queue_commands_max)

    @property
    def chunk_bytes_max(self) -> int:
        """What passes the sequencer in one transaction."""
        return self._service.settings.batch_bytes_max

    def admit(self, lines: list[bytes], identity: Identity, headers: RequestHeaders) -> BulkChunk:
        """Read and admit lines."""
        limit = self._service.settings.body_bytes_max
        return admit_lines(lines, identity, headers.correlation_id, line_bytes_max=limit)

    def submit(self, writer: Writer, chunk: BulkChunk, *, atomic: bool = False) -> None:
        """Queue what was admitted; raises Unavailable."""
        if chunk.requests:
            group = Group(chunk.requests, atomic, chunk.size_bytes)
            chunk.answers = self._replies.submit(writer, group)

    def note(self, book: Book, counted: "Counter[tuple[str, str, str]]") -> None:
        """Count the answers, and log how many of each kind were not accepted."""
        self._metrics.count_all(book.name, counted)
        refused = {
            f"{command} {code}": times for (command, _, code), times in counted.items() if code
        }
        if refused:
            log.info("bulk lines not accepted", book=book.name, counts=refused)


class _BulkRequest:
    """One bulk request while it is answered."""

    def __init__(
        self, bulk: BulkHandler, book: Book, identity: Identity, headers: RequestHeaders
    ) -> None:
        self._bulk = bulk
        self._book = book
        self._identity = identity
        self._headers = headers
        self._writer = bulk.writer(book)
        self._under_way: deque[BulkChunk] = deque()
        self._answered = False

    async def each(self, body: bytes) -> AsyncIterator[bytes]:
        """Answers chunk by chunk; raises Unavailable if not even the first one got through."""
        lines_max = self._bulk.lines_max(CHUNK_LINES)
        for chunk_lines in _chunks(body, lines_max, self._bulk.chunk_bytes_max):
            chunk = self._bulk.admit(chunk_lines, self._identity, self._headers)
            while not self._queued(chunk):
                yield await self._oldest()
            self._under_way.append(chunk)
            await asyncio.sleep(0)  # let single commands run in between
        while self._under_way:
            yield await self._oldest()

    async def all_or_none(self, body: bytes) -> bytes:
        """Every line's answer; raises Unavailable, or Denied when there are too many lines."""
        lines_max = self._bulk.lines_max(ATOMIC_LINES_MAX)
        lines = list(islice(_lines(body), lines_max + 1))
        if len(lines) > lines_max:
            raise invalid(Problem("", f"an atomic batch has at most {lines_max} lines"))
        chunk = self._bulk.admit(lines, self._identity, self._headers)
        if chunk.denied:
            chunk.abort()
        else:
            self._bulk.submit(self._writer, chunk, atomic=True)
        return await self._answers(chunk)

    def _queued(self, chunk: BulkChunk) -> bool:
        """Queue the chunk, unless an earlier one of this request must be waited for."""
        if len(self._under_way) >= UNDER_WAY:
            return False
        try:
            self._bulk.submit(self._writer, chunk)
        except Unavailable as away:
            if self._under_way:
                return False
            chunk.away = away
        return True

    async def _oldest(self) -> bytes:
        return await self._answers(self._under_way.popleft())

    async def _answers(self, chunk: BulkChunk) -> bytes:
        rendered, counted = await chunk.rendered(self._headers.correlation_id)
        if chunk.away is not None and not self._answered:
            raise chunk.away
        self._answered = True
        self._bulk.note(self._book, counted)
        return rendered


def _lines(body: bytes) -> Iterator[bytes]:
    """The lines one by one: a list of all lines of a large body would be many times its size."""
    for line in BytesIO(body):
        text = line.rstrip()
        if text:
            yield text


def _chunks(body: bytes, lines_max: int, bytes_max: int) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size_bytes = 0
    for line in _lines(body):
        if len(chunk) == lines_max or (chunk and size_bytes + len(line) > bytes_max):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(line)
        size_bytes += len(line)
    if chunk:
        yield chunk


async def _followed(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for more in rest:
        yield more
