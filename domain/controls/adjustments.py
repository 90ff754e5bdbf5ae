"""Adjustments: postings that no other command makes, proposed by one person, approved by another.

Nothing in the log is ever changed; what was wrong is put right by a new event with its reason and
the hash of its evidence. An adjustment is checked when proposed and again when approved, because
balances, lots and open days may have changed in between.
"""

from collections.abc import Iterable
from datetime import date
from itertools import chain
from typing import Annotated

from msgspec import field
from msgspec.structs import replace
from pydantic import Field

from domain import people
from domain.accounts import Assets, Posting
from domain.command import Command, Decision, Given, command
from domain.controls import adjustment_postings as corrections
from domain.controls.adjustment_postings import Effect
from domain.controls.periods import PERIODS, Day, Periods
from domain.controls.proposals import (
    P,
    ProposalApproved,
    ProposalCommand,
    ProposalEvent,
    ProposalRejected,
    ProposalStatus,
    Proposed,
    transitions,
)
from domain.creators.creator import Creator, CreatorEvent
from domain.entity import LoadedStates, entity
from domain.event import Event, stored_as
from domain.fields import Code, Id
from domain.money import AMOUNT_MAX
from domain.payouts.payout import cancelled_by
from domain.rejections import (
    CLOCK_SKEW,
    UNKNOWN_ADJUSTMENT,
    Rejection,
    reject,
)
from domain.texts import Text, sealed
from domain.wallets.debts import settled
from domain.wallets.lot_changes import Cause, LotChange, changes_of
from domain.wallets.wallet import Lot, LotUse, Wallet, WalletEvent

LEGS_MAX = 100

Name = Annotated[str, Field(max_length=140)]
Moved = Annotated[int, Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
Leg = Annotated[tuple[Name, Name, Moved], Field(strict=False)]
Legs = Annotated[tuple[Leg, ...], Field(strict=False, min_length=2, max_length=LEGS_MAX)]


TRANSITIONS = transitions("adjustment", "propose-adjustment")


@entity
class Adjustment(Proposed, frozen=True, kw_only=True):
    """One adjustment; `status` is None where there is none."""

    KIND = "adjustment"
    FOLD_VERSION = 2

    legs: tuple[Posting, ...] = ()
    reason: str = ""
    effective_on: date | None = None


def parties(legs: tuple[Posting, ...]) -> tuple[str, ...]:
    """The tags of every wallet and creator whose account the postings name."""
    wallets = (f"wallet:{user}" for user in corrections.users(legs))
    return *wallets, *(f"creator:{creator}" for creator in corrections.creators(legs))


class AdjustmentEvent(ProposalEvent, WalletEvent, CreatorEvent, frozen=True, kw_only=True):
    """An event in the life of an adjustment; `legs` are its postings."""

    adjustment_id: str
    legs: tuple[Posting, ...] = field(name="postings")
    reason: str
    proposer: str

    def tags(self) -> tuple[str, ...]:
        """The adjustment, and every wallet and creator whose account it names."""
        return f"adjustment:{self.adjustment_id}", *parties(self.legs)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """Nothing moves before the approval."""
        return creator


@stored_as("adjustment.proposed.v1")
class AdjustmentProposed(AdjustmentEvent, frozen=True, kw_only=True):
    """Postings wait for approval. `evidence`: the salted hash of a text kept beside the log."""

    evidence: str | None = None
    effective_on: date | None = None
    #: Who sent the proposal on the proposer's behalf, if somebody did.
    sender: str | None = None

    def in_proposal(self, proposal: P) -> P:
        return replace(
            proposal,
            status=ProposalStatus.PROPOSED,
            legs=self.legs,
            reason=self.reason,
            proposer=self.proposer,
            effective_on=self.effective_on,
            sender=self.sender,
        )


@stored_as("adjustment.approved.v1")
class AdjustmentApproved(ProposalApproved, AdjustmentEvent, frozen=True, kw_only=True):
    """Somebody other than the proposer agreed: the postings are booked."""

    approver: str
    effective_on: date | None = None
    taken: dict[str, tuple[LotUse, ...]] = field(default_factory=dict)
    made: dict[str, tuple[Lot, ...]] = field(default_factory=dict)

    def stated_date(self) -> date | None:
        """The date that the proposal named."""
        return self.effective_on

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """As proposed."""
        return self.legs

    def lot_changes(self) -> tuple[LotChange, ...]:
        """Lots are taken, then made."""
        taken = [changes_of(user, lots, Cause.DEBITED) for user, lots in self.taken.items()]
        made = [changes_of(user, lots, Cause.CREDITED) for user, lots in self.made.items()]
        return tuple(chain.from_iterable(taken + made))

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """Lots change, and debts: what people paid or wrote off of them."""
        after = super().in_wallet(wallet, user)
        change = corrections.debt(self.legs, user)
        if not change:
            return after
        written_off = corrections.written_off(self.legs)[user]
        debts = settled(after.debts, -change - written_off, written_off)
        return replace(after, debt=after.debt + change, debts=debts)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """What is available changes."""
        change = corrections.creators(self.legs)[creator_id]
        return replace(creator, available=creator.available + change)


@stored_as("adjustment.rejected.v1")
class AdjustmentRejected(ProposalRejected, AdjustmentEvent, frozen=True, kw_only=True):
    """An approver declined: nothing is booked."""

    code: str


@command
class ProposeAdjustment(Command):
    """Propose postings `[account, asset, amount]`, a debit positive, that sum to zero by asset."""

    name = "propose-adjustment"
    roles = frozenset({"finance"})
    text_fields = ("evidence",)

    postings: Legs
    reason_code: Code
    evidence: Text | None = None
    effective_on: Day | None = None

    def problems(self) -> Iterable[tuple[str, str]]:
        """Accounts are of the chart, and such as adjustments may name; no amount is zero."""
        for nth, (account, _, amount) in enumerate(self.postings):
            wrong = corrections.problem(account)
            if wrong is not None:
                yield f"/postings/{nth}/0", wrong
            if not amount:
                yield f"/postings/{nth}/2", "is zero"

    def subjects(self) -> tuple[str, ...]:
        """Everybody whose account it names."""
        return tuple(parties(self.postings))

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """Everybody whose account it names; the periods, if it names a date."""
        dated = () if self.effective_on is None else (PERIODS,)
        return *parties(self.postings), *dated

    def decide(self, given: Given) -> Decision:
        """The proposal, if it could be approved as things stand."""
        refusal = corrections.refusal(self.postings, given.assets) or _date_refusal(
            given, self.effective_on
        )
        if refusal is not None:
            return refusal
        effect = _effect(given, self.postings, given.new_id)
        if isinstance(effect, Rejection):
            return effect
        event = AdjustmentProposed(
            adjustment_id=given.new_id,
            legs=self.postings,
            reason=self.reason_code,
            proposer=given.actor,
            evidence=sealed(given.salt, self.evidence),
            effective_on=self.effective_on,
            sender=people.sender(given),
        )
        return (event,)


class AdjustmentCommand(ProposalCommand):
    """A decision on the proposed adjustment `adjustment`."""

    transitions = TRANSITIONS

    adjustment: Id

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The adjustment, everybody whose account it names, and the periods if it names a date."""
        key = f"adjustment:{self.adjustment}"
        adjustment = states.loaded(Adjustment, self.adjustment)
        if adjustment is None:
            return (key,)
        dated = () if adjustment.effective_on is None else (PERIODS,)
        return key, *parties(adjustment.legs), *dated

    def waiting(self, given: Given) -> Adjustment | Rejection:
        """The adjustment, if it waits for this decision."""
        adjustment = given.state(Adjustment, self.adjustment)
        if adjustment.status is None:
            return reject(UNKNOWN_ADJUSTMENT, adjustment=self.adjustment)
        return (
            self.actor_refusal(given, adjustment)
            or self.step_refusal(adjustment, f"adjustment {self.adjustment}")
            or adjustment
        )

    def actor_refusal(self, given: Given, adjustment: Adjustment) -> Rejection | None:
        """Rejection if this person may not decide."""
        return None


@command
class ApproveAdjustment(AdjustmentCommand):
    """Approve an adjustment that somebody else proposed; its postings are booked."""

    name = "approve-adjustment"

    def actor_refusal(self, given: Given, adjustment: Adjustment) -> Rejection | None:
        """Neither its proposer may decide, nor anybody whose account it names."""
        named = {*corrections.users(adjustment.legs), *corrections.creators(adjustment.legs)}
        return people.self_approval(given, adjustment.proposer, adjustment.sender, *named)

    def decide(self, given: Given) -> Decision:
        """The booking, and a `PayoutRejected` for each payout that it leaves without cover."""
        adjustment = self.waiting(given)
        if isinstance(adjustment, Rejection):
            return adjustment
        refusal = _date_refusal(given, adjustment.effective_on)
        if refusal is not None:
            return refusal
        effect = _effect(given, adjustment.legs, self.adjustment)
        if isinstance(effect, Rejection):
            return effect
        approved = AdjustmentApproved(
            adjustment_id=self.adjustment,
            legs=adjustment.legs,
            reason=adjustment.reason,
            proposer=adjustment.proposer,
            approver=given.actor,
            effective_on=adjustment.effective_on,
            taken=effect.taken,
            made=effect.made,
        )
        cancelled: tuple[Event, ...] = ()
        for creator_id, change in corrections.creators(adjustment.legs).items():
            creator = given.state(Creator, creator_id)
            cancelled += cancelled_by(creator, creator_id, creator.available + change)
        return (approved, *cancelled)


@command
class RejectAdjustment(AdjustmentCommand):
    """Reject a proposed adjustment; nothing is booked."""

    name = "reject-adjustment"

    reason_code: Code

    def decide(self, given: Given) -> Decision:
        adjustment = self.waiting(given)
        if isinstance(adjustment, Rejection):
            return adjustment
        event = AdjustmentRejected(
            adjustment_id=self.adjustment,
            legs=adjustment.legs,
            reason=adjustment.reason,
            proposer=adjustment.proposer,
            code=self.reason_code,
        )
        return (event,)


def _effect(given: Given, legs: tuple[Posting, ...], lot_id: str) -> Effect | Rejection:
    wallets = {user: given.state(Wallet, user) for user in corrections.users(legs)}
    return corrections.effect(
        legs, given.assets, wallets, now=given.now, lot_id=lot_id, made_by=given.new_id
    )


def _date_refusal(given: Given, effective_on: date | None) -> Rejection | None:
    """Rejection of a date in the future or in a closed period."""
    if effective_on is None:
        return None
    if effective_on > given.today:
        return reject(CLOCK_SKEW, field="effective_on", given=effective_on, now=given.today)
    return given.state(Periods, "book").refuses(effective_on)
