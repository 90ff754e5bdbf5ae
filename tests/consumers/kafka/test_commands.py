"""Commands by topic: one effect and one answer per key, whoever dies at whatever moment."""

from collections import Counter
from typing import Any

import pytest

from consumers.kafka.local_broker import Broker
from consumers.kafka.topics import COMMANDS, DEAD_LETTERS, RECEIPTS
from ledger.api_keys import Role
from ledger.streams.signatures import signed
from tests.consumers.kafka.edge import Edge, Message
from tests.scenarios.steps import grant
from tests.support.waiting import until

FANS = 5
Sent = tuple[bytes | None, bytes, list[tuple[str, bytes]]]


def tip(number: int) -> dict[str, Any]:
    """The tip number `number`; fans take turns."""
    return {
        "command": "send-tip",
        "idempotency_key": f"tip-{number}",
        "user": f"fan{number % FANS}",
        "creator": "creator",
        "funding": "TOKEN",
        "amount": 1,
    }


def tips(edge: Edge, first: int, count: int, api_key: str) -> list[Sent]:
    """Signed, keyed by fan."""
    return [
        edge.signed(COMMANDS, api_key, f"fan{n % FANS}".encode(), tip(n))
        for n in range(first, first + count)
    ]


@pytest.fixture
def api_key(edge: Edge) -> str:
    edge.stage.given(*[grant(1_000, user=f"fan{n}") for n in range(FANS)])
    edge.make_topics()
    return edge.key()


def answers(edge: Edge) -> dict[str, list[Message]]:
    """The answers by idempotency key; those of one key are the same to the last byte."""
    found: dict[str, list[Message]] = {}
    for message in edge.messages(RECEIPTS):
        found.setdefault(message.headers["idempotency-key"].decode(), []).append(message)
    for copies in found.values():
        assert len({copy.value for copy in copies}) == 1
    return found


def assert_each_tipped_once(edge: Edge, count: int) -> None:
    """One effect per key, and an answer for each; the books are in order."""
    edge.stage.check()
    sent = [entry for entry in edge.stage.entries() if entry.type == "tip.sent.v1"]
    assert len(sent) == count
    assert set(Counter(entry.key for entry in sent).values()) <= {1}
    found = answers(edge)
    assert set(found) == {f"tip-{n}" for n in range(count)}
    assert {copy.headers["status"] for copies in found.values() for copy in copies} == {b"201"}


def order_of(edge: Edge, user: str) -> list[int]:
    """The positions of a fan's tips in the order in which they were sent."""
    found = answers(edge)
    numbers = (n for n in range(len(found)) if f"fan{n % FANS}" == user)
    return [found[f"tip-{n}"][0].json["position"] for n in numbers if f"tip-{n}" in found]


def test_commands_are_decided_in_the_order_of_their_key_and_answered(
    edge: Edge, api_key: str
) -> None:
    edge.send(COMMANDS, tips(edge, 0, 60, api_key))
    poor = tip(0) | {"idempotency_key": "poor", "amount": 10_000}
    wrong = tip(0) | {"idempotency_key": "wrong", "amount": -1}
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    edge.send(
        COMMANDS,
        [
            edge.signed(COMMANDS, api_key, b"fan0", poor, ("reply-key", b"desk")),
            edge.signed(COMMANDS, api_key, b"fan0", wrong, ("traceparent", trace)),
        ],
    )
    consumer = edge.process("consume", "commands").start()
    edge.await_consumed("commands", 62)
    consumer.stop()
    found = answers(edge)
    assert (found["poor"][0].key, found["poor"][0].json["code"]) == (b"desk", "INSUFFICIENT_TOKENS")
    refused = found["wrong"][0]
    assert (refused.key, refused.headers["status"]) == (b"fan0", b"400")
    assert refused.json["errors"][0]["pointer"] == "/amount"
    assert refused.headers["correlation-id"] == b"4bf92f3577b34da6a3ce929d0e0e4736"
    for fan in range(FANS):
        positions = order_of(edge, f"fan{fan}")
        assert positions == sorted(positions)


def test_a_message_delivered_ten_times_has_one_effect_and_one_answer(
    edge: Edge, api_key: str
) -> None:
    edge.send(COMMANDS, tips(edge, 0, 3, api_key) * 10)
    edge.process("consume", "commands").start()
    edge.await_consumed("commands", 30)
    assert_each_tipped_once(edge, 3)
    copies = answers(edge)["tip-0"]
    assert Counter("replayed" in copy.headers for copy in copies) == {False: 1, True: 9}


KILLED_AT = ["after_claim", "after_copy", "after_commit", "before_answer", "after_answer"]


@pytest.mark.parametrize("point", KILLED_AT)
def test_a_consumer_is_killed_and_the_next_goes_on(edge: Edge, api_key: str, point: str) -> None:
    edge.send(COMMANDS, tips(edge, 0, 200, api_key))
    consumer = edge.process("consume", "commands").start(f"{point}:SIGKILL")
    until(consumer.ended, "the failpoint")
    edge.send(COMMANDS, tips(edge, 200, 50, api_key))
    edge.process("consume", "commands").start()
    edge.await_consumed("commands", 250)
    assert_each_tipped_once(edge, 250)


def test_a_frozen_consumer_finds_that_its_partitions_are_others(edge: Edge, api_key: str) -> None:
    edge.send(COMMANDS, tips(edge, 0, 200, api_key))
    first = edge.process("consume", "commands", TOKENLEDGER_KAFKA_SESSION_S="2").start(
        "before_commit:SIGSTOP"
    )
    until(lambda: first.frozen, "the failpoint")
    second = edge.process("consume", "commands", TOKENLEDGER_KAFKA_SESSION_S="2").start()
    edge.await_consumed("commands", 200)
    edge.send(COMMANDS, tips(edge, 200, 50, api_key))
    edge.await_consumed("commands", 250)
    first.thaw()
    edge.send(COMMANDS, tips(edge, 250, 50, api_key))
    edge.await_consumed("commands", 300)
    assert_each_tipped_once(edge, 300)
    second.stop()
    edge.send(COMMANDS, tips(edge, 300, 20, api_key))
    edge.await_consumed("commands", 320)
    assert_each_tipped_once(edge, 320)
    first.stop()


def test_members_come_and_go_and_nothing_is_lost_or_doubled(edge: Edge, api_key: str) -> None:
    first = edge.process("consume", "commands").start()
    edge.send(COMMANDS, tips(edge, 0, 300, api_key))
    second = edge.process("consume", "commands").start()
    edge.send(COMMANDS, tips(edge, 300, 300, api_key))
    edge.await_consumed("commands", 600)
    first.kill()
    edge.send(COMMANDS, tips(edge, 600, 100, api_key))
    third = edge.process("consume", "commands").start()
    edge.await_consumed("commands", 700)
    second.stop()
    edge.send(COMMANDS, tips(edge, 700, 50, api_key))
    edge.await_consumed("commands", 750)
    third.stop()
    assert_each_tipped_once(edge, 750)


def test_what_nobody_who_may_post_has_signed_is_a_dead_letter(edge: Edge, api_key: str) -> None:
    other = edge.key(Role.FAN, "fan0")
    key, value, headers = edge.signed(COMMANDS, api_key, b"fan0", tip(0))
    stolen = [(name, b"x" + text if name == "tokenledger-key-id" else text)
              for name, text in headers]  # fmt: skip
    broken = edge.signed(COMMANDS, api_key, b"k", tip(1))
    large = edge.signed(COMMANDS, api_key, b"k", tip(2) | {"creator": "c" * 1_000_000})
    no_json = b"{not json"
    edge.send(
        COMMANDS,
        [
            (key, value, []),
            (key, value.replace(b'"amount": 1', b'"amount": 9'), headers),
            (key, value, stolen),
            (key, value, [(n, t.replace(b"v1=", b"v9=")) for n, t in headers]),
            (b"other", value, headers),
            large,
            (b"k", no_json, signed(api_key, edge.topic(COMMANDS), b"k", no_json)),
            edge.signed(COMMANDS, api_key, b"k", tip(3) | {"command": "print-money"}),
            edge.signed(COMMANDS, other, b"fan0", tip(4)),
            broken,
        ],
    )
    edge.process("consume", "commands").start()
    edge.await_consumed("commands", 10)
    reasons = Counter(m.headers["reason"].decode() for m in edge.messages(DEAD_LETTERS))
    assert reasons == {
        "UNSIGNED": 1,
        "BAD_SIGNATURE": 2,
        "UNKNOWN_KEY": 1,
        "UNKNOWN_VERSION": 1,
        "TOO_LARGE": 1,
        "MALFORMED": 1,
        "UNKNOWN_TYPE": 1,
    }
    letter = next(m for m in edge.messages(DEAD_LETTERS) if m.value == no_json)
    assert letter.headers["origin-topic"].decode() == edge.topic(COMMANDS)
    assert int(letter.headers["origin-offset"]) >= 0
    found = answers(edge)
    assert set(found) == {"tip-1", "tip-4"}
    assert found["tip-4"][0].json["code"] == "ROLE_FORBIDDEN"
    edge.stage.check()


def test_a_book_that_does_not_exist_is_told_and_holds_nobody_up(edge: Edge, api_key: str) -> None:
    consumer = edge.process("consume", "commands", "--book", "Nobody").start()
    edge.send(COMMANDS, tips(edge, 0, 3, api_key))
    edge.await_consumed("commands", 3)
    assert consumer.said("there is no such book")
    assert_each_tipped_once(edge, 3)
    consumer.stop()


def test_what_stays_broken_parks_its_key_and_others_go_on(edge: Edge, api_key: str) -> None:
    with edge.fresh.connect_admin(autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'refused' USING ERRCODE = 'data_exception'; END $$"
        )
        admin.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON events_000000 FOR EACH ROW "
            "WHEN ('wallet:fan1' = ANY (NEW.tags)) EXECUTE FUNCTION refuse()"
        )
    edge.send(COMMANDS, tips(edge, 0, 50, api_key))
    consumer = edge.process("consume", "commands").start()
    edge.await_consumed("commands", 50)
    found = answers(edge)
    assert set(found) == {f"tip-{n}" for n in range(50) if n % FANS != 1}
    with edge.fresh.connect_admin(autocommit=True) as admin:
        parked = admin.execute(
            "SELECT reason, message_key FROM parked_messages ORDER BY at_offset"
        ).fetchall()
        assert parked == [("INTERNAL", b"fan1")] + [("FOLLOWS", b"fan1")] * 9
        admin.execute("DROP TRIGGER refuse ON events_000000")
        admin.execute("UPDATE parked_messages SET released = true")
    until(lambda: len(answers(edge)) == 50, "the parked ones")
    consumer.stop()
    assert_each_tipped_once(edge, 50)
    positions = order_of(edge, "fan1")
    assert positions == sorted(positions)


def test_a_slow_database_pauses_fetching(edge: Edge, api_key: str) -> None:
    with edge.fresh.connect_admin(autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END $$"
        )
        admin.execute(
            "CREATE TRIGGER dawdle BEFORE INSERT ON receipts "
            "FOR EACH STATEMENT EXECUTE FUNCTION dawdle()"
        )
    poor = tip(0) | {"amount": 10_000}
    edge.send(
        COMMANDS,
        [
            edge.signed(COMMANDS, api_key, b"k%d" % (n % 9), poor | {"idempotency_key": f"p{n}"})
            for n in range(12_000)
        ],
    )
    consumer = edge.process("consume", "commands").start()
    edge.await_consumed("commands", 12_000)
    assert consumer.said("fetching pauses") and consumer.said("fetching goes on")
    assert not consumer.said("consumer interrupted")
    assert len(answers(edge)) == 12_000


def test_the_broker_and_postgresql_go_away_and_come_back(
    edge: Edge, api_key: str, own_broker: Broker
) -> None:
    consumer = edge.process("consume", "commands").start()
    edge.send(COMMANDS, tips(edge, 0, 100, api_key))
    edge.await_consumed("commands", 100)
    own_broker.kill()
    own_broker.start()
    edge.send(COMMANDS, tips(edge, 100, 100, api_key))
    edge.await_consumed("commands", 200)
    with edge.fresh.connect_admin(autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'tokenledger_app' AND application_name LIKE 'tokenledger-consume%'"
        )
    edge.send(COMMANDS, tips(edge, 200, 100, api_key))
    edge.await_consumed("commands", 300)
    assert_each_tipped_once(edge, 300)
    assert not consumer.ended()
    consumer.stop()


def test_a_topic_made_again_and_a_broker_restarted_empty_lose_and_double_nothing(
    edge: Edge, api_key: str, own_broker: Broker
) -> None:
    consumer = edge.process("consume", "commands").start()
    edge.send(COMMANDS, tips(edge, 0, 100, api_key))
    edge.await_consumed("commands", 100)
    admin = edge.admin()
    admin.delete_topics([edge.topic(COMMANDS)])
    admin.close()
    until(lambda: consumer.said("TopicMadeAnew"), "its notice of it")
    edge.make_topics()
    edge.send(COMMANDS, tips(edge, 50, 100, api_key))  # half of them for the second time
    until(lambda: len(answers(edge)) == 150, "the answers")

    own_broker.kill()
    own_broker.wipe()
    own_broker.start()
    edge.make_topics()
    edge.send(COMMANDS, tips(edge, 0, 200, api_key))
    until(lambda: len(answers(edge)) == 200, "the answers of the new broker")
    consumer.stop()
    assert_each_tipped_once(edge, 200)
