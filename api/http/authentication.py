"""Who sends: from the bearer key to a book and an identity.

A stranger without any key learns nothing about which books exist; a key that fits no known
book is told so. From memory where possible: a hop to a thread costs more than a command.
"""

import asyncio
from typing import NamedTuple

from api.service import Service
from domain.rejections import UNAUTHENTICATED, UNKNOWN_BOOK, reject
from ledger.api_keys import Identity
from ledger.books import Book
from ledger.write.admission import Denied


class Sender(NamedTuple):
    """A request's sender as far as known: a good key has both, a foreign key no identity."""

    name: str
    book: Book | None
    identity: Identity | None

    def judge(self, refused: Denied) -> Denied:
        """The refusal itself, or that the book is unknown where nobody could have a key."""
        if refused.rejection.reason is UNAUTHENTICATED and self.book is None and self.name:
            return Denied(reject(UNKNOWN_BOOK, book=self.name))
        return refused

    def required(self) -> tuple[Book, Identity]:
        """Book and identity; raises Denied where either is missing."""
        if self.book is None or self.identity is None:
            raise self.judge(Denied(reject(UNAUTHENTICATED)))
        return self.book, self.identity


async def find_sender(service: Service, book: str, bearer: str | None) -> Sender:
    """Look the sender up, in memory first; raises `DatabaseAway` when the database is needed."""
    if bearer is None:
        return Sender("", None, None)
    met = service.met(book)
    if met is not None:
        identity = service.remembered(book, bearer)
        if identity is not None:
            return Sender(book, met, identity)
    return await asyncio.to_thread(_look_up, service, book, bearer)


def _look_up(service: Service, name: str, bearer: str) -> Sender:
    book = service.book(name)
    identity = service.authenticate(name, bearer) if book is not None else None
    return Sender(name, book, identity)
