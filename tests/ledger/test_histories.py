"""Random histories on the real write path: two writers, batches, duplicates and restarts."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from ledger.postgres.database import Database
from tests.ledger.history_machine import Histories


def test_random_histories_satisfy_the_auditor(database: Database) -> None:
    class Here(Histories):
        pass

    Here.database = database
    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=20, stateful_step_count=20, deadline=None, print_blob=True),
    )
