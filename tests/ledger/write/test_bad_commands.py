"""One bad command costs only itself: what everybody else had in memory stays there."""

from collections.abc import Sequence
from typing import NoReturn

import pytest

from ledger.postgres.database import Connection
from ledger.write.answer import Answer
from ledger.write.group import Group
from ledger.write.submission import Outcome
from tests.ledger.states import cached, replayed
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, grant, policy, tip
from tests.scenarios.write_path import WritePath

CROWD = 100


@pytest.fixture(autouse=True)
def _crowd(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK))
    fans = [stage.request(grant(9, user=f"fan-{n}")) for n in range(CROWD)]
    stage.writer.write(fans)


def huge() -> Sent:
    packages = {f"package-{n:05}": {"tokens": 1, "price": 999} for n in range(2_000)}
    fields = {
        "body": {**MICRO_UNLOCK, "packages": packages},
        "effective_from": "2026-01-01T00:00:00Z",
    }
    return Sent("propose-policy", fields, "admin", "alice")


def assert_in_memory_as_in_the_log(stage: WritePath) -> None:
    truth = replayed(stage)
    held = cached(stage.writer)
    assert held == {key: truth[key] for key in held}


def test_an_entry_that_is_too_large_empties_no_cache(stage: WritePath) -> None:
    before = cached(stage.writer)
    crowd = [stage.request(each) for each in (tip(1, user="fan-1"), huge(), tip(2, user="fan-2"))]
    assert [answer.status for answer in stage.writer.write(crowd)] == [201, 413, 201]
    assert cached(stage.writer).keys() >= before.keys()
    assert_in_memory_as_in_the_log(stage)


def test_what_is_taken_back_after_it_was_handed_over_is_forgotten_alone(stage: WritePath) -> None:
    def veto(_connection: Connection, _answers: Sequence[Answer]) -> NoReturn:
        raise LookupError("not this one")

    before = cached(stage.writer)
    outcomes: list[Outcome] = []
    spent = [stage.request(tip(1, user="fan-1")) for _ in range(5)]
    stage.writer.submit(Group(spent, alongside=veto), outcomes.append)
    stage.writer.write([])
    assert not isinstance(outcomes[0], list)
    after = cached(stage.writer)
    assert len(after) >= len(before) - 3, "its fan, its creator, and what it tells the agenda"
    assert "wallet:fan-1" not in after
    assert_in_memory_as_in_the_log(stage)
    assert stage.send(tip(9, user="fan-1")).status == 201


def test_snapshots_of_what_is_taken_back_are_not_written(stage: WritePath) -> None:
    """A hundred events of one entity make a snapshot due before COMMIT."""

    def veto(_connection: Connection, _answers: Sequence[Answer]) -> NoReturn:
        raise LookupError("not this one")

    outcomes: list[Outcome] = []
    granted = [stage.request(grant(1, user="fan-1")) for _ in range(150)]
    stage.writer.submit(Group(granted, alongside=veto), outcomes.append)
    stage.writer.write([])
    stage.restart()
    with stage.fresh.connect() as connection:
        last = connection.execute("SELECT position FROM head").fetchone()
        late = connection.execute("SELECT max(position) FROM snapshots").fetchone()
    assert last is not None and late is not None and (late[0] or 0) <= last[0]
    assert stage.send(tip(10, user="fan-1")).code == "INSUFFICIENT_TOKENS"
