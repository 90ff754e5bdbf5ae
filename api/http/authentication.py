"""Who calls: from the bearer key to a book and an identity.

A caller without any key learns nothing about which books exist; a caller whose key fits no known
book is told that the book is unknown. Looked up in memory where possible, because a hop to a
thread costs more than a command.
"""

import asyncio
from typing import NamedTuple

from api.service import Service
from domain.rejections import UNAUTHENTICATED, UNKNOWN_BOOK, reject
from ledger.api_keys import Identity
from ledger.books import Book
from ledger.write.admission import Denied


class Caller(NamedTuple):
    """What a request's key says: a good key gives both book and identity, another book's key no
    identity. `name` is the book that was asked for, or empty where there was no key."""

    name: str
    book: Book | None
    identity: Identity | None

    def authenticated(self) -> tuple[Book, Identity]:
        """Book and identity; raises Denied where either is missing."""
        if self.book is None or self.identity is None:
            raise self.denial(Denied(reject(UNAUTHENTICATED)))
        return self.book, self.identity

    def denial(self, denied: Denied) -> Denied:
        """`denied`, or UNKNOWN_BOOK instead of UNAUTHENTICATED where there is no such book."""
        if denied.rejection.reason is UNAUTHENTICATED and self.book is None and self.name:
            return Denied(reject(UNKNOWN_BOOK, book=self.name))
        return denied


async def authenticate(service: Service, book: str, bearer: str | None) -> Caller:
    """Look the caller up, in memory first; raises `DatabaseAway` when the database is needed."""
    if bearer is None:
        return Caller("", None, None)
    cached = service.cached_book(book)
    if cached is not None:
        identity = service.cached_identity(book, bearer)
        if identity is not None:
            return Caller(book, cached, identity)
    return await asyncio.to_thread(_look_up, service, book, bearer)


def _look_up(service: Service, name: str, bearer: str) -> Caller:
    book = service.book(name)
    identity = service.authenticate(name, bearer) if book is not None else None
    return Caller(name, book, identity)
