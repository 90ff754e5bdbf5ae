"""Random histories of settlements alone, dense enough that lines often add up, under three eyes."""

from hypothesis.stateful import rule

from tests.generators.commands import Drawn
from tests.generators.sequences import Step
from tests.generators.settlements import settling
from tests.reference_model.histories import Histories
from tests.support.examples import examples


class SettlementHistories(Histories):
    """Card payments, what becomes of them, files that tell of them, and people who decide."""

    @rule(drawn=settling)
    def send(self, drawn: Drawn) -> None:
        """Something is sent, valid or not."""
        name, fields, actor = drawn
        self.decide((name, self.known.resolved(name, fields, self.world.now), actor))

    def run(self, steps: list[Step]) -> None:
        """Nothing else happens in between."""

    def wait(self, seconds: int) -> None:
        """It is always the same day."""

    def wait_for(self, nth: int, ticks: int) -> None:
        """Nothing ends by itself."""


TestSettlementHistories = SettlementHistories.TestCase
TestSettlementHistories.settings = examples(120, stateful_step_count=60)
