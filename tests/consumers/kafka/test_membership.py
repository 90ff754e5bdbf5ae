"""A member that polls shortly takes its partitions whenever the group is divided anew."""

from kafka.admin import NewPartitions

from consumers.kafka.membership import Reassigned, group_consumer, poll
from consumers.kafka.topics import COMMANDS
from tests.consumers.kafka.edge import Edge
from tests.support.waiting import until

POLL_MS = 1
ROUNDS = 4


def test_a_join_longer_than_a_poll_ends(edge: Edge) -> None:
    """The leader divides the group while nobody waits for it: more partitions, again and again."""
    edge.make_topics([COMMANDS])
    topic, admin = edge.topic(COMMANDS), edge.admin()
    consumer = group_consumer(edge.settings, f"{topic}.test", records_max=100)
    consumer.partitions_for_topic(topic)
    consumer.subscribe([topic], listener=Reassigned())
    seen: set[tuple[int, int]] = set()

    def look() -> bool:
        for place, records in poll(consumer, POLL_MS).items():
            seen.update((place.partition, record.offset) for record in records)
        return len(seen) == sent

    try:
        sent = 0
        for count in range(3, 3 + ROUNDS):
            if count > 3:
                admin.create_partitions({topic: NewPartitions(count)})
                consumer._client.cluster.request_update()
            for _ in range(4):
                edge.send(COMMANDS, [(b"k%d" % n, b"m", []) for n in range(10)])
                sent += 10
                look()
            until(look, f"{sent} messages", timeout_s=20)
    finally:
        consumer.close()
        admin.close()
