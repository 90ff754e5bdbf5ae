"""A book with its topics on the broker, the processes of the edge, and what stands in topics."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from consumers.kafka.topics import STREAMS, Stream, ensure, topic_name
from ledger.api_keys import Role, create_key
from ledger.postgres.database import Connection, connect
from ledger.settings import Settings
from ledger.streams.signatures import signed
from tests.conftest import FreshBook
from tests.scenarios.write_path import WritePath
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Message:
    """What stands in a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: dict[str, bytes]
    timestamp_ms: int

    @property
    def content(self) -> tuple[bytes | None, bytes, str, int]:
        """All that a publisher decides, to compare byte for byte."""
        headers = json.dumps({name: value.hex() for name, value in self.headers.items()})
        return self.key, self.value, headers, self.timestamp_ms

    @property
    def sequence(self) -> int:
        """The event's position."""
        return int(self.headers["ce_sequence"])

    @property
    def json(self) -> Any:
        """The value, read."""
        return json.loads(self.value)


class Process:
    """`python -m consumers …` with this edge's settings."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self._arguments = arguments
        self._environment = environment
        self.log = log
        self._running: subprocess.Popen[bytes] | None = None

    def start(self, failpoint: str = "", **settings: str) -> "Process":
        """Start it, to be hit at a failpoint if one is named."""
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, "-m", "consumers", *self._arguments],
                cwd=ROOT,
                env=self._environment | settings | {"TOKENLEDGER_FAILPOINT": failpoint},
                stdout=log,
                stderr=log,
            )
        return self

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._running is not None
        return self._running.pid

    @property
    def frozen(self) -> bool:
        """Whether SIGSTOP has stopped it."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def ended(self) -> bool:
        """Whether it is no more."""
        return self._running is None or self._running.poll() is not None

    def said(self, text: str) -> bool:
        """Whether it logged this."""
        return text in self.log.read_text()

    def thaw(self) -> None:
        """Let a frozen one go on."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Let it finish what is under way."""
        if self._running is not None and not self.ended():
            self._running.terminate()
            assert self._running.wait(timeout=60) == 0

    def kill(self) -> None:
        """End it whatever it does."""
        if self._running is not None and not self.ended():
            self._running.kill()
            self._running.wait()


@dataclass
class Edge:
    """One book, its write path on PostgreSQL, and its topics."""

    stage: WritePath
    settings: Settings
    directory: Path
    _processes: list[Process] = field(default_factory=list)
    _watching: Connection | None = None

    @property
    def fresh(self) -> FreshBook:
        """The book and the doors to it."""
        return self.stage.fresh

    def topic(self, stream: Stream) -> str:
        """The name of one of the book's topics."""
        return topic_name(self.fresh.book.name, stream)

    def make_topics(self, streams: Iterable[Stream] = STREAMS) -> None:
        """Make what is missing."""
        admin = self.admin()
        ensure(admin, self.settings, self.fresh.book.name, streams)
        admin.close()

    def admin(self) -> KafkaAdminClient:
        """A client that may do anything; to be closed."""
        return KafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap)

    def process(self, *arguments: str, **settings: str) -> Process:
        """A process of the edge for this book, not started."""
        environment = {
            **os.environ,
            "TOKENLEDGER_DATABASE_URL": self.fresh.service_url,
            "TOKENLEDGER_ADMIN_DATABASE_URL": self.fresh.admin_url,
            "TOKENLEDGER_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "TOKENLEDGER_KAFKA_PARTITIONS": str(self.settings.kafka_partitions),
            "TOKENLEDGER_RELAY_LEASE_S": str(self.settings.relay_lease_s),
            "TOKENLEDGER_KAFKA_SESSION_S": str(self.settings.kafka_session_s),
            **settings,
        }
        log = self.directory / f"process-{len(self._processes)}.log"
        log.touch()
        made = Process([*arguments, "--book", self.fresh.book.name], environment, log)
        self._processes.append(made)
        return made

    def send(
        self,
        stream: Stream,
        messages: Iterable[tuple[bytes | None, bytes, list[tuple[str, bytes]]]],
    ) -> None:
        """Put (key, value, headers) into a topic, acknowledged."""
        producer = KafkaProducer(
            bootstrap_servers=self.settings.kafka_bootstrap, linger_ms=2, max_request_size=2**21
        )
        sent = [producer.send(self.topic(stream), value, key, headers)
                for key, value, headers in messages]  # fmt: skip
        producer.flush()
        producer.close()
        assert all(future.succeeded() for future in sent)

    def send_again(self, stream: Stream) -> None:
        """Everything that stands in a topic, once more."""
        again = [(m.key, m.value, list(m.headers.items())) for m in self.messages(stream)]
        self.send(stream, again)

    def key(self, role: Role = Role.SERVICE, actor: str = "backend") -> str:
        """A new API key of the book."""
        with connect(self.fresh.admin_url, autocommit=True) as admin:
            return create_key(admin, self.fresh.book.name, role=role, actor=actor).key

    def signed(
        self,
        stream: Stream,
        api_key: str,
        key: bytes | None,
        body: dict[str, Any],
        *headers: tuple[str, bytes],
    ) -> tuple[bytes | None, bytes, list[tuple[str, bytes]]]:
        """A message as a backend sends it."""
        value = json.dumps(body).encode()
        return key, value, [*signed(api_key, self.topic(stream), key, value), *headers]

    def consumed(self, consumer: str) -> int:
        """Messages that are taken and answered, all partitions together."""
        return self._number(
            "SELECT coalesce(sum(settled_offset), 0)::bigint FROM consumed WHERE consumer = %s",
            consumer,
        )

    def await_consumed(self, consumer: str, messages: int) -> None:
        """Wait until so many are."""
        until(lambda: self.consumed(consumer) >= messages, f"{messages} {consumer}")

    def messages(self, stream: Stream) -> list[Message]:
        """All that stands in a topic, partition by partition."""
        topic = self.topic(stream)
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=5_000,
        )
        try:
            partitions = consumer.partitions_for_topic(topic) or set()
            places = [TopicPartition(topic, number) for number in sorted(partitions)]
            ends = consumer.end_offsets(places)
            consumer.assign(places)
            found: list[Message] = []
            while any(consumer.position(place) < ends[place] for place in places):
                for records in consumer.poll(200).values():
                    found += map(_message, records)
            return sorted(found, key=lambda message: (message.partition, message.offset))
        finally:
            consumer.close()

    def published(self) -> int:
        """How far the relay says that it is."""
        return self._number("SELECT position FROM relay")

    def head(self) -> int:
        """The last position of the log."""
        return self._number("SELECT position FROM head")

    def _number(self, query: str, *values: object) -> int:
        if self._watching is None or self._watching.closed:
            self._watching = self.fresh.connect(autocommit=True)
        row = self._watching.execute(query.encode(), values).fetchone()
        assert row is not None
        return int(row[0])

    def await_published(self) -> None:
        """Wait until the relay has caught up."""
        until(lambda: self.published() == self.head(), "the relay")

    def hang_up(self) -> None:
        """Let go of the database."""
        if self._watching is not None:
            self._watching.close()

    def close(self) -> None:
        """End whatever was started, and show what it said to whoever looks at a failure."""
        self.hang_up()
        for process in self._processes:
            process.kill()
            print(process.log.read_text()[-6_000:])


def _message(record: Any) -> Message:
    return Message(
        record.partition,
        record.offset,
        record.key,
        record.value,
        dict(record.headers),
        record.timestamp,
    )
