"""Who calls: from the bearer key to a book and an identity, before anything else is read.

A key that opens nothing, another book's key and a book that does not exist are answered alike, so
that nobody learns which books there are. Looked up in memory where possible, because a hop to a
thread costs more than a command. Strangers are counted, not logged: a log is not theirs to fill.
"""

from api.service import Service
from domain.rejections import UNAUTHENTICATED, reject
from ledger.api_keys import Identity
from ledger.books import Book
from ledger.write.admission import Denied


async def authenticate(service: Service, name: str, bearer: str | None) -> tuple[Book, Identity]:
    """Book and identity; raises Denied for strangers, `DatabaseAway` when the database is needed.

    Also `DatabaseAway` while more keys are being looked up than anybody can need.
    """
    if bearer is not None:
        book = service.cached_book(name)
        identity = None if book is None else service.cached_identity(name, bearer)
        if book is not None and identity is not None:
            return book, identity
        found = await service.find_caller(name, bearer)
        if found is not None:
            return found
    service.strangers += 1
    raise Denied(reject(UNAUTHENTICATED))
