"""Whether the service is alive, whether it can serve, and its metrics for Prometheus.

Ready means that the database answers and that this process's writers get commands through. A
projection that failed or lags is reported in detail but takes no instance out of service: all
instances share the read models, and commands go on. So is a clock behind the log.
"""

import hmac
import threading
import time
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Request
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.responses import JSONResponse, Response

from api.http import openapi
from api.http.headers import headers_of
from api.http.metrics import Metrics
from api.http.notice_metrics import NoticeGauges, OverdueAlarm, waiting_notices
from api.http.problems import RETRY_AFTER_S
from api.http.stream_metrics import StreamMetrics, streams
from api.http.tie_out_watch import TieOutMetrics, TieOutWatch, health_of
from api.http.volume_metrics import VolumeGauge, used_volume
from api.service import DatabaseAway, Service
from domain.rejections import UNAUTHENTICATED, reject
from ledger.books import Book, list_books
from ledger.log import reading
from ledger.settings import Settings
from ledger.write.admission import Denied
from ledger.write.condition import TROUBLED_S
from ledger.write.writer import Writer
from projections.queries import Status, status

#: A projection further behind than this makes the service say that it is degraded.
LAG_MAX_S = 30.0
#: A clock further behind the log than this does so, too.
CLOCK_BEHIND_MAX_S = 5.0
#: How long the database may take to answer.
READY_WITHIN_S = 2.0
#: How long the database counts as answering once it has answered.
READY_FOR_S = 1.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def install(app: FastAPI, service: Service, metrics: Metrics) -> None:
    """Add the routes at the root."""
    metrics.watch(ProjectionMetrics(service))
    metrics.watch(StreamMetrics(service))
    watch = TieOutWatch(service)
    metrics.watch(TieOutMetrics(service, watch))

    @app.get(
        "/health/live",
        operation_id="check_liveness",
        tags=["health"],
        summary="The process answers",
    )
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    readiness = _Readiness(service)

    @app.get(
        "/health/ready",
        operation_id="check_readiness",
        tags=["health"],
        summary="The database answers; with a key, how its book's projections and relay are",
        responses={503: {"description": "Not ready"}},
    )
    def ready(request: Request) -> JSONResponse:
        try:
            readiness.check()
            shown = _of_key(service, watch, headers_of(request.scope).bearer)
        except DatabaseAway:
            return JSONResponse(
                {"status": "unavailable", "database": {"status": "away"}},
                503,
                {"Retry-After": str(RETRY_AFTER_S)},
            )
        answer = {"status": "ready", "database": {"status": "ok"}} | shown
        if not _writing(service):
            again = {"Retry-After": str(RETRY_AFTER_S)}
            return JSONResponse(answer | {"status": "unavailable"}, 503, again)
        return JSONResponse(answer)

    @app.get(
        "/metrics",
        operation_id="read_metrics",
        tags=["health"],
        summary="Figures for Prometheus",
        responses=openapi.refusals(401),
    )
    def figures(request: Request) -> Response:
        _check_metrics_key(service.settings, headers_of(request.scope).bearer)
        return Response(metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Readiness:
    """Whether the database answers, asked at most once in `READY_FOR_S` however many ask."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._asking = threading.Lock()
        self._good_until = 0.0

    def check(self) -> None:
        """Raises `DatabaseAway`."""
        with self._asking:
            if time.monotonic() < self._good_until:
                return
            with self._service.reading(within_s=READY_WITHIN_S) as connection:
                connection.execute("SELECT 1")
            self._good_until = time.monotonic() + READY_FOR_S


def _of_key(service: Service, watch: TieOutWatch, bearer: str | None) -> dict[str, Any]:
    """How the book that this key opens is; nothing for strangers."""
    book = None if bearer is None else service.book_of_key(bearer)
    if book is None:
        return {}
    shown = _book_status(service, book)
    shown["tie_outs"] = health_of(watch.of(book))
    for writer in service.writers:
        if writer.book.name == book.name:
            shown["writer"] = _shown_writer(writer)
    fine = all(part["status"] == "ok" for part in _parts(shown))
    return {"status": "ready" if fine else "degraded", "books": {book.name: shown}}


def _check_metrics_key(settings: Settings, bearer: str | None) -> None:
    """Figures name books: they are for the operator's own scraper. Raises Denied."""
    if settings.metrics_key is None:
        good = settings.http_host in LOOPBACK
    else:
        wanted = settings.metrics_key.get_secret_value().encode()
        good = hmac.compare_digest((bearer or "").encode("utf-8", "surrogateescape"), wanted)
    if not good:
        raise Denied(reject(UNAUTHENTICATED))


def projections_by_book(service: Service) -> dict[str, Any]:
    """Every book's head and projections; raises `DatabaseAway`."""
    with service.reading() as connection:
        books = list_books(connection)
    return {book.name: _book_status(service, book) for book in books}


def _book_status(service: Service, book: Book) -> dict[str, Any]:
    """A book's head, its projections, and what leads to and from message brokers."""
    with service.reading(book) as connection:
        models = status(connection)
        head = models[0].head if models else reading.head(connection)
        beside = streams(connection)
        beside["notices"] = waiting_notices(connection, service.settings)
        beside["volume"] = used_volume(connection)
    return {"head": head, "projections": [_shown(model) for model in models], **beside}


def _parts(book: dict[str, Any]) -> list[dict[str, Any]]:
    """Whatever stands beside a book's log."""
    names = ("notices", "relay", "volume", "writer", "tie_outs")
    beside = (book[name] for name in names if name in book)
    return [*book["projections"], *beside]


def _writing(service: Service) -> bool:
    """Whether commands get through: unless some cannot, and none did lately."""
    conditions = [writer.condition for writer in service.writers]
    lately = any((each.idle_s or TROUBLED_S) < TROUBLED_S for each in conditions)
    return lately or all(each.trouble is None for each in conditions)


def _shown_writer(writer: Writer) -> dict[str, Any]:
    """How this process's writer of a book is."""
    condition, behind_s, idle_s = writer.condition, writer.clock_behind_s, writer.condition.idle_s
    trouble = condition.trouble
    status = "ok" if behind_s <= CLOCK_BEHIND_MAX_S else "clock behind"
    return {
        "status": status if trouble is None else "stopped",
        "trouble": trouble,
        "queued": writer.queued,
        "at_work_s": round(condition.at_work_s, 3),
        "idle_s": None if idle_s is None else round(idle_s, 3),
        "clock_behind_s": round(behind_s, 3),
    }


def _shown(model: Status) -> dict[str, Any]:
    condition = "ok"
    if model.failure is not None:
        condition = "failed"
    elif model.lag_s > LAG_MAX_S:
        condition = "behind"
    shown = {
        "name": model.name,
        "status": condition,
        "position": model.position,
        "lag_events": model.lag_events,
        "lag_s": round(model.lag_s, 3),
    }
    if model.failure is None:
        return shown
    return shown | {"failed_at": model.failed_at, "failure": model.failure}


class ProjectionMetrics(Collector):
    """How far the projections are, read from the database at every scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._overdue = OverdueAlarm()
        self._volume = VolumeGauge()

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering needs no database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """One sample per book and projection; only `tokenledger_database_up` if it is away."""
        up = GaugeMetricFamily("tokenledger_database_up", "Whether the database answers")
        labels = ["book", "projection"]
        position = GaugeMetricFamily(
            "tokenledger_projection_position", "How far a projection has read", labels=labels
        )
        lag = GaugeMetricFamily(
            "tokenledger_projection_lag_seconds", "Age of what is not yet read", labels=labels
        )
        failed = GaugeMetricFamily(
            "tokenledger_projection_failed", "Whether a projection has stopped", labels=labels
        )
        head = GaugeMetricFamily("tokenledger_head", "Last position of a book", labels=["book"])
        notices = NoticeGauges()
        try:
            books = projections_by_book(self._service)
        except DatabaseAway:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        for book, shown in books.items():
            head.add_metric([book], shown["head"])
            notices.add(book, shown["notices"])
            self._overdue.look(book, shown["notices"])
            self._volume.add(book, shown["volume"])
            for projection in shown["projections"]:
                place = [book, projection["name"]]
                position.add_metric(place, projection["position"])
                lag.add_metric(place, projection["lag_s"])
                failed.add_metric(place, projection["status"] == "failed")
        yield from (up, head, *notices, *self._volume.take(), position, lag, failed)
