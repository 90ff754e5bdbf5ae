"""Breaks: differences between settlement files and the ledger, and how they end."""

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.event import stored_as
from domain.settlements.settlement import (
    Break,
    BreakCode,
    BreakResolution,
    BreakStatus,
    LineKind,
    Settled,
    SettlementEvent,
    break_key,
    numbered_key,
    settled_key,
)

#: What the name of a break begins with that is about a payment without a line.
MISSING = "missing-"


@stored_as("break.resolved.v1")
class BreakResolved(SettlementEvent, frozen=True, kw_only=True):
    """A break has ended: by lines that made it up (MATCHED), or by a person.

    `gross` is what waits in suspense where the ledger does not know it (MISSING_IN_LEDGER).
    Without `break_id` it is of a break that had its payment's name.
    """

    processor: str
    code: str
    gross: int
    difference: int
    resolution: str
    payment_ref: str | None = None
    break_id: str | None = None
    kind: str = LineKind.PAYMENT
    reason: str | None = None

    @property
    def numbered(self) -> bool:
        """Whether it is of a line that was imported by its number."""
        return self.break_id in (None, self.payment_ref)

    @property
    def at_stake(self) -> int:
        """The minor units that somebody decides about: the difference, or what is in suspense."""
        in_suspense = self.gross if self.code == BreakCode.MISSING_IN_LEDGER else 0
        return max(abs(in_suspense), abs(self.difference))

    def tags(self) -> tuple[str, ...]:
        """The break, and what lines say about its reference."""
        reference = self.payment_ref or ""
        if self.break_id is None:
            return (numbered_key(reference),)
        by_number = (numbered_key(reference),) if self.numbered else ()
        if not reference or self.code == BreakCode.MISSING_IN_FILE:
            return (break_key(self.break_id),)
        known = (settled_key(self.processor, self.kind, reference),)
        return (break_key(self.break_id), *known, *by_number)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """MATCH: `suspense -> psp`; RETURN: `suspense -> bank`; WRITE_OFF: what the bank got too
        little `exp.processor -> psp`, or the reverse; MATCHED and DISMISS: nothing.
        """
        money, psp = assets.currency, accounts.processor(self.processor)
        match self.resolution:
            case BreakResolution.MATCH:
                return (accounts.SUSPENSE, money, self.gross), (psp, money, -self.gross)
            case BreakResolution.RETURN:
                return (accounts.SUSPENSE, money, self.gross), (accounts.BANK, money, -self.gross)
            case BreakResolution.WRITE_OFF:
                short = -self.difference
                return (accounts.PROCESSOR_EXPENSE, money, short), (self._short(), money, -short)
        return ()

    def _short(self) -> str:
        """Where the difference stands that is written off."""
        if self.code == BreakCode.MISSING_IN_LEDGER:
            return accounts.SUSPENSE
        if self.kind == LineKind.PAYOUT:
            return accounts.BANK
        return accounts.processor(self.processor)

    def in_settled(self, settled: Settled) -> Settled:
        """No break is open. What a person did not match is a difference no more."""
        closed = msgspec.structs.replace(settled, break_id=None, difference=0)
        if self.resolution == BreakResolution.MATCHED:
            return closed
        waiting = self.gross if self.code == BreakCode.MISSING_IN_LEDGER else 0
        resolved = 0 if self.resolution == BreakResolution.MATCH else self.difference
        return msgspec.structs.replace(
            closed, suspense=settled.suspense - waiting, resolved=settled.resolved + resolved
        )

    def in_settled_by_number(self, settled: Settled) -> Settled:
        """Since breaks have names, the sums by reference say what was resolved."""
        if self.break_id is None:
            return self.in_settled(settled)
        return msgspec.structs.replace(settled, break_id=None, difference=0)

    def in_break(self, broken: Break) -> Break:
        """Over."""
        return msgspec.structs.replace(
            broken,
            status=BreakStatus.RESOLVED,
            code=self.code,
            kind=self.kind,
            processor=self.processor,
            payment_ref=self.payment_ref,
        )


@stored_as("break.assigned.v1")
class BreakAssigned(SettlementEvent, frozen=True, kw_only=True):
    """Somebody looks after a break."""

    break_id: str
    owner: str

    def tags(self) -> tuple[str, ...]:
        """The break."""
        return (break_key(self.break_id),)

    def in_break(self, broken: Break) -> Break:
        """It has an owner."""
        return msgspec.structs.replace(broken, owner=self.owner)
