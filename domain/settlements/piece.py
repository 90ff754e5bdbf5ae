"""The decision on a piece of a settlement file: which of its lines are new, and what they make."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from domain.command import Command, Given
from domain.controls.periods import Day
from domain.entity import LoadedStates, State, States
from domain.event import Event
from domain.fields import Currency, Id, PositiveAmount, Reference, SignedAmount
from domain.settlements.breaks import BreakResolved
from domain.settlements.lines import (
    BreakChanged,
    BreakOpened,
    SettlementFeeRecorded,
    SettlementMatched,
    SettlementPayoutRecorded,
)
from domain.settlements.recorded import Recorded, subject_keys
from domain.settlements.settlement import (
    BreakCode,
    BreakResolution,
    DisputeFee,
    FeeCleared,
    ImportedLine,
    LineKind,
    ProcessorBalance,
    Settled,
    SettledByNumber,
    SettlementFile,
    balance_key,
    file_key,
    line_key,
)

S = TypeVar("S", bound=State)


LINES_MAX = 500

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Line(BaseModel):
    """A line of a settlement file: what a movement changed of the processor's balance."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    line_ref: Reference = Field(description="The processor's own name of the line.")
    kind: Annotated[LineKind, Field(strict=False)]
    processor_ref: Reference | None = Field(
        default=None,
        description="The payment that it is about, or the refund or the dispute itself.",
    )
    gross: SignedAmount = Field(
        description="As it changes the processor's balance: a payment adds, a refund, a "
        "chargeback and a line of kind FEE take away."
    )
    fee: SignedAmount = Field(
        default=0, description="What the processor kept of it; negative where it gave back."
    )
    currency: Currency | None = None
    value_date: Day | None = None

    @property
    def subject(self) -> str | None:
        """The reference by which it is compared; an adjustment is compared with nothing."""
        alone = self.kind in (LineKind.ADJUSTMENT, LineKind.PAYOUT)
        return None if alone else self.processor_ref


class SentPiece(Command):
    """A piece of a settlement file, as it is sent."""

    processor: Id
    file_sha256: Sha256
    lines: Annotated[tuple[Line, ...], Field(strict=False, max_length=LINES_MAX)]
    first_line: PositiveAmount = 1
    fee: SignedAmount = 0
    payout: SignedAmount | None = None

    def problems(self) -> Iterable[tuple[str, str]]:
        """A line stands once in a piece."""
        seen: set[str] = set()
        for nth, line in enumerate(self.lines):
            if line.line_ref in seen:
                yield f"/lines/{nth}/line_ref", "stands here twice"
            seen.add(line.line_ref)

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The file, the processor's balance, and each line with what it names."""
        processor = self.processor
        named = [(line.kind, line.subject) for line in self.lines if line.subject is not None]
        return (
            file_key(self.file_sha256),
            balance_key(processor),
            *(line_key(processor, line.line_ref) for line in self.lines),
            *(key for kind, reference in named for key in subject_keys(processor, kind, reference)),
        )


class Piece:
    """The decision on a piece: line after line, each on what those before it left."""

    def __init__(self, sent: SentPiece, given: Given) -> None:
        self._sent = sent
        self._given = given
        self._states = _Overlay(given.states)
        lines = given.states_of(
            ImportedLine, [f"{sent.processor}:{line.line_ref}" for line in sent.lines]
        )
        known = {key.partition(":")[2] for key, line in lines.items() if line.known}
        through = self._file.through
        self._new = [
            (number, line)
            for number, line in enumerate(sent.lines, sent.first_line)
            if number > through and line.line_ref not in known
        ]
        named = [(line.kind, line.subject) for _, line in self._new]
        self._recorded = Recorded(
            given, sent.processor, [(kind, ref) for kind, ref in named if ref is not None]
        )
        self._breaks = 0

    @property
    def _file(self) -> SettlementFile:
        return self._states.state(SettlementFile, self._sent.file_sha256)

    def events(self) -> Iterator[Event]:
        """The new lines, with the file's fee before its last control figure, and that figure."""
        payouts = [number for number, line in self._new if line.kind == LineKind.PAYOUT]
        for number, line in self._new:
            if payouts[-1:] == [number] and self._sent.payout is None:
                yield from self._told(self._file_fee())
            yield from self._told(self._line(number, line))
        yield from self._told(self._file_fee())
        if self._sent.payout is not None and self._file.moved and not self._file.payout_recorded:
            yield from self._told(self._payout(abs(self._sent.payout)))

    def _told(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same events, each of which the next decision knows of."""
        for event in events:
            self._states.learn(event)
            yield event

    def _file_fee(self) -> Iterator[Event]:
        """The fee of the whole file, once; none where other files have brought all its lines."""
        file, fee = self._file, self._sent.fee
        has_own = file.has_lines or file.through > 0 or self._new or not self._sent.lines
        if not fee or file.fee_recorded or not has_own:
            return
        yield SettlementFeeRecorded(
            file_sha256=self._sent.file_sha256,
            processor=self._sent.processor,
            fee=fee,
            controlled=True,
        )

    def _line(self, number: int, line: Line) -> Iterator[Event]:
        place: dict[str, Any] = {
            "line": number,
            "line_ref": line.line_ref,
            "value_date": line.value_date,
        }
        if line.kind == LineKind.PAYOUT:
            yield from self._payout(abs(line.gross), **place)
        elif line.kind == LineKind.FEE:
            fee = line.fee - line.gross
            yield SettlementFeeRecorded(
                file_sha256=self._sent.file_sha256,
                processor=self._sent.processor,
                payment_ref=line.processor_ref,
                **self._fees(line, fee, beyond=False),
                controlled=True,
                **place,
            )
        else:
            yield from self._movement(line, place)

    def _movement(self, line: Line, place: dict[str, Any]) -> Iterator[Event]:
        """The line, as it opens, changes or closes the break of what it names."""
        before = self._settled(line)
        expected = None
        if line.subject is not None:
            expected = self._recorded.expected(line.kind, line.subject)
            if expected is None and before.with_processor:
                expected = 0
        difference = before.gross + line.gross - before.resolved - (expected or 0)
        common: dict[str, Any] = {
            "file_sha256": self._sent.file_sha256,
            "processor": self._sent.processor,
            "payment_ref": line.subject,
            "kind": line.kind,
            "gross": line.gross,
            **self._fees(line, line.fee, beyond=not line.gross or difference * line.gross > 0),
            "suspense": line.gross if expected is None else -before.suspense,
            **place,
        }
        if not difference:
            yield SettlementMatched(**common)
            if before.break_id is not None:
                yield self._matched(line, before)
            return
        code = BreakCode.MISSING_IN_LEDGER if expected is None else BreakCode.AMOUNT_MISMATCH
        broken = {**common, "code": code, "difference": difference}
        if before.break_id is not None:
            yield BreakChanged(break_id=before.break_id, **broken)
        else:
            yield BreakOpened(break_id=self._next_break(), **broken)

    def _matched(self, line: Line, before: Settled) -> BreakResolved:
        return BreakResolved(
            break_id=before.break_id,
            processor=self._sent.processor,
            payment_ref=line.subject,
            kind=line.kind,
            code=before.code,
            gross=before.suspense,
            difference=before.difference,
            resolution=BreakResolution.MATCHED,
        )

    def _settled(self, line: Line) -> Settled:
        """What lines before said about the same, those imported by their numbers included."""
        if line.subject is None:
            return Settled()
        key = f"{self._sent.processor}:{line.kind}:{line.subject}"
        settled = self._states.state(Settled, key)
        if line.kind != LineKind.PAYMENT:
            return settled
        return settled.with_numbered(
            self._states.state(SettledByNumber, line.subject), self._sent.processor
        )

    def _fees(self, line: Line, fee: int, *, beyond: bool) -> dict[str, Any]:
        """A fee, what of it disputes have posted, and what may be that of a dispute to come, or
        come back with a win to come.
        """
        cleared = tuple(self._cleared(line, fee))
        left = fee - sum(part.amount for part in cleared)
        early = self._recorded.may_come(line.kind, line.subject, beyond=beyond)
        back = left < 0 and self._recorded.may_be_won(line.kind, line.subject, beyond=beyond)
        return {
            "fee": fee,
            "cleared": cleared,
            "early": left if early else 0,
            "returned": -left if back else 0,
        }

    def _cleared(self, line: Line, fee: int) -> Iterator[FeeCleared]:
        """What of a fee disputes have posted and no line has cleared yet, or to be given back."""
        if line.kind == LineKind.CHARGEBACK_REVERSAL and fee > 0:
            return
        for claim in self._recorded.dispute_fees(line.kind, line.subject):
            paid = sum(self._states.state(DisputeFee, key).cleared for key in claim.fee_keys)
            left = claim.fee - paid
            part = max(0, min(fee, left)) if fee > 0 else min(0, max(fee, left))
            if part:
                fee -= part
                yield FeeCleared(claim.fee_keys[0], part)

    def _payout(self, amount: int, **place: Any) -> Iterator[Event]:
        """A control figure, and a break where the movements it is for make another amount."""
        covered = self._covered(amount)
        difference = _signed(amount, covered) - covered
        yield SettlementPayoutRecorded(
            file_sha256=self._sent.file_sha256,
            processor=self._sent.processor,
            amount=amount,
            covered=covered,
            **place,
        )
        if difference:
            yield BreakOpened(
                file_sha256=self._sent.file_sha256,
                processor=self._sent.processor,
                kind=LineKind.PAYOUT,
                gross=0,
                difference=difference,
                code=BreakCode.AMOUNT_MISMATCH,
                break_id=self._next_break(),
            )

    def _covered(self, amount: int) -> int:
        """What the movements make that a control figure is for: all of the processor's since the
        figure before, or the file's own, where those make it or there was no figure before.
        """
        own = self._file.net
        balance = self._states.state(ProcessorBalance, self._sent.processor)
        if abs(balance.net) == amount or (balance.controlled and abs(own) != amount):
            return balance.net
        return own

    def _next_break(self) -> str:
        self._breaks += 1
        return f"{self._given.new_id}_{self._breaks}"


class _Overlay:
    """States as given, and over them what the piece's own events have made of some."""

    _FOLDED = (SettlementFile, ProcessorBalance, Settled, SettledByNumber, DisputeFee)

    def __init__(self, states: States) -> None:
        self._states = states
        self._changed: dict[str, State] = {}

    def state(self, kind: type[S], key: str) -> S:
        """The state of the entity `key` as of now."""
        tag = f"{kind.KIND}:{key}"
        return self._changed.get(tag) or self._states[tag]  # type: ignore[return-value]

    def learn(self, event: Event) -> None:
        """An event of the piece has been decided."""
        for tag in event.tags():
            for kind in self._FOLDED:
                if tag.startswith(f"{kind.KIND}:"):
                    now = self._changed.get(tag) or self._states[tag]
                    self._changed[tag] = now.apply(tag, event)


def _signed(amount: int, covered: int) -> int:
    """A control figure is absolute: what it means has the sign of what it covers."""
    return -amount if covered < 0 else amount
