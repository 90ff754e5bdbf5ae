"""The books that a key opens, for whoever has a key and does not know its book's name."""

import asyncio

from fastapi import FastAPI, Request
from pydantic import BaseModel

from api.http import openapi
from api.http.headers import headers_of
from api.service import Service
from domain.rejections import UNAUTHENTICATED, reject
from ledger.books import Book
from ledger.log import reading
from ledger.write.admission import Denied


class OpenedBook(BaseModel):
    """A book, the key's role in it, and the last position of its log."""

    book: str
    role: str
    head: int


class OpenedBooks(BaseModel):
    """What a key opens: one book."""

    books: list[OpenedBook]


def install(app: FastAPI, service: Service) -> None:
    """Add the route."""

    @app.get(
        "/v1/books",
        operation_id="list_books",
        tags=["queries"],
        summary="The books of this key",
        responses=openapi.refusals(401, 503),
        openapi_extra={"security": [{"key": []}], "parameters": [openapi.CORRELATION]},
    )
    async def books(request: Request) -> OpenedBooks:
        bearer = headers_of(request.scope).bearer
        found = None if bearer is None else await service.find_holder(bearer)
        if found is None:
            service.strangers += 1
            raise Denied(reject(UNAUTHENTICATED))
        book, identity = found
        head = await asyncio.to_thread(_head, service, book)
        return OpenedBooks(books=[OpenedBook(book=book.name, role=str(identity.role), head=head)])


def _head(service: Service, book: Book) -> int:
    with service.reading(book) as connection:
        return reading.head(connection)
