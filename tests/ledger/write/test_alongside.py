"""What a caller writes along with its group commits with it, or neither does."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import NoReturn

import pytest

from ledger.postgres.database import Connection
from ledger.write.answer import Answer
from ledger.write.group import Alongside, Group
from ledger.write.submission import Outcome
from ledger.write.unavailable import NotWritten
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, policy, purchase, tip, wallet
from tests.scenarios.write_path import WritePath


@pytest.fixture(autouse=True)
def _noted(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), purchase("small", price=999, ref="first"))
    with stage.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("CREATE TABLE notes (note text)")
        admin.execute("GRANT SELECT, INSERT ON notes TO tokenledger_app")


def noting(text: str) -> Alongside:
    def note(connection: Connection, answers: Sequence[Answer]) -> None:
        connection.execute("INSERT INTO notes VALUES (%s)", [f"{text} {answers[0].status}"])

    return note


def vetoing(_connection: Connection, _answers: Sequence[Answer]) -> NoReturn:
    raise LookupError("not this one")


def submit(stage: WritePath, alongside: Alongside | None, *sent: Sent) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    requests = [stage.request(each) for each in sent]
    stage.writer.submit(Group(requests, alongside=alongside), future.set_result)
    return future


def notes(stage: WritePath) -> list[str]:
    with stage.fresh.connect() as connection:
        return [note for (note,) in connection.execute("SELECT note FROM notes ORDER BY note")]


def test_it_sees_the_answers_and_commits_with_them(stage: WritePath) -> None:
    submit(stage, noting("tip"), tip(5)).result()
    assert notes(stage) == ["tip 201"]
    stage.then(wallet(1_095))


def test_it_commits_where_the_group_has_nothing_new(stage: WritePath) -> None:
    submit(stage, noting("first"), tip(5, key="once")).result()
    submit(stage, noting("again"), tip(5, key="once")).result()
    assert notes(stage) == ["again 201", "first 201"]
    stage.then(wallet(1_095))


def test_a_veto_takes_its_own_group_back_and_no_other(stage: WritePath) -> None:
    with stage.fresh.connect() as blocker:
        blocker.execute("SELECT FROM head FOR UPDATE")  # so that all wait for one batch
        first = submit(stage, noting("before"), tip(1))
        vetoed = submit(stage, vetoing, tip(10), tip(20))
        last = submit(stage, noting("after"), tip(2))
    assert isinstance(first.result(), list)
    assert isinstance(last.result(), list)
    outcome = vetoed.result()
    assert isinstance(outcome, NotWritten)
    assert isinstance(outcome.error, LookupError)
    assert notes(stage) == ["after 201", "before 201"]
    stage.then(wallet(1_097))
