"""Calling: a call is started, paused, resumed and ended, by its participants or for them.

The clock is the server's: whatever time such a command claims is ignored. No block is charged
here; that is metering.
"""

from datetime import datetime
from typing import Any, TypeVar

from pydantic import field_validator

from domain.calls.call import (
    PAUSES_MAX,
    TRANSITIONS,
    Call,
    CallEnded,
    CallEndReason,
    CallPaused,
    CallResumed,
    CallStarted,
    CallStatus,
    CallTurn,
)
from domain.command import Command, Decision, Given, command
from domain.creators.creator import Creator
from domain.entity import LoadedStates
from domain.fields import FreezeScope, Funding, Id, PositiveAmount
from domain.money import AMOUNT_MAX, block_cost
from domain.policy import Policy
from domain.rejections import (
    CALL_ALREADY_ACTIVE,
    CALL_NOT_ACTIVE,
    CREATOR_FROZEN,
    CREATOR_NOT_VERIFIED,
    INSUFFICIENT_TOKENS,
    INVALID_AMOUNT,
    INVALID_TRANSITION,
    LIMIT_REACHED,
    NO_POLICY,
    UNKNOWN_CALL,
    Rejection,
    reject,
)
from domain.sales.commands import party_refusal, price_refusal
from domain.wallets.wallet import Wallet

T = TypeVar("T", bound=CallTurn)


class CallCommand(Command):
    """What every command about a call carries."""

    call: Id

    @field_validator("occurred_at")
    @classmethod
    def _servers_clock(cls, _claimed: datetime | None) -> None:
        """Calls go by the server's clock alone."""

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The call, and its parties."""
        called = self.__dict__["call"]  # a model's attribute costs five times an item of it
        key = f"call:{called}"
        call = states.loaded(Call, called)
        if call is None or call.terms is None:
            return (key,)
        return key, f"wallet:{call.terms.fan}", f"creator:{call.terms.creator}"

    def load_call(self, given: Given) -> tuple[Call, CallStarted] | Rejection:
        """The call and its terms; somebody else's call is as unknown as one that never was."""
        own = self.__dict__
        call = given.state(Call, own["call"])
        terms = call.terms
        if terms is None or own["on_behalf_of"] not in (None, terms.fan, terms.creator):
            return reject(UNKNOWN_CALL, call=self.call)
        return call, terms


@command
class StartCall(CallCommand):
    """Start a call at `rate` tokens a minute; the wallet must cover its first block."""

    name = "start-call"

    user: Id
    creator: Id
    rate: PositiveAmount

    @property
    def product(self) -> str:
        """A call is a product of its own."""
        return "call"

    @property
    def funding(self) -> str:
        """Calls are paid in tokens."""
        return Funding.TOKEN

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The call, its parties, and the call that the fan is in."""
        keys = f"call:{self.call}", f"wallet:{self.user}", f"creator:{self.creator}"
        wallet = states.loaded(Wallet, self.user)
        if wallet is None or wallet.call is None:
            return keys
        before = states.loaded(Call, wallet.call)
        if before is None or before.terms is None:
            return *keys, f"call:{wallet.call}"
        return *keys, f"call:{wallet.call}", f"creator:{before.terms.creator}"

    def decide(self, given: Given) -> Decision:
        """The start, with everything that its blocks will need; or a rejection.

        An earlier call of the fan that has passed its idle limit ends with it.
        """
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        policy = version.policy
        unit_value = policy.unit_value or 0
        tokens = block_cost(self.rate, policy.block_seconds)
        refusal = self._refusal(given, policy, tokens)
        if refusal is not None:
            return refusal
        event = CallStarted(
            call_id=self.call,
            fan=self.user,
            creator=self.creator,
            rate=self.rate,
            block_seconds=policy.block_seconds,
            at=given.now,
            block_tokens=tokens,
            unit_value=unit_value,
            share_bps=policy.revenue_share.of("call"),
            final_block=policy.final_block,
            maturity_days=policy.maturity_days,
            refund_window_days=policy.refund_window_days,
            listed=True,
        )
        idle = _before(given, self.user)
        if idle is None:
            return (event,)
        assert idle.terms is not None
        return ending(idle.terms, idle.idle_at, CallEndReason.IDLE), event

    def _refusal(self, given: Given, policy: Policy, tokens: int) -> Rejection | None:
        """Tests parties and price as for any sale; then that the creator is verified, that the fan
        is in no other call, and that the wallet covers the first block.
        """
        wallet = given.state(Wallet, self.user)
        creator = given.state(Creator, self.creator)
        if FreezeScope.EARN in creator.frozen and FreezeScope.SPEND not in wallet.frozen:
            return reject(CREATOR_FROZEN, creator=self.creator, scope=FreezeScope.EARN)
        terms = policy.sales["call"]
        unit_value = terms.unit_value
        refusal = party_refusal(self, terms, wallet, creator)
        refusal = refusal or price_refusal("call", self.rate * unit_value, terms, "rate")
        if refusal is not None:
            return refusal
        if tokens * unit_value > AMOUNT_MAX:
            return reject(
                INVALID_AMOUNT, field="block", amount=tokens * unit_value, limit=AMOUNT_MAX
            )
        if not creator.verified:
            return reject(CREATOR_NOT_VERIFIED, creator=self.creator)
        before = _before(given, self.user)
        if before is not None and given.now < before.idle_at:
            return reject(CALL_ALREADY_ACTIVE, user=self.user, call=wallet.call)
        status = given.state(Call, self.call).status
        if (status, self.name) not in TRANSITIONS:
            return reject(INVALID_TRANSITION, subject=f"call {self.call}", state=status)
        current = wallet.spendable(given.now)
        if current < tokens:
            return reject(
                INSUFFICIENT_TOKENS, required=tokens, current=current, shortfall=tokens - current
            )
        return None


def _before(given: Given, fan: str) -> Call | None:
    """The call that `fan` is in; its idle limit may have passed without an event that says so."""
    call = given.state(Wallet, fan).call
    return None if call is None else given.state(Call, call)


class TurnCommand(CallCommand):
    """What pausing, resuming and ending share."""

    grows = False

    def not_allowed(self, call: Call) -> Rejection | None:
        """Rejection if the call's status does not allow this step."""
        if (call.status, self.name) in TRANSITIONS:
            return None
        if call.status == CallStatus.ACTIVE:
            return reject(INVALID_TRANSITION, subject=f"call {self.call}", state=call.status)
        return reject(CALL_NOT_ACTIVE, call=self.call, state=call.status)

    def ended(self, call: Call, now: datetime) -> Rejection | None:
        """Rejection if the call has passed its idle limit, even if no event says so yet."""
        if now >= call.idle_at:
            return reject(CALL_NOT_ACTIVE, call=self.call, state=CallStatus.ENDED)
        return None


def turn(kind: type[T], terms: CallStarted, at: datetime, **more: Any) -> T:
    """A turn in the life of the call with these terms."""
    return kind(
        call_id=terms.call_id,
        fan=terms.fan,
        creator=terms.creator,
        rate=terms.rate,
        block_seconds=terms.block_seconds,
        at=at,
        **more,
    )


def ending(terms: CallStarted, at: datetime, reason: CallEndReason) -> CallEnded:
    """The end of the call with these terms."""
    return turn(CallEnded, terms, at, reason=reason, listed=terms.listed)


@command
class PauseCall(TurnCommand):
    """Pause a call: no active time passes until it is resumed."""

    name = "pause-call"

    def decide(self, given: Given) -> Decision:
        """The pause of an active call."""
        found = self.load_call(given)
        if isinstance(found, Rejection):
            return found
        call, terms = found
        rejection = self.not_allowed(call) or self.ended(call, given.now)
        if rejection is None and len(call.pauses) >= PAUSES_MAX:
            subject = f"call {self.call}"
            return reject(LIMIT_REACHED, subject=subject, what="pauses", limit=PAUSES_MAX)
        return rejection or (turn(CallPaused, terms, given.now),)


@command
class ResumeCall(TurnCommand):
    """Resume a paused call."""

    name = "resume-call"

    def decide(self, given: Given) -> Decision:
        found = self.load_call(given)
        if isinstance(found, Rejection):
            return found
        call, terms = found
        rejection = self.not_allowed(call) or self.ended(call, given.now)
        return rejection or (turn(CallResumed, terms, given.now),)


@command
class EndCall(TurnCommand):
    """End a call. Complete blocks that are not paid yet may be metered for 15 minutes more."""

    name = "end-call"

    def decide(self, given: Given) -> Decision:
        """The end: now, or when the call had been idle for too long."""
        found = self.load_call(given)
        if isinstance(found, Rejection):
            return found
        call, terms = found
        rejection = self.not_allowed(call)
        if rejection is not None:
            return rejection
        if given.now >= call.idle_at:
            return (ending(terms, call.idle_at, CallEndReason.IDLE),)
        return (ending(terms, given.now, CallEndReason.COMPLETED),)
