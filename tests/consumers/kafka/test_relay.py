"""The relay publishes the log: nothing is lost, and of every key nothing comes out of order."""

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from consumers.kafka.local_broker import Broker
from consumers.kafka.topics import EVENTS
from ledger.log.entry import decode, leaf_hash
from tests.consumers.kafka.edge import Edge
from tests.consumers.kafka.published import assert_whole
from tests.scenarios.steps import Sent, grant, tip
from tests.support.waiting import until

FANS = 7


def day(first: int, commands: int) -> list[Sent]:
    """Fans get tokens and tip."""
    return [
        grant(100, user=f"fan{n % FANS}") if n % 2 == 0 else tip(1, user=f"fan{(n - 1) % FANS}")
        for n in range(first, first + commands)
    ]


def write(edge: Edge, commands: int, first: int = 0) -> None:
    """Grow the log; one writer takes all of it as one batch."""
    requests = [edge.stage.request(sent) for sent in day(first, commands)]
    assert {answer.status for answer in edge.stage.writer.write(requests)} == {201}


def test_every_event_is_published_as_a_cloud_event(edge: Edge) -> None:
    write(edge, 40)
    relay = edge.process("relay").start()
    edge.await_published()
    write(edge, 40, first=40)
    edge.await_published()
    relay.stop()
    messages = assert_whole(edge)
    assert len(messages) == edge.head()
    for message in messages:
        event = from_binary(
            KafkaMessage(message.headers, message.key, message.value), JSONFormat(), CloudEvent
        )
        entry = decode(message.value)
        assert (event.get_id(), event.get_type()) == (entry.event_id, entry.type)
        assert event.get_time() == entry.occurred_at
        assert event.get_extension("sequence") == f"{message.sequence:020}"
        assert leaf_hash(message.value)
    tips = [message for message in messages if message.headers["ce_type"] == b"tip.sent.v1"]
    assert {message.key for message in tips} <= {b"wallet:fan%d" % n for n in range(FANS)}


def test_published_again_from_a_position_it_is_the_same_byte_for_byte(edge: Edge) -> None:
    write(edge, 30)
    relay = edge.process("relay").start()
    edge.await_published()
    relay.stop()
    before = edge.messages(EVENTS)
    edge.process("relay", "--from", "11").start()
    again = edge.head() - 10
    until(lambda: len(edge.messages(EVENTS)) == len(before) + again, "the second publication")
    copies = assert_whole(edge)
    assert sorted(m.sequence for m in copies)[:10] == list(range(1, 11))


@pytest.mark.parametrize("point", ["inside_produce", "after_produce"])
def test_a_relay_is_killed_and_the_next_goes_on(edge: Edge, point: str) -> None:
    write(edge, 60)
    relay = edge.process("relay").start(f"{point}:SIGKILL")
    until(relay.ended, "the failpoint")
    assert edge.published() == 0
    write(edge, 10, first=60)
    edge.process("relay").start()
    edge.await_published()
    copies = len(assert_whole(edge)) - edge.head()
    assert copies >= (edge.head() - 10 if point == "after_produce" else 0)


def test_of_two_relays_one_stands_by_and_a_frozen_one_is_fenced(edge: Edge) -> None:
    write(edge, 60)
    first = edge.process("relay").start("inside_produce:SIGSTOP")
    until(lambda: first.frozen, "the failpoint")
    second = edge.process("relay").start()
    edge.await_published()
    first.thaw()
    until(lambda: first.said("relay fenced"), "its fencing")
    write(edge, 20, first=60)
    edge.await_published()
    assert_whole(edge)
    second.kill()
    write(edge, 20, first=80)
    edge.await_published()
    assert_whole(edge)


def test_what_is_archived_is_not_passed_over(edge: Edge) -> None:
    write(edge, 30)
    with edge.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("ALTER TABLE events DETACH PARTITION events_000000")
        relay = edge.process("relay").start()
        until(lambda: relay.said("does not hold position 1"), "what is missing")
        assert edge.published() == 0
        admin.execute(
            "ALTER TABLE events ATTACH PARTITION events_000000 FOR VALUES FROM (1) TO (1001)"
        )
    edge.await_published()
    assert_whole(edge)


def test_a_topic_made_again_and_a_broker_restarted_empty_are_filled_again(
    edge: Edge, own_broker: Broker
) -> None:
    write(edge, 30)
    relay = edge.process("relay").start()
    edge.await_published()
    admin = edge.admin()
    admin.delete_topics([edge.topic(EVENTS)])
    admin.close()
    until(lambda: relay.said("all is published again"), "the new topic")
    until(lambda: len(edge.messages(EVENTS)) >= edge.head(), "its events")
    edge.await_published()
    assert_whole(edge)

    own_broker.kill()
    write(edge, 10, first=30)
    own_broker.start()
    edge.await_published()
    assert_whole(edge)

    own_broker.kill()
    own_broker.wipe()
    write(edge, 10, first=40)
    own_broker.start()
    edge.await_published()
    assert_whole(edge)
    assert relay.said("all is published again")
    relay.stop()
