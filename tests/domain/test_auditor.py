"""Random histories, decided as pure functions and by the auditor: both must say the same."""

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.command import COMMANDS, Decision, Parked, Suspended
from domain.rejections import Rejection
from domain.selling import SaleCommand
from domain.wallet import Wallet
from tests.anything import FIELDS, POLICY, commands
from tests.auditor import Auditor, Verdict
from tests.domain.world import ASSETS, States, World


def agrees(decision: Decision, verdict: Verdict) -> None:
    """The decision is the verdict's, to the cent."""
    if isinstance(decision, Rejection):
        assert (verdict.outcome, verdict.code) == ("rejected", decision.reason.code)
        shown: dict[str, Any] = decision.details
    elif isinstance(decision, Suspended):
        assert (verdict.outcome, verdict.code) == ("suspended", decision.code)
        return
    elif isinstance(decision, Parked):
        raise AssertionError("nothing here waits for anything")
    elif not decision:
        assert verdict.outcome == "nothing"
        return
    else:
        assert verdict.outcome == "accepted", verdict
        (event,) = decision
        shown = {name: getattr(event, name) for name in verdict.numbers}
    assert {name: shown[name] for name in verdict.numbers} == verdict.numbers


class Histories(RuleBasedStateMachine):
    """A book that lives in memory, and the auditor's own accounts."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(POLICY)
        self.auditor = Auditor(POLICY, "demo")
        self.posted: Counter[tuple[str, str]] = Counter()

    @rule(sent=commands)
    def send(self, sent: tuple[str, dict[str, Any]]) -> None:
        """Something is sent, valid or not."""
        name, fields = sent
        decision = self.world.when(name, **fields)
        agrees(decision, self.auditor.hears(name, fields))
        if isinstance(decision, Rejection | Parked):
            return
        happened = decision.events if isinstance(decision, Suspended) else decision
        for event in self.world.given(*happened):
            for account, asset, amount in event.postings(ASSETS):
                self.posted[account, asset] += amount

    @invariant()
    def the_books_agree(self) -> None:
        """Every account, and the wallets that decisions are made on."""
        assert +self.posted == +self.auditor.accounts
        assert -self.posted == -self.auditor.accounts
        for user in ("ann", "ben", "cid"):
            held = self.world.states[f"wallet:{user}"]
            assert isinstance(held, Wallet)
            assert held.spendable(self.world.now) == self.auditor.wallet(user) >= 0

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        """Each asset sums to zero; what is deferred is what unspent tokens were sold for."""
        totals: Counter[str] = Counter()
        for (_, asset), amount in self.posted.items():
            totals[asset] += amount
        assert not any(totals.values())
        unreleased = sum(
            lot.price - lot.price * lot.consumed // lot.tokens
            for state in self.world.states.values()
            if isinstance(state, Wallet)
            for lot in state.lots
        )
        assert -self.posted["deferred", "USD"] == unreleased

    def teardown(self) -> None:
        """A replay of the history ends in the states that lived through it."""
        replayed = World()
        replayed.states = States()
        replayed.given(*self.world.history)
        assert replayed.states == self.world.states


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_whatever_sells_for_tokens_or_by_card_is_in_the_random_histories() -> None:
    sells = {name for name, kind in COMMANDS.items() if issubclass(kind, SaleCommand)}
    assert sells <= set(FIELDS), "teach tests/anything.py and tests/auditor.py the new command"
    assert set(FIELDS) <= set(COMMANDS)
