"""The routes that write, as the router and the documentation know them."""

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.responses import Response

from api.http import openapi
from api.http.commands.bulk import NDJSON, BulkHandler
from domain.command import COMMANDS


def install(app: FastAPI, bulk: BulkHandler) -> None:
    """Add one route per command, and the bulk route."""
    _document_commands(app)
    _add_bulk(app, bulk)


def _document_commands(app: FastAPI) -> None:
    """Routes that document every command, and refuse other methods than POST.

    They answer no command: the middleware hands those to `CommandHandler` itself.
    """

    async def answered_by_the_middleware() -> Response:
        raise AssertionError("a command came past the middleware")

    for name, model in COMMANDS.items():
        summary, description = openapi.command_text(model)
        app.add_api_route(
            f"{openapi.BOOK_PATH}/commands/{name}",
            answered_by_the_middleware,
            methods=["POST"],
            status_code=201,
            name=name,
            operation_id=openapi.operation_id(name),
            summary=summary,
            description=description,
            tags=["commands"],
            responses=openapi.command_responses(),
            openapi_extra=openapi.command_extra(model),
        )


def _add_bulk(app: FastAPI, bulk: BulkHandler) -> None:
    line = {"type": "string", "description": "one JSON object per line"}
    content = {NDJSON: {"schema": line}}
    answered: dict[int | str, dict[str, Any]] = {
        200: {"description": "One answer per line", "content": content}
    }

    @app.post(
        f"{openapi.BOOK_PATH}/commands",
        operation_id="send_commands",
        summary="Send many commands, one per line",
        description="Each line holds `command`, `idempotency_key` and the command's fields; "
        "each is answered by a line in the same order. `atomic` makes it all or nothing.",
        tags=["commands"],
        response_class=Response,
        responses=answered | openapi.refusals(400, 401, 404, 413, 503),
        openapi_extra={
            "parameters": [openapi.CORRELATION],
            "requestBody": {"required": True, "content": content},
            "security": [{"key": []}],
        },
    )
    async def send_many(
        request: Request, book: str, atomic: Annotated[bool, Query()] = False
    ) -> Response:
        return await bulk.answer(request, book, atomic=atomic)
