"""Calls: what a call between a fan and a creator is, and the events of its life.

Time is the server's. A block of active time (elapsed minus pauses) is paid once it is complete, so
a call holds how far it is paid and the pauses since then; everything else follows from the clock.
What a block costs and how it is shared is fixed when the call starts.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from domain.agenda import AGENDA, AgendaEvent, Due
from domain.creators.creator import Creator, CreatorEvent
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.sales.sale import Sale
from domain.transitions import Transitions
from domain.wallets.wallet import Wallet, WalletEvent


class CallStatus(StrEnum):
    """Whether active time passes."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    ENDED = "ENDED"


class CallEndReason(StrEnum):
    """Why a call ended."""

    COMPLETED = "COMPLETED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    IDLE = "IDLE"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    CREATOR_FROZEN = "CREATOR_FROZEN"


#: Metering ends a call, for any reason but that somebody asked for it.
TRANSITIONS: Transitions[CallStatus] = {
    (None, "start-call"): CallStatus.ACTIVE,
    (CallStatus.ACTIVE, "pause-call"): CallStatus.PAUSED,
    (CallStatus.ACTIVE, "meter-call"): CallStatus.ACTIVE,
    (CallStatus.ACTIVE, "end-call"): CallStatus.ENDED,
    (CallStatus.PAUSED, "resume-call"): CallStatus.ACTIVE,
    (CallStatus.PAUSED, "meter-call"): CallStatus.PAUSED,
    (CallStatus.PAUSED, "end-call"): CallStatus.ENDED,
    (CallStatus.ENDED, "meter-call"): CallStatus.ENDED,
} | {
    (status, reason): CallStatus.ENDED
    for status in (CallStatus.ACTIVE, CallStatus.PAUSED)
    for reason in CallEndReason
    if reason is not CallEndReason.COMPLETED
}


#: Without a start, pause or resume for that long a call is over, however often it is metered.
IDLE_AFTER = timedelta(hours=4)

#: Pauses of a call between two blocks that are paid.
PAUSES_MAX = 1_000
LATE_EVERY_S = 300
PAUSED_EVERY_S = 3_600

#: (from, to)
Span = tuple[datetime, datetime]


class CallEvent(Event, frozen=True):
    """An event in a call's life."""

    def in_call(self, call: "Call") -> "Call":
        """The call after this event."""
        raise NotImplementedError(type(self).__name__)


@entity
class Call(State, frozen=True, kw_only=True):
    """One call. `paid_to` is when the last block that was dealt with was complete."""

    KIND = "call"
    LISTS: ClassVar = {"pauses": PAUSES_MAX}

    status: CallStatus | None = None
    terms: "CallStarted | None" = None
    blocks: int = 0
    paid_to: datetime | None = None
    #: Those that ended after `paid_to`.
    pauses: tuple[Span, ...] = ()
    paused_at: datetime | None = None
    #: The last sign of life from its participants.
    touched_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None

    @property
    def labels(self) -> dict[str, str] | None:
        """Those that it was started with."""
        return None if self.terms is None else self.terms.labels

    @property
    def idle_at(self) -> datetime:
        """When the call ends by itself, if nobody starts, pauses or resumes it before."""
        assert self.touched_at is not None
        return self.touched_at + IDLE_AFTER

    def unpaid(self, until: datetime) -> Iterator[Span]:
        """The blocks complete at `until` and not paid, each from its first to its last moment.

        A partial block at the end of a call counts as one where its terms say so.
        """
        assert self.terms is not None
        block = timedelta(seconds=self.terms.block_seconds)
        lacking, begun, last = block, None, until
        for start, end in self._talk(until):
            at = start
            while (complete := at + lacking) <= end:
                yield begun or at, complete
                at, lacking, begun = complete, block, None
            if at < end:
                lacking, begun, last = lacking - (end - at), begun or at, end
        if begun is not None and self._pays_part(until):
            yield begun, last

    def _talk(self, until: datetime) -> list[Span]:
        """The spans of active time between `paid_to` and `until`."""
        assert self.paid_to is not None
        at, spans = self.paid_to, []
        end = until
        if self.paused_at is not None or self.ended_at is not None:
            end = min(until, self.paused_at or until, self.ended_at or until)
        for paused, resumed in self.pauses:
            if paused >= end:
                break
            spans.append((at, paused))
            at = resumed
        if at < end:
            spans.append((at, end))
        return spans

    def _pays_part(self, until: datetime) -> bool:
        return (
            self.ended_at is not None
            and until >= self.ended_at
            and self.terms is not None
            and self.terms.final_block == "CHARGED"
        )

    def dealt_with(self, block_no: int, paid_to: datetime) -> "Call":
        """The call once a block is charged or written off."""
        later = tuple(pause for pause in self.pauses if pause[1] > paid_to) if self.pauses else ()
        return msgspec.structs.replace(self, blocks=block_no, paid_to=paid_to, pauses=later)

    def apply(self, key: str, event: Any) -> "Call":
        """The call after `event`: every event in a call's life says how."""
        after: Call = event.in_call(self)
        return after


class CallTurn(CallEvent, AgendaEvent, frozen=True, kw_only=True):
    """A turn in a call's life at the server's time `at`; `rate` in tokens a minute."""

    call_id: str
    fan: str
    creator: str
    rate: int
    block_seconds: int
    at: datetime
    reason: str | None = None

    def tags(self) -> tuple[str, ...]:
        """The call, and the agenda of what is to be metered."""
        return f"call:{self.call_id}", AGENDA

    def agenda(self) -> tuple[str, Due | None]:
        """The call has to be metered, at first when a block can be complete."""
        return f"call:{self.call_id}", Due(
            self.at + timedelta(seconds=self.block_seconds),
            "meter-call",
            {"call": self.call_id},
            self.block_seconds,
        )


@stored_as("call.started.v1")
class CallStarted(CallTurn, WalletEvent, CreatorEvent, frozen=True, kw_only=True):
    """A call began. `block_tokens`: what a block costs; the rest is how a block is shared."""

    block_tokens: int
    unit_value: int
    share_bps: int
    final_block: str
    maturity_days: int = 0
    refund_window_days: int | None = None
    #: Whether the creator knows of the call, so that a freeze ends it. Calls of before: no.
    listed: bool = False

    def tags(self) -> tuple[str, ...]:
        """Those of any turn, the fan's wallet, one call at a time, and the creator."""
        tags = (*super().tags(), f"wallet:{self.fan}")
        return (*tags, f"creator:{self.creator}") if self.listed else tags

    def in_call(self, call: Call) -> Call:
        return Call(status=CallStatus.ACTIVE, terms=self, paid_to=self.at, touched_at=self.at)

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """The fan is in this call."""
        return msgspec.structs.replace(wallet, call=self.call_id)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """The creator is in this call."""
        return msgspec.structs.replace(creator, calls=(*creator.calls, self.call_id))


@stored_as("call.paused.v1")
class CallPaused(CallTurn, frozen=True):
    """No active time passes from now on."""

    def agenda(self) -> tuple[str, Due | None]:
        """What was complete is metered soon, and then there is only the idle limit."""
        item, due = super().agenda()
        assert due is not None
        return item, msgspec.structs.replace(due, every_s=PAUSED_EVERY_S)

    def in_call(self, call: Call) -> Call:
        return msgspec.structs.replace(
            call, status=CallStatus.PAUSED, paused_at=self.at, touched_at=self.at
        )


@stored_as("call.resumed.v1")
class CallResumed(CallTurn, frozen=True):
    """Active time passes again."""

    def in_call(self, call: Call) -> Call:
        """Active, with one more pause."""
        assert call.paused_at is not None
        return msgspec.structs.replace(
            call,
            status=CallStatus.ACTIVE,
            pauses=(*call.pauses, (call.paused_at, self.at)),
            paused_at=None,
            touched_at=self.at,
        )


@stored_as("call.ended.v1")
class CallEnded(CallTurn, WalletEvent, CreatorEvent, frozen=True, kw_only=True):
    """The call is over, for `reason`; `at` may lie before the moment at which it was found out."""

    #: As of the start of the call.
    listed: bool = False

    def tags(self) -> tuple[str, ...]:
        """Those of any turn, the fan's wallet, which may call again, and the creator."""
        tags = (*super().tags(), f"wallet:{self.fan}")
        return (*tags, f"creator:{self.creator}") if self.listed else tags

    def agenda(self) -> tuple[str, Due | None]:
        """Blocks that were complete are metered now, and written off after a while."""
        item, due = super().agenda()
        assert due is not None
        return item, msgspec.structs.replace(due, at=self.at, every_s=LATE_EVERY_S)

    def in_call(self, call: Call) -> Call:
        return msgspec.structs.replace(
            call, status=CallStatus.ENDED, ended_at=self.at, reason=self.reason
        )

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """The fan is in no call."""
        until = self.at if wallet.called_until is None else max(wallet.called_until, self.at)
        return msgspec.structs.replace(wallet, call=None, called_until=until)

    def in_creator(self, creator: Creator, creator_id: str) -> Creator:
        """The creator is not in this call any more."""
        calls = tuple(call for call in creator.calls if call != self.call_id)
        return msgspec.structs.replace(creator, calls=calls)


@stored_as("call_block.charged.v1")
class CallBlockCharged(Sale, CallEvent, frozen=True, kw_only=True):
    """A complete block of a call was paid; its first and last moment on the server's clock.

    `seconds` are those it was charged for, whatever pauses lie in between.
    """

    call_id: str
    block_no: int
    active_from: datetime
    active_to: datetime
    seconds: int = 0

    def labelled_by(self) -> str:
        """The call."""
        return f"call:{self.call_id}"

    def tags(self) -> tuple[str, ...]:
        """Those of a sale, and the call."""
        return (*Sale.tags(self), f"call:{self.call_id}")

    def in_call(self, call: Call) -> Call:
        """Paid up to the end of this block."""
        return call.dealt_with(self.block_no, self.active_to)


@stored_as("call_block.written_off.v1")
class CallBlockWrittenOff(CallEvent, frozen=True, kw_only=True):
    """A complete block that nobody paid in time; `cost` in tokens. The creator gets nothing."""

    call_id: str
    block_no: int
    cost: int
    active_to: datetime

    def unposted(self) -> int:
        return self.cost

    def tags(self) -> tuple[str, ...]:
        return (f"call:{self.call_id}",)

    def in_call(self, call: Call) -> Call:
        """Nothing is owed up to the end of this block."""
        return call.dealt_with(self.block_no, self.active_to)
