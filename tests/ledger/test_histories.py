"""Random histories on the real write path: two writers, batches, duplicates and restarts."""

import itertools
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from ledger.books import create_book
from ledger.database import Database
from ledger.request import Answer
from ledger.verify import verify_log, verify_snapshots
from ledger.writer import Writer
from tests.anything import POLICY, commands
from tests.conftest import FreshBook
from tests.ledger.auditing import audit
from tests.scenarios.platform import Platform
from tests.scenarios.words import Sent, policy

_numbers = itertools.count(1)
which = st.integers(0, 1)


class Histories(RuleBasedStateMachine):
    """A book with two writers, one of which can hold next to nothing in memory."""

    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        doors = self.database
        book = create_book(
            doors.admin_url, f"History-{next(_numbers)}", currency="USD", time_zone="UTC"
        )
        self.platform = Platform(FreshBook(book, doors.service_url, doors.admin_url))
        self.outcomes: list[tuple[Sent, Answer]] = []
        self.writers: list[Writer] = []
        self.start()
        self.platform.given(policy(POLICY))

    def start(self) -> None:
        """Two writers that know nothing yet."""
        few = {"cache_entities": 4}
        self.writers = [self.platform.another_writer(), self.platform.another_writer(**few)]

    @rule(sent=st.lists(commands, min_size=1, max_size=12), writer=which)
    def send(self, sent: list[tuple[str, dict[str, Any]]], writer: int) -> None:
        """A batch of commands, valid and not."""
        batch = [self.unique(name, fields) for name, fields in sent]
        answers = self.writers[writer].write([self.platform.request(each) for each in batch])
        self.outcomes += zip(batch, answers, strict=True)

    def unique(self, name: str, fields: dict[str, Any]) -> Sent:
        """A command with a key, and a payment's reference, of its own."""
        number = next(_numbers)
        if "processor_ref" in fields:
            fields = {**fields, "processor_ref": f"ref-{number}"}
        return Sent(name, fields, key=f"key-{number}")

    @rule(writer=which, draw=st.data())
    def repeat(self, writer: int, draw: st.DataObject) -> None:
        """Something sent before comes again: the same bytes, and nothing happens."""
        if not self.outcomes:
            return
        sent, first = draw.draw(st.sampled_from(self.outcomes))
        before = len(self.platform.rows())
        (again,) = self.writers[writer].write([self.platform.request(sent)])
        assert (again.status, again.body, again.replayed) == (first.status, first.body, True)
        assert len(self.platform.rows()) == before

    @rule()
    def restart(self) -> None:
        """Both processes end and start again."""
        self.platform.close()
        self.start()

    def teardown(self) -> None:
        """The auditor agrees with every answer and every account; the log verifies."""
        self.platform.close()
        self.platform.check()
        audit(self.platform, self.outcomes)
        with self.platform.fresh.connect(autocommit=True) as connection:
            assert not [*verify_log(connection, self.platform.book), *verify_snapshots(connection)]


def test_random_histories_satisfy_the_auditor(database: Database) -> None:
    class Here(Histories):
        pass

    Here.database = database
    run_state_machine_as_test(
        Here, settings=settings(max_examples=12, stateful_step_count=20, deadline=None)
    )
