"""A payment, known by its processor's reference: what it became, and what waits in suspense."""

from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.payments.waiting import Drawn, Waiting


class PaymentStatus(StrEnum):
    """What became of a payment."""

    AUTHORIZED = "authorized"
    SUSPENDED = "suspended"
    RELEASED = "released"
    APPLIED = "applied"


#: Bound, for every purchase asks: an enum's attribute costs five globals.
_SUSPENDED, _RELEASED = PaymentStatus.SUSPENDED, PaymentStatus.RELEASED


class SuspenseResolution(StrEnum):
    """What a person decides of money in suspense."""

    APPLY = "APPLY"
    RETURN = "RETURN"


class DisputeStatus(StrEnum):
    """How a bank's dispute of a payment stands."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class DisputeBearer(StrEnum):
    """Who pays for what a lost dispute takes."""

    CREATOR_PROPORTIONAL = "CREATOR_PROPORTIONAL"
    PLATFORM = "PLATFORM"


def payment_key(processor_ref: str) -> str:
    """The tag of a payment; references are unique over all payments of a book."""
    return f"payment:{processor_ref}"


class PaymentEvent(Event, frozen=True):
    """An event in the life of a payment."""

    def in_payment(self, payment: "PaymentRecord") -> "PaymentRecord":
        """The payment after this event."""
        raise NotImplementedError(type(self).__name__)


class SuspenseEvent(PaymentEvent, frozen=True):
    """An event that changes what waits in suspense under the reference of its payment."""


class ReleasesNotice(Event, frozen=True):
    """An event with which a kept notice has been dealt with."""

    def released(self) -> tuple[str, str, str]:
        """(processor, processor_ref, command) of the notice."""
        raise NotImplementedError(type(self).__name__)


@entity
class PaymentRecord(State, frozen=True, kw_only=True):
    """What a processor's payment became: a sale, a purchase, or money in suspense.

    More payments under its reference wait in suspense beside it, the oldest first, and change
    nothing about it: what is settled or disputed is the first one.
    """

    KIND = "payment"
    FOLD_VERSION = 2
    CACHED = False
    LISTS: ClassVar = {"waiting": 50, "further": 500, "returned": 50, "drawn": 500}

    status: PaymentStatus | None = None
    sale_id: str | None = None
    purchase_id: str | None = None
    processor: str = ""
    amount: int = 0
    waiting: tuple[Waiting, ...] = ()
    #: The sales of later captures, in their order.
    further: tuple[str, ...] = ()
    #: The authorisation that it began as.
    authorization_id: str | None = None
    #: What was sent back from suspense: notices may still tell of it.
    returned: tuple[Waiting, ...] = ()

    @property
    def drawn(self) -> tuple[Drawn, ...]:
        """What was told of all that waits, or was sent back."""
        return tuple(each for one in (*self.waiting, *self.returned) for each in one.drawn)

    @property
    def sale_ids(self) -> tuple[str, ...]:
        """The sales that it paid, the first capture first."""
        return () if self.sale_id is None else (self.sale_id, *self.further)

    def suspended_by(self, processor: str) -> Waiting | None:
        """The money of `processor` that is, or was, in suspense under this reference."""
        for one in (*self.waiting, *self.returned):
            if one.processor == processor and one.amount > 0:
                return one
        return None

    def is_another(self, processor: str) -> bool:
        """Whether the reference is taken: a payment that another processor reports under it, or
        one that has become something already, is another one."""
        if self.sale_id is not None or self.purchase_id is not None:
            return True
        if self.status == _SUSPENDED:
            return self.waiting[0].processor != processor
        return self.status is not None and self.status != _RELEASED

    def became(self, **what: Any) -> "PaymentRecord":
        """The payment once it has become something; others go on waiting."""
        return PaymentRecord(waiting=self.waiting, returned=self.returned, **what)

    def with_waiting(self, waiting: tuple[Waiting, ...], **what: Any) -> "PaymentRecord":
        """The payment once `waiting` is what waits in suspense under its reference."""
        payment = msgspec.structs.replace(self, waiting=waiting, **what)
        if payment.status not in (None, PaymentStatus.RELEASED, PaymentStatus.SUSPENDED):
            return payment
        if not waiting:
            return msgspec.structs.replace(payment, status=PaymentStatus.RELEASED)
        return msgspec.structs.replace(
            payment,
            status=PaymentStatus.SUSPENDED,
            processor=waiting[0].processor,
            amount=waiting[0].amount,
        )

    def apply(self, key: str, event: Event) -> "PaymentRecord":
        """The payment after `event`: every event in a payment's life says how."""
        assert isinstance(event, PaymentEvent)
        return event.in_payment(self)


@stored_as("payment.suspended.v1")
class PaymentSuspended(SuspenseEvent, frozen=True, kw_only=True):
    """A processor took `amount` minor units that no rule accepts; a person decides.

    `code` says what was contradicted; `command` and `notice` what the processor had reported.
    Of a refund that goes beyond its sale only what is new in the figure is the `amount`, negative.
    """

    processor: str
    ref: str
    amount: int
    code: str
    command: str
    notice: dict[str, Any]
    #: The sale that cannot bear this refund, or the reference of a payment that paid for none.
    refund_of: str | None = None
    #: Whether it is known as a refund, too, by the processor's reference.
    by_ref: bool = False
    #: Of the amount, where it is not the book's.
    currency: str | None = None

    def labelled_by(self) -> str | None:
        """The sale that cannot bear this refund."""
        return None if self.refund_of is None else f"sale:{self.refund_of}"

    def tags(self) -> tuple[str, ...]:
        """The payment, and a refund's sale; nobody's wallet or earnings are changed by it."""
        sale = () if self.refund_of is None else (f"sale:{self.refund_of}",)
        refund = (f"refund:{self.processor}:{self.ref}",) if self.by_ref else ()
        return (payment_key(self.ref), *sale, *refund)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`psp -> suspense`, in the currency of the amount."""
        money = self.currency or assets.currency
        return (
            (accounts.processor(self.processor), money, self.amount),
            (accounts.SUSPENSE, money, -self.amount),
        )

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        """It waits for a person; what the payment had become before stays known."""
        if (self.refund_of is not None or self.by_ref) and self.amount > 0:
            return payment.with_waiting(self._less(payment.waiting))
        waiting = Waiting(
            self.processor, self.amount, self.command, self.notice, currency=self.currency
        )
        return payment.with_waiting((*payment.waiting, waiting))

    def _less(self, waiting: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
        """What waits once a refund that went beyond its sale has come back."""
        left, back = [], self.amount
        for one in waiting:
            same = one.processor == self.processor and one.currency == self.currency
            if one.amount < 0 and same:
                part = min(back, -one.amount)
                back -= part
                one = msgspec.structs.replace(one, amount=one.amount + part)  # noqa: PLW2901
                if not one.amount:
                    continue
            left.append(one)
        if back:
            notice = Waiting(self.processor, back, self.command, self.notice)
            left.append(msgspec.structs.replace(notice, currency=self.currency))
        return tuple(left)


@stored_as("payment.released.v1")
class PaymentReleased(SuspenseEvent, ReleasesNotice, frozen=True, kw_only=True):
    """A person took a payment out of suspense: APPLY its notice anew, or RETURN the money."""

    processor: str
    ref: str
    amount: int
    resolution: str
    #: What the processor had reported; released before it was said here, it is "".
    command: str = ""
    #: What notices about it had cost before it was applied: that is taken back first.
    bad_debt: int = 0
    fees: int = 0
    #: Of the amounts, where it is not the book's.
    currency: str | None = None

    def tags(self) -> tuple[str, ...]:
        return (payment_key(self.ref),)

    def released(self) -> tuple[str, str, str]:
        """The notice of the payment that waited longest."""
        return self.processor, self.ref, self.command

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`suspense -> psp`; an applied notice then posts as it would have at first."""
        money = self.currency or assets.currency
        back = self.bad_debt + self.fees
        return (
            (accounts.SUSPENSE, money, self.amount),
            (accounts.BAD_DEBT_EXPENSE, money, -self.bad_debt),
            (accounts.DISPUTE_EXPENSE, money, -self.fees),
            (accounts.processor(self.processor), money, back - self.amount),
        )

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        """The oldest waits no more; of what was returned, notices may still tell."""
        oldest, *left = payment.waiting
        returned = payment.returned
        if self.resolution == SuspenseResolution.RETURN and oldest.amount > 0:
            back = oldest.left
            sent = Drawn("release-payment", "", {}, refunded=back, unconfirmed=max(0, back))
            returned = (*returned, oldest.with_drawn(sent))
        return payment.with_waiting(tuple(left), returned=returned)
