"""Answers: what a request is answered, rendered to bytes that never change."""

from datetime import datetime
from typing import Any

import msgspec

from domain.rejections import AWAITING_REFERENT, INVALID_REQUEST, STALE_FIGURE, Rejection
from ledger.write.request import Request


class AnsweredEvent(msgspec.Struct, gc=False):
    """An event as an answer shows it; `body` is the JSON that the log keeps, once it is made."""

    position: int
    event_id: str
    type: str
    body: bytes = b""


class ReleasedNotice(msgspec.Struct, frozen=True):
    """A parked notice that was decided in the commit of what it had waited for.

    `position` is that of its last event, or the head where it made none.
    """

    processor: str
    command: str
    processor_ref: str
    position: int


class Answer(msgspec.Struct):
    """What a request is answered: an HTTP status and a body that is the same for ever.

    `code` is that of a rejection or of a suspended notice; `events` is empty where nothing
    happened. `rendered` is the body where it is no rendering of events. `released` are the parked
    notices that its events let go, None where there are none; once it is made, it is one list for
    all replays.
    """

    status: int
    position: int
    command: str
    recorded_at: datetime | None = None
    events: tuple[AnsweredEvent, ...] = ()
    code: str | None = None
    rendered: bytes | None = None
    replayed: bool = False
    released: list[ReleasedNotice] | None = None

    @property
    def accepted(self) -> bool:
        """Whether the command had its effect (a suspended notice had one, too)."""
        return self.status < 300

    @property
    def covers(self) -> int:
        """The last position of all that the command caused in its commit."""
        if not self.released:
            return self.position
        return max(self.position, *(one.position for one in self.released))

    @property
    def body(self) -> bytes:
        """JSON; rendered from the events on first use where there are any."""
        if self.rendered is None:
            self.rendered = render(self)
        return self.rendered

    def again(self) -> "Answer":
        """The same answer, to a replay of its request."""
        return msgspec.structs.replace(self, replayed=True)


def render(answer: Answer) -> bytes:
    """The body of an accepted or suspended answer. Its bytes must never change: see its test."""
    events = b",".join(
        b'{"position":%d,"event_id":"%b","type":"%b","body":%b}'
        % (e.position, e.event_id.encode(), e.type.encode(), e.body)
        for e in answer.events
    )
    code = b',"code":"%b"' % answer.code.encode() if answer.code else b""
    released = b',"released":' + msgspec.json.encode(answer.released) if answer.released else b""
    return b'{"outcome":"%b","command":"%b"%b,"position":%d,"recorded_at":%b,"events":[%b]%b}' % (
        _outcome(answer.code),
        answer.command.encode(),
        code,
        answer.covers,
        msgspec.json.encode(answer.recorded_at),
        events,
        released,
    )


def _outcome(code: str | None) -> bytes:
    if code is None:
        return b"accepted"
    return _KEPT.get(code, b"suspended")


#: Outcomes of notices that have no effect, by their codes.
_KEPT = {AWAITING_REFERENT: b"parked", STALE_FIGURE: b"ignored"}


def problem(rejection: Rejection, correlation_id: str, **more: Any) -> bytes:
    """An RFC 9457 problem document; `message` is its `detail` for clients that look for that."""
    reason, detail = rejection.reason, rejection.detail
    return msgspec.json.encode(
        {
            "type": f"urn:tokenledger:problem:{reason.code.lower().replace('_', '-')}",
            "title": reason.title,
            "status": reason.status,
            "detail": detail,
            "message": detail,
            "code": reason.code,
            "details": rejection.details,
            "retryable": reason.retryable,
            "correlation_id": correlation_id,
            **more,
        }
    )


def refused(request: Request, rejection: Rejection, position: int) -> Answer:
    """The answer that `rejection` makes to `request`, decided at `position`."""
    return Answer(
        status=rejection.reason.status,
        position=position,
        command=request.name,
        code=rejection.reason.code,
        rendered=problem(rejection, request.correlation_id),
    )


def malformed(request: Request, position: int) -> Answer:
    """What a request is told whose fields its command has no more: it leaves no receipt."""
    status, code = INVALID_REQUEST.status, INVALID_REQUEST.code
    return Answer(status, position, request.name, code=code, rendered=request.refused)


def own_outcome(answers: list[list[Answer]], in_doubt: list[list[Answer]]) -> list[list[Answer]]:
    """`answers`, where those are no replays that a lost COMMIT had been the first to give."""
    for group, first in zip(answers, in_doubt, strict=False):
        for answer, before in zip(group, first, strict=True):
            if answer.replayed and not before.replayed and answer.body == before.body:
                answer.replayed = False
    return answers
