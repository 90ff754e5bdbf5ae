"""Reconciliation: of every payment whether the settlement files tell of it, and of the same amount.

A payment without a line is no event. It is seen here with its age, and as a break it is called
`missing-` and its reference, by which it can be assigned and dismissed.
"""

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from domain.event import Event
from domain.payments.payment import PaymentEvent, PaymentRecord
from domain.settlements.breaks import MISSING, BreakResolved
from domain.settlements.settlement import (
    BreakCode,
    LineKind,
    Settled,
    SettledByNumber,
    SettlementEvent,
    break_key,
    numbered_key,
)
from projections.engine.columns import INTEGER, TEXT, kept
from projections.engine.register import Life, Register, lives

MATCHED, DISMISSED = "MATCHED", "DISMISSED"
#: An authorisation, or money that was sent back: no line is due.
NOTHING_DUE = "NOTHING_DUE"
_LINES = f":{LineKind.PAYMENT}:"
_SETTLED, _PAYMENT = f"{Settled.KIND}:", f"{PaymentRecord.KIND}:"
_NUMBERED, _MISSING = numbered_key(""), break_key(MISSING)


class Reconciled(Life, frozen=True, kw_only=True):
    """A payment as the ledger knows it, and what its processor's lines say of it."""

    KIND: ClassVar[str] = "reconciled"

    reference: str = ""
    payment: PaymentRecord = PaymentRecord()
    #: By processor, as another's line may name the same reference.
    lines: dict[str, Settled] = msgspec.field(default_factory=dict)
    numbered: SettledByNumber = SettledByNumber()
    dismissed: bool = False

    def apply(self, key: str, event: Event) -> "Reconciled":
        """The domain's own folds of the payment and of its lines, by the event's tags."""
        reference = key.partition(":")[2]
        after = msgspec.structs.replace(self, reference=reference)
        for tag in event.tags():
            if _reference(tag) == reference:
                after = after.with_event(tag, event)
        return msgspec.structs.replace(after, status=after.stands)

    def with_event(self, tag: str, event: Event) -> "Reconciled":
        """What an event says of it under one of its tags."""
        if tag.startswith(_PAYMENT):
            return msgspec.structs.replace(self, payment=self.payment.apply(tag, event))
        if tag.startswith(_SETTLED):
            processor = tag.split(":", 2)[1]
            settled = self.lines.get(processor, Settled()).apply(tag, event)
            return msgspec.structs.replace(self, lines={**self.lines, processor: settled})
        if tag.startswith(_NUMBERED):
            numbered = self.numbered.apply(tag, event)
            assert isinstance(numbered, SettledByNumber)
            return msgspec.structs.replace(self, numbered=numbered)
        return msgspec.structs.replace(
            self, dismissed=self.dismissed or isinstance(event, BreakResolved)
        )

    @property
    def processor(self) -> str:
        """The payment's; of one that the ledger does not know, the line's."""
        told = self.payment.processor or self.numbered.processor
        return told or next(iter(self.lines), "")

    @property
    def settled(self) -> Settled:
        """What the lines of its processor say."""
        lines = self.lines.get(self.processor, Settled())
        return lines.with_numbered(self.numbered, self.processor)

    @property
    def expected(self) -> int:
        """What a line should bring, in minor units."""
        return self.payment.amount if self.payment.status is not None else 0

    @property
    def stands(self) -> str:
        """How files and ledger agree about it."""
        settled = self.settled
        if settled.break_id is not None:
            return settled.code
        if settled.processor:
            return MATCHED
        if not self.expected:
            return NOTHING_DUE
        return DISMISSED if self.dismissed else BreakCode.MISSING_IN_FILE.value

    @property
    def break_id(self) -> str | None:
        """By which name it can be assigned and resolved while files and ledger differ."""
        if self.status == BreakCode.MISSING_IN_FILE:
            return MISSING + self.reference
        return self.settled.break_id


def _reference(tag: str) -> str | None:
    """The payment's reference in a tag; None if it is about something else."""
    for prefix in (_PAYMENT, _NUMBERED, _MISSING):
        if tag.startswith(prefix):
            return tag[len(prefix) :]
    if tag.startswith(_SETTLED) and _LINES in tag:
        return tag.partition(_LINES)[2]
    return None


class Reconciliation(Register):
    """Payments by their references, and what settlement files say of them, in minor units.

    MISSING_IN_FILE: no line tells of it yet. MISSING_IN_LEDGER: a line names it and nobody else
    does. AMOUNT_MISMATCH: its lines make another amount, by `difference`. DISMISSED: a person says
    that no line will come. NOTHING_DUE: no money of it has come to stay. `gross`: what its lines
    brought; `break`: by which name a difference is assigned and resolved.
    """

    name, item = "reconciliation", "reconciled_payment"
    version = 1
    by_reference = True
    state = Reconciled
    statuses = (
        BreakCode.MISSING_IN_FILE.value,
        BreakCode.MISSING_IN_LEDGER.value,
        BreakCode.AMOUNT_MISMATCH.value,
        MATCHED,
        DISMISSED,
        NOTHING_DUE,
    )
    branches = lives(PaymentEvent, SettlementEvent)
    amount = "expected"
    columns = (
        kept("processor", TEXT, by="processor"),
        kept("expected", INTEGER),
        kept("gross", INTEGER, lambda one: one.settled.gross),
        kept("difference", INTEGER, lambda one: one.settled.difference),
        kept("break", TEXT, lambda one: one.break_id, nullable=True),
    )

    @classmethod
    def ids_of(cls, event: Event) -> Iterable[str]:
        """The references of payments that its tags name."""
        named = (_reference(tag) for tag in event.tags())
        return dict.fromkeys(each for each in named if each)
