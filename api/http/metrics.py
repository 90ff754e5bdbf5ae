"""What this process counts: commands by outcome, answering times, queues, caches, projections.

Counters that a command touches are looked up once and kept, because the library's own lookup
costs as much as reading the command. What lives elsewhere is read at every scrape.
"""

from collections import Counter as Tally
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.service import Service
from domain.rejections import AWAITING_REFERENT, STALE_FIGURE

_LATENCY_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 4_096)

ACCEPTED = "accepted"
PARKED = "parked"
SUSPENDED = "suspended"
IGNORED = "ignored"
REFUSED = "refused"


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._commands = Counter(
            "tokenledger_commands",
            "Commands answered, by outcome and code",
            ["book", "command", "outcome", "code"],
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, str, str], Counter] = {}
        self.answer_s = Histogram(
            "tokenledger_answer_seconds",
            "From the queue until the commit is answered",
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.batch_commands = Histogram(
            "tokenledger_batch_commands",
            "Commands answered by one wake-up of the event loop",
            buckets=_BATCH_BUCKETS,
            registry=self.registry,
        )

    def count(self, book: str, command: str, outcome: str, code: str, times: int = 1) -> None:
        """Count answers of one kind."""
        key = book, command, outcome, code
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._commands.labels(*key)
        child.inc(times)

    def count_all(self, book: str, answered: "Tally[tuple[str, str, str]]") -> None:
        """Count a bulk request's answers: (command, outcome, code) each."""
        for (command, outcome, code), times in answered.items():
            self.count(book, command, outcome, code, times)

    def watch(self, collector: Collector) -> None:
        """Also show what `collector` finds at every scrape."""
        self.registry.register(collector)

    def page(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)


def outcome_of(status: int, code: str | None) -> str:
    """The outcome under which an answer is counted."""
    if status >= 300:
        return REFUSED
    if code is None:
        return ACCEPTED
    return _KEPT.get(code, SUSPENDED)


#: Outcomes of notices that had no effect, by the codes of their answers.
_KEPT = {AWAITING_REFERENT: PARKED, STALE_FIGURE: IGNORED}


class WriterMetrics(Collector):
    """Queues and caches of this process's writers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """One sample per book."""
        queued = GaugeMetricFamily(
            "tokenledger_queue_commands", "Commands that wait at the sequencer", labels=["book"]
        )
        cached = GaugeMetricFamily(
            "tokenledger_cache_entities", "Entity states in memory", labels=["book"]
        )
        missing = CounterMetricFamily(
            "tokenledger_missing_states",
            "States that decisions had to wait for because they were not prefetched",
            labels=["book"],
        )
        behind = GaugeMetricFamily(
            "tokenledger_clock_behind_seconds",
            "How far the database's clock was behind the log at the last batch",
            labels=["book"],
        )
        strangers = CounterMetricFamily(
            "tokenledger_strangers", "Requests refused because no good key came with them"
        )
        strangers.add_metric([], self._service.strangers)
        for writer in self._service.writers:
            behind.add_metric([writer.book.name], writer.clock_behind_s)
            queued.add_metric([writer.book.name], writer.queued)
            cached.add_metric([writer.book.name], writer.cached_entities)
            missing.add_metric([writer.book.name], writer.missing_states)
        yield from (strangers, queued, cached, missing, behind)
