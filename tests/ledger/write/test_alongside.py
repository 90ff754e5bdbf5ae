"""What a caller writes along with its group commits with it, or neither does."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import NoReturn

import pytest

from ledger.postgres.database import Connection
from ledger.write.answer import Answer
from ledger.write.group import Alongside, Group
from ledger.write.writer import NotWritten, Outcome
from tests.scenarios.platform import Platform
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, policy, purchase, tip, wallet


@pytest.fixture(autouse=True)
def _noted(platform: Platform) -> None:
    platform.given(policy(MICRO_UNLOCK), purchase("small", price=999, ref="first"))
    with platform.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("CREATE TABLE notes (note text)")
        admin.execute("GRANT SELECT, INSERT ON notes TO tokenledger_app")


def noting(text: str) -> Alongside:
    def note(connection: Connection, answers: Sequence[Answer]) -> None:
        connection.execute("INSERT INTO notes VALUES (%s)", [f"{text} {answers[0].status}"])

    return note


def vetoing(_connection: Connection, _answers: Sequence[Answer]) -> NoReturn:
    raise LookupError("not this one")


def submit(platform: Platform, alongside: Alongside | None, *sent: Sent) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    requests = [platform.request(each) for each in sent]
    platform.writer.submit(Group(requests, alongside=alongside), future.set_result)
    return future


def notes(platform: Platform) -> list[str]:
    with platform.fresh.connect() as connection:
        return [note for (note,) in connection.execute("SELECT note FROM notes ORDER BY note")]


def test_it_sees_the_answers_and_commits_with_them(platform: Platform) -> None:
    submit(platform, noting("tip"), tip(5)).result()
    assert notes(platform) == ["tip 201"]
    platform.then(wallet(1_095))


def test_it_commits_where_the_group_has_nothing_new(platform: Platform) -> None:
    submit(platform, noting("first"), tip(5, key="once")).result()
    submit(platform, noting("again"), tip(5, key="once")).result()
    assert notes(platform) == ["again 201", "first 201"]
    platform.then(wallet(1_095))


def test_a_veto_takes_its_own_group_back_and_no_other(platform: Platform) -> None:
    with platform.fresh.connect() as blocker:
        blocker.execute("SELECT FROM head FOR UPDATE")  # so that all wait for one batch
        first = submit(platform, noting("before"), tip(1))
        vetoed = submit(platform, vetoing, tip(10), tip(20))
        last = submit(platform, noting("after"), tip(2))
    assert isinstance(first.result(), list)
    assert isinstance(last.result(), list)
    outcome = vetoed.result()
    assert isinstance(outcome, NotWritten)
    assert isinstance(outcome.error, LookupError)
    assert notes(platform) == ["after 201", "before 201"]
    platform.then(wallet(1_097))
