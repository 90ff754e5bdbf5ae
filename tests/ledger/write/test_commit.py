"""What COMMIT proves, and when a replay needs one of its own.

With two servers, of which one is lost: tests/faults/test_standby.py.
"""

import pytest

from ledger.write.commit import OutcomeUnknown, commit
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, grant, policy
from tests.scenarios.write_path import WritePath


@pytest.fixture(autouse=True)
def _policy(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK))


def commits(stage: WritePath) -> int:
    with stage.fresh.connect() as connection:
        row = connection.execute("SELECT commits FROM head").fetchone()
    assert row is not None
    return int(row[0])


def more_commits(stage: WritePath, sent: Sent) -> int:
    """How many commits a replay takes."""
    before, head = commits(stage), len(stage.rows())
    outcome = stage.send(sent)
    assert (outcome.status, outcome.replayed, len(stage.rows())) == (201, True, head)
    return commits(stage) - before


def test_a_replay_of_what_this_connection_has_seen_confirmed_takes_no_commit(
    stage: WritePath,
) -> None:
    sent = Sent("grant-promo", grant(7).fields, key="once")
    stage.given(sent)
    assert more_commits(stage, sent) == 0


def test_over_another_connection_a_replay_is_confirmed_once(stage: WritePath) -> None:
    sent = Sent("grant-promo", grant(7).fields, key="once")
    stage.given(sent)
    stage.restart()
    assert [more_commits(stage, sent), more_commits(stage, sent)] == [1, 0]


def test_what_another_process_has_committed_since_is_confirmed(stage: WritePath) -> None:
    sent = Sent("grant-promo", grant(7).fields, key="once")
    stage.given(sent)
    stage.send(grant(1), stage.another_writer())
    assert [more_commits(stage, sent), more_commits(stage, sent)] == [1, 0]


def test_a_warning_on_commit_means_that_the_outcome_is_unknown(stage: WritePath) -> None:
    with stage.fresh.connect(autocommit=True) as connection:
        connection.execute("BEGIN")
        commit(connection, [])
        with pytest.raises(OutcomeUnknown, match="no transaction in progress"):
            commit(connection, [])
        connection.execute("DO $$ BEGIN RAISE WARNING 'heard by nobody any more'; END $$")
