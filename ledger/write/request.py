"""Requests: a validated command, who sends it, and by what its answer is remembered.

The key's scope is client and command, so it survives the rotation of an API key; a notice is
known by its processor, its command and the processor's reference, whoever sends it. The
fingerprint covers the explicitly set, validated fields, so the same command is the same by
whichever edge it arrives.
"""

from hashlib import blake2b
from typing import TypeVar

import msgspec

from domain.command import Command, explicit_fields
from domain.entity import State

S = TypeVar("S", bound=State)

#: Of 16 bytes; to copy it costs less than to make one.
_hash = blake2b(digest_size=16)
_fingerprints = msgspec.json.Encoder(order="sorted", enc_hook=explicit_fields)


#: Stands where a client's name stands in the scope of requests, so no client may have it.
NOTICES = "notice"


class Request(msgspec.Struct, frozen=True):
    """One command on its way to the sequencer.

    `name` and `on_behalf_of` are the command's own; `needs` are the keys of the states that its
    fields lead to, and `looks_ahead` says that those states may lead to more.

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
    looks_ahead: bool
    #: Of a notice: the key of its receipt where one was written before the command was part of it.
    former_key: bytes = b""
    #: What the sender is to the book; "" for the service itself, and for notices kept for later.
    role: str = ""
    #: Of a request whose fields the command has no more: the refusal, unless a receipt knows it.
    refused: bytes = b""

    @property
    def actor(self) -> str:
        """On whose behalf the command runs."""
        return self.on_behalf_of or self.principal


class NothingLoaded:
    """What a command finds that is asked for its needs at first; `asked`: whether it looked."""

    asked = False

    def loaded(self, _kind: type[S], _entity_id: str, /) -> S | None:
        """None."""
        self.asked = True
        return None


def first_needs(command: Command) -> tuple[tuple[str, ...], bool]:
    """The states that the fields lead to, and whether the command has looked for any of them."""
    nothing = NothingLoaded()
    return command.prefetch(nothing), nothing.asked


def request_key(
    client: str, name: str, notice: tuple[str, str] | None, idempotency_key: str
) -> bytes:
    """16 bytes that stand for one request of one client, or for one notice by its identity."""
    if notice is not None:
        scope = f"{NOTICES}\0{notice[0]}\0{name}\0{notice[1]}"
    else:
        scope = f"{client}\0{name}\0{idempotency_key}"
    key = _hash.copy()
    key.update(scope.encode())
    return key.digest()


def former_key(notice: tuple[str, str] | None) -> bytes:
    """The key under which a notice was answered while processor and reference alone made it."""
    if notice is None:
        return b""
    key = _hash.copy()
    key.update(f"{NOTICES}\0{notice[0]}\0{notice[1]}".encode())
    return key.digest()


def unremembered(command: Command, *, actor: str, correlation_id: str) -> Request:
    """A scheduler's request: sent again, it is decided again, so it needs neither key nor print."""
    needs = first_needs(command)
    return Request(command, command.name, None, actor, actor, correlation_id, b"", b"", *needs)


def fingerprint(command: Command, idempotency_key: str = "") -> bytes:
    """16 bytes that stand for what the command says; the correlation id says nothing of it, and
    of a notice neither do the labels that its sender has added.

    Texts are mixed with the idempotency key, which the log does not hold: or else whoever can
    guess a text could find it in the log, even after it was erased.
    """
    values = command.__dict__
    fields = {}
    for field in command.__pydantic_fields_set__:  # a comprehension would be a call more
        fields[field] = values[field]
    fields.pop("correlation_id", None)
    if values["labels"] is not None and command.notice_id() is not None:
        fields.pop("labels")
    for field in command.text_fields:
        if fields.get(field) is not None:
            secret = f"{idempotency_key}\0{fields[field]}".encode()
            fields[field] = blake2b(secret, digest_size=16).hexdigest()
    print_of = _hash.copy()
    print_of.update(command.name.encode())
    print_of.update(_fingerprints.encode(fields))
    return print_of.digest()
