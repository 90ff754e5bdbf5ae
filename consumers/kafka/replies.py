"""Answers and dead letters on their way to the broker, and up to where all of them arrived."""

from collections import deque
from typing import Any

from kafka import KafkaProducer

from consumers.kafka import topics
from consumers.kafka.event_messages import JSON
from consumers.kafka.inbound import CORRELATION, Item
from ledger.settings import Settings
from ledger.write.answer import Answer

PROBLEM = b"application/problem+json"
STALE = b'{"outcome":"ignored","code":"STALE_FACT"}'


def answer_producer(settings: Settings) -> KafkaProducer:
    """An idempotent producer for answers and dead letters."""
    return KafkaProducer(
        **topics.client_options(settings),
        enable_idempotence=True,
        acks="all",
        linger_ms=5,
        batch_size=262_144,
        max_request_size=topics.DEAD_LETTER_BYTES_MAX,
        max_block_ms=10_000,
        delivery_timeout_ms=30_000,
    )


class Replies:
    """What one consumer sends about the messages that it took."""

    def __init__(self, producer: KafkaProducer, consumer: str, book: str) -> None:
        self._producer = producer
        self._consumer = consumer
        self._receipts = topics.topic_name(book, topics.RECEIPTS)
        self._dead_letters = topics.topic_name(book, topics.DEAD_LETTERS)

    def answer(self, item: Item, status: int, body: bytes, *, replayed: bool = False) -> Any:
        """Answer on the topic of receipts, keyed as asked; the producer's future."""
        headers = [
            ("content-type", JSON if status < 300 else PROBLEM),
            ("status", b"%d" % status),
            (CORRELATION, item.correlation_id.encode()),
            ("idempotency-key", item.idempotency_key.encode("ascii", "replace")),
        ]
        if replayed:
            headers.append(("replayed", b"true"))
        return self._producer.send(self._receipts, body, item.reply_key, headers)

    def decided(self, item: Item, answer: Answer) -> Any:
        """Answer what was decided."""
        return self.answer(item, answer.status, answer.body, replayed=answer.replayed)

    def bury(self, topic: str, partition: int, item: Item, reason: str, detail: str) -> Any:
        """Send a dead letter: the message as it came, and why it goes no further."""
        told = [
            ("reason", reason.encode()),
            ("detail", detail.encode()[:1_000]),
            ("consumer", self._consumer.encode()),
            ("origin-topic", topic.encode()),
            ("origin-partition", b"%d" % partition),
            ("origin-offset", b"%d" % item.offset),
        ]
        return self._producer.send(self._dead_letters, item.value, item.key, [*told, *item.headers])

    def flush(self, timeout_s: float) -> None:
        """Wait until everything arrived; raises KafkaError."""
        self._producer.flush(timeout=timeout_s)


class Settling:
    """Up to which offset of one partition everything arrived that was to be sent."""

    def __init__(self, settled: int) -> None:
        self.settled = settled
        self.saved = settled
        self.waiting = 0
        self._sent: deque[tuple[int, list[Any]]] = deque()

    def add(self, until: int, futures: list[Any]) -> None:
        """Once these arrived, all before `until` did."""
        self._sent.append((until, futures))
        self.waiting += len(futures)

    def look(self) -> None:
        """Move on as far as things arrived; raises KafkaError if one did not."""
        while self._sent and all(future.is_done for future in self._sent[0][1]):
            until, futures = self._sent.popleft()
            self.waiting -= len(futures)
            for future in futures:
                if future.failed():
                    raise future.exception
            self.settled = max(self.settled, until)
