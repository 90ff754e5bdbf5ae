"""Read models in another PostgreSQL, out of the topic alone, equal the local ones row for row."""

import threading

import pytest

from consumers.kafka.topics import EVENTS
from ledger.postgres import embedded
from tests.consumers.kafka.copies import copied, member, rows
from tests.consumers.kafka.edge import Edge
from tests.projections.following import follow
from tests.projections.full_history import live_through
from tests.scenarios.steps import grant, tip


@pytest.mark.parametrize("document", [{}])
def test_everything_that_can_happen_is_there_row_for_row(
    edge: Edge, elsewhere: embedded.Server
) -> None:
    live_through(edge.stage)
    edge.process("relay").start()
    members = [member(edge, elsewhere).start()]
    edge.await_published()
    copy = copied(edge, elsewhere)
    members.append(member(edge, elsewhere).start())
    follow(edge.fresh)
    assert rows(copy) == rows(edge.fresh)
    with copy.connect(autocommit=True) as connection:
        there = connection.execute("SELECT position, data FROM events ORDER BY position").fetchall()
    assert there == edge.stage.rows()

    edge.send_again(EVENTS)
    edge.stage.given(grant(10, user="late"))
    edge.await_published()
    copy = copied(edge, elsewhere)
    follow(edge.fresh)
    assert rows(copy) == rows(edge.fresh)


@pytest.mark.parametrize("point", ["before_commit", "after_commit"])
def test_two_members_share_one_is_killed_and_another_comes(
    edge: Edge, elsewhere: embedded.Server, point: str
) -> None:
    edge.stage.given(*[grant(1_000, user=f"fan{n}") for n in range(20)])
    edge.process("relay").start()
    first = member(edge, elsewhere).start(f"{point}:SIGKILL")
    second = member(edge, elsewhere).start()
    third = None
    for n in range(1_000):
        requests = [edge.stage.request(tip(1, user=f"fan{m}")) for m in range(20)]
        edge.stage.writer.write(requests)
        if first.ended() and third is None:
            third = member(edge, elsewhere).start()
        if third is not None and n > 40:
            break
        threading.Event().wait(0.05)
    assert third is not None, "the failpoint was never passed"
    edge.await_published()
    copy = copied(edge, elsewhere)
    follow(edge.fresh)
    assert rows(copy) == rows(edge.fresh)
    second.stop()
    edge.stage.given(grant(10, user="late"))
    edge.await_published()
    copy = copied(edge, elsewhere)  # by the one that was added
    follow(edge.fresh)
    assert rows(copy) == rows(edge.fresh)
    third.stop()
