"""Random histories of all commands, decided as pure functions, under three eyes."""

from domain.command import COMMANDS
from tests.generators.commands import FIELDS
from tests.reference_model.histories import Histories
from tests.reference_model.model import Auditor
from tests.support.examples import examples

TestHistories = Histories.TestCase
TestHistories.settings = examples(300, stateful_step_count=50)


def test_every_command_is_in_the_random_histories_and_known_to_the_auditor() -> None:
    missing = set(COMMANDS) - set(FIELDS)
    assert not missing, f"teach tests/generators/commands.py {sorted(missing)}"
    assert set(FIELDS) <= set(COMMANDS)
    assert all(Auditor("demo").knows(name) for name in COMMANDS)
