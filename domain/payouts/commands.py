"""Paying out: the commands that take a payout from its request to its end.

Two people stand behind every payout: the requester, and an approver who is neither the requester
nor the creator. A freeze stops everything that leads to the processor, and nothing after it: what
the processor reports is booked. What is due counts as available though the scheduler is late.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import ClassVar

from domain import people
from domain.command import Command, Decision, Given, command
from domain.creators.creator import Creator
from domain.creators.maturity import matured
from domain.entity import LoadedStates
from domain.fields import Code, FreezeScope, Id, PositiveAmount, Reference
from domain.money import half_up
from domain.payouts.payout import (
    TRANSITIONS,
    Payout,
    PayoutApproved,
    PayoutFailed,
    PayoutPaid,
    PayoutRejected,
    PayoutRequested,
    PayoutReturned,
    PayoutSubmitted,
)
from domain.policy import Policy
from domain.rejections import (
    ACCOUNT_FROZEN,
    BELOW_MINIMUM,
    INSUFFICIENT_AVAILABLE,
    INVALID_TRANSITION,
    NEGATIVE_BALANCE,
    NO_POLICY,
    PAYOUT_ACCOUNT_NOT_READY,
    PAYOUT_IN_PROGRESS,
    PRODUCT_DISABLED,
    UNKNOWN_PAYOUT,
    Rejection,
    reject,
)

FINANCE = frozenset({"service", "finance"})
APPROVERS = frozenset({"approver"})


@command
class RequestPayout(Command):
    """Request a payout of `amount` minor units before fee and withholding.

    `scheduled` stands for the current run of the payout schedule, which pays all there is, once,
    to whom it can be paid; nothing happens where it cannot.
    """

    name = "request-payout"
    roles = FINANCE

    creator: Id
    amount: PositiveAmount | None = None
    instant: bool = False
    scheduled: bool = False

    def problems(self) -> Iterable[tuple[str, str]]:
        """`amount` is required unless the payout is scheduled, and not allowed if it is."""
        if self.amount is None and not self.scheduled:
            yield "/amount", "is required unless the payout is scheduled"
        if self.scheduled and self.amount is not None:
            yield "/amount", "is only for payouts that are not scheduled"
        if self.scheduled and self.instant:
            yield "/instant", "is only for payouts that are not scheduled"

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (f"creator:{self.creator}",)

    def decide(self, given: Given) -> Decision:
        """The request, after posting what has matured meanwhile."""
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        policy = version.policy
        creator = given.state(Creator, self.creator)
        available = creator.available + creator.due(given.now)
        amount, run = self.amount, None
        if amount is None:
            amount, run = available, policy.payout_run(given.today)
            done = creator.scheduled_through
            if run is None or amount <= 0 or (done is not None and run <= done):
                return ()
        country = creator.country or policy.default_country
        refusal = (
            _frozen(creator, self.creator)
            or self._not_offered(policy)
            or next(_refusals(creator, self.creator, policy, amount, available), None)
        )
        if refusal is not None:
            return () if self.scheduled else refusal
        fee = half_up(amount, policy.instant_fee_bps or 0) if self.instant else 0
        withheld = min(half_up(amount, policy.withholding_bps), amount - fee)
        requested = PayoutRequested(
            payout_id=given.new_id,
            creator=self.creator,
            gross=amount,
            fee=fee,
            withheld=withheld,
            net=amount - fee - withheld,
            instant=self.instant,
            requester=given.actor,
            country=country,
            scheduled_for=run,
            sender=people.sender(given),
        )
        return (*matured(creator, self.creator, given.now), requested)

    def _not_offered(self, policy: Policy) -> Rejection | None:
        """Instant payouts are only for platforms that have them."""
        if self.instant and policy.instant_fee_bps is None:
            return reject(PRODUCT_DISABLED, product="instant-payout")
        return None


def _refusals(
    creator: Creator, creator_id: str, policy: Policy, amount: int, available: int
) -> Iterator[Rejection]:
    """Why `amount` cannot be requested: first by the bounds, then by the state of the creator, then
    by funds."""
    if available < 0:
        yield reject(NEGATIVE_BALANCE, creator=creator_id, owed=-available)
    minimum = policy.payout_minimum or 0
    if amount < minimum:
        shortfall = minimum - amount
        yield reject(BELOW_MINIMUM, minimum=minimum, requested=amount, shortfall=shortfall)
    if not creator.payouts_enabled:
        yield reject(PAYOUT_ACCOUNT_NOT_READY, creator=creator_id, lacking="readiness")
    if policy.withholding_bps and (creator.country or policy.default_country) is None:
        yield reject(PAYOUT_ACCOUNT_NOT_READY, creator=creator_id, lacking="a country")
    if creator.payout is not None:
        yield reject(PAYOUT_IN_PROGRESS, creator=creator_id, payout=creator.payout.payout)
    if amount > available:
        yield reject(INSUFFICIENT_AVAILABLE, available=available, requested=amount)


def payout_refusals(
    creator: Creator, creator_id: str, policy: Policy | None, now: datetime
) -> list[Rejection]:
    """Why `request-payout` would refuse to pay all that is available at `now`: every reason."""
    if policy is None:
        return [reject(NO_POLICY, at=now)]
    frozen = _frozen(creator, creator_id)
    available = creator.available + creator.due(now)
    refusals = _refusals(creator, creator_id, policy, available, available)
    return [*(() if frozen is None else (frozen,)), *refusals]


class PayoutCommand(Command):
    """A step in the life of the payout `payout`, where `TRANSITIONS` allows it."""

    roles = FINANCE
    #: Whether a freeze of the creator's payouts stops this step.
    freezable: ClassVar[bool] = False

    payout: Id

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The payout, and its creator."""
        key = f"payout:{self.payout}"
        payout = states.loaded(Payout, self.payout)
        if payout is None or payout.status is None:
            return (key,)
        return key, f"creator:{payout.creator}"

    def decide(self, given: Given) -> Decision:
        """The step, if the status of the payout allows it; or a rejection."""
        payout = given.state(Payout, self.payout)
        if payout.status is None:
            return reject(UNKNOWN_PAYOUT, payout=self.payout)
        creator = given.state(Creator, payout.creator)
        refusal = (self.freezable and _frozen(creator, payout.creator)) or self.actor_refusal(
            given, payout
        )
        if refusal:
            return refusal
        if (payout.status, self.name) not in TRANSITIONS:
            return reject(INVALID_TRANSITION, subject=f"payout {self.payout}", state=payout.status)
        return self.step(given, payout)

    def actor_refusal(self, given: Given, payout: Payout) -> Rejection | None:
        """Rejection if this person may not take the step."""
        return None

    def step(self, given: Given, payout: Payout) -> Decision:
        """What happens."""
        raise NotImplementedError(type(self).__name__)


@command
class ApprovePayout(PayoutCommand):
    """Approve a payout that somebody else requested."""

    name = "approve-payout"
    roles = APPROVERS
    for_people = True
    freezable = True

    def actor_refusal(self, given: Given, payout: Payout) -> Rejection | None:
        """Neither the requester nor the creator may approve."""
        return people.self_approval(given, payout.requester, payout.sender, payout.creator)

    def step(self, given: Given, payout: Payout) -> Decision:
        return (
            PayoutApproved(payout_id=self.payout, creator=payout.creator, approver=given.actor),
        )


@command
class RejectPayout(PayoutCommand):
    """Reject a payout before it is submitted; its money is available again."""

    name = "reject-payout"
    roles = APPROVERS
    for_people = True

    reason_code: Code

    def step(self, given: Given, payout: Payout) -> Decision:
        event = PayoutRejected(
            payout_id=self.payout,
            creator=payout.creator,
            gross=payout.gross,
            reason=self.reason_code,
        )
        return (event,)


@command
class SubmitPayout(PayoutCommand):
    """Record that a payout was given to the processor, whose answer alone counts from then on."""

    name = "submit-payout"
    freezable = True

    processor: Id
    processor_ref: Reference

    def step(self, given: Given, payout: Payout) -> Decision:
        event = PayoutSubmitted(
            payout_id=self.payout,
            creator=payout.creator,
            processor=self.processor,
            processor_ref=self.processor_ref,
        )
        return (event,)


@command
class ConfirmPayout(PayoutCommand):
    """Confirm that the processor paid a payout."""

    name = "confirm-payout"

    def step(self, given: Given, payout: Payout) -> Decision:
        event = PayoutPaid(
            payout_id=self.payout,
            creator=payout.creator,
            at=self.occurred_at or given.now,
            gross=payout.gross,
            fee=payout.fee,
            withheld=payout.withheld,
            net=payout.net,
            country=payout.country,
        )
        return (event,)


@command
class FailPayout(PayoutCommand):
    """Record that the processor could not pay; the money is available again, without a fee."""

    name = "fail-payout"

    reason_code: Code

    def step(self, given: Given, payout: Payout) -> Decision:
        event = PayoutFailed(
            payout_id=self.payout,
            creator=payout.creator,
            gross=payout.gross,
            reason=self.reason_code,
        )
        return (event,)


@command
class ReturnPayout(PayoutCommand):
    """Record that a paid payout came back from the bank; all of it is available again."""

    name = "return-payout"

    reason_code: Code

    def step(self, given: Given, payout: Payout) -> Decision:
        event = PayoutReturned(
            payout_id=self.payout,
            creator=payout.creator,
            at=self.occurred_at or given.now,
            gross=payout.gross,
            fee=payout.fee,
            withheld=payout.withheld,
            net=payout.net,
            country=payout.country,
            reason=self.reason_code,
        )
        return (event,)


def _frozen(creator: Creator, creator_id: str) -> Rejection | None:
    """Rejection if the creator's payouts are frozen."""
    if FreezeScope.PAYOUT in creator.frozen:
        return reject(ACCOUNT_FROZEN, user=creator_id, scope=FreezeScope.PAYOUT)
    return None
