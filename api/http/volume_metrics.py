"""How much of a book's volume is used, for Prometheus and for readiness, and an alarm in time.

Above the limit every request that posts anything is refused: docs/operations.md, a book's sums.
"""

import time
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from ledger import logs
from ledger.log import reading
from ledger.postgres.database import Connection
from ledger.write.volume import VOLUME_MAX

#: The part of the volume whose use makes the service say that it is degraded.
VOLUME_WARN = 0.8
TELL_EVERY_S = 3_600.0

log = logs.get_logger(__name__)


def used_volume(connection: Connection) -> dict[str, Any]:
    """The part of its volume that the connection's book has used, and if there is room for more."""
    volume = reading.volume(connection)
    status = "ok"
    if volume >= VOLUME_MAX:
        status = "full"
    elif volume >= VOLUME_MAX * VOLUME_WARN:
        status = "filling"
    return {"status": status, "used": round(volume / VOLUME_MAX, 6)}


class VolumeGauge:
    """The part of each book's volume that is used; warns once an hour of one that fills."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        self._used = self._empty()

    def add(self, book: str, used: dict[str, Any]) -> None:
        """Add the sample of one book."""
        self._used.add_metric([book], used["used"])
        now = time.monotonic()
        if used["status"] == "ok":
            self._told.pop(book, None)
        elif now - self._told.get(book, -TELL_EVERY_S) >= TELL_EVERY_S:
            self._told[book] = now
            log.warning("a book's volume is nearly used up", book=book, **used)

    def take(self) -> Iterator[Metric]:
        """The samples of one scrape."""
        used, self._used = self._used, self._empty()
        yield used

    @staticmethod
    def _empty() -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "tokenledger_volume_used", "The part of a book's volume that is used", labels=["book"]
        )
