"""One kept-alive HTTP/1.1 connection, as a load of thousands of requests a second needs it.

Our own clients (the simulated day, the demo) share the machine with the service that they load,
so what a client costs is missing on the other side. One request at a time, no redirects, no
cookies, no TLS: a general client does those, at ten times the price.
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools


class Reply(NamedTuple):
    """An answer: its status, its headers by lower-case name, and the bytes of its body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Address(NamedTuple):
    """The host and port of a service."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Address":
        """The address in an `http://host[:port]` URL; raises ValueError on any other."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.path not in {"", "/"}:
            raise ValueError(f"{url!r} is not an address like http://127.0.0.1:8000")
        return cls(parts.hostname, parts.port or 80)


class Wire:
    """A connection that is opened by its first request, and again after it broke."""

    def __init__(self, address: Address, headers: Mapping[str, str]) -> None:
        self._address = address
        lines = {"Host": f"{address.host}:{address.port}", **headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._connection: _Connection | None = None

    async def get(self, path: str) -> Reply:
        """GET; raises ConnectionError when the connection cannot be made or breaks."""
        return await self._ask(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())

    async def post(
        self, path: str, body: bytes, *, content_type: str, key: str | None = None
    ) -> Reply:
        """POST under an idempotency key; raises ConnectionError: then send the same again."""
        more = f"Idempotency-Key: {key}\r\n" if key is not None else ""
        head = (
            f"POST {path} HTTP/1.1\r\n{self._head}{more}"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return await self._ask(head.encode() + body)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _ask(self, request: bytes) -> Reply:
        if self._connection is None or self._connection.closed:
            loop = asyncio.get_running_loop()
            try:
                _, self._connection = await loop.create_connection(_Connection, *self._address)
            except OSError as error:
                raise ConnectionError(f"no connection to {self._address}: {error}") from error
        return await self._connection.ask(request)


class _Connection(asyncio.Protocol):
    """One TCP connection; asyncio calls the first three methods, the parser the `on_` ones."""

    def __init__(self) -> None:
        self.closed = True
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: asyncio.Future[Reply] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)
        self.closed = False

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.close()
            self._fail(ConnectionError(f"the answer is no HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._fail(ConnectionError(str(exc or "the service hung up")))

    def on_message_begin(self) -> None:
        self._headers = {}
        self._chunks = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        reply = Reply(self._parser.get_status_code(), self._headers, b"".join(self._chunks))
        if not self._parser.should_keep_alive():
            self.close()
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    async def ask(self, request: bytes) -> Reply:
        assert self._transport is not None and self._waiting is None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def _fail(self, error: ConnectionError) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
