"""Puts the HTTP edge together: routes from the catalogue, the middleware around them, the service
below.

`create_app` is the one place where the parts meet; every part gets what it needs handed to it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from api.http import book_list, health, openapi, parked_messages, problems
from api.http.commands import routes
from api.http.commands.bulk import BulkHandler
from api.http.commands.replies import ReplyDispatcher
from api.http.commands.single import CommandHandler
from api.http.headers import BodyBudget
from api.http.metrics import Metrics, WriterMetrics
from api.http.middleware import RequestMiddleware
from api.http.queries import catalogue
from api.http.queries.reader import QueryReader
from api.http.scheduler_metrics import SchedulerMetrics
from api.service import Service
from ledger.postgres.database import Database
from ledger.scheduling.scheduler import Scheduler
from ledger.settings import Settings
from projections.tier_changes import TierChanges


class Application(FastAPI):
    """FastAPI inside the middleware, which stands outside of the framework's own."""

    def wrap(self, settings: Settings, commands: CommandHandler, bodies: BodyBudget) -> None:
        """Put the middleware around the framework; to be called before the first request."""
        self.settings = settings
        self._outermost = RequestMiddleware(super().__call__, commands, bodies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._outermost(scope, receive, send)


def create_app(settings: Settings, database: Database, *, schedule: bool = False) -> Application:
    """The HTTP application; its lifespan starts the service and drains it at the end.

    `schedule`: what time alone makes due is sent, too, through the service's own writers.
    """
    service = Service(settings, database)
    metrics = Metrics()
    metrics.watch(WriterMetrics(service))
    scheduler_metrics = SchedulerMetrics(metrics)
    replies = ReplyDispatcher(metrics.batch_commands.observe)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        replies.attach(asyncio.get_running_loop())
        service.start()
        scheduler = None
        if schedule:
            scheduler = Scheduler(
                database,
                service.writer,
                observer=scheduler_metrics,
                forecasts=[TierChanges()],
            )
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
    bodies = BodyBudget(settings.bodies_bytes_max)
    app.wrap(settings, CommandHandler(service, replies, metrics, bodies), bodies)
    problems.install(app)
    openapi.install(app, catalogue.SHAPES)
    routes.install(app, BulkHandler(service, replies, metrics, bodies))
    catalogue.install(app, QueryReader(service, bodies))
    book_list.install(app, service)
    parked_messages.install(app, service)
    health.install(app, service, metrics)
    return app
