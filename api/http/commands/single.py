"""The command route: one handler for every command, from the raw body to the receipt's own bytes.

This is the hot path. The middleware calls the handler past the framework. It reads the body,
admits the command, queues it at its book's sequencer and sends the answer's bytes unchanged.
Accepted commands are counted and not logged.
"""

import time

from starlette.responses import Response
from starlette.types import Receive

from api.http import problems
from api.http.authentication import authenticate
from api.http.commands.replies import ReplyDispatcher
from api.http.headers import BodyBudget, RequestHeaders, read_body
from api.http.metrics import REFUSED, Metrics, outcome_of
from api.service import DatabaseAway, Service
from domain.command import COMMANDS
from domain.rejections import UNAUTHENTICATED
from ledger import logs
from ledger.books import Book
from ledger.write.admission import Denied, admit, read_fields
from ledger.write.answer import Answer
from ledger.write.group import Group
from ledger.write.unavailable import Unavailable

_REPLAYED = {"Idempotent-Replayed": "true"}
_UNAVAILABLE = "UNAVAILABLE"

log = logs.get_logger(__name__)


class CommandHandler:
    """Answers `POST /v1/books/{book}/commands/{command}`."""

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

    async def answer(
        self, book: str, command: str, headers: RequestHeaders, receive: Receive
    ) -> Response:
        """Execute one command; whatever stops it is an answer, too."""
        try:
            found, group = await self._admit(book, command, headers, receive)
            answer = await self._execute(found, group)
        except Denied as denied:
            return self._deny(book, command, headers, denied)
        except Unavailable as away:
            self._note(book, command, headers, REFUSED, _UNAVAILABLE)
            return problems.unavailable(away, headers.correlation_id)
        except DatabaseAway as away:
            self._note(book, command, headers, REFUSED, _UNAVAILABLE)
            return problems.database_away(away, headers.correlation_id)
        outcome = outcome_of(answer.status, answer.code)
        if answer.code is None:
            self._metrics.count(book, command, outcome, "")
        else:
            self._note(book, command, headers, outcome, answer.code)
        return _response(answer)

    async def _admit(
        self, book: str, command: str, headers: RequestHeaders, receive: Receive
    ) -> tuple[Book, Group]:
        found, identity = await authenticate(self._service, book, headers.bearer)
        limit = self._service.settings.body_bytes_max
        body = await read_body(headers, receive, limit, self._bodies)
        request = admit(
            command,
            read_fields(body),
            identity,
            idempotency_key=headers.idempotency_key,
            correlation_id=headers.correlation_id,
        )
        headers.correlation_id = request.correlation_id
        return found, Group((request,), size_bytes=len(body))

    async def _execute(self, book: Book, group: Group) -> Answer:
        begun = time.perf_counter()
        writer = self._service.writer(book)
        within_s = self._service.settings.answer_within_s
        (answer,) = await self._replies.submit_within(writer, group, within_s)
        self._metrics.answer_s.observe(time.perf_counter() - begun)
        return answer

    def _deny(self, book: str, command: str, headers: RequestHeaders, denied: Denied) -> Response:
        reason = denied.rejection.reason
        if reason is not UNAUTHENTICATED:
            self._note(book, command, headers, REFUSED, reason.code)
        return problems.document(reason.status, denied.document(headers.correlation_id))

    def _note(
        self, book: str, command: str, headers: RequestHeaders, outcome: str, code: str
    ) -> None:
        """Count and log an answer that is not "accepted".

        Unknown names make no counters of their own, so that nobody can fill the memory with them.
        """
        known = self._service.cached_book(book) is not None and command in COMMANDS
        self._metrics.count(*((book, command) if known else ("", "")), outcome, code)
        log.info(
            "command not accepted",
            outcome=outcome,
            book=book,
            command=command,
            code=code,
            correlation_id=headers.correlation_id,
        )


def _response(answer: Answer) -> Response:
    headers = _REPLAYED if answer.replayed else None
    if answer.accepted:
        return Response(answer.body, answer.status, headers, "application/json")
    return problems.document(answer.status, answer.body, headers=headers)
