"""Lines of a bulk request: from bytes to requests, and from answers back to lines.

A line's answer is what the single route would have answered, with `status`, and with `replayed`
where that is so, put in front of the answer's own bytes.
"""

import asyncio
from collections import Counter
from typing import Any

from api.http.metrics import REFUSED, outcome_of
from domain.catalogue import Problem
from domain.command import COMMANDS
from domain.rejections import BATCH_ABORTED, BODY_TOO_LARGE, UNAVAILABLE, reject
from ledger.api_keys import Identity
from ledger.write.admission import Denied, admit, invalid, read_fields
from ledger.write.answer import Answer, problem
from ledger.write.request import Request
from ledger.write.unavailable import Unavailable

Counted = Counter[tuple[str, str, str]]


class BulkChunk:
    """Lines that were admitted together. `places` has None where a line became a request."""

    def __init__(self) -> None:
        self.places: list[Denied | None] = []
        self.names: list[str] = []
        self.requests: list[Request] = []
        self.size_bytes = 0
        self.denied = 0
        self.answers: asyncio.Future[list[Answer]] | None = None
        self.away: Unavailable | None = None

    def abort(self) -> None:
        """Answer BATCH_ABORTED to the good lines of an atomic batch, because one is broken."""
        line = next(n for n, place in enumerate(self.places, 1) if place is not None)
        aborted = Denied(reject(BATCH_ABORTED, line=line))
        self.places = [place or aborted for place in self.places]
        self.requests.clear()

    async def rendered(self, correlation_id: str) -> tuple[bytes, Counted]:
        """One answer per line, and how many there are of each kind."""
        answers = iter(await self._outcome(correlation_id))
        counted: Counted = Counter()
        out = []
        for name, place in zip(self.names, self.places, strict=True):
            if place is not None:
                out.append(place.document(correlation_id))
                counted[name, REFUSED, place.rejection.reason.code] += 1
            else:
                answer = next(answers)
                out.append(_line(answer))
                outcome = outcome_of(answer.status, answer.code)
                counted[name, outcome, answer.code or ""] += 1
        out.append(b"")
        return b"\n".join(out), counted

    async def _outcome(self, correlation_id: str) -> list[Answer]:
        """The answers; UNAVAILABLE for each line where nothing can be written."""
        if self.away is None:
            if self.answers is None:
                return []
            try:
                return await self.answers
            except Unavailable as away:
                self.away = away
        rejection = reject(UNAVAILABLE, what=self.away.reason)
        body = problem(rejection, correlation_id)
        return [
            Answer(
                status=rejection.reason.status,
                position=0,
                command=request.command.name,
                code=rejection.reason.code,
                rendered=body,
            )
            for request in self.requests
        ]


def admit_lines(
    lines: list[bytes], identity: Identity, correlation_id: str, *, line_bytes_max: int
) -> BulkChunk:
    """Read and admit every line by itself."""
    chunk = BulkChunk()
    for line in lines:
        name: Any = ""
        try:
            if len(line) > line_bytes_max:
                raise Denied(
                    reject(BODY_TOO_LARGE, what="the line", bytes=len(line), limit=line_bytes_max)
                )
            fields = read_fields(line)
            name, key = _taken(fields)
            request = admit(
                name, fields, identity, idempotency_key=key, correlation_id=correlation_id
            )
        except Denied as denied:
            chunk.places.append(denied)
            chunk.denied += 1
            chunk.names.append(name if name in COMMANDS else "")
        else:
            chunk.places.append(None)
            chunk.requests.append(request)
            chunk.size_bytes += len(line)
            chunk.names.append(name)
    return chunk


def _taken(fields: dict[str, Any]) -> tuple[str, str | None]:
    """Take the command's name and the idempotency key out of a line's fields."""
    name = fields.pop("command", None)
    key = fields.pop("idempotency_key", None)
    if not isinstance(name, str):
        raise invalid(Problem("/command", "is required: the command's name"))
    if key is not None and not isinstance(key, str):
        raise invalid(Problem("/idempotency_key", "must be a string"))
    return name, key


def _line(answer: Answer) -> bytes:
    replayed = b'"replayed":true,' if answer.replayed else b""
    if answer.accepted:
        return b'{"status":%d,%b%b' % (answer.status, replayed, answer.body[1:])
    return b"{" + replayed + answer.body[1:] if replayed else answer.body
