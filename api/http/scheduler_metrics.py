"""What the scheduler did, for `/metrics`: whether metering succeeds, how late it is, how much.

Calls are what time acts on most: the rate of `tokenledger_scheduled_events_total` of the type
`call_block.charged.v1` is the blocks charged, and lateness is the time from the end of a block to
its payment.
"""

from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import Counter, Histogram

from api.http.metrics import Metrics, outcome_of
from ledger.write.answer import Answer

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)


class SchedulerMetrics:
    """Counts what a scheduler does; its `Observer`."""

    def __init__(self, metrics: Metrics) -> None:
        registry = metrics.registry
        self._commands = Counter(
            "tokenledger_scheduled_commands",
            "Commands that time made due, by outcome and code",
            ["book", "command", "outcome", "code"],
            registry=registry,
        )
        self._events = Counter(
            "tokenledger_scheduled_events",
            "Events that came of them, by type",
            ["book", "type"],
            registry=registry,
        )
        self._answered_s = Histogram(
            "tokenledger_scheduled_answer_seconds",
            "From sending what is due until all of it is answered",
            ["book"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._late_s = Histogram(
            "tokenledger_scheduled_late_seconds",
            "From the time at which the first of it was due until all of it is answered",
            ["book"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._interrupted = Counter(
            "tokenledger_scheduling_interrupted",
            "Times that a book, or without a name any book, could not be served",
            ["book"],
            registry=registry,
        )

    def sent(
        self, book: str, answers: Sequence[Answer], *, late_s: float, answered_s: float
    ) -> None:
        """Count what was answered."""
        commands = Tally((one.command, one.status, one.code) for one in answers)
        for (command, status, code), times in commands.items():
            outcome = outcome_of(status, code)
            self._commands.labels(book, command, outcome, code or "").inc(times)
        for kind, times in Tally(event.type for one in answers for event in one.events).items():
            self._events.labels(book, kind).inc(times)
        self._answered_s.labels(book).observe(answered_s)
        self._late_s.labels(book).observe(late_s)

    def interrupted(self, book: str) -> None:
        """Count a book that was not served."""
        self._interrupted.labels(book).inc()
