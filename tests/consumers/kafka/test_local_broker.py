"""The local broker is a real one: it keeps what it acknowledged, and a wiped one is another."""

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from consumers.kafka.local_broker import Broker


def read_all(bootstrap: str, topic: str) -> list[bytes]:
    place = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        consumer.assign([place])
        end = consumer.end_offsets([place])[place]
        values: list[bytes] = []
        while len(values) < end:
            for records in consumer.poll(1_000).values():
                values += [record.value for record in records]
        return values
    finally:
        consumer.close()


def test_what_was_acknowledged_survives_a_kill_and_a_wiped_broker_is_another(
    own_broker: Broker,
) -> None:
    bootstrap = own_broker.bootstrap
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(name="kept", num_partitions=1, replication_factor=1)])
    cluster = admin.describe_cluster()["cluster_id"]
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for number in range(100):
        producer.send("kept", b"%d" % number)
    producer.flush()
    producer.close()
    own_broker.kill()
    own_broker.start()
    assert read_all(bootstrap, "kept") == [b"%d" % number for number in range(100)]

    own_broker.stop()
    own_broker.wipe()
    own_broker.start()
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    assert "kept" not in admin.list_topics()
    assert admin.describe_cluster()["cluster_id"] != cluster
    admin.close()
