"""Admission: from what an edge received to a request that may pass the sequencer.

Every edge comes through here, so the same command means the same whichever way it arrives.
What is denied here was never decided and leaves no receipt.
"""

import re
from typing import Any, Protocol

from domain.catalogue import InvalidRequest, Problem, read_command, read_former
from domain.command import Command
from domain.rejections import (
    INVALID_REQUEST,
    ROLE_FORBIDDEN,
    UNAUTHENTICATED,
    Rejection,
    reject,
)
from ledger.write.answer import problem
from ledger.write.json_objects import Malformed, read_object
from ledger.write.request import Request, fingerprint, first_needs, former_key, request_key

ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
IDEMPOTENCY_KEY_MAX = 255


class Sender(Protocol):
    """Who sends: `ledger.keys.Identity`, or a process of our own."""

    @property
    def role(self) -> str:
        """What the sender is to the book."""

    @property
    def actor(self) -> str:
        """Who acts."""

    @property
    def is_person(self) -> bool:
        """Whether the sender is a person, not a machine."""

    @property
    def client(self) -> str:
        """Scope of idempotency keys."""


class Denied(Exception):
    """The request goes no further; `rejection` says why, `problems` which fields are wrong."""

    def __init__(self, rejection: Rejection, problems: list[Problem] | None = None) -> None:
        self.rejection = rejection
        self.problems = problems or []
        super().__init__(rejection.reason.code)

    def document(self, correlation_id: str) -> bytes:
        """The problem document."""
        if not self.problems:
            return problem(self.rejection, correlation_id)
        errors = [{"pointer": p.pointer, "message": p.message} for p in self.problems]
        return problem(self.rejection, correlation_id, errors=errors)


def invalid(*problems: Problem) -> Denied:
    """A malformed request."""
    return Denied(reject(INVALID_REQUEST, count=len(problems)), list(problems))


def read_fields(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; raises Denied with the place where it is malformed."""
    try:
        return read_object(body)
    except Malformed as malformed:
        raise invalid(*malformed.problems) from None


def admit(
    name: str,
    fields: dict[str, Any],
    sender: Sender | None,
    *,
    idempotency_key: str | None,
    correlation_id: str,
) -> Request:
    """A request to execute the command `name` with `fields`; raises Denied.

    In this order: the fields, the sender, the sender's role. Fields of an earlier release that the
    command has no more make a request that is answered only if it was answered then.
    """
    command: Command
    refused = b""
    try:
        command = read_command(name, fields)
    except InvalidRequest as error:
        denied, before = invalid(*error.problems), read_former(name, fields)
        if before is None:
            raise denied from None
        command, refused = before, denied.document(before.correlation_id or correlation_id)
    notice = command.notice_id()
    if notice is None:
        _check_idempotency_key(idempotency_key)
    if sender is None:
        raise Denied(reject(UNAUTHENTICATED))
    role, client = sender.role, sender.client
    if role not in command.roles:
        raise Denied(reject(ROLE_FORBIDDEN, role=str(role), action=f"send {name}"))
    own = command.__dict__  # a model's attribute costs five times an item of it
    on_behalf_of = own["on_behalf_of"]
    if command.for_people and not sender.is_person:
        raise Denied(reject(ROLE_FORBIDDEN, role=f"{role} of a machine", action=f"send {name}"))
    if on_behalf_of is not None and role != "service":
        raise Denied(reject(ROLE_FORBIDDEN, role=str(role), action="act on behalf of others"))
    needs, looks_ahead = first_needs(command)
    return Request(
        command,
        name,
        on_behalf_of,
        sender.actor,
        client,
        own["correlation_id"] or correlation_id,
        request_key(client, name, notice, idempotency_key or ""),
        fingerprint(command, idempotency_key or ""),
        needs,
        looks_ahead,
        b"" if notice is None else former_key(notice),
        str(role),
        refused,
    )


def _check_idempotency_key(key: str | None) -> None:
    if key is None:
        raise invalid(
            Problem("/idempotency_key", "is required: as header Idempotency-Key, or in a bulk line")
        )
    visible = key.isascii() and key.isprintable() and " " not in key
    if not (visible and 0 < len(key) <= IDEMPOTENCY_KEY_MAX):
        raise invalid(Problem("/idempotency_key", "must be 1 to 255 visible ASCII characters"))
