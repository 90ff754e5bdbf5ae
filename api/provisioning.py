"""Creates a book: its schema, its empty read models, and its first policy, which goes through the
write path like every other command.

What can be checked is checked before anything is created. If provisioning breaks off, running it
again completes it: its requests have fixed idempotency keys.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from domain.catalogue import read_command
from domain.controls.policy_changes import ProposePolicy, losing_package
from ledger.api_keys import Identity, Role
from ledger.books import Book, BookExists, create_book, get_book
from ledger.log import reading
from ledger.postgres.database import Database, connect
from ledger.write.admission import ID, Denied, admit
from ledger.write.answer import Answer
from ledger.write.writer import Writer
from projections.catalogue import all_projections
from projections.engine.install import install

_CLIENT = "book-create"


class CannotProvision(Exception):
    """A book cannot be set up as asked; the message is for people."""


@dataclass(frozen=True, slots=True)
class Provisioning:
    """A book's first policy, the time from which it is in force, and the two people behind it."""

    policy: dict[str, Any]
    effective_from: str
    proposer: str
    approver: str


def provision_book(
    where: Database,
    name: str,
    first: Provisioning,
    *,
    simulated: Callable[[Book], Writer] | None = None,
) -> Book:
    """Create a book with its first policy in force; one that is simulated, by a writer of its own.

    Raises InvalidRequest, CannotProvision or BookRefused.
    """
    proposal = {"body": first.policy, "effective_from": first.effective_from}
    command = read_command(ProposePolicy.name, dict(proposal))
    assert isinstance(command, ProposePolicy)
    refusal = losing_package(command.body)
    if refusal is not None:
        raise CannotProvision(f"the policy is refused: {refusal.detail}")
    if first.proposer == first.approver:
        raise CannotProvision("proposer and approver must be two people")
    if not ID.fullmatch(first.proposer) or not ID.fullmatch(first.approver):
        raise CannotProvision("proposer and approver are 1 to 64 of A-Z a-z 0-9 _ -")
    body = command.body
    try:
        book = create_book(
            where.admin_url,
            name,
            currency=body.currency,
            time_zone=body.time_zone,
            simulated=simulated is not None,
        )
    except BookExists:
        book = _unfinished(where, name)
    if simulated is not None:
        writer = simulated(book)
    else:
        writer = Writer(book, partial(connect, where.service_url, book.schema, autocommit=True))
    writer.start()
    try:
        with connect(
            where.service_url, book.schema, read_models=True, autocommit=True
        ) as connection:
            install(connection, all_projections())
        _send(writer, "propose-policy", proposal, Role.ADMIN, first.proposer)
        _send(writer, "approve-policy", {"version": 1}, Role.APPROVER, first.approver)
    finally:
        writer.stop()
    return book


def _unfinished(where: Database, name: str) -> Book:
    """The book, if provisioning broke off before its policy was in force; raises BookExists."""
    with connect(where.service_url, autocommit=True) as connection:
        book = get_book(connection, name)
    with connect(where.service_url, book.schema, autocommit=True) as connection:
        head = reading.head(connection)
    if head > 1:
        raise BookExists(f"there is a book named {name!r} already")
    return book


def _send(writer: Writer, name: str, fields: dict[str, Any], role: Role, actor: str) -> Answer:
    sender = Identity(role, actor, _CLIENT, "")
    try:
        request = admit(name, fields, sender, idempotency_key="founding", correlation_id=_CLIENT)
    except Denied as denied:
        raise CannotProvision(f"{name} is refused: {denied.rejection.detail}") from None
    (answer,) = writer.write([request])
    if not answer.accepted:
        raise CannotProvision(f"{name} is refused: {answer.body.decode()}")
    return answer
