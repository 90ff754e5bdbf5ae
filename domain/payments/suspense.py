"""Payments by their processor's reference, and what waits in suspense.

Money that has arrived cannot be rejected. What contradicts policy or state is booked to `suspense`,
with the whole notice kept, until a person releases it.
"""

from collections.abc import Iterable
from typing import Any, Literal, Protocol

import msgspec

from domain.command import (
    COMMANDS,
    Command,
    Decision,
    Given,
    Ignored,
    Parked,
    Suspended,
    command,
    explicit_fields,
)
from domain.entity import LoadedStates, State, States, evolve
from domain.event import Event
from domain.fields import Reference
from domain.labels import labelled
from domain.payments.payment import (
    PaymentRecord,
    PaymentReleased,
    PaymentStatus,
    PaymentSuspended,
    SuspenseResolution,
    payment_key,
)
from domain.payments.waiting import Waiting
from domain.policy import SecondPerson
from domain.rejections import (
    AWAITING_REFERENT,
    INVALID_TRANSITION,
    UNKNOWN_PAYMENT,
    Rejection,
    reject,
)

ResolutionField = Literal["APPLY", "RETURN"]


class InCurrency(Protocol):
    """A notice that may say in which currency its figures are."""

    @property
    def currency(self) -> str | None: ...


def other_currency(notice: InCurrency, given: Given) -> str | None:
    """The currency of a notice, if that is not the book's."""
    named = notice.currency
    return None if named is None or named == given.assets.currency else named


def suspended(
    command: Command,
    amount: int,
    code: str,
    *,
    refund_of: str | None = None,
    currency: str | None = None,
    by_ref: bool = False,
) -> Suspended:
    """The decision on a notice that contradicts policy or state: its money waits in suspense.

    `currency` is that of the amount where it is not the book's; `by_ref`: a notice of its failure
    may follow.
    """
    processor, processor_ref = command.notice_id() or ("", "")
    event = PaymentSuspended(
        processor=processor,
        ref=processor_ref,
        amount=amount,
        code=code,
        command=command.name,
        notice=kept_fields(command),
        refund_of=refund_of,
        by_ref=by_ref or refund_of is not None,
        currency=currency,
    )
    return Suspended(code, (event,))


def kept_fields(command: Command) -> dict[str, Any]:
    """The fields of a command as JSON values, by the names that clients give them."""
    encoded = msgspec.json.encode(explicit_fields(command), enc_hook=explicit_fields)
    fields: dict[str, Any] = msgspec.json.decode(encoded)
    declared = type(command).model_fields
    return {declared[name].alias or name: value for name, value in fields.items()}


@command
class ReleasePayment(Command):
    """Release a payment from suspense: APPLY decides its notice again, RETURN sends it back.

    Refunds, failures and disputes that were told of it meanwhile have taken their part: RETURN
    sends back what is left; APPLY posts the payment in full, then each of them in the order in
    which they came, as if it had never been suspended.
    """

    name = "release-payment"
    roles = frozenset({"finance"})
    may_need_two = True

    payment_ref: Reference
    resolution: ResolutionField

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The payment, and what its notice leads to."""
        key = payment_key(self.payment_ref)
        payment = states.loaded(PaymentRecord, self.payment_ref)
        if payment is None or not payment.waiting or self.resolution == SuspenseResolution.RETURN:
            return (key,)
        waiting = payment.waiting[0]
        return tuple(
            dict.fromkeys((key, *_again(waiting.command, waiting.notice).prefetch(states)))
        )

    def second_person(self, given: Given, limits: SecondPerson, events: tuple[Event, ...]) -> bool:
        """Above the limit, or in a currency that no limit is in. What is applied posts in full,
        however much of it has left suspense already."""
        limit = limits.release_payment_above
        waiting = given.state(PaymentRecord, self.payment_ref).waiting[0]
        if limit is None or waiting.currency is not None:
            return limit is not None
        applied = self.resolution == SuspenseResolution.APPLY
        return max(abs(waiting.left), waiting.amount if applied else 0) > limit

    def decide(self, given: Given) -> Decision:
        """The release, and what the notices do now if it is to be applied."""
        payment = given.state(PaymentRecord, self.payment_ref)
        if payment.status is None:
            return reject(UNKNOWN_PAYMENT, payment_ref=self.payment_ref)
        if not payment.waiting:
            return reject(
                INVALID_TRANSITION, subject=f"payment {self.payment_ref}", state=payment.status
            )
        waiting = payment.waiting[0]
        applied = self.resolution == SuspenseResolution.APPLY
        outflow = waiting.outflow
        released = PaymentReleased(
            processor=waiting.processor,
            ref=self.payment_ref,
            amount=waiting.left,
            resolution=self.resolution,
            command=waiting.command,
            bad_debt=outflow.bad_debt if applied else 0,
            fees=outflow.fees if applied else 0,
            currency=waiting.currency,
        )
        return self._applied(given, waiting, released) if applied else (released,)

    def _applied(self, given: Given, waiting: Waiting, released: PaymentReleased) -> Decision:
        notice = _again(waiting.command, waiting.notice)
        outcome = notice.decide(given)
        if not isinstance(outcome, tuple):
            code = AWAITING_REFERENT if isinstance(outcome, Parked) else _code_of(outcome)
            return reject(
                INVALID_TRANSITION,
                subject=f"payment {self.payment_ref}",
                state=f"{PaymentStatus.SUSPENDED}: its notice still contradicts ({code})",
            )
        events: list[Event] = [released, *_labelled(notice, outcome)]
        states = StatesAfter(given.states)
        states.happened(events)
        for nth, drawn in enumerate(waiting.drawn, 2):
            later = msgspec.structs.replace(given, states=states, new_id=f"{given.new_id}-{nth}")
            notice = _again(drawn.command, drawn.notice)
            outcome = notice.decide(later)
            if isinstance(outcome, Suspended | Ignored):
                outcome = outcome.events
            if isinstance(outcome, tuple):
                happened = _labelled(notice, outcome)
                states.happened(happened)
                events += happened
        return tuple(events)


class StatesAfter:
    """States as they will be after events that are being decided on."""

    def __init__(self, before: States) -> None:
        self._before = before
        self._after: dict[str, State] = {}

    def __getitem__(self, key: str, /) -> State:
        return self._after.get(key) or self._before[key]

    def happened(self, events: Iterable[Event]) -> None:
        """Let events change the states that they touch."""
        for event in events:
            self._after.update(dict(evolve(self, event)))


def _again(name: str, notice: dict[str, Any]) -> Command:
    """A notice as it was kept."""
    return COMMANDS[name].model_validate(notice)


def _labelled(notice: Command, events: tuple[Event, ...]) -> list[Event]:
    """What came of a notice, with the labels that it had brought."""
    return [labelled(event, notice.labels, None) for event in events]


def _code_of(outcome: Suspended | Ignored | Rejection) -> str:
    return outcome.reason.code if isinstance(outcome, Rejection) else outcome.code
