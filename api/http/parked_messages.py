"""Letting a parked message be tried again, and giving one up for good."""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel

from api.http import openapi
from api.http.authentication import authenticate
from api.http.headers import headers_of
from api.http.queries.parked_messages import UNKNOWN_MESSAGE, Id, place_of
from api.service import Service
from domain.rejections import ROLE_FORBIDDEN, reject
from ledger import logs
from ledger.api_keys import Role
from ledger.books import Book
from ledger.postgres.database import Connection
from ledger.streams import parked
from ledger.write.admission import Denied

#: Who may say what becomes of a parked message; a machine may not.
MAY_DECIDE = frozenset({Role.FINANCE, Role.ADMIN})

log = logs.get_logger(__name__)


class ParkedOutcome(BaseModel):
    """How many messages the decision is about: a key's are tried again together."""

    messages: int


def install(app: FastAPI, service: Service) -> None:
    """Add the two routes."""
    _add(app, service, "retry", "Try a parked message and the others of its key again", _retry)
    _add(app, service, "drop", "Give one parked message up for good", _drop)


def _add(
    app: FastAPI,
    service: Service,
    verb: str,
    summary: str,
    decide: Callable[[Connection, str, str], int],
) -> None:
    async def answer(request: Request, book: str, message: Id) -> ParkedOutcome:
        found, identity = await authenticate(service, book, headers_of(request.scope).bearer)
        if identity.role not in MAY_DECIDE:
            action = f"{verb} parked messages"
            raise Denied(reject(ROLE_FORBIDDEN, role=str(identity.role), action=action))
        count = await asyncio.to_thread(_decided, service, found, decide, message)
        log.info("parked message", book=book, message=message, verb=verb, actor=identity.actor)
        return ParkedOutcome(messages=count)

    app.add_api_route(
        f"{openapi.BOOK_PATH}/parked-messages/{{message}}/{verb}",
        answer,
        methods=["POST"],
        operation_id=f"{verb}_parked_message",
        summary=summary,
        description=f"Roles: {', '.join(f'`{role}`' for role in sorted(MAY_DECIDE))}.",
        tags=["parked messages"],
        responses=openapi.refusals(400, 401, 403, 404, 503),
        openapi_extra={"security": [{"key": []}], "parameters": [openapi.CORRELATION]},
    )


def _decided(
    service: Service, book: Book, decide: Callable[[Connection, str, str], int], message: str
) -> int:
    with service.reading(book) as connection:
        count = decide(connection, book.name, message)
    if not count:
        raise Denied(reject(UNKNOWN_MESSAGE, message=message))
    return count


def _retry(connection: Connection, book: str, message: str) -> int:
    return parked.release(connection, place_of(book, message))


def _drop(connection: Connection, book: str, message: str) -> Any:
    return int(parked.drop(connection, place_of(book, message)))
