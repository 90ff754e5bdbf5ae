"""What health and Prometheus are told of the tie-outs of the books, and the alarm when one is off.

Taking them reads every row of some read models, so each book's are taken again after a while only,
and a scrape takes those of a few books: the ones whose figures are oldest.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.service import DatabaseAway, Service
from domain.accounts import Assets
from ledger import logs
from ledger.books import Book, list_books
from projections.queries import TieOut, tie_outs

#: For how long figures stand, and how long a scrape may take for new ones.
STANDS_FOR_S = 60.0
SCRAPE_WITHIN_S = 1.0

log = logs.get_logger(__name__)


class TakenTieOuts(NamedTuple):
    """A book's tie-outs and when they were taken, by the monotonic clock."""

    at: float
    found: Sequence[TieOut]


class TieOutWatch:
    """The tie-outs of the books, as of the last time they were taken."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._taken: dict[str, TakenTieOuts] = {}
        self._taking = threading.Lock()

    def of(self, book: Book) -> Sequence[TieOut]:
        """A book's, taken anew if they are old and nobody takes any just now: who asks for them
        never waits in a line. Raises `DatabaseAway`."""
        if self.age(book) > STANDS_FOR_S and self._taking.acquire(blocking=False):
            try:
                found = self._take(book)
            finally:
                self._taking.release()
            self._taken[book.name] = TakenTieOuts(time.monotonic(), found)
            for each in found:
                if not each.ok:
                    log.critical("does not tie out", book=book.name, **each.shown())
        return self.last(book)

    def age(self, book: Book) -> float:
        """How old a book's are, in seconds."""
        taken = self._taken.get(book.name)
        return float("inf") if taken is None else time.monotonic() - taken.at

    def last(self, book: Book) -> Sequence[TieOut]:
        """A book's as they were taken last; none if they never were."""
        taken = self._taken.get(book.name)
        return () if taken is None else taken.found

    def _take(self, book: Book) -> Sequence[TieOut]:
        assets = Assets.of(book.name, book.currency)
        try:
            with self._service.reading(book) as connection:
                return tie_outs(connection, assets)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            return ()  # until a rebuild has run; the projections say so themselves


def health_of(found: Sequence[TieOut]) -> dict[str, Any]:
    """How many tie out, and those that do not."""
    off = [each.shown() for each in found if not each.ok]
    return {"status": "off" if off else "ok", "checked": len(found), "off": off}


class TieOutMetrics(Collector):
    """One sample for each tie-out of each book, the difference."""

    def __init__(self, service: Service, watch: TieOutWatch) -> None:
        self._service = service
        self._watch = watch

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering needs no database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The differences; none while the database is away."""
        gauge = GaugeMetricFamily(
            "tokenledger_tie_out_difference",
            "By how much two figures differ that must be the same",
            labels=["book", "name", "asset"],
        )
        give_up_at = time.monotonic() + SCRAPE_WITHIN_S
        try:
            with self._service.reading() as connection:
                books = list_books(connection)
            for book in sorted(books, key=self._watch.age, reverse=True):
                if time.monotonic() > give_up_at:
                    break
                self._watch.of(book)
        except DatabaseAway:
            return
        for book in books:
            for each in self._watch.last(book):
                gauge.add_metric([book.name, each.name, each.asset], each.difference)
        yield gauge
