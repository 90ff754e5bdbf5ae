"""Settling: importing a processor's settlement file, and deciding on the breaks it opened."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates
from domain.event import Event
from domain.fields import Amount, Id, PositiveAmount
from domain.payments.payment import PaymentRecord, payment_key
from domain.rejections import INVALID_TRANSITION, UNKNOWN_BREAK, reject
from domain.settlements.settlement import (
    TRANSITIONS,
    BreakCode,
    BreakOpened,
    BreakResolution,
    BreakResolved,
    ResolutionField,
    SettlementFeeRecorded,
    SettlementFile,
    SettlementMatched,
    SettlementRecord,
    file_key,
    line_key,
)

LINES_MAX = 500
RESOLUTIONS = {
    BreakCode.AMOUNT_MISMATCH: (BreakResolution.WRITE_OFF, BreakResolution.DISMISS),
    BreakCode.MISSING_IN_LEDGER: (
        BreakResolution.MATCH,
        BreakResolution.RETURN,
        BreakResolution.DISMISS,
    ),
}

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Line(BaseModel):
    """What the processor paid out for one payment."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    payment_ref: Id
    amount: PositiveAmount


@command
class ImportSettlement(Command):
    """Import lines of a settlement file, in order; `first_line` is the number of the first.

    A long file comes in pieces. Lines that are imported already are passed over.
    """

    name = "import-settlement"
    roles = frozenset({"finance"})

    processor: Id
    file_sha256: Sha256
    lines: Annotated[tuple[Line, ...], Field(strict=False, max_length=LINES_MAX)]
    first_line: PositiveAmount = 1
    fee: Amount = 0

    def problems(self) -> Iterable[tuple[str, str]]:
        """`lines` names each payment once."""
        seen: set[str] = set()
        for nth, line in enumerate(self.lines):
            if line.payment_ref in seen:
                yield f"/lines/{nth}/payment_ref", "stands here twice"
            seen.add(line.payment_ref)

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The file, and each line's payment."""
        refs = [line.payment_ref for line in self.lines]
        keys = [file_key(self.file_sha256), *map(payment_key, refs), *map(line_key, refs)]
        return tuple(keys)

    def decide(self, given: Given) -> Decision:
        """One event for each new line, and one for the fee if it is new."""
        file = given.state(SettlementFile, self.file_sha256)
        if self.first_line > file.through + 1:
            subject = f"line {self.first_line}"
            return reject(INVALID_TRANSITION, subject=subject, state="not the next")
        events: list[Event] = [
            self._line(given, number, line)
            for number, line in enumerate(self.lines, self.first_line)
            if number > file.through
        ]
        if self.fee and not file.fee_recorded:
            fee = SettlementFeeRecorded(
                file_sha256=self.file_sha256, processor=self.processor, fee=self.fee
            )
            events.append(fee)
        return tuple(events)

    def _line(self, given: Given, number: int, line: Line) -> Event:
        payment = given.state(PaymentRecord, line.payment_ref)
        settled = given.state(SettlementRecord, line.payment_ref).status is not None
        if payment.status is None or payment.processor != self.processor or settled:
            code, difference = BreakCode.MISSING_IN_LEDGER, line.amount
        else:
            code, difference = BreakCode.AMOUNT_MISMATCH, line.amount - payment.amount
            if not difference:
                return SettlementMatched(
                    file_sha256=self.file_sha256,
                    line=number,
                    processor=self.processor,
                    payment_ref=line.payment_ref,
                    gross=line.amount,
                )
        return BreakOpened(
            file_sha256=self.file_sha256,
            line=number,
            processor=self.processor,
            payment_ref=line.payment_ref,
            gross=line.amount,
            difference=difference,
            code=code,
        )


@command
class ResolveBreak(Command):
    """Decide on a break between a settlement file and the ledger.

    AMOUNT_MISMATCH: WRITE_OFF the difference. MISSING_IN_LEDGER: MATCH once the payment has
    arrived, or RETURN the money. DISMISS either where it was put right elsewhere.
    """

    name = "resolve-break"
    roles = frozenset({"finance"})

    payment_ref: Id
    resolution: ResolutionField

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The break, and the payment it is about."""
        return line_key(self.payment_ref), payment_key(self.payment_ref)

    def decide(self, given: Given) -> Decision:
        line = given.state(SettlementRecord, self.payment_ref)
        if line.status is None:
            return reject(UNKNOWN_BREAK, payment_ref=self.payment_ref)
        unknown = given.state(PaymentRecord, self.payment_ref).status is None
        subject = f"the settlement of {self.payment_ref}"
        if (line.status, self.name) not in TRANSITIONS:
            return reject(INVALID_TRANSITION, subject=subject, state=line.status)
        assert line.code is not None
        if self.resolution not in RESOLUTIONS[line.code] or (
            self.resolution == BreakResolution.MATCH and unknown
        ):
            return reject(INVALID_TRANSITION, subject=subject, state=line.code)
        event = BreakResolved(
            payment_ref=self.payment_ref,
            processor=line.processor,
            code=line.code,
            gross=line.gross,
            difference=line.difference,
            resolution=self.resolution,
        )
        return (event,)
