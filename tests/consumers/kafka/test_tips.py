"""Tips as messy as real ones go in by topic, out by topic, and into a second database."""

from collections import Counter

import pytest

from api.cli.books import profile_document
from api.simulation.sample_tips import Shape, tip_rows
from consumers.kafka.topics import COMMANDS, EVENTS
from ledger.postgres import embedded
from projections import queries
from tests.consumers.kafka.copies import copied, member, rows
from tests.consumers.kafka.edge import Edge
from tests.projections.following import follow

TIPS = list(tip_rows(Shape(rows=1_500, senders=40, recipients=150, repeat_every=50), seed=7))


def commands() -> list[tuple[str, dict[str, object]]]:
    """A grant of what each sender needs, then the tips; a repeated row has the same key."""
    needed: Counter[str] = Counter()
    sent: list[tuple[str, dict[str, object]]] = []
    for reference, at, sender, recipient, units, *_ in TIPS:
        needed[sender] += int(units)
        tip = {"command": "send-tip", "idempotency_key": reference, "user": sender}
        rest = {"creator": recipient, "funding": "TOKEN", "amount": int(units), "occurred_at": at}
        sent.append((sender, {**tip, **rest}))
    grants: list[tuple[str, dict[str, object]]] = []
    for sender, units in needed.items():
        grant = {"command": "grant-promo", "idempotency_key": f"grant-{sender}", "user": sender}
        grants.append((sender, {**grant, "tokens": units, "reason_code": "REPLAY"}))
    return grants + sent


@pytest.mark.parametrize("document", [profile_document("tips")])
def test_tips_travel_through_both_edges_into_another_database(
    edge: Edge, elsewhere: embedded.Server
) -> None:
    edge.make_topics()
    edge.process("relay").start()
    consumer = edge.process("consume", "commands").start()
    member(edge, elsewhere).start()
    api_key, sent = edge.key(), commands()
    edge.send(
        COMMANDS,
        [edge.signed(COMMANDS, api_key, sender.encode(), body) for sender, body in sent],
    )
    edge.await_consumed("commands", len(sent))
    edge.await_published()
    consumer.stop()
    assert len({message.sequence for message in edge.messages(EVENTS)}) == edge.head()

    earned: Counter[str] = Counter()
    for _, _, sender, recipient, units, *_ in {row[0]: row for row in TIPS}.values():
        if sender != recipient:
            earned[recipient] += int(units)
    copy = copied(edge, elsewhere)
    follow(edge.fresh)
    assert rows(copy) == rows(edge.fresh)
    with copy.connect(autocommit=True) as connection:
        for creator, amount in earned.items():
            found = queries.earnings(connection, creator, "USD")
            assert found["available"] == found["lifetime_earned"] == amount
