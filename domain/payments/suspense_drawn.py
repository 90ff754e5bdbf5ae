"""What is heard of a payment while it is in suspense: its money leaves, or comes back."""

from typing import Any

from domain import accounts
from domain.accounts import Assets, Posting
from domain.event import stored_as
from domain.payments.early_fees import EarlyFee, EarlyFeeEvent, TakenOver, early_fee_key
from domain.payments.payment import PaymentRecord, SuspenseEvent, payment_key
from domain.payments.waiting import Drawn

#: The kind of a dispute by its processor and the reference of the notice that opened it.
REPORTED = "dispute_notice"


def dispute_notice_key(processor: str, processor_ref: str) -> str:
    """The tag of a dispute by its processor and reference."""
    return f"{REPORTED}:{processor}:{processor_ref}"


@stored_as("suspense.drawn.v1")
class SuspenseDrawn(SuspenseEvent, EarlyFeeEvent, frozen=True, kw_only=True):
    """A processor told of a payment in suspense: a refund, a failure, a dispute or its end.

    `suspense`, `bad_debt` and `fee` say who bears what the processor took; negative: gave back.
    """

    processor: str
    ref: str
    command: str
    notice_ref: str
    notice: dict[str, Any]
    suspense: int = 0
    bad_debt: int = 0
    fee: int = 0
    refunded: int = 0
    unconfirmed: int = 0
    disputed: int = 0
    failed: bool = False
    #: Of a dispute, or of its end: how it stands now; and its reference.
    dispute: str | None = None
    dispute_status: str | None = None
    #: The refund that has failed.
    refund: str | None = None
    #: Of the amounts, where it is not the book's.
    currency: str | None = None
    #: Whether its dispute is known by processor and reference, and not by the reference alone.
    by_processor: bool = False
    #: What of `fee` lines of settlement files had paid before, as the processor's cost, and what
    #: of that stood under the payment's reference; negative: had given back.
    fee_paid: int = 0
    of_payment: int = 0

    def tags(self) -> tuple[str, ...]:
        """The payment, and the refund or the dispute by the processor's reference."""
        own: tuple[str, ...] = ()
        if self.dispute is not None:
            own = (f"dispute:{self.dispute}",)
            if self.by_processor:
                own = (*own, dispute_notice_key(self.processor, self.dispute))
            own = (*own, *self._taken_over().tags(self.processor, self.dispute))
        elif self.refund is not None:
            own = (f"refund:{self.processor}:{self.refund}",)
        return (payment_key(self.ref), *own)

    def _taken_over(self) -> TakenOver:
        return TakenOver(self.fee_paid, self.of_payment, self.ref)

    def in_early_fee(self, early: EarlyFee, key: str) -> EarlyFee:
        own = key == early_fee_key(self.processor, self.dispute or "")
        return self._taken_over().in_early_fee(early, own=own)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`suspense + exp.baddebt + exp.dispute -> psp`; a fee that is paid already
        `exp.dispute -> exp.processor`.
        """
        money = self.currency or assets.currency
        return (
            (accounts.SUSPENSE, money, self.suspense),
            (accounts.BAD_DEBT_EXPENSE, money, self.bad_debt),
            (accounts.DISPUTE_EXPENSE, money, self.fee),
            (accounts.PROCESSOR_EXPENSE, money, -self.fee_paid),
            (
                accounts.processor(self.processor),
                money,
                self.fee_paid - self.suspense - self.bad_debt - self.fee,
            ),
        )

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        """The notice is remembered; what was returned and comes back waits again."""
        before = payment.suspended_by(self.processor)
        assert before is not None
        after = before.with_drawn(
            Drawn(
                self.command,
                self.notice_ref,
                self.notice,
                self.refunded,
                self.unconfirmed,
                self.disputed,
                self.fee,
                self.failed,
            )
        )
        if before in payment.waiting:
            changed = tuple(after if one is before else one for one in payment.waiting)
            return payment.with_waiting(changed)
        others = tuple(one for one in payment.returned if one is not before)
        if after.left:
            return payment.with_waiting((*payment.waiting, after), returned=others)
        return payment.with_waiting(payment.waiting, returned=(*others, after))
