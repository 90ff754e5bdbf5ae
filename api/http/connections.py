"""Connections: what a client may hold before anybody knows who it is.

The server waits for a client only between requests, for the rest of its headers and for the rest
of its body; each of the three ends. One more connection than the limit is told so and closed.
"""

import asyncio
import logging
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ledger.settings import Settings

_CLOSED = (
    b"HTTP/1.1 %s\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\n"
    b"connection: close\r\n%s\r\n%s"
)
#: What strangers send is no news: the server's own log of it would be theirs to fill.
_errors_only = logging.getLogger("tokenledger.connections")
_errors_only.setLevel(logging.ERROR)


class Connection(HttpToolsProtocol):
    """One connection; the limits are those of the service that it belongs to."""

    connections_max: ClassVar[int]
    headers_within_s: ClassVar[float]
    body_within_s: ClassVar[float]

    _deadline: asyncio.TimerHandle | None = None
    _for_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.logger = _errors_only
        if len(self.connections) > self.connections_max:
            self._close(b"503 Service Unavailable", b"too many connections", b"retry-after: 1\r\n")
            return
        self._wait(for_body=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        self._served()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what came; while anything is missing, a deadline runs."""
        super().data_received(data)
        cycle = self._request
        if cycle is None or cycle.scope is not self.scope:
            self._wait(for_body=False)
        elif cycle.more_body or cycle.response_complete:
            self._wait(for_body=True)
        elif self._deadline is not None:
            self._served()

    @property
    def _request(self) -> RequestResponseCycle | None:
        """The request whose headers came last."""
        return self.cycle

    def _wait(self, *, for_body: bool) -> None:
        """Let the deadline run, from the first moment of the same wait."""
        if self._deadline is not None:
            if self._for_body == for_body:
                return
            self._deadline.cancel()
        within_s = self.body_within_s if for_body else self.headers_within_s
        self._for_body = for_body
        self._deadline = self.loop.call_later(within_s, self._too_late)

    def _served(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        for_body, self._deadline = self._for_body, None
        if self.flow.read_paused:  # it is we who do not read on, for the request before
            self._wait(for_body=for_body)
        elif self._request is None or not self._request.response_started:
            self._close(b"408 Request Timeout", b"the request did not come in time", b"")
        else:
            self.transport.close()

    def _close(self, status: bytes, detail: bytes, more: bytes) -> None:
        code = b"UNAVAILABLE" if status[:1] == b"5" else b"REQUEST_TIMEOUT"
        body = b'{"type":"about:blank","status":%s,"code":"%s","detail":"%s","retryable":true}' % (
            status[:3],
            code,
            detail,
        )
        self.transport.write(_CLOSED % (status, len(body), more, body))
        self.transport.close()


def limited(settings: Settings) -> type[Connection]:
    """Connections with these limits."""

    class Limited(Connection):
        connections_max = settings.connections_max
        headers_within_s = settings.headers_within_s
        body_within_s = settings.body_within_s

    return Limited
