"""Requests: a validated command, who sends it, and by what its answer is remembered.

The key's scope is client and command, so it survives the rotation of an API key; a notice is
known by its processor and external id alone. The fingerprint covers the explicitly set,
validated fields, so the same command is the same by whichever edge it arrives.
"""

from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from domain.command import Command, explicit_fields
from domain.rejections import AWAITING_REFERENT, Rejection

_fingerprints = msgspec.json.Encoder(order="sorted", enc_hook=explicit_fields)


NOTICES = "notice"
"""Stands where a client's name stands in the scope of requests, so no client may have it."""


class Request(msgspec.Struct, frozen=True):
    """One command on its way to the turnstile.

    `name` and `on_behalf_of` are the command's own; `needs` names the entities that it is about.

    Without a key it leaves no receipt: it comes from a scheduler, and whether it still has
    anything to do follows from the state alone.
    """

    command: Command
    name: str
    on_behalf_of: str | None
    principal: str
    client: str
    correlation_id: str
    key: bytes
    fingerprint: bytes
    needs: tuple[str, ...]

    @property
    def actor(self) -> str:
        """On whose behalf the command runs."""
        return self.on_behalf_of or self.principal


def request_key(
    client: str, name: str, notice: tuple[str, str] | None, idempotency_key: str
) -> bytes:
    """16 bytes that stand for one request of one client, or for one notice by its id."""
    if notice is not None:
        scope = f"{NOTICES}\0{notice[0]}\0{notice[1]}"
    else:
        scope = f"{client}\0{name}\0{idempotency_key}"
    return blake2b(scope.encode(), digest_size=16).digest()


def unremembered(command: Command, *, actor: str, correlation_id: str) -> Request:
    """A scheduler's request: sent again, it is decided again, so it needs neither key nor print."""
    needs = command.entities()
    return Request(command, command.name, None, actor, actor, correlation_id, b"", b"", needs)


def fingerprint(command: Command, idempotency_key: str = "") -> bytes:
    """16 bytes that stand for what the command says; the correlation id says nothing of it.

    Texts are mixed with the idempotency key, which the log does not hold: or else whoever can
    guess a text could find it in the log, even after it was erased.
    """
    values = command.__dict__
    fields = {field: values[field] for field in command.model_fields_set}
    fields.pop("correlation_id", None)
    for field in command.text_fields:
        if fields.get(field) is not None:
            secret = f"{idempotency_key}\0{fields[field]}".encode()
            fields[field] = blake2b(secret, digest_size=16).hexdigest()
    return blake2b(command.name.encode() + _fingerprints.encode(fields), digest_size=16).digest()


class Recorded(msgspec.Struct, gc=False):
    """An event as an answer shows it; `body` is the JSON that the log keeps, once it is made."""

    position: int
    event_id: str
    type: str
    body: bytes = b""


class Answer(msgspec.Struct):
    """What a request is answered: an HTTP status and a body that is the same for ever.

    `code` is that of a rejection or of a suspended notice; `events` is empty where nothing
    happened. `rendered` is the body where it is no rendering of events.
    """

    status: int
    position: int
    command: str
    recorded_at: datetime | None = None
    events: tuple[Recorded, ...] = ()
    code: str | None = None
    rendered: bytes | None = None
    replayed: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the command had its effect (a suspended notice had one, too)."""
        return self.status < 300

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
    return b'{"outcome":"%b","command":"%b"%b,"position":%d,"recorded_at":%b,"events":[%b]}' % (
        _outcome(answer.code),
        answer.command.encode(),
        code,
        answer.position,
        msgspec.json.encode(answer.recorded_at),
        events,
    )


def _outcome(code: str | None) -> bytes:
    if code is None:
        return b"accepted"
    return b"parked" if code == AWAITING_REFERENT else b"suspended"


def problem(rejection: Rejection, correlation_id: str, **more: Any) -> bytes:
    """An RFC 9457 problem document."""
    reason = rejection.reason
    return msgspec.json.encode(
        {
            "type": f"urn:tokenledger:problem:{reason.code.lower().replace('_', '-')}",
            "title": reason.title,
            "status": reason.status,
            "detail": rejection.detail,
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
