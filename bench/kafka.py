"""The edge to Kafka, on a local broker: commands in, events out, read models elsewhere.

Whoever is measured runs as a process of its own, as in production; this process only looks.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from bench.bulk import drive
from bench.load import BATCH, Load
from bench.stage import Stage
from consumers.kafka import local_broker, topics
from consumers.kafka.event_messages import EventMessage, event_message
from consumers.kafka.topics import COMMANDS, EVENTS, RECEIPTS, topic_name
from ledger.books import Book, get_book
from ledger.log import reading
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, Connection, connect
from ledger.settings import Settings
from ledger.streams.signatures import signed
from projections.catalogue import all_projections
from projections.engine.install import install
from projections.engine.runner import Runner

WALLETS = 5_000
COMMANDS_SENT = 30_000
WARM = 3_000
RATE_PER_S = 1_000
LAG_S = 10
PATIENCE_S = 300


def missing() -> str | None:
    """What keeps this part from being measured here."""
    return local_broker.missing()


def measure(stage: Stage) -> dict[str, float]:
    """All four figures, over one book."""
    with (
        tempfile.TemporaryDirectory(prefix="tokenledger-kafka-") as directory,
        local_broker.running(Path(directory) / "broker") as broker,
    ):
        bench = _Bench(stage, broker.bootstrap)
        figures = bench.commands()
        figures |= bench.relay()
        figures |= bench.replica(Path(directory) / "elsewhere")
        return figures | bench.lag()


class _Bench:
    """One book that holds what its commands left, and its topics."""

    def __init__(self, stage: Stage, bootstrap: str) -> None:
        self.stage = stage
        self.settings = Settings(kafka_bootstrap=bootstrap, kafka_partitions=6)
        self.book = stage.book("kafka")
        self.load = Load(seed=11, wallets=WALLETS)
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        topics.ensure(admin, self.settings, self.book.name)
        admin.close()

    def commands(self) -> dict[str, float]:
        """Commands through the topic until answered, over the in-process bulk rate."""
        batches = COMMANDS_SENT // BATCH
        with self.stage.writer(self.book) as writer:
            drive(writer, [self.load.purchases(n, BATCH) for n in range(0, WALLETS, BATCH)])
            before = drive(writer, [self.load.mixed() for _ in range(batches)])
        self._preload([line for _ in range(batches) for line in self.load.mixed()])
        with self._process("consume", "commands"):
            rate = self._rate(lambda: self._end(RECEIPTS), COMMANDS_SENT)
        with self.stage.writer(self.book) as writer:
            after = drive(writer, [self.load.mixed() for _ in range(batches)])
        bulk = 2 * COMMANDS_SENT / (before + after)
        return {"kafka_commands_vs_bulk": rate / bulk, "kafka_commands_per_s": rate}

    def relay(self) -> dict[str, float]:
        """Events per second of the relay, over those of a bare producer of the same messages."""
        with self.stage.connect(self.book) as connection:
            head = self.stage.head(connection)
            with self._process("relay"):
                rate = self._rate(lambda: _number(connection, "SELECT position FROM relay"), head)
            entries = reading.page(connection, 0, head)
        messages = [event_message(position, entry) for position, entry in entries]
        bare = self._bare(messages)
        return {"relay_vs_producer": rate / bare, "relay_events_per_s": rate}

    def replica(self, directory: Path) -> dict[str, float]:
        """Events per second of two members into another PostgreSQL, over those of a runner here."""
        with self.stage.connect(self.book) as connection:
            head = self.stage.head(connection)
            models = all_projections()
            install(connection, models)
            connection.execute("SET synchronous_commit = off")  # as the projector's process does
            runner = Runner(connection, models)
            runner.take_over()
            began = time.perf_counter()
            while runner.step():
                pass
            local = head / (time.perf_counter() - began)
        with embedded.server(directory) as server:
            service, admin = server.url(user=SERVICE_ROLE), server.url()
            environment = {
                "TOKENLEDGER_DATABASE_URL": service,
                "TOKENLEDGER_ADMIN_DATABASE_URL": admin,
            }
            with self._process("project", **environment), self._process("project", **environment):
                rate = self._rate(lambda: _copied(service, self.book.name), head)
        return {"kafka_project_vs_local": rate / local, "kafka_project_events_per_s": rate}

    def lag(self) -> dict[str, float]:
        """From `recorded_at` until a consumer has the event, which is after the acknowledgement."""
        consumer = self._consumer(EVENTS)
        consumer.seek_to_end()
        for place in consumer.assignment():
            consumer.position(place)
        lags: list[float] = []
        done = threading.Event()

        def receive() -> None:
            while not done.is_set():
                for records in consumer.poll(20).values():
                    now = time.time() * 1_000
                    lags.extend(now - record.timestamp for record in records)

        with self._process("relay"), self.stage.writer(self.book) as writer:
            drive(writer, [self.load.mixed(10)])
            while not self._caught_up():
                time.sleep(0.05)
            receiver = threading.Thread(target=receive)
            receiver.start()
            lines = [self.load.mixed(RATE_PER_S // 100) for _ in range(100 * LAG_S)]
            began = time.perf_counter()
            for number, batch in enumerate(lines):
                time.sleep(max(0.0, began + number / 100 - time.perf_counter()))
                drive(writer, [batch])
            while not self._caught_up():
                time.sleep(0.05)
            time.sleep(0.2)
            done.set()
            receiver.join()
        consumer.close()
        return {"relay_lag_p99_ms": statistics.quantiles(lags, n=100)[98]}

    def _caught_up(self) -> bool:
        with self.stage.connect(self.book) as connection:
            return _number(connection, "SELECT h.position - r.position FROM head h, relay r") == 0

    def _preload(self, lines: list[bytes]) -> None:
        """Put signed commands into their topic."""
        key, topic = self.stage.key(self.book), topic_name(self.book.name, COMMANDS)
        producer = self._producer()
        for number, line in enumerate(lines):
            user = b"k%d" % (number % 500)
            producer.send(topic, line, user, signed(key, topic, user, line))
        producer.flush()
        producer.close()

    def _bare(self, messages: list[EventMessage]) -> float:
        """Messages per second of a producer that does nothing else."""
        topic = "bare"
        admin = KafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap)
        wanted = {"num_partitions": self.settings.kafka_partitions, "replication_factor": 1}
        admin.create_topics({topic: wanted}, wait_for_metadata=True)
        admin.close()
        producer = self._producer()
        producer.partitions_for(topic)
        began = time.perf_counter()
        for each in messages:
            producer.send(topic, each.value, each.key, each.headers, timestamp_ms=each.timestamp_ms)
        producer.flush()
        elapsed = time.perf_counter() - began
        producer.close()
        return len(messages) / elapsed

    def _producer(self) -> KafkaProducer:
        return KafkaProducer(
            bootstrap_servers=self.settings.kafka_bootstrap, linger_ms=1, batch_size=262_144
        )

    def _consumer(self, stream: topics.Stream) -> KafkaConsumer:
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            enable_auto_commit=False,
            fetch_max_wait_ms=10,
        )
        topic = topic_name(self.book.name, stream)
        numbers = consumer.partitions_for_topic(topic) or set()
        consumer.assign([TopicPartition(topic, number) for number in numbers])
        return consumer

    def _end(self, stream: topics.Stream) -> int:
        """Messages that a topic has acknowledged."""
        consumer = self._consumer(stream)
        try:
            return sum(consumer.end_offsets(list(consumer.assignment())).values())
        finally:
            consumer.close()

    def _rate(self, reached: Callable[[], int], target: int) -> float:
        """Per second, from a warm start to the target."""
        give_up_at = time.monotonic() + PATIENCE_S
        started, first = 0.0, 0
        while True:
            now, at = time.perf_counter(), reached()
            if not started and at >= WARM:
                started, first = now, at
            if at >= target:
                return (at - first) / (now - started)
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"{at} of {target}")
            time.sleep(0.02)

    @contextmanager
    def _process(self, *arguments: str, **environment: str) -> Iterator[None]:
        """A process of the edge, ended afterwards."""
        database = self.stage.database
        settings = {
            **os.environ,
            "TOKENLEDGER_DATABASE_URL": database.service_url,
            "TOKENLEDGER_ADMIN_DATABASE_URL": database.admin_url,
            "TOKENLEDGER_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "TOKENLEDGER_LOG_LEVEL": "warning",
            **environment,
        }
        command = [sys.executable, "-m", "consumers", *arguments, "--book", self.book.name]
        process = subprocess.Popen(command, env=settings)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _number(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def _copied(url: str, name: str) -> int:
    """How far all read models of the copy are; 0 while it is being made."""
    try:
        with connect(url, autocommit=True) as connection:
            book: Book = get_book(connection, name)
        with connect(url, book.schema, read_models=True, autocommit=True) as connection:
            return _number(connection, "SELECT coalesce(min(position), 0) FROM projections")
    except Exception:  # noqa: BLE001 -- not there yet
        return 0
