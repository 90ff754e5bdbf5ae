"""A book's topics: what they are called, how they are made, which incarnation of them it is.

A topic that was deleted and made again has another id, and nothing of what was in it. Whoever
remembers a place in a topic therefore remembers its id as well.
"""

from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

import msgspec
from kafka import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from ledger.settings import Settings

DAY_MS = 86_400_000
MESSAGE_BYTES_MAX = 1_048_576
#: A dead letter is a whole message and why it died.
DEAD_LETTER_BYTES_MAX = 2 * MESSAGE_BYTES_MAX


class Stream(msgspec.Struct, frozen=True):
    """One of a book's topics. `retention_ms` None: everything is kept.

    None is compacted: no message replaces an earlier one of its key.
    """

    name: str
    retention_ms: int | None
    #: None: as many as the settings say.
    partitions: int | None = None
    bytes_max: int = MESSAGE_BYTES_MAX


EVENTS = Stream("events", None)
COMMANDS = Stream("commands", 7 * DAY_MS)
RECEIPTS = Stream("receipts", 7 * DAY_MS)
PAYMENTS = Stream("payments", 30 * DAY_MS)
CALLS = Stream("calls", 7 * DAY_MS)
ACCOUNT_STATUS = Stream("account-status", 30 * DAY_MS)
DELIVERY_REPORTS = Stream("delivery-reports", 7 * DAY_MS)
DEAD_LETTERS = Stream("dead-letters", 90 * DAY_MS, 1, DEAD_LETTER_BYTES_MAX)
STREAMS = (
    EVENTS,
    COMMANDS,
    RECEIPTS,
    PAYMENTS,
    CALLS,
    ACCOUNT_STATUS,
    DELIVERY_REPORTS,
    DEAD_LETTERS,
)


def topic_name(book: str, stream: Stream) -> str:
    """What a book's topic is called."""
    return f"tokenledger.{book}.{stream.name}"


def client_options(settings: Settings) -> dict[str, object]:
    """How every client connects and shows who it is; the rest is each client's own."""
    options: dict[str, object] = {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "security_protocol": settings.kafka_security_protocol,
        "request_timeout_ms": 10_000,
        "reconnect_backoff_max_ms": 1_000,
    }
    given = {
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": settings.kafka_password,
        "ssl_cafile": settings.kafka_ca_file,
        "ssl_certfile": settings.kafka_certificate_file,
        "ssl_keyfile": settings.kafka_key_file,
    }
    return options | {name: value for name, value in given.items() if value is not None}


def ensure(
    admin: KafkaAdminClient, settings: Settings, book: str, streams: Iterable[Stream] = STREAMS
) -> None:
    """Make the topics that are missing; one that is there stays as it is."""
    there = set(admin.list_topics())
    for stream in streams:
        name = topic_name(book, stream)
        if name in there:
            continue
        retention_ms = -1 if stream.retention_ms is None else stream.retention_ms
        wanted = {
            "num_partitions": stream.partitions or settings.kafka_partitions,
            "replication_factor": settings.kafka_replication,
            "configs": {
                "cleanup.policy": "delete",
                "retention.ms": str(retention_ms),
                "max.message.bytes": str(stream.bytes_max),
                # Recorded times never run backwards, so they may lie ahead of a clock set back.
                "message.timestamp.after.max.ms": str(2**63 - 1),
            },
        }
        with suppress(TopicAlreadyExistsError):  # another process was faster
            admin.create_topics({name: wanted}, wait_for_metadata=True)


def topic_id(admin: KafkaAdminClient, name: str) -> UUID | None:
    """The id of this incarnation of a topic; None while there is none."""
    (found,) = admin.describe_topics([name])
    return None if found["error_code"] else UUID(str(found["topic_id"]))
