"""Proposals: what one person proposes waits until another one approves or rejects it.

Adjustments are such, and the commands for which a policy asks two people. Who is behind a proposal
stands in it; what it is about, and what its approval does, each kind says itself.
"""

from enum import StrEnum
from typing import ClassVar, Self, TypeVar

import msgspec

from domain.command import Command
from domain.entity import State
from domain.event import Event
from domain.rejections import INVALID_TRANSITION, Rejection, reject
from domain.transitions import Transitions


class ProposalStatus(StrEnum):
    """Whether a proposal is decided."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


def transitions(kind: str, *proposing: str) -> Transitions[ProposalStatus]:
    """Proposed by the commands `proposing`, decided by `approve-KIND` and `reject-KIND`."""
    return {
        **{(None, command): ProposalStatus.PROPOSED for command in proposing},
        (ProposalStatus.PROPOSED, f"approve-{kind}"): ProposalStatus.APPROVED,
        (ProposalStatus.PROPOSED, f"reject-{kind}"): ProposalStatus.REJECTED,
    }


class Proposed(State, frozen=True, kw_only=True):
    """What somebody proposed; `status` is None where there is none.

    `sender`: who sent it on the proposer's behalf, if somebody did.
    """

    CACHED = False

    status: ProposalStatus | None = None
    proposer: str = ""
    sender: str | None = None

    def apply(self, key: str, event: Event) -> Self:
        """The proposal after `event`: every event in its life says how."""
        assert isinstance(event, ProposalEvent)
        return event.in_proposal(self)


P = TypeVar("P", bound=Proposed)


class ProposalEvent(Event, frozen=True):
    """An event in the life of a proposal."""

    def in_proposal(self, proposal: P) -> P:
        """The proposal after this event."""
        raise NotImplementedError(type(self).__name__)


class ProposalApproved(ProposalEvent, frozen=True):
    """Somebody other than the proposer agreed."""

    def in_proposal(self, proposal: P) -> P:
        return msgspec.structs.replace(proposal, status=ProposalStatus.APPROVED)


class ProposalRejected(ProposalEvent, frozen=True):
    """An approver declined."""

    def in_proposal(self, proposal: P) -> P:
        return msgspec.structs.replace(proposal, status=ProposalStatus.REJECTED)


class ProposalCommand(Command):
    """A decision on a proposal: only people's, and only approvers'."""

    roles = frozenset({"approver"})
    for_people = True
    #: The table of the kind of proposal.
    transitions: ClassVar[Transitions[ProposalStatus]]

    def step_refusal(self, proposal: Proposed, subject: str) -> Rejection | None:
        """Rejection unless the proposal called `subject` waits for this decision."""
        if (proposal.status, self.name) in self.transitions:
            return None
        return reject(INVALID_TRANSITION, subject=subject, state=proposal.status)
