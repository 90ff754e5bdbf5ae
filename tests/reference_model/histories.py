"""Random histories of all commands, decided as pure functions, under three eyes.

The auditor reckons every answer and account on its own; the witness holds every event against
what must always be; and a replay must end in the states that lived through it all.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.accounts import balanced
from domain.command import Decision, Ignored, Parked, Suspended
from domain.creators.creator import Creator
from domain.event import Event
from domain.rejections import Rejection
from domain.settlements.settlement import Break, BreakStatus
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import ASSETS, InMemoryBook, States
from tests.generators.commands import Drawn, anything
from tests.generators.sequences import Step, courses
from tests.generators.spending import POLICIES, Known, waits
from tests.reference_model.books import instant
from tests.reference_model.invariants import Witness
from tests.reference_model.model import Auditor
from tests.reference_model.reading import holds
from tests.reference_model.verdicts import Verdict

PAID = {"user": "ann", "package": "small", "price": 999, "processor": "stripe", "processor_ref": ""}


TIMES = ("expires_at", "bonus_expires_at", "lapses_at", "mature_at", "refund_until")


Sent = tuple[str, dict[str, Any], str]

#: What they lead to has the labels of what was sent at first.
DO_ANOTHERS = ("release-payment", "approve-proposal")


def told(events: tuple[Event, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Events as the log shows them: names and bodies."""
    return [(event.type, msgspec.json.decode(msgspec.json.encode(event))) for event in events]


def outcome_of(decision: Decision) -> tuple[str, str | None, dict[str, Any]]:
    """(outcome, code, details) as a sender is told."""
    match decision:
        case Rejection():
            assert decision.detail
            return "rejected", decision.reason.code, decision.details
        case Suspended():
            return "suspended", decision.code, {}
        case Parked():
            return "parked", "AWAITING_REFERENT", {}
        case Ignored():
            return "ignored", decision.code, {}
    return ("accepted" if decision else "nothing"), None, {}


class Histories(RuleBasedStateMachine):
    """A book that lives in memory, with an inbox as simple as can be."""

    def __init__(self) -> None:
        super().__init__()
        self.world = InMemoryBook()
        self.auditor = Auditor("demo")
        self.witness = Witness()
        self.known = Known("demo")
        self.waiting: list[tuple[str, Sent]] = []
        self.times: set[datetime] = set()

    @initialize(policy=st.sampled_from(sorted(POLICIES)))
    def begin(self, policy: str) -> None:
        """A policy, and somebody with tokens who knows somebody verified."""
        since = {"body": POLICIES[policy], "effective_from": "1970-01-01T00:00:00Z"}
        self.send(("propose-policy", since, "amy"))
        self.send(("approve-policy", {"version": 1}, "bob"))
        for user in ("ann", "ben"):
            self.send(("record-purchase", {**PAID, "user": user}, "amy"))
        self.send(("verify-creator", {"creator": "carl", "verified": True}, "amy"))
        self.send(("set-payout-account", {"creator": "carl", "payouts_enabled": True}, "amy"))

    @rule(drawn=anything)
    def send(self, drawn: Drawn) -> None:
        """Something is sent, valid or not."""
        name, fields, actor = drawn
        self.decide((name, self.known.resolved(name, fields, self.world.now), actor))

    @rule(steps=courses)
    def run(self, steps: list[Step]) -> None:
        """One thing leads to another."""
        for name, fields, actor in steps:
            if name == "wait":
                self.wait(fields["seconds"])
            elif name == "on the dot":
                self.wait_for(0, 1)
            else:
                self.send((name, fields, actor))
            self.the_books_agree()

    @rule(seconds=waits)
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.world.later(seconds=seconds)
        self.auditor.now = self.world.now

    @rule(nth=st.integers(0, 30), ticks=st.sampled_from([0, 1, 2]))
    def wait_for(self, nth: int, ticks: int) -> None:
        """Something ends or falls due just now, a moment ago, or in a moment."""
        ahead = sorted(at for at in self.times if at > self.world.now)
        if ahead:
            at = ahead[nth % len(ahead)] - timedelta(microseconds=2 - ticks)
            self.world.now = max(self.world.now, at)
            self.auditor.now = self.world.now

    def decide(self, sent: Sent) -> None:
        """Decide, compare with the auditor, let it happen, and then what had waited for it.

        As on the write path, no two commands are decided at the same moment.
        """
        name, fields, actor = sent
        self.world.later(microseconds=1)
        before = dict(self.world.states)
        decision = self.world.decide(name, actor, **fields)
        assert self.world.states == before, "a decision changed something"
        outcome, code, details = outcome_of(decision)
        happened = decision.events if isinstance(decision, Suspended | Ignored) else decision
        events = happened if isinstance(happened, tuple) else ()
        verdict = self.verdict(sent, events)
        bodies = [body for _, body in told(events)]
        holds(verdict, outcome, code, details=details, bodies=bodies)
        if isinstance(decision, Parked):
            self.waiting.append((decision.awaits, sent))
        self.happen(events, sent)

    def verdict(self, sent: Sent, events: tuple[Event, ...]) -> Verdict:
        """What the auditor says."""
        name, fields, actor = sent
        return self.auditor.hears(
            name,
            fields,
            now=self.world.now,
            new_id=self.world.last_id,
            actor=actor,
            told=told(events),
        )

    def happen(self, events: tuple[Event, ...], sent: Sent) -> None:
        """Events have happened: what awaited one of their tags is decided again."""
        for event, (kind, body) in zip(self.world.record(*events), told(events), strict=True):
            self.known.learn(body)
            self.times |= {instant(body[name]) for name in TIMES if body.get(name)}
            self.witness.sees(kind, body, balanced(event.postings(ASSETS)))
            if sent[0] not in DO_ANOTHERS:
                own = sent[1].get("labels", {})
                self.witness.finds_labels(kind, body, event.labels, own)
        if events:
            self.witness.finds_all_tax_documented()
        tags = {tag for event in events for tag in event.tags()}
        due = [sent for awaits, sent in self.waiting if awaits in tags]
        self.waiting = [one for one in self.waiting if one[0] not in tags]
        for sent in due:
            self.decide(sent)

    @invariant()
    def the_books_agree(self) -> None:
        """Every account, and the states that decisions are made on."""
        ours, theirs = self.witness.accounts, self.auditor.accounts
        assert {k: v for k, v in ours.items() if v} == {k: v for k, v in theirs.items() if v}
        assert -ours["deferred", "USD"] == self.auditor.deferred()
        for key, state in self.world.states.items():
            name = key.partition(":")[2]
            if isinstance(state, Wallet):
                assert state.spendable(self.world.now) == self.auditor.wallet(name)
                assert state.debt == ours[f"fan_debt.{name}", "USD"]
            if isinstance(state, Creator):
                assert state.available == -ours[f"cr.{name}.available", "USD"]
                assert state.pending == -ours[f"cr.{name}.pending", "USD"]
                assert state.reserved == -ours[f"cr.{name}.reserved", "USD"]
                assert state.in_payout == -ours[f"cr.{name}.payout", "USD"]
            if isinstance(state, Break) and state.status is not None:
                assert self.auditor.tells_of(name) == (
                    state.code if state.status == BreakStatus.OPEN else None,
                    state.difference if state.status == BreakStatus.OPEN else 0,
                    state.owner,
                )

    def teardown(self) -> None:
        """A replay of the history ends in the states that lived through it."""
        replayed = InMemoryBook()
        replayed.states = States()
        replayed.record(*self.world.history)
        assert replayed.states == self.world.states
