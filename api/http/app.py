"""Puts the HTTP edge together: routes from the catalogue, the gate around them, the service below.

`create_app` is the one place where the parts meet; every part gets what it needs handed to it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http import health, openapi, problems
from api.http.commands.bulk import NDJSON, Bulk
from api.http.commands.replies import Deliveries
from api.http.commands.single import Commands
from api.http.headers import head_of
from api.http.metrics import Metrics, WriterFigures
from api.http.middleware import Gate
from api.http.queries import accounting, balances
from api.http.queries import events as history
from api.http.queries.reader import Asking
from api.http.scheduler_metrics import ScheduledFigures
from api.service import Service
from domain.command import COMMANDS
from ledger.postgres.database import Database
from ledger.scheduling.scheduler import Scheduler
from ledger.settings import Settings

BOOK = "/v1/books/{book}"


class Application(FastAPI):
    """FastAPI behind the gate: what the gate answers itself never enters the framework, whose
    layers cost as much again as reading, deciding and writing a command."""

    def guard(self, commands: Commands) -> None:
        """Put the gate before the framework."""
        self._gate = Gate(super().__call__, commands)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._gate(scope, receive, send)


def create_app(settings: Settings, database: Database, *, schedule: bool = False) -> Application:
    """The HTTP application; its lifespan starts the service and drains it at the end.

    `schedule`: what time alone makes due is sent, too, through the service's own writers.
    """
    service = Service(settings, database)
    metrics = Metrics()
    metrics.watch(WriterFigures(service))
    scheduled = ScheduledFigures(metrics)
    deliveries = Deliveries(metrics.batch_commands.observe)
    commands = Commands(service, deliveries, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        deliveries.attach(asyncio.get_running_loop())
        service.start()
        scheduler = Scheduler(database, service.writer, watcher=scheduled) if schedule else None
        if scheduler is not None:
            scheduler.start()
        yield
        if scheduler is not None:
            await asyncio.to_thread(scheduler.stop)
        await asyncio.to_thread(service.stop)

    app = Application(
        title="tokenledger",
        version=version("tokenledger"),
        description=openapi.DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.guard(commands)
    problems.install(app)
    openapi.install(app)
    _add_commands(app, commands)
    _add_bulk(app, Bulk(service, deliveries, metrics))
    asking = Asking(service)
    for questions in (balances, accounting, history):
        questions.install(app, asking)
    health.install(app, service, metrics)
    return app


def _add_commands(app: FastAPI, commands: Commands) -> None:
    """One route per command, for the router and the documentation."""

    async def send(request: Request) -> Response:
        _, _, _, book, _, command = request.url.path.split("/")
        return await commands.answer(book, command, head_of(request.scope), request.receive)

    for name, model in COMMANDS.items():
        summary, description = openapi.command_text(model)
        app.add_api_route(
            f"{BOOK}/commands/{name}",
            send,
            methods=["POST"],
            status_code=201,
            name=name,
            operation_id=name,
            summary=summary,
            description=description,
            tags=["commands"],
            responses=openapi.command_responses(),
            openapi_extra=openapi.command_extra(model),
        )


def _add_bulk(app: FastAPI, bulk: Bulk) -> None:
    line = {"type": "string", "description": "one JSON object per line"}
    content = {NDJSON: {"schema": line}}
    answered: dict[int | str, dict[str, Any]] = {
        200: {"description": "One answer per line", "content": content}
    }

    @app.post(
        f"{BOOK}/commands",
        operation_id="bulk",
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
