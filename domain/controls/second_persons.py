"""Second persons: what one person alone may not do where the book's policy asks for two.

The command of the first becomes a proposal. It is decided when it is proposed, so that nobody is
asked about what cannot be done, and again when somebody else approves it, because things may have
changed in between. A command says by `second_person` whether the policy asks for one.
"""

from enum import StrEnum
from typing import Any

import msgspec

from domain import people
from domain.command import COMMANDS, Command, Decision, Given, command
from domain.controls import erasure
from domain.entity import LoadedStates, State, entity
from domain.event import Event, stored_as
from domain.fields import Code, Id
from domain.labels import labelled
from domain.payments.suspense import kept_fields
from domain.rejections import INVALID_TRANSITION, UNKNOWN_PROPOSAL, Rejection, reject
from domain.transitions import Transitions


class ProposalStatus(StrEnum):
    """Whether a proposal is decided."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


TRANSITIONS: Transitions[ProposalStatus] = {
    (None, "close-period"): ProposalStatus.PROPOSED,
    (ProposalStatus.PROPOSED, "approve-proposal"): ProposalStatus.APPROVED,
    (ProposalStatus.PROPOSED, "reject-proposal"): ProposalStatus.REJECTED,
}


@entity
class ProposedCommand(State, frozen=True, kw_only=True):
    """One proposed command; `status` is None where there is none."""

    KIND = "proposal"
    CACHED = False

    status: ProposalStatus | None = None
    command: str = ""
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    proposer: str = ""
    sender: str | None = None

    def apply(self, key: str, event: Event) -> "ProposedCommand":
        """The proposal after `event`: every event in its life says how."""
        assert isinstance(event, ProposalEvent)
        return event.in_proposal(self)

    def proposed(self) -> Command:
        """The command as it was proposed."""
        return COMMANDS[self.command].model_validate(self.fields)


class ProposalEvent(Event, frozen=True, kw_only=True):
    """An event in the life of a proposal."""

    proposal: str

    def tags(self) -> tuple[str, ...]:
        return (f"proposal:{self.proposal}",)

    def in_proposal(self, proposal: ProposedCommand) -> ProposedCommand:
        """The proposal after this event."""
        raise NotImplementedError(type(self).__name__)


@stored_as("command.proposed.v1")
class CommandProposed(ProposalEvent, frozen=True, kw_only=True):
    """A command waits for a second person. `sender`: who sent it on their behalf, if so."""

    command: str
    fields: dict[str, Any]
    proposer: str
    sender: str | None = None

    def in_proposal(self, proposal: ProposedCommand) -> ProposedCommand:
        return ProposedCommand(
            status=ProposalStatus.PROPOSED,
            command=self.command,
            fields=self.fields,
            proposer=self.proposer,
            sender=self.sender,
        )


@stored_as("command.approved.v1")
class CommandApproved(ProposalEvent, frozen=True, kw_only=True):
    """Somebody other than the proposer agreed: the events that follow are what it does."""

    command: str
    proposer: str
    approver: str

    def in_proposal(self, proposal: ProposedCommand) -> ProposedCommand:
        return msgspec.structs.replace(proposal, status=ProposalStatus.APPROVED)


@stored_as("command.rejected.v1")
class CommandRejected(ProposalEvent, frozen=True, kw_only=True):
    """An approver declined: nothing is done."""

    command: str
    proposer: str
    code: str

    def in_proposal(self, proposal: ProposedCommand) -> ProposedCommand:
        return msgspec.structs.replace(proposal, status=ProposalStatus.REJECTED)


class ProposalCommand(Command):
    """A decision on the proposal `proposal`."""

    roles = frozenset({"approver"})
    for_people = True

    proposal: Id

    def waiting(self, given: Given) -> ProposedCommand | Rejection:
        """The proposal, if it waits for this decision."""
        proposal = given.state(ProposedCommand, self.proposal)
        if proposal.status is None:
            return reject(UNKNOWN_PROPOSAL, proposal=self.proposal)
        refusal = people.self_approval(given, proposal.proposer, proposal.sender)
        if refusal is not None:
            return refusal
        if (proposal.status, self.name) not in TRANSITIONS:
            subject = f"proposal {self.proposal}"
            return reject(INVALID_TRANSITION, subject=subject, state=proposal.status)
        return proposal


@command
class ApproveProposal(ProposalCommand):
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
        decision = erasure.decide(proposed, as_proposer)
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
class RejectProposal(ProposalCommand):
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
    decision = erasure.decide(command, given)
    if not command.may_need_two or not isinstance(decision, tuple) or not decision:
        return decision
    if given.policy is None or not command.second_person(given, given.policy.policy.second_person):
        return decision
    event = CommandProposed(
        proposal=given.new_id,
        command=command.name,
        fields=kept_fields(command),
        proposer=given.actor,
        sender=people.sender(given),
    )
    return (event,)
