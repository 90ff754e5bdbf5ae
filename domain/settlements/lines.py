"""Lines of settlement files: movements, fees and payouts, and what each of them posts.

Signs: `gross` is what a line changed of the processor's balance, `fee` what the processor kept of
it, so a line brings the bank gross - fee.
"""

from datetime import date

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.event import stored_as
from domain.payments.early_fees import EarlyFee, EarlyFeeEvent, early_fee_key
from domain.payments.payment import PaymentEvent, PaymentRecord, payment_key
from domain.settlements.settlement import (
    Break,
    BreakCode,
    BreakStatus,
    DisputeFee,
    FeeCleared,
    LineKind,
    ProcessorBalance,
    Settled,
    SettlementEvent,
    SettlementFile,
    balance_key,
    break_key,
    dispute_fee_key,
    file_key,
    line_key,
    numbered_key,
    settled_key,
)


class FeeEvent(SettlementEvent, EarlyFeeEvent, frozen=True, kw_only=True):
    """An event that may pay fees of disputes; what it pays beyond them is the processor's cost."""

    processor: str
    payment_ref: str | None = None
    fee: int = 0
    #: What of `fee` disputes have posted already.
    cleared: tuple[FeeCleared, ...] = ()
    #: What of `fee` is paid for a dispute that may be to come: nobody has heard of it yet.
    early: int = 0
    #: What it gives back for a win that may be to come.
    returned: int = 0

    @property
    def cleared_fees(self) -> int:
        """What of the fee the processor's account bears already."""
        return sum(part.amount for part in self.cleared)

    def fee_tags(self) -> tuple[str, ...]:
        """The disputes whose fees it pays, or the one that may come."""
        told = self.early or self.returned
        early = (early_fee_key(self.processor, self.payment_ref or ""),) if told else ()
        return (*(dispute_fee_key(part.dispute_id) for part in self.cleared), *early)

    def in_early_fee(self, early: EarlyFee, key: str) -> EarlyFee:
        return early.with_line(self.early, self.returned, chargeback=self.is_chargeback)

    @property
    def is_chargeback(self) -> bool:
        """Whether its fee may be that of any dispute of the payment that it names."""
        return False

    def in_dispute_fee(self, fee: DisputeFee, dispute_id: str) -> DisputeFee:
        """So much more of it is paid."""
        paid = sum(part.amount for part in self.cleared if part.dispute_id == dispute_id)
        return DisputeFee(cleared=fee.cleared + paid)


class LineEvent(PaymentEvent, FeeEvent, frozen=True, kw_only=True):
    """A movement. The lines of its kind about `payment_ref` are `difference` above the ledger.

    `payment_ref` is the reference that the line names: a payment's, or that of the refund or the
    dispute itself. Without `line_ref` it was imported by its number, or it is no line at all.
    """

    file_sha256: str
    gross: int
    line: int = 0
    difference: int = 0
    kind: str = LineKind.PAYMENT
    line_ref: str | None = None
    value_date: date | None = None
    #: What goes to suspense and not to the processor's account; negative where it comes back.
    suspense: int = 0

    @property
    def numbered(self) -> bool:
        """Whether it was imported by its number."""
        return self.line_ref is None

    @property
    def is_chargeback(self) -> bool:
        return self.kind == LineKind.CHARGEBACK

    @property
    def to_suspense(self) -> int:
        """What goes to suspense."""
        return self.suspense

    def tags(self) -> tuple[str, ...]:
        """The file, the line, the processor, and what lines say about the reference."""
        reference = self.payment_ref
        if self.numbered:
            return file_key(self.file_sha256), numbered_key(reference or "")
        known = () if reference is None else (settled_key(self.processor, self.kind, reference),)
        if self.line_ref is None:
            return file_key(self.file_sha256), *known
        line = line_key(self.processor, self.line_ref), balance_key(self.processor)
        return (file_key(self.file_sha256), *line, *known, *self.fee_tags())

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`bank -> psp`, or `bank -> suspense` for what the ledger does not know; `exp.processor`
        bears the fee, or the processor's account where a dispute has posted it.
        """
        money, unknown, cleared = assets.currency, self.to_suspense, self.cleared_fees
        return (
            (accounts.BANK, money, self.gross - self.fee),
            (accounts.SUSPENSE, money, -unknown),
            (accounts.processor(self.processor), money, unknown + cleared - self.gross),
            (accounts.PROCESSOR_EXPENSE, money, self.fee - cleared),
        )

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        """What became of a payment does not depend on when its money reaches the bank."""
        return payment

    def in_file(self, file: SettlementFile) -> SettlementFile:
        """One more line."""
        if self.numbered:
            return msgspec.structs.replace(file, through=self.line)
        return _with_movement(file, self.line_ref, self.gross - self.fee)

    def in_balance(self, balance: ProcessorBalance) -> ProcessorBalance:
        """So much more is to be covered."""
        return msgspec.structs.replace(balance, net=balance.net + self.gross - self.fee)

    def in_settled(self, settled: Settled) -> Settled:
        """The line counts."""
        return msgspec.structs.replace(
            settled,
            processor=self.processor,
            gross=settled.gross + self.gross,
            suspense=settled.suspense + self.to_suspense,
        )


@stored_as("settlement.matched.v1")
class SettlementMatched(LineEvent, frozen=True):
    """With this line, lines and ledger agree about the reference."""

    def tags(self) -> tuple[str, ...]:
        """Those of a line, and the payment."""
        if self.payment_ref is None or self.kind != LineKind.PAYMENT:
            return super().tags()
        return (*super().tags(), payment_key(self.payment_ref))


class BrokenLineEvent(LineEvent, frozen=True, kw_only=True):
    """After this line, lines and ledger differ."""

    code: str
    break_id: str | None = None

    def tags(self) -> tuple[str, ...]:
        """Those of a line, the payment where the ledger has one, and the break."""
        known = self.code == BreakCode.AMOUNT_MISMATCH and self.kind == LineKind.PAYMENT
        payment = (payment_key(self.payment_ref),) if known and self.payment_ref else ()
        broken = () if self.break_id is None else (break_key(self.break_id),)
        return (*super().tags(), *payment, *broken)

    def in_settled(self, settled: Settled) -> Settled:
        """The line counts, and the break is open."""
        return msgspec.structs.replace(
            super().in_settled(settled),
            break_id=self.break_id or self.payment_ref,
            code=self.code,
            difference=self.difference,
        )

    def in_break(self, broken: Break) -> Break:
        """Open, with the difference as it is now."""
        return Break(
            status=BreakStatus.OPEN,
            code=self.code,
            kind=self.kind,
            processor=self.processor,
            file_sha256=self.file_sha256,
            payment_ref=self.payment_ref,
            gross=broken.gross + self.gross,
            suspense=broken.suspense + self.suspense,
            difference=self.difference,
            owner=broken.owner,
        )


@stored_as("break.opened.v1")
class BreakOpened(BrokenLineEvent, frozen=True, kw_only=True):
    """The bank got another amount (AMOUNT_MISMATCH), or for what the ledger does not know
    (MISSING_IN_LEDGER). Of kind PAYOUT: a control figure is not what its lines make.
    """

    @property
    def numbered(self) -> bool:
        """Breaks of lines with references have names of their own."""
        return self.break_id is None

    @property
    def to_suspense(self) -> int:
        """A line imported by its number went there whole, where nobody knew its payment."""
        unknown = self.numbered and self.code == BreakCode.MISSING_IN_LEDGER
        return self.gross if unknown else self.suspense


@stored_as("break.changed.v1")
class BreakChanged(BrokenLineEvent, frozen=True, kw_only=True):
    """A further line about a reference whose break is open, and stays so with this difference."""


@stored_as("settlement_fee.recorded.v1")
class SettlementFeeRecorded(FeeEvent, frozen=True, kw_only=True):
    """What the processor kept of a whole file, or by a line of its own; negative: gave back."""

    file_sha256: str
    line: int = 0
    line_ref: str | None = None
    value_date: date | None = None
    #: Whether control figures count it; those of before there were any do not.
    controlled: bool = False

    def tags(self) -> tuple[str, ...]:
        """The file, and of a line those of a line."""
        line = () if self.line_ref is None else (line_key(self.processor, self.line_ref),)
        balance = (balance_key(self.processor),) if self.controlled else ()
        return (file_key(self.file_sha256), *line, *balance, *self.fee_tags())

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`exp.processor -> bank`, or `psp -> bank` for what a dispute has posted already."""
        money, cleared = assets.currency, self.cleared_fees
        return (
            (accounts.PROCESSOR_EXPENSE, money, self.fee - cleared),
            (accounts.processor(self.processor), money, cleared),
            (accounts.BANK, money, -self.fee),
        )

    def in_file(self, file: SettlementFile) -> SettlementFile:
        """A line more, or the file's own fee."""
        if self.controlled:
            file = _with_movement(file, self.line_ref, -self.fee)
        return msgspec.structs.replace(
            file, fee_recorded=file.fee_recorded or self.line_ref is None
        )

    def in_balance(self, balance: ProcessorBalance) -> ProcessorBalance:
        """So much less is to be covered."""
        return msgspec.structs.replace(balance, net=balance.net - self.fee)


@stored_as("settlement_payout.recorded.v1")
class SettlementPayoutRecorded(SettlementEvent, frozen=True, kw_only=True):
    """The control figure of movements: the processor says that it paid `amount` for them, and
    their lines make `covered`. Nothing is posted: the lines have.
    """

    file_sha256: str
    processor: str
    amount: int
    covered: int
    line: int = 0
    line_ref: str | None = None
    value_date: date | None = None

    def tags(self) -> tuple[str, ...]:
        """The file, the processor, and the line."""
        line = () if self.line_ref is None else (line_key(self.processor, self.line_ref),)
        return (file_key(self.file_sha256), balance_key(self.processor), *line)

    def in_file(self, file: SettlementFile) -> SettlementFile:
        """The next control figure begins anew."""
        return msgspec.structs.replace(
            file,
            net=0,
            moved=False,
            has_lines=file.has_lines or self.line_ref is not None,
            payout_recorded=file.payout_recorded or self.line_ref is None,
        )

    def in_balance(self, balance: ProcessorBalance) -> ProcessorBalance:
        """What it covers needs no other figure."""
        return ProcessorBalance(net=balance.net - self.covered, controlled=True)


def _with_movement(file: SettlementFile, line_ref: str | None, net: int) -> SettlementFile:
    """The file with so much more to the bank, by a line or by its own fee."""
    return msgspec.structs.replace(
        file,
        net=file.net + net,
        moved=file.moved or line_ref is not None,
        has_lines=file.has_lines or line_ref is not None,
    )
