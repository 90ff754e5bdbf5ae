"""What a request says besides its fields: who sends it, its key, its correlation id. And how its
body is read without ever holding more than the limit.

Both work on the bare ASGI messages: anything richer costs too much on the command route.
"""

import itertools
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import Receive, Scope

from domain.rejections import BODY_TOO_LARGE, UNAVAILABLE, reject
from ledger.write.admission import ID, Denied

_BEARER = re.compile(r"Bearer +(\S+)\s*", re.IGNORECASE)

#: New correlation ids are this process's own name and a number: asking the system for randomness
#: each time would cost more than validating a command.
_PROCESS = secrets.token_hex(8)
_numbers = itertools.count(1)


class ClientGone(Exception):
    """The client hung up before its request was complete."""


@dataclass(slots=True)
class RequestHeaders:
    """The headers that mean something to this service."""

    correlation_id: str
    bearer: str | None = None
    idempotency_key: str | None = None
    content_length: int | None = None
    #: A header of these that stands more than once: whichever were taken, somebody meant another.
    repeated: str | None = None
    #: Bytes of the body that count against the `BodyBudget`.
    held: int = 0


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> RequestHeaders:
    """Pick the headers out; a missing or invalid correlation id is replaced by a new one."""
    bearer = key = length = correlation_id = repeated = None
    authorized = False
    for name, value in headers:
        match name:
            case b"authorization":
                if authorized:
                    repeated = "authorization"
                authorized = True
                found = _BEARER.fullmatch(value.decode("latin-1"))
                bearer = found[1] if found else None
            case b"idempotency-key":
                if key is not None:
                    repeated = "idempotency-key"
                key = _unquoted(value.decode("latin-1"))
            case b"content-length":
                length = int(value)
            case b"x-correlation-id":
                correlation_id = value.decode("latin-1")
            case _:
                pass
    if correlation_id is None or not ID.fullmatch(correlation_id):
        correlation_id = f"{_PROCESS}-{next(_numbers):08x}"
    return RequestHeaders(correlation_id, bearer, key, length, repeated)


def headers_of(scope: Scope) -> RequestHeaders:
    """The request's headers, as the middleware has read them."""
    headers: RequestHeaders = scope["tokenledger.headers"]
    return headers


class BodyBudget:
    """The bytes of bodies that all requests together may hold. A body that came with its headers
    is not counted: the server has read no more of it than it reads of any connection."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    def take(self, headers: RequestHeaders, size: int) -> None:
        """Count bytes for a request; raises Denied when there would be too many."""
        if size > self._left:
            raise Denied(reject(UNAVAILABLE, what="too many large requests at once"))
        self._left -= size
        headers.held += size

    def give_back(self, headers: RequestHeaders) -> None:
        """The request is answered."""
        self._left += headers.held
        headers.held = 0


async def read_body(
    headers: RequestHeaders, receive: Receive, limit: int, budget: BodyBudget
) -> bytes:
    """The whole body; raises Denied as soon as it is known to be over the limit or the budget."""
    if headers.content_length is not None and headers.content_length > limit:
        raise _too_large(headers.content_length, limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False):
        if len(body) > limit:
            raise _too_large(len(body), limit)
        return body
    chunks, size = [body], len(body)
    budget.take(headers, size)
    while message.get("more_body", False):
        if size > limit:
            raise _too_large(size, limit)
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        budget.take(headers, len(chunks[-1]))
    if message["type"] == "http.disconnect":
        raise ClientGone
    if size > limit:
        raise _too_large(size, limit)
    return b"".join(chunks)


def _too_large(size: int, limit: int) -> Denied:
    return Denied(reject(BODY_TOO_LARGE, what="the body", bytes=size, limit=limit))


def _unquoted(key: str) -> str:
    """The key itself, where it comes as the quoted string of the IETF draft."""
    if len(key) >= 2 and key[0] == key[-1] == '"':
        return key[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return key
