"""Random histories on the real write path: two writers, batches, duplicates and restarts."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from domain.command import COMMANDS
from ledger.books import create_book
from ledger.postgres.database import Database
from ledger.scheduling.agenda import SCHEDULER
from ledger.verification.log import verify_log
from ledger.verification.snapshots import verify_snapshots
from ledger.write.answer import Answer
from ledger.write.writer import Writer
from tests.conftest import FreshBook
from tests.generators.commands import Drawn, anything
from tests.generators.sequences import Step, courses
from tests.generators.spending import POLICIES, Known, waits
from tests.ledger.random_histories import after, audit
from tests.ledger.states import cached, replayed
from tests.scenarios.steps import Sent, grant, policy
from tests.scenarios.write_path import WritePath

_numbers = itertools.count(1)
which = st.integers(0, 1)
SOMEBODY = {"subject": "dan", "kind": "wallet", "scope": "SPEND", "reason_code": "REVIEW"}


def role_of(command: str) -> str:
    """A role that may send it."""
    roles = COMMANDS[command].roles
    return "service" if "service" in roles else min(roles)


class Histories(RuleBasedStateMachine):
    """A book with two writers, one of which can hold next to nothing in memory."""

    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        doors = self.database
        name = f"History-{next(_numbers)}"
        book = create_book(doors.admin_url, name, currency="USD", time_zone="UTC")
        self.stage = WritePath(FreshBook(book, doors.service_url, doors.admin_url))
        self.known = Known(name)
        self.outcomes: list[tuple[Sent, Answer]] = []
        self.writers: list[Writer] = []
        self.start()

    @initialize(name=st.sampled_from(sorted(POLICIES)))
    def begin(self, name: str) -> None:
        """A policy."""
        self.stage.given(policy(POLICIES[name]))

    def start(self) -> None:
        """Two writers that know nothing yet."""
        few = {"cache_entities": 4}
        self.writers = [self.stage.another_writer(), self.stage.another_writer(**few)]

    @rule(drawn=st.lists(anything, min_size=1, max_size=12), writer=which)
    def send(self, drawn: list[Drawn], writer: int) -> None:
        """A batch of commands, valid and not."""
        now = self.moment()
        self.write([self.named(*one, now) for one in drawn], writer)

    @rule(drawn=st.lists(anything, min_size=2, max_size=16))
    def send_at_once(self, drawn: list[Drawn]) -> None:
        """Two processes at the same time, one command after the other: some order comes of it."""
        now = self.moment()
        sent = [self.named(*one, now) for one in drawn]
        with ThreadPoolExecutor(2) as pool:
            halves = [pool.submit(self.one_by_one, sent[nth::2], nth) for nth in (0, 1)]
            for half in halves:
                self.outcomes += half.result()
        self.learn()

    def one_by_one(self, sent: list[Sent], writer: int) -> list[tuple[Sent, Answer]]:
        """Each in a transaction of its own."""
        found = []
        for each in sent:
            (answer,) = self.writers[writer].write([self.stage.request(each)])
            found.append((each, answer))
        return found

    def moment(self) -> datetime:
        """A time just after all that has happened."""
        entries = self.stage.entries()
        return after(entries, len(entries))

    def named(self, name: str, fields: dict[str, Any], actor: str, now: datetime) -> Sent:
        """A command with its references resolved and a key of its own."""
        fields = self.known.resolved(name, fields, now)
        return Sent(name, fields, role_of(name), actor, key=f"key-{next(_numbers)}")

    def write(self, batch: list[Sent], writer: int) -> None:
        """Through the sequencer; what it made can be referred to."""
        answers = self.writers[writer].write([self.stage.request(each) for each in batch])
        self.outcomes += zip(batch, answers, strict=True)
        self.learn()

    def learn(self) -> None:
        """What was made can be referred to."""
        for entry in self.stage.entries():
            self.known.learn(msgspec.json.decode(entry.body))

    @rule(steps=courses, writer=which)
    def run(self, steps: list[Step], writer: int) -> None:
        """One thing leads to another; the database's clock strikes no instant exactly."""
        for name, fields, actor in steps:
            if name == "wait":
                self.wait(fields["seconds"])
            elif name != "on the dot":
                self.send([(name, fields, actor)], writer)

    @rule(seconds=waits)
    def wait(self, seconds: int) -> None:
        """Time passes; an event says so to whoever reads the log."""
        self.stage.later(seconds=seconds)
        tick = Sent("grant-promo", grant(1, user="clock").fields, key=f"tick-{next(_numbers)}")
        self.write([tick], 0)

    @rule(writer=which, draw=st.data())
    def repeat(self, writer: int, draw: st.DataObject) -> None:
        """Something sent before comes again: the same bytes, and nothing happens."""
        remembered = [one for one in self.outcomes if one[0].role != SCHEDULER]
        if not remembered:
            return
        sent, first = draw.draw(st.sampled_from(remembered))
        before = len(self.stage.rows())
        (again,) = self.writers[writer].write([self.stage.request(sent)])
        assert (again.status, again.body, again.replayed) == (first.status, first.body, True)
        assert len(self.stage.rows()) == before

    @rule()
    def restart(self) -> None:
        """Both processes end and start again."""
        self.stage.close()
        self.start()

    def teardown(self) -> None:
        """The auditor agrees with every answer and every account; the log verifies.

        What both processes hold in memory is the replay of the log.
        """
        for writer in (0, 1):
            self.write([Sent("freeze", SOMEBODY, key=f"key-{next(_numbers)}")], writer)
        live = [cached(writer) for writer in self.writers]
        self.stage.close()
        states = replayed(self.stage)
        for states_in_memory in live:
            assert states_in_memory == {key: states[key] for key in states_in_memory}
        self.stage.check()
        audit(self.stage, self.outcomes)
        with self.stage.fresh.connect(autocommit=True) as connection:
            wrong = [*verify_log(connection, self.stage.book), *verify_snapshots(connection)]
            assert not wrong, wrong
