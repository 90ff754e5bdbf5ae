"""Payments by their processor's reference, and what waits in suspense.

Money that has arrived cannot be rejected. What contradicts policy or state is booked to `suspense`,
with the whole notice kept, until a person releases it.
"""

from enum import StrEnum
from typing import Any, Literal

import msgspec

from domain.command import COMMANDS, Command, Decision, Given, Suspended, command, explicit_fields
from domain.entity import LoadedStates
from domain.fields import Reference
from domain.labels import labelled
from domain.payments.payment import (
    PaymentRecord,
    PaymentReleased,
    PaymentStatus,
    PaymentSuspended,
    payment_key,
)
from domain.rejections import INVALID_TRANSITION, UNKNOWN_PAYMENT, reject

ResolutionField = Literal["APPLY", "RETURN"]


class SuspenseResolution(StrEnum):
    """What a person decides of money in suspense."""

    APPLY = "APPLY"
    RETURN = "RETURN"


def suspended(
    command: Command, amount: int, code: str, *, refund_of: str | None = None
) -> Suspended:
    """The decision on a notice that contradicts policy or state: its money waits in suspense."""
    processor, processor_ref = command.notice_id() or ("", "")
    event = PaymentSuspended(
        processor=processor,
        ref=processor_ref,
        amount=amount,
        code=code,
        command=command.name,
        notice=kept_fields(command),
        refund_of=refund_of,
    )
    return Suspended(code, (event,))


def kept_fields(command: Command) -> dict[str, Any]:
    """The fields of a command as JSON values."""
    encoded = msgspec.json.encode(explicit_fields(command), enc_hook=explicit_fields)
    fields: dict[str, Any] = msgspec.json.decode(encoded)
    return fields


@command
class ReleasePayment(Command):
    """Release a payment from suspense: APPLY decides its notice again, RETURN sends it back."""

    name = "release-payment"
    roles = frozenset({"finance"})

    payment_ref: Reference
    resolution: ResolutionField

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        return (payment_key(self.payment_ref),)

    def decide(self, given: Given) -> Decision:
        """The release, and what the notice does now if it is to be applied."""
        payment = given.state(PaymentRecord, self.payment_ref)
        if payment.status is None:
            return reject(UNKNOWN_PAYMENT, payment_ref=self.payment_ref)
        if not payment.waiting:
            return reject(
                INVALID_TRANSITION, subject=f"payment {self.payment_ref}", state=payment.status
            )
        waiting = payment.waiting[0]
        released = PaymentReleased(
            processor=waiting.processor,
            ref=self.payment_ref,
            amount=waiting.amount,
            resolution=self.resolution,
            command=waiting.command,
        )
        if self.resolution == SuspenseResolution.RETURN:
            return (released,)
        notice = COMMANDS[waiting.command].model_validate(waiting.notice)
        outcome = notice.decide(given)
        if isinstance(outcome, tuple):
            return (released, *(labelled(event, notice.labels, None) for event in outcome))
        code = outcome.code if isinstance(outcome, Suspended) else "AWAITING_REFERENT"
        return reject(
            INVALID_TRANSITION,
            subject=f"payment {self.payment_ref}",
            state=f"{PaymentStatus.SUSPENDED}: its notice still contradicts ({code})",
        )
