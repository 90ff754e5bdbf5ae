"""The questions about people: wallets, earnings, entitlements."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from api.http import openapi
from api.http.queries.reader import (
    Answered,
    Asking,
    MinPosition,
    Subject,
    not_before,
    owner_or_reader,
)
from domain.rejections import Reason, reject
from ledger.api_keys import Role
from ledger.books import Book
from ledger.postgres.database import Connection
from ledger.write.admission import Denied
from projections.queries import earnings, entitlement, wallet

_UNKNOWN_USER = Reason("UNKNOWN_USER", 404, "Unknown user", "there is no user {subject}")
_UNKNOWN_CREATOR = Reason(
    "UNKNOWN_CREATOR", 404, "Unknown creator", "there is no creator {subject}"
)
_NOT_ENTITLED = Reason("NOT_ENTITLED", 402, "Not entitled", "{user} is not entitled to {item}")


def install(app: FastAPI, asking: Asking) -> None:
    """Add the routes."""

    @app.get("/v1/books/{book}/wallets/{user}", summary="A wallet", **openapi.question("Wallet"))
    async def read_wallet(
        request: Request, book: str, user: Subject, min_position: MinPosition = 0
    ) -> Response:
        def ask(connection: Connection, _: Book) -> Answered:
            return wallet(connection, user)

        may = owner_or_reader(Role.FAN, user, _UNKNOWN_USER)
        return await asking.answer(request, book, may, ask, min_position=min_position)

    @app.get(
        "/v1/books/{book}/creators/{creator}/earnings",
        summary="What a creator earned and is owed",
        **openapi.question("Earnings"),
    )
    async def read_earnings(
        request: Request, book: str, creator: Subject, min_position: MinPosition = 0
    ) -> Response:
        def ask(connection: Connection, of: Book) -> Answered:
            return earnings(connection, creator, of.currency)

        may = owner_or_reader(Role.CREATOR, creator, _UNKNOWN_CREATOR)
        return await asking.answer(request, book, may, ask, min_position=min_position)

    @app.get(
        "/v1/books/{book}/entitlements/{user}/{item}",
        summary="Whether a user is entitled to an item",
        **openapi.question("Entitlement", 402),
    )
    async def read_entitlement(
        request: Request, book: str, user: Subject, item: Subject, min_position: MinPosition = 0
    ) -> Response:
        def ask(connection: Connection, _: Book) -> Answered:
            answered = not_before(min_position, entitlement(connection, user, item))
            if answered["source"] is None:
                raise Denied(reject(_NOT_ENTITLED, user=user, item=item))
            return answered

        may = owner_or_reader(Role.FAN, user, _UNKNOWN_USER)
        return await asking.answer(request, book, may, ask)
