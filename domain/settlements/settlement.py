"""Settlements: what a processor says it paid to the bank, against what the ledger expected.

A line is known by its processor and its own reference, whichever file it stands in, so files may
overlap, come again and come in pieces. Every line posts what the bank really got; where that
differs from the ledger, a break stays open until later lines or a person close it. Lines imported
before lines had references stay known by their file's hash and their number in it.
"""

from enum import StrEnum

import msgspec

from domain.entity import State, entity
from domain.event import Event
from domain.transitions import Transitions


class LineKind(StrEnum):
    """What a line of a settlement file tells. All but payouts are movements."""

    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
    CHARGEBACK = "CHARGEBACK"
    CHARGEBACK_REVERSAL = "CHARGEBACK_REVERSAL"
    FEE = "FEE"
    ADJUSTMENT = "ADJUSTMENT"
    PAYOUT = "PAYOUT"


class BreakStatus(StrEnum):
    """Whether somebody still has to look at a break."""

    OPEN = "open"
    RESOLVED = "resolved"


class BreakCode(StrEnum):
    """How files and ledger differ."""

    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    MISSING_IN_LEDGER = "MISSING_IN_LEDGER"
    MISSING_IN_FILE = "MISSING_IN_FILE"


class BreakResolution(StrEnum):
    """How a break ends: MATCHED by later lines, the others by a person."""

    MATCHED = "MATCHED"
    MATCH = "MATCH"
    RETURN = "RETURN"
    WRITE_OFF = "WRITE_OFF"
    DISMISS = "DISMISS"


#: Lines open a break by its code, change its difference, and close it where they make it up.
TRANSITIONS: Transitions[BreakStatus] = {
    (None, BreakCode.AMOUNT_MISMATCH): BreakStatus.OPEN,
    (None, BreakCode.MISSING_IN_LEDGER): BreakStatus.OPEN,
    (None, BreakCode.MISSING_IN_FILE): BreakStatus.OPEN,
    (BreakStatus.OPEN, "import-settlement"): BreakStatus.OPEN,
    (BreakStatus.OPEN, "assign-break"): BreakStatus.OPEN,
    (BreakStatus.OPEN, BreakResolution.MATCHED): BreakStatus.RESOLVED,
    (BreakStatus.OPEN, "resolve-break"): BreakStatus.RESOLVED,
}


class SettlementEvent(Event, frozen=True):
    """An event about settlement files. It says of each state below what it changes in it."""

    def in_file(self, file: "SettlementFile") -> "SettlementFile":
        """The file after this event."""
        return file

    def in_balance(self, balance: "ProcessorBalance") -> "ProcessorBalance":
        """What no control figure covers yet, after this event."""
        return balance

    def in_settled(self, settled: "Settled") -> "Settled":
        """What lines said about a reference, after this event."""
        return settled

    def in_settled_by_number(self, settled: "Settled") -> "Settled":
        """What lines imported by their numbers said about a payment, after this event."""
        return self.in_settled(settled)

    def in_dispute_fee(self, fee: "DisputeFee", dispute_id: str) -> "DisputeFee":
        """What lines paid of the dispute's fee, after this event."""
        return fee

    def in_break(self, broken: "Break") -> "Break":
        """The break after this event."""
        return broken


@entity
class SettlementFile(State, frozen=True, kw_only=True):
    """What was imported of a file."""

    KIND = "settlement"
    FOLD_VERSION = 2
    CACHED = False

    #: The last line that was imported by its number, when lines had no references.
    through: int = 0
    has_lines: bool = False
    fee_recorded: bool = False
    payout_recorded: bool = False
    #: What its new lines brought the bank since its last control figure, and if there were any.
    net: int = 0
    moved: bool = False

    def apply(self, key: str, event: Event) -> "SettlementFile":
        """The file after `event`."""
        assert isinstance(event, SettlementEvent)
        return event.in_file(self)


@entity
class ImportedLine(State, frozen=True, kw_only=True):
    """Whether a processor's line is imported, from whichever file."""

    KIND = "settlement_line"
    CACHED = False

    known: bool = False

    def apply(self, key: str, event: Event) -> "ImportedLine":
        """Known from now on."""
        return ImportedLine(known=True)


@entity
class ProcessorBalance(State, frozen=True, kw_only=True):
    """What a processor's lines brought the bank and no control figure covers yet."""

    KIND = "processor_balance"

    net: int = 0
    #: Whether there was a control figure before.
    controlled: bool = False

    def apply(self, key: str, event: Event) -> "ProcessorBalance":
        """The balance after `event`."""
        assert isinstance(event, SettlementEvent)
        return event.in_balance(self)


@entity
class Settled(State, frozen=True, kw_only=True):
    """What a processor's lines of one kind said about one reference: sums, and the open break."""

    KIND = "settled"
    CACHED = False

    processor: str = ""
    gross: int = 0
    #: What of it people have resolved: it is no difference any more.
    resolved: int = 0
    #: What of it waits in suspense.
    suspense: int = 0
    break_id: str | None = None
    code: str = ""
    difference: int = 0

    @property
    def with_processor(self) -> int:
        """What of it the ledger knew, so that it went to the processor's account."""
        return self.gross - self.resolved - self.suspense

    def apply(self, key: str, event: Event) -> "Settled":
        """The sums after `event`."""
        assert isinstance(event, SettlementEvent)
        return event.in_settled(self)

    def with_numbered(self, numbered: "Settled", processor: str) -> "Settled":
        """The sums with those of lines that were imported by their numbers."""
        if numbered.processor != processor:
            return self
        latest = self if self.break_id is not None else numbered
        return msgspec.structs.replace(
            self,
            gross=self.gross + numbered.gross,
            resolved=self.resolved + numbered.resolved,
            suspense=self.suspense + numbered.suspense,
            break_id=latest.break_id,
            code=latest.code,
            difference=latest.difference,
        )


@entity
class SettledByNumber(Settled, frozen=True, kw_only=True):
    """The same, of lines that were imported by their numbers; its break has the payment's name."""

    KIND = "line"
    FOLD_VERSION = 2
    CACHED = False

    def apply(self, key: str, event: Event) -> "Settled":
        """The sums after `event`."""
        assert isinstance(event, SettlementEvent)
        return event.in_settled_by_number(self)


@entity
class DisputeFee(State, frozen=True, kw_only=True):
    """What lines have paid of the fee that a dispute posted."""

    KIND = "dispute_fee"
    CACHED = False

    cleared: int = 0

    def apply(self, key: str, event: Event) -> "DisputeFee":
        """The fee after `event`."""
        assert isinstance(event, SettlementEvent)
        return event.in_dispute_fee(self, key.partition(":")[2])


@entity
class Break(State, frozen=True, kw_only=True):
    """A difference between files and ledger; `status` is None while there is none of this name."""

    KIND = "break"
    CACHED = False

    status: BreakStatus | None = None
    code: str = ""
    kind: str = LineKind.PAYMENT
    processor: str = ""
    file_sha256: str = ""
    #: The reference that its lines name; None where they name none, and for control figures.
    payment_ref: str | None = None
    #: What lines brought the bank, what of it waits in suspense, and how much too much it is.
    gross: int = 0
    suspense: int = 0
    difference: int = 0
    owner: str | None = None

    def apply(self, key: str, event: Event) -> "Break":
        """The break after `event`."""
        assert isinstance(event, SettlementEvent)
        return event.in_break(self)


class FeeCleared(msgspec.Struct, frozen=True, gc=False):
    """What of a dispute's fee a line paid; negative where it gives one back.

    A dispute of money in suspense has no id: it is called by its processor and reference.
    """

    dispute_id: str
    amount: int


def file_key(file_sha256: str) -> str:
    """The tag of a settlement file."""
    return f"settlement:{file_sha256}"


def line_key(processor: str, line_ref: str) -> str:
    """The tag of a processor's line."""
    return f"settlement_line:{processor}:{line_ref}"


def balance_key(processor: str) -> str:
    """The tag of what no control figure of a processor covers yet."""
    return f"processor_balance:{processor}"


def settled_key(processor: str, kind: str, reference: str) -> str:
    """The tag of what a processor's lines of a kind say about a reference."""
    return f"settled:{processor}:{kind}:{reference}"


def numbered_key(payment_ref: str) -> str:
    """The tag of what lines imported by their numbers said about a payment."""
    return f"line:{payment_ref}"


def dispute_fee_key(dispute_id: str) -> str:
    """The tag of what lines paid of a dispute's fee."""
    return f"dispute_fee:{dispute_id}"


def break_key(break_id: str) -> str:
    """The tag of a break."""
    return f"break:{break_id}"
