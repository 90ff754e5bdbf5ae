"""Settlements: what a processor says it paid to the bank, against what the ledger expected.

A settlement file is imported by the hash of its bytes and the numbers of its lines, so importing
it again, or in pieces, changes nothing twice. Every line posts what the bank really got; where
that differs from the ledger, a break stays open until a person resolves it.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.payments.payment import PaymentEvent, PaymentRecord, payment_key
from domain.transitions import Transitions

ResolutionField = Literal["MATCH", "RETURN", "WRITE_OFF", "DISMISS"]


class LineStatus(StrEnum):
    """How a line of a settlement file and the ledger agree."""

    MATCHED = "MATCHED"
    OPEN = "open"
    RESOLVED = "resolved"


class BreakCode(StrEnum):
    """How a line and the ledger differ."""

    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    MISSING_IN_LEDGER = "MISSING_IN_LEDGER"


class BreakResolution(StrEnum):
    """What a person decides of a break."""

    MATCH = "MATCH"
    RETURN = "RETURN"
    WRITE_OFF = "WRITE_OFF"
    DISMISS = "DISMISS"


#: `import-settlement` finds a line matched, or opens a break by its code.
TRANSITIONS: Transitions[LineStatus] = {
    (None, LineStatus.MATCHED): LineStatus.MATCHED,
    (None, BreakCode.AMOUNT_MISMATCH): LineStatus.OPEN,
    (None, BreakCode.MISSING_IN_LEDGER): LineStatus.OPEN,
    (LineStatus.OPEN, "resolve-break"): LineStatus.RESOLVED,
}


@entity
class SettlementFile(State, frozen=True, kw_only=True):
    """How much of a file is imported: the lines up to `through`, and whether its fee is."""

    KIND = "settlement"
    CACHED = False

    through: int = 0
    fee_recorded: bool = False

    def apply(self, key: str, event: Event) -> "SettlementFile":
        """One more line, or the fee."""
        if isinstance(event, SettlementFeeRecorded):
            return msgspec.structs.replace(self, fee_recorded=True)
        assert isinstance(event, LineEvent)
        return msgspec.structs.replace(self, through=event.line)


@entity
class SettlementRecord(State, frozen=True, kw_only=True):
    """What settlement files said about one payment; `status` is None while none did."""

    KIND = "line"
    CACHED = False

    status: LineStatus | None = None
    code: BreakCode | None = None
    processor: str = ""
    gross: int = 0
    difference: int = 0

    def apply(self, key: str, event: Event) -> "SettlementRecord":
        """The line after `event`."""
        if isinstance(event, BreakResolved):
            return msgspec.structs.replace(self, status=LineStatus.RESOLVED)
        assert isinstance(event, LineEvent)
        broken = isinstance(event, BreakOpened)
        return SettlementRecord(
            status=LineStatus.OPEN if broken else LineStatus.MATCHED,
            code=BreakCode(event.code) if isinstance(event, BreakOpened) else None,
            processor=event.processor,
            gross=event.gross,
            difference=event.difference,
        )


def line_key(payment_ref: str) -> str:
    """The tag of what settlement files said about a payment."""
    return f"line:{payment_ref}"


def file_key(file_sha256: str) -> str:
    """The tag of a settlement file."""
    return f"settlement:{file_sha256}"


class LineEvent(PaymentEvent, frozen=True, kw_only=True):
    """Line `line` of a file: the bank got `gross` for a payment, `difference` above the ledger."""

    file_sha256: str
    line: int
    processor: str
    payment_ref: str
    gross: int
    difference: int = 0

    def tags(self) -> tuple[str, ...]:
        """The file, and what files say about the payment."""
        return file_key(self.file_sha256), line_key(self.payment_ref)

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        """What became of a payment does not depend on when its money reaches the bank."""
        return payment


@stored_as("settlement.matched.v1")
class SettlementMatched(LineEvent, frozen=True):
    """The bank got exactly what the ledger expected."""

    def tags(self) -> tuple[str, ...]:
        """Those of a line, and the payment."""
        return (*super().tags(), payment_key(self.payment_ref))

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`bank -> psp`."""
        return _paid_out(self.processor, self.gross, assets)


@stored_as("break.opened.v1")
class BreakOpened(LineEvent, frozen=True, kw_only=True):
    """The bank got another amount (AMOUNT_MISMATCH), or for no known payment that is not settled
    already (MISSING_IN_LEDGER).
    """

    code: str

    def tags(self) -> tuple[str, ...]:
        """Those of a line, and the payment where the ledger has one."""
        known = (payment_key(self.payment_ref),) if self.code == BreakCode.AMOUNT_MISMATCH else ()
        return (*super().tags(), *known)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`bank -> psp`, or `bank -> suspense` for what the ledger does not know."""
        if self.code == BreakCode.AMOUNT_MISMATCH:
            return _paid_out(self.processor, self.gross, assets)
        return (
            (accounts.BANK, assets.currency, self.gross),
            (accounts.SUSPENSE, assets.currency, -self.gross),
        )


@stored_as("settlement_fee.recorded.v1")
class SettlementFeeRecorded(Event, frozen=True, kw_only=True):
    """What the processor kept of a whole file."""

    file_sha256: str
    processor: str
    fee: int

    def tags(self) -> tuple[str, ...]:
        return (file_key(self.file_sha256),)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`exp.processor -> bank`."""
        return (
            (accounts.PROCESSOR_EXPENSE, assets.currency, self.fee),
            (accounts.BANK, assets.currency, -self.fee),
        )


@stored_as("break.resolved.v1")
class BreakResolved(Event, frozen=True, kw_only=True):
    """A person decided what becomes of a break."""

    payment_ref: str
    processor: str
    code: str
    gross: int
    difference: int
    resolution: str

    def tags(self) -> tuple[str, ...]:
        """What settlement files said about the payment."""
        return (line_key(self.payment_ref),)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """MATCH: `suspense -> psp`; RETURN: `suspense -> bank`; WRITE_OFF: what the processor
        paid too little `exp.processor -> psp`, or the reverse; DISMISS: nothing.
        """
        money, psp = assets.currency, accounts.processor(self.processor)
        match self.resolution:
            case BreakResolution.MATCH:
                return (accounts.SUSPENSE, money, self.gross), (psp, money, -self.gross)
            case BreakResolution.RETURN:
                return (accounts.SUSPENSE, money, self.gross), (accounts.BANK, money, -self.gross)
            case BreakResolution.WRITE_OFF:
                short = -self.difference
                return (accounts.PROCESSOR_EXPENSE, money, short), (psp, money, -short)
        return ()


def _paid_out(processor: str, gross: int, assets: Assets) -> tuple[Posting, ...]:
    return (
        (accounts.BANK, assets.currency, gross),
        (accounts.processor(processor), assets.currency, -gross),
    )
