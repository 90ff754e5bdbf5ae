"""A payment, known by its processor's reference: what it became, and what waits in suspense."""

from enum import StrEnum
from typing import Any

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.entity import State, entity
from domain.event import Event, stored_as


class PaymentStatus(StrEnum):
    """What became of a payment."""

    AUTHORIZED = "authorized"
    SUSPENDED = "suspended"
    RELEASED = "released"
    APPLIED = "applied"


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


class ReleasesNotice(Event, frozen=True):
    """An event with which a kept notice has been dealt with."""

    def released(self) -> tuple[str, str, str]:
        """(processor, processor_ref, command) of the notice."""
        raise NotImplementedError(type(self).__name__)


class Waiting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Money in suspense: what `processor` had said, under the command `command`."""

    processor: str
    amount: int
    command: str
    notice: dict[str, Any]


@entity
class PaymentRecord(State, frozen=True, kw_only=True):
    """What a processor's payment became: a sale, a purchase, or money in suspense.

    More payments under its reference wait in suspense beside it, the oldest first, and change
    nothing about it: what is settled or disputed is the first one.
    """

    KIND = "payment"
    CACHED = False

    status: PaymentStatus | None = None
    sale_id: str | None = None
    purchase_id: str | None = None
    processor: str = ""
    amount: int = 0
    waiting: tuple[Waiting, ...] = ()

    def is_another(self, processor: str) -> bool:
        """Whether the reference is taken: a payment that another processor reports under it, or
        one that has become something already, is another one."""
        if self.sale_id is not None or self.purchase_id is not None:
            return True
        if self.status == PaymentStatus.SUSPENDED:
            return self.waiting[0].processor != processor
        return self.status not in {None, PaymentStatus.RELEASED}

    def became(self, **what: Any) -> "PaymentRecord":
        """The payment once it has become something; others go on waiting."""
        return PaymentRecord(waiting=self.waiting, **what)

    def apply(self, key: str, event: Event) -> "PaymentRecord":
        """The payment after `event`: every event in a payment's life says how."""
        assert isinstance(event, PaymentEvent)
        return event.in_payment(self)


@stored_as("payment.suspended.v1")
class PaymentSuspended(PaymentEvent, frozen=True, kw_only=True):
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

    def labelled_by(self) -> str | None:
        """The sale that cannot bear this refund."""
        return None if self.refund_of is None else f"sale:{self.refund_of}"

    def tags(self) -> tuple[str, ...]:
        """The payment, and a refund's sale; nobody's wallet or earnings are changed by it."""
        sale = () if self.refund_of is None else (f"sale:{self.refund_of}",)
        return (payment_key(self.ref), *sale)

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`psp -> suspense`."""
        return (
            (accounts.processor(self.processor), assets.currency, self.amount),
            (accounts.SUSPENSE, assets.currency, -self.amount),
        )

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        """It waits for a person; what the payment had become before stays known."""
        waiting = Waiting(self.processor, self.amount, self.command, self.notice)
        payment = msgspec.structs.replace(payment, waiting=(*payment.waiting, waiting))
        if payment.status not in (None, PaymentStatus.RELEASED):
            return payment
        return msgspec.structs.replace(
            payment, status=PaymentStatus.SUSPENDED, processor=self.processor, amount=self.amount
        )


@stored_as("payment.released.v1")
class PaymentReleased(PaymentEvent, ReleasesNotice, frozen=True, kw_only=True):
    """A person took a payment out of suspense: APPLY its notice anew, or RETURN the money."""

    processor: str
    ref: str
    amount: int
    resolution: str
    #: What the processor had reported; released before it was said here, it is "".
    command: str = ""

    def tags(self) -> tuple[str, ...]:
        return (payment_key(self.ref),)

    def released(self) -> tuple[str, str, str]:
        """The notice of the payment that waited longest."""
        return self.processor, self.ref, self.command

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`suspense -> psp`; an applied notice then posts as it would have at first."""
        return (
            (accounts.SUSPENSE, assets.currency, self.amount),
            (accounts.processor(self.processor), assets.currency, -self.amount),
        )

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        """The oldest waits no more."""
        left = payment.waiting[1:]
        payment = msgspec.structs.replace(payment, waiting=left)
        if payment.status != PaymentStatus.SUSPENDED:
            return payment
        if not left:
            return msgspec.structs.replace(payment, status=PaymentStatus.RELEASED)
        return msgspec.structs.replace(payment, processor=left[0].processor, amount=left[0].amount)
