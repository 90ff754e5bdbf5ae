"""The outermost layer of the HTTP edge: every request and every answer passes here.

It gives each request its correlation id, sends commands straight to their handler (a router
would compare the path with every command's route first), and turns what nobody caught into a
problem document without internals.
"""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import problems
from api.http.commands.single import Commands
from api.http.headers import ClientGone, Head, read_head
from ledger import logs

_log = logs.get_logger(__name__)
_level = logging.getLogger(__name__)


class Gate:
    """Stands before the application: ASGI in, ASGI out."""

    def __init__(self, app: ASGIApp, commands: Commands) -> None:
        self._app = app
        self._commands = commands

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = scope["tokenledger.head"] = read_head(scope["headers"])
        answer = _Answer(send, head)
        begun = time.perf_counter()
        try:
            await self._route(scope, receive, answer, head)
        except ClientGone:
            _log.debug("client gone", path=scope["path"], correlation_id=head.correlation_id)
        except Exception:
            _log.exception("fault", path=scope["path"], correlation_id=head.correlation_id)
            if not answer.status:
                await problems.fault(head.correlation_id)(scope, receive, answer)
            elif not answer.complete:
                raise  # half an answer is on its way: only hanging up tells the client
        if _level.isEnabledFor(logging.DEBUG):
            _log.debug(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=answer.status,
                ms=round((time.perf_counter() - begun) * 1000, 1),
                correlation_id=head.correlation_id,
            )

    async def _route(self, scope: Scope, receive: Receive, send: Send, head: Head) -> None:
        if scope["method"] == "POST":
            parts = scope["path"].split("/")
            if len(parts) == 6 and parts[1:3] == ["v1", "books"] and parts[4] == "commands":
                response = await self._commands.answer(parts[3], parts[5], head, receive)
                await response(scope, receive, send)
                return
        with logs.correlated(head.correlation_id):
            await self._app(scope, receive, send)


class _Answer:
    """Sends on, with the correlation id; knows what was sent."""

    __slots__ = ("_head", "_send", "complete", "status")

    def __init__(self, send: Send, head: Head) -> None:
        self._send = send
        self._head = head
        self.status = 0
        self.complete = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            correlation_id = self._head.correlation_id.encode("latin-1")
            message["headers"].append((b"x-correlation-id", correlation_id))
        elif not message.get("more_body", False):
            self.complete = True
        await self._send(message)
