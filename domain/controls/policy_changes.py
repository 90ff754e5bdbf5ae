"""Policies: proposed by one person, published by another, in force from a stated time."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from domain import people
from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates, State, entity
from domain.event import Event, stored_as
from domain.fields import Instant, PositiveAmount
from domain.money import split, vat_included
from domain.policy import Policy, PolicyVersion
from domain.rejections import (
    CURRENCY_MISMATCH,
    INVALID_TRANSITION,
    NEGATIVE_MARGIN,
    UNKNOWN_POLICY,
    Rejection,
    reject,
)

#: The tag of a book's policies; there is one series per book.
POLICIES = "policy:book"


class Proposal(msgspec.Struct, frozen=True, array_like=True):
    """A version that waits for its approver."""

    version: int
    effective_from: datetime
    body: dict[str, Any]
    proposer: str
    sender: str | None = None


@entity
class Policies(State, frozen=True, kw_only=True):
    """All versions of a book's policy."""

    KIND = "policy"
    LISTS: ClassVar = {"proposed": 50, "published": 1_000}

    proposed: tuple[Proposal, ...] = ()
    published: tuple[tuple[int, datetime, dict[str, Any]], ...] = ()
    last_version: int = 0

    def versions(self) -> tuple[PolicyVersion, ...]:
        """The published versions, in the order of their publication."""
        return tuple(
            PolicyVersion(version, effective_from, Policy.model_validate(body))
            for version, effective_from, body in self.published
        )

    def apply(self, key: str, event: Event) -> "Policies":
        """A proposal joins the waiting ones; a publication leaves them."""
        match event:
            case PolicyProposed():
                proposal = Proposal(
                    event.version, event.effective_from, event.body, event.proposer, event.sender
                )
                return msgspec.structs.replace(
                    self, proposed=(*self.proposed, proposal), last_version=event.version
                )
            case PolicyPublished():
                return msgspec.structs.replace(
                    self,
                    proposed=tuple(p for p in self.proposed if p.version != event.version),
                    published=(
                        *self.published,
                        (event.version, event.effective_from, event.body),
                    ),
                )
        raise TypeError(type(event).__name__)


class PolicyEvent(Event, frozen=True, kw_only=True):
    """What proposing and publishing record: the whole document."""

    version: int
    effective_from: datetime
    body: dict[str, Any]
    proposer: str

    def tags(self) -> tuple[str, ...]:
        return (POLICIES,)


@stored_as("policy.proposed.v1")
class PolicyProposed(PolicyEvent, frozen=True, kw_only=True):
    """A document waits for approval. `sender`: who sent it on the proposer's behalf, if so."""

    sender: str | None = None


@stored_as("policy.published.v1")
class PolicyPublished(PolicyEvent, frozen=True, kw_only=True):
    """A document is in force from `effective_from`; approver and proposer differ."""

    approver: str


@command
class ProposePolicy(Command):
    """Propose the next version of the book's policy."""

    name = "propose-policy"
    roles = frozenset({"admin", "finance"})

    body: Policy
    effective_from: Instant

    def problems(self) -> Iterable[tuple[str, str]]:
        """The keys of the document agree with each other."""
        for pointer, message in self.body.problems():
            yield f"/body{pointer}", message

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (POLICIES,)

    def decide(self, given: Given) -> Decision:
        """The proposal, unless its currency is not the book's or a package would lose money."""
        if self.body.currency != given.assets.currency:
            return reject(
                CURRENCY_MISMATCH, expected=given.assets.currency, given=self.body.currency
            )
        refusal = losing_package(self.body)
        if refusal is not None:
            return refusal
        policies = given.state(Policies, "book")
        event = PolicyProposed(
            version=policies.last_version + 1,
            effective_from=self.effective_from,
            body=self.body.model_dump(mode="json", exclude_unset=True),
            proposer=given.actor,
            sender=people.sender(given),
        )
        return (event,)


@command
class ApprovePolicy(Command):
    """Publish a version of the policy that somebody else proposed."""

    name = "approve-policy"
    roles = frozenset({"admin", "approver"})
    for_people = True

    version: PositiveAmount

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (POLICIES,)

    def decide(self, given: Given) -> Decision:
        policies = given.state(Policies, "book")
        if self.version > policies.last_version:
            return reject(UNKNOWN_POLICY, version=self.version)
        waiting = [p for p in policies.proposed if p.version == self.version]
        if not waiting:
            return reject(INVALID_TRANSITION, subject=f"policy {self.version}", state="published")
        proposal = waiting[0]
        refusal = people.self_approval(given, proposal.proposer, proposal.sender)
        if refusal is not None:
            return refusal
        event = PolicyPublished(
            version=proposal.version,
            effective_from=proposal.effective_from,
            body=proposal.body,
            proposer=proposal.proposer,
            approver=given.actor,
        )
        return (event,)


def losing_package(policy: Policy) -> Rejection | None:
    """The first package whose net price is below the creator share of all its tokens."""
    for name, package in policy.packages.items():
        tax = vat_included(package.price, policy.vat_bps(None))
        tokens = package.tokens + package.bonus
        cost, _ = split(tokens * (policy.unit_value or 0), policy.revenue_share.highest())
        if package.price - tax < cost:
            return reject(NEGATIVE_MARGIN, package=name, net=package.price - tax, cost=cost)
    return None
