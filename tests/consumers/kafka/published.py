"""What the relay has published, against the log."""

from consumers.kafka.topics import EVENTS
from tests.consumers.kafka.edge import Edge, Message


def firsts(messages: list[Message]) -> list[Message]:
    """Each event where it stands first in its partition."""
    found: dict[int, Message] = {}
    for message in messages:
        found.setdefault(message.sequence, message)
    return list(found.values())


def assert_whole(edge: Edge) -> list[Message]:
    """The topic holds the log: every event, per key in order, copies equal byte for byte."""
    log = dict(edge.stage.rows())
    messages = edge.messages(EVENTS)
    assert {message.sequence for message in messages} == set(log)
    contents: dict[int, tuple[object, ...]] = {}
    last: dict[bytes | None, int] = {}
    for message in messages:
        assert message.value == log[message.sequence]
        assert contents.setdefault(message.sequence, message.content) == message.content
    for message in firsts(messages):
        assert last.get(message.key, 0) < message.sequence
        last[message.key] = message.sequence
    return messages
