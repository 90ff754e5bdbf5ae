"""The outermost layer of the HTTP edge: every request and every answer passes through it.

It gives each request its correlation id, hands commands to their handler, and turns an exception
that nobody caught into a problem document that shows nothing of the inside. Commands do not enter
the framework, whose layers cost as much again as reading, deciding and writing a command.
"""

import logging
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import problems
from api.http.commands.single import CommandHandler
from api.http.headers import BodyBudget, ClientGone, RequestHeaders, read_headers
from ledger import logs

_COMMAND_PATH = re.compile(r"/v1/books/([^/]*)/commands/([^/]*)")

log = logs.get_logger(__name__)
_level = logging.getLogger(__name__)


class RequestMiddleware:
    """An ASGI application around the framework's."""

    def __init__(self, app: ASGIApp, commands: CommandHandler, bodies: BodyBudget) -> None:
        self._app = app
        self._bodies = bodies
        self._commands = commands

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = scope["tokenledger.headers"] = read_headers(scope["headers"])
        answer = _AnswerSender(send, headers)
        begun = time.perf_counter()
        try:
            await self._route(scope, receive, answer, headers)
        except ClientGone:
            log.debug("client gone", path=scope["path"], correlation_id=headers.correlation_id)
        except Exception:
            log.exception("fault", path=scope["path"], correlation_id=headers.correlation_id)
            if not answer.status:
                await problems.fault(headers.correlation_id)(scope, receive, answer)
            elif not answer.complete:
                raise  # half an answer is on its way: only hanging up tells the client
        finally:
            if headers.held:
                self._bodies.give_back(headers)
        if _level.isEnabledFor(logging.DEBUG):
            log.debug(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=answer.status,
                ms=round((time.perf_counter() - begun) * 1000, 1),
                correlation_id=headers.correlation_id,
            )

    async def _route(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders
    ) -> None:
        if headers.repeated is not None:
            await problems.repeated_header(headers)(scope, receive, send)
            return
        if scope["method"] == "POST" and (path := _COMMAND_PATH.fullmatch(scope["path"])):
            response = await self._commands.answer(path[1], path[2], headers, receive)
            await response(scope, receive, send)
            return
        with logs.correlated(headers.correlation_id):
            await self._app(scope, receive, send)


class _AnswerSender:
    """Adds the correlation id to the answer's headers, and knows how much of it was sent."""

    __slots__ = ("_headers", "_send", "complete", "status")

    def __init__(self, send: Send, headers: RequestHeaders) -> None:
        self._send = send
        self._headers = headers
        self.status = 0
        self.complete = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            correlation_id = self._headers.correlation_id.encode("latin-1")
            message["headers"].append((b"x-correlation-id", correlation_id))
        elif not message.get("more_body", False):
            self.complete = True
        await self._send(message)
