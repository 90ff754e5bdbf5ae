"""Tiers against a plain recount: random histories of all commands, at random times afterwards."""

from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from domain.tiers.tier import TierChanged
from ledger.postgres.database import Database
from ledger.write.answer import Answer
from projections import queries
from projections.rebuild import rebuild
from projections.tier_changes import due_changes
from tests.ledger.history_machine import Histories
from tests.ledger.random_histories import audit
from tests.projections.following import follow
from tests.scenarios.steps import Sent
from tests.scenarios.write_path import WritePath
from tests.support.examples import examples

PEOPLE = ("ann", "ben", "cid")
TURNS_MAX = 12


class TierHistories(Histories):
    """Whatever happens, each tier is what the auditor makes of the sales themselves."""

    def write(self, batch: list[Sent], writer: int) -> None:
        """Tiers are not made up here: what changes them was read."""
        super().write([one for one in batch if one.command != "change-tier"], writer)

    def one_by_one(self, sent: list[Sent], writer: int) -> list[tuple[Sent, Answer]]:
        """Nor here."""
        return super().one_by_one([one for one in sent if one.command != "change-tier"], writer)

    @rule(days=st.sampled_from([0.5, 1, 2.9, 3, 27, 29.5, 30]))
    def days_pass(self, days: float) -> None:
        """Sales become older."""
        self.wait(int(days * 86_400))

    @rule()
    def turn(self) -> None:
        """The scheduler takes a turn."""
        super().write(due(self.stage), 0)

    def teardown(self) -> None:
        """Now, and as days go by in which nothing happens."""
        stage = self.stage
        super().teardown()
        auditor = audit(stage, self.outcomes)
        for days in (0.0, 1.1, 2.2, 27.5, 1.6):
            stage.later(days=days, seconds=2)
            settle(stage)
            now, tiers = moment(stage), held(stage)
            with stage.fresh.connect(autocommit=True) as connection:
                for user in PEOPLE:
                    shown = queries.tier(connection, user, "USD", now)
                    assert shown["spend"] == auditor.spend(user, now), (user, now)
                    assert shown["status"] == tiers.get(user, "NEW")
                    if ("wallet", user) not in auditor.erased:
                        assert shown["status"] == auditor.tier_at(user, now), (user, now)
        stage.close()
        for found in rebuild(self.database, stage.book, ["tiers"]):
            assert (found.compared, found.differences) == (True, ())


def due(stage: WritePath) -> list[Sent]:
    """What a scheduler would send once the read model has followed."""
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        found = due_changes(connection, stage.book, 100)
    return [
        Sent(
            "change-tier",
            one.request.command.model_dump(mode="json", exclude_unset=True),
            "scheduler",
        )
        for one in found.changes
    ]


def settle(stage: WritePath) -> None:
    """The scheduler takes turns until nothing is due."""
    for _ in range(TURNS_MAX):
        changes = due(stage)
        if not changes:
            return
        stage.writer.write([stage.request(each) for each in changes])
    raise AssertionError("there is always something due")


def moment(stage: WritePath) -> datetime:
    """The time up to which all is settled in the book."""
    with stage.fresh.connect(autocommit=True) as connection:
        row = connection.execute("SELECT recorded_at FROM head").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now - timedelta(seconds=1)


def held(stage: WritePath) -> dict[str, str]:
    """The tiers of the last events."""
    events = (entry.event() for entry in stage.entries())
    return {one.user: one.tier for one in events if isinstance(one, TierChanged)}


def test_tiers_are_a_plain_recount_whatever_happens(database: Database) -> None:
    class Here(TierHistories):
        pass

    Here.database = database
    run_state_machine_as_test(Here, settings=examples(12, stateful_step_count=15))
