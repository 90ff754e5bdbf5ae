"""Notices that wait, for Prometheus and for readiness, and the alarm when one waits for too long.

Money in suspense is nobody's until somebody decides, and what is parked may wait for something that
never comes. Whatever has waited for three days is told as a warning in the log, once an hour.
"""

import time
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from ledger import logs
from ledger.postgres.database import Connection
from ledger.settings import Settings
from ledger.write.inbox import parked_count
from projections.queries import suspended_count

#: The part of the room for parked notices whose use makes the service say that it is degraded.
PARKED_WARN = 0.8
#: A notice that waits for longer than this makes it say so, too.
OVERDUE_S = 72 * 3_600.0
TELL_EVERY_S = 3_600.0

log = logs.get_logger(__name__)


def waiting_notices(connection: Connection, settings: Settings) -> dict[str, Any]:
    """How many notices of the connection's book wait for their referent and for a person, for how
    long, and whether there is room for more."""
    parked, suspended, limit = (
        parked_count(connection),
        suspended_count(connection),
        settings.parked_notices_max,
    )
    status = "ok"
    if parked.notices >= limit:
        status = "full"
    elif parked.notices >= limit * PARKED_WARN:
        status = "filling"
    elif max(parked.oldest_s, suspended.oldest_s) > OVERDUE_S:
        status = "overdue"
    return {
        "status": status,
        "parked": parked.notices,
        "parked_max": limit,
        "oldest_s": round(parked.oldest_s, 3),
        "suspended": suspended.notices,
        "suspended_oldest_s": round(suspended.oldest_s, 3),
    }


class OverdueAlarm:
    """Warns of notices that have waited for too long: at a look, but at most once an hour."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def look(self, book: str, waiting: dict[str, Any]) -> None:
        """Warn if one of those that wait in `book` has waited for too long."""
        oldest_s, now = max(waiting["oldest_s"], waiting["suspended_oldest_s"]), time.monotonic()
        if oldest_s <= OVERDUE_S:
            self._told.pop(book, None)
        elif now - self._told.get(book, -TELL_EVERY_S) >= TELL_EVERY_S:
            self._told[book] = now
            log.warning("notices wait for too long", book=book, **waiting)


class NoticeGauges:
    """Samples of the notices that wait in each book."""

    def __init__(self) -> None:
        self._parked = _gauge("parked_notices", "Notices that wait for their referent")
        self._parked_s = _gauge(
            "parked_notices_oldest_seconds",
            "How long the first of the notices that wait has waited",
        )
        self._suspended = _gauge("suspended_notices", "Notices that wait for a person's decision")
        self._suspended_s = _gauge(
            "suspended_notices_oldest_seconds",
            "How long the first of the suspended notices has waited",
        )

    def add(self, book: str, waiting: dict[str, Any]) -> None:
        """Add the samples of one book."""
        self._parked.add_metric([book], waiting["parked"])
        self._parked_s.add_metric([book], waiting["oldest_s"])
        self._suspended.add_metric([book], waiting["suspended"])
        self._suspended_s.add_metric([book], waiting["suspended_oldest_s"])

    def __iter__(self) -> Iterator[Metric]:
        yield from (self._parked, self._parked_s, self._suspended, self._suspended_s)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tokenledger_{name}", text, labels=["book"])
