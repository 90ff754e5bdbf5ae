"""A member of a consumer group: how it is made, what it remembers, how it polls.

Polling mends two things that kafka-python 3.0.12 leaves undone.

**A join that nobody waited for.** Joining a group takes longer than a short poll. What the library
starts anew in the next poll is whether the group is to be joined; a leader that has divided the
group says no although its own join is still on its way. Nobody takes that join's answer then: its
partitions stay marked as to be given up, nothing of them is fetched and no heartbeat is sent. So
whoever is still joining says that a join is wanted, and waits for it longer than for messages: an
answer that arrives between two polls is thrown away and asked for again.

**A position that nobody confirms.** When a partition's leader has a new epoch the library waits for
the broker to confirm the position. Ours stands in PostgreSQL, messages are acknowledged by all
replicas, and a topic that was made anew is known by its id, so the position is taken as it is.

Whose turn it is PostgreSQL says, not these marks.
"""

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from consumers.kafka import topics
from ledger.settings import Settings

IDLE_MS = 100
JOIN_MS = 1_000
METADATA_MS = 10_000


class TopicMadeAnew(Exception):
    """The topic is another incarnation than the one that was claimed."""


class Reassigned(ConsumerRebalanceListener):  # type: ignore[misc]
    """Remembers which partitions came (again); called in the consumer's own thread."""

    def __init__(self) -> None:
        self.fresh: set[TopicPartition] = set()

    def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Nothing is lost: what flies either commits under its claim or is taken back."""

    def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Kafka forgot where we were."""
        self.fresh.update(assigned)


def group_consumer(settings: Settings, group: str, *, records_max: int) -> KafkaConsumer:
    """A member-to-be of `group` that commits nothing by itself, `records_max` messages a poll."""
    session_ms = int(settings.kafka_session_s * 1_000)
    options = topics.client_options(settings)
    return KafkaConsumer(
        **options | {"request_timeout_ms": max(10_000, session_ms + 5_000)},
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // 3,
        max_poll_records=records_max,
        max_partition_fetch_bytes=4 * topics.MESSAGE_BYTES_MAX,
        fetch_max_wait_ms=IDLE_MS,
        metadata_max_age_ms=METADATA_MS,
    )


def poll(consumer: KafkaConsumer, timeout_ms: int) -> dict[TopicPartition, list[ConsumerRecord]]:
    """What has arrived within `timeout_ms`; within `JOIN_MS` while the group is being joined."""
    coordinator = consumer._coordinator  # noqa: SLF001 -- nothing public tells of a join
    if coordinator.rejoining:
        coordinator.request_rejoin()
        timeout_ms = max(timeout_ms, JOIN_MS)
    for place, state in list(consumer._subscription.assignment.items()):  # noqa: SLF001
        if state.awaiting_validation:
            consumer.seek(place, state.position.offset)
    polled: dict[TopicPartition, list[ConsumerRecord]] = consumer.poll(timeout_ms=timeout_ms)
    return polled
