"""Second persons: what one person alone may not do where the book's policy asks for two.

The command of the first becomes a proposal. It is decided when it is proposed, so that nobody is
asked about what cannot be done, and again when somebody else approves it, because things may have
changed in between. A command says by `second_person` whether the policy asks for one.
"""

from typing import Any

import msgspec

from domain import people
from domain.command import COMMANDS, Command, Decision, Given, command
from domain.controls import limits
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
from domain.entity import LoadedStates, entity
from domain.event import stored_as
from domain.fields import Code, Id
from domain.labels import labelled
from domain.payments.suspense import kept_fields
from domain.rejections import UNKNOWN_PROPOSAL, Rejection, reject

TRANSITIONS = transitions(
    "proposal", "close-period", "release-payment", "resolve-break", "grant-promo", "unfreeze"
)


@entity
class ProposedCommand(Proposed, frozen=True, kw_only=True):
    """One proposed command; `status` is None where there is none."""

    KIND = "proposal"
    FOLD_VERSION = 2

    command: str = ""
    fields: dict[str, Any] = msgspec.field(default_factory=dict)

    def proposed(self) -> Command:
        """The command as it was proposed."""
        return COMMANDS[self.command].model_validate(self.fields)


class ProposedCommandEvent(ProposalEvent, frozen=True, kw_only=True):
    """An event in the life of a proposed command."""

    proposal: str
    command: str
    proposer: str

    def tags(self) -> tuple[str, ...]:
        return (f"proposal:{self.proposal}",)


@stored_as("command.proposed.v1")
class CommandProposed(ProposedCommandEvent, frozen=True, kw_only=True):
    """A command waits for a second person. `sender`: who sent it on their behalf, if so."""

    fields: dict[str, Any]
    sender: str | None = None

    def in_proposal(self, proposal: P) -> P:
        return msgspec.structs.replace(
            proposal,
            status=ProposalStatus.PROPOSED,
            command=self.command,
            fields=self.fields,
            proposer=self.proposer,
            sender=self.sender,
        )


@stored_as("command.approved.v1")
class CommandApproved(ProposalApproved, ProposedCommandEvent, frozen=True, kw_only=True):
    """Somebody other than the proposer agreed: the events that follow are what it does."""

    approver: str


@stored_as("command.rejected.v1")
class CommandRejected(ProposalRejected, ProposedCommandEvent, frozen=True, kw_only=True):
    """An approver declined: nothing is done."""

    code: str


class ProposedCommandDecision(ProposalCommand):
    """A decision on the proposed command `proposal`."""

    transitions = TRANSITIONS

    proposal: Id

    def waiting(self, given: Given) -> ProposedCommand | Rejection:
        """The proposal, if it waits for this decision."""
        proposal = given.state(ProposedCommand, self.proposal)
        if proposal.status is None:
            return reject(UNKNOWN_PROPOSAL, proposal=self.proposal)
        return (
            people.self_approval(given, proposal.proposer, proposal.sender)
            or self.step_refusal(proposal, f"proposal {self.proposal}")
            or proposal
        )


@command
class ApproveProposal(ProposedCommandDecision):
    """Approve a command that somebody else proposed; it is done now, as its proposer's."""

    name = "approve-proposal"

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The proposal, and what its command needs."""
        key = f"proposal:{self.proposal}"
        proposal = states.loaded(ProposedCommand, self.proposal)
        if proposal is None or proposal.status is not ProposalStatus.PROPOSED:
            return (key,)
        return key, *proposal.proposed().prefetch(states)

    def decide(self, given: Given) -> Decision:
        """The approval and all that the command does; or why it cannot be done any more."""
        proposal = self.waiting(given)
        if isinstance(proposal, Rejection):
            return proposal
        proposed = proposal.proposed()
        as_proposer = msgspec.structs.replace(
            given, actor=proposal.proposer, principal=proposal.sender or proposal.proposer
        )
        decision = limits.decide(proposed, as_proposer)
        if not isinstance(decision, tuple):
            return decision
        approved = CommandApproved(
            proposal=self.proposal,
            command=proposal.command,
            proposer=proposal.proposer,
            approver=given.actor,
        )
        return approved, *(labelled(event, proposed.labels, None) for event in decision)


@command
class RejectProposal(ProposedCommandDecision):
    """Reject a proposed command; nothing is done."""

    name = "reject-proposal"

    reason_code: Code

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (f"proposal:{self.proposal}",)

    def decide(self, given: Given) -> Decision:
        proposal = self.waiting(given)
        if isinstance(proposal, Rejection):
            return proposal
        event = CommandRejected(
            proposal=self.proposal,
            command=proposal.command,
            proposer=proposal.proposer,
            code=self.reason_code,
        )
        return (event,)


def decide(command: Command, given: Given) -> Decision:
    """What is decided on `command`; a proposal where it needs a second person."""
    if command.decides_alone:  # what is sold and metered: two calls less for each
        decision = command.decide(given)
        return decision if type(decision) is tuple else limits.bounded(command, given, decision)
    decision = limits.decide(command, given)
    if not command.may_need_two or not isinstance(decision, tuple) or not decision:
        return decision
    if given.policy is None:
        return decision
    if not command.second_person(given, given.policy.policy.second_person, decision):
        return decision
    event = CommandProposed(
        proposal=given.new_id,
        command=command.name,
        fields=kept_fields(command),
        proposer=given.actor,
        sender=people.sender(given),
    )
    return (event,)
