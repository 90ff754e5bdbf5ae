"""Whether the service is alive, whether it can serve, and its metrics for Prometheus.

Ready means that the database answers. A projection that failed or lags is reported in detail but
takes no instance out of service: all instances share the read models, and commands go on.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.responses import JSONResponse, Response

from api.http.metrics import Metrics
from api.http.problems import RETRY_AFTER_S
from api.http.stream_metrics import StreamMetrics, streams
from api.service import DatabaseAway, Service
from ledger.books import list_books
from ledger.log import reading
from projections.queries import Status, status

#: A projection further behind than this makes the service say that it is degraded.
LAG_MAX_S = 30.0


def install(app: FastAPI, service: Service, metrics: Metrics) -> None:
    """Add the routes at the root."""
    metrics.watch(ProjectionMetrics(service))
    metrics.watch(StreamMetrics(service))

    @app.get(
        "/health/live",
        operation_id="check_liveness",
        tags=["health"],
        summary="The process answers",
    )
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @app.get(
        "/health/ready",
        operation_id="check_readiness",
        tags=["health"],
        summary="The database answers; how projections and relay are",
        responses={503: {"description": "Not ready"}},
    )
    def ready() -> JSONResponse:
        try:
            books = projections_by_book(service)
        except DatabaseAway:
            return JSONResponse(
                {"status": "unavailable", "database": {"status": "away"}, "books": {}},
                503,
                {"Retry-After": str(RETRY_AFTER_S)},
            )
        fine = all(part["status"] == "ok" for book in books.values() for part in _parts(book))
        return JSONResponse(
            {
                "status": "ready" if fine else "degraded",
                "database": {"status": "ok"},
                "books": books,
            }
        )

    @app.get(
        "/metrics",
        operation_id="read_metrics",
        tags=["health"],
        summary="Figures for Prometheus",
    )
    def figures() -> Response:
        return Response(metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def projections_by_book(service: Service) -> dict[str, Any]:
    """Every book's head and projections; raises `DatabaseAway`."""
    with service.reading() as connection:
        books = list_books(connection)
    found = {}
    for book in books:
        with service.reading(book) as connection:
            models = status(connection)
            head = models[0].head if models else reading.head(connection)
            beside = streams(connection)
        shown = [_shown(model) for model in models]
        found[book.name] = {"head": head, "projections": shown, **beside}
    return found


def _parts(book: dict[str, Any]) -> list[dict[str, Any]]:
    """Whatever follows a book's log."""
    return [*book["projections"], *([book["relay"]] if "relay" in book else [])]


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
        try:
            books = projections_by_book(self._service)
        except DatabaseAway:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        for book, shown in books.items():
            head.add_metric([book], shown["head"])
            for projection in shown["projections"]:
                place = [book, projection["name"]]
                position.add_metric(place, projection["position"])
                lag.add_metric(place, projection["lag_s"])
                failed.add_metric(place, projection["status"] == "failed")
        yield from (up, head, position, lag, failed)
