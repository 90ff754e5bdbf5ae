"""What Prometheus and health are told of the way to and from message brokers.

All of it is read from PostgreSQL, so that a broker that is away cannot keep anybody waiting.
"""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.service import DatabaseAway, Service
from ledger.books import list_books
from ledger.postgres.database import Connection
from ledger.streams import parked, relay_place

#: A relay further behind than this makes the service say that it is degraded.
LAG_MAX_S = 30.0


def streams(connection: Connection) -> dict[str, Any]:
    """The relay of the connection's book, if it ever ran, and what consumers have put aside."""
    found: dict[str, Any] = {}
    relay = relay_place.status(connection)
    if relay.ever_ran:
        late = relay.lag_s > LAG_MAX_S
        found["relay"] = {
            "status": "behind" if late else "ok",
            "running": relay.running,
            "position": relay.position,
            "lag_events": relay.lag_events,
            "lag_s": round(relay.lag_s, 3),
        }
    if counts := parked.counts(connection):
        found["parked_messages"] = {count.consumer: count.messages for count in counts}
    return found


class StreamMetrics(Collector):
    """The relay's lag and the parked messages of every book, read at every scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering needs no database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """One sample per book; none while the database is away."""
        position = _gauge("relay_position", "Last position that the broker has acknowledged")
        lag_events = _gauge("relay_lag_events", "Events that are recorded and not published")
        lag_s = _gauge("relay_lag_seconds", "Age of the first event that is not published")
        waiting = GaugeMetricFamily(
            "tokenledger_parked_messages",
            "Messages that a consumer has put aside",
            labels=["book", "consumer"],
        )
        try:
            with self._service.reading() as connection:
                books = list_books(connection)
            for book in books:
                with self._service.reading(book) as connection:
                    relay = relay_place.status(connection)
                    counts = parked.counts(connection)
                if relay.ever_ran:
                    position.add_metric([book.name], relay.position)
                    lag_events.add_metric([book.name], relay.lag_events)
                    lag_s.add_metric([book.name], relay.lag_s)
                for count in counts:
                    waiting.add_metric([book.name, count.consumer], count.messages)
        except DatabaseAway:
            return
        yield from (position, lag_events, lag_s, waiting)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tokenledger_{name}", text, labels=["book"])
