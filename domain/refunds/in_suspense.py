"""What is heard of a payment while it waits in suspense: its money leaves suspense, or comes back.

Each notice posts what changes between two values of `Waiting.outflow`.
"""

from typing import Any

from domain.command import Command, Given, Ignored
from domain.event import Event
from domain.payments.suspense import kept_fields
from domain.payments.suspense_drawn import SuspenseDrawn
from domain.payments.waiting import Drawn, Waiting
from domain.refunds.notice import PaymentNotice, RefundReport
from domain.refunds.referents import InSuspense


def refunded_on(
    given: Given, notice: RefundReport, found: InSuspense
) -> tuple[Event, ...] | Ignored:
    """A refund: it confirms what a person has returned, and takes the rest out of suspense."""
    waiting = found.waiting
    told = waiting.refunded - waiting.unconfirmed
    bounced = max(0, waiting.amount - waiting.refunded) if waiting.failed else 0
    new = notice.new_part(given, told, bounced=bounced)
    if isinstance(new, Ignored):
        return new
    confirmed = min(new, waiting.unconfirmed)
    drawn = Drawn(
        notice.name,
        notice.processor_ref,
        kept_fields(notice),
        refunded=new - confirmed,
        unconfirmed=-confirmed,
    )
    return (drawn_on(found, drawn, refund=notice.processor_ref),)


def failed_on(notice: PaymentNotice, found: InSuspense) -> tuple[Event, ...]:
    """The payment failed: the rest of it leaves suspense; nothing the second time."""
    if found.waiting.failed:
        return ()
    drawn = Drawn(notice.name, notice.processor_ref, kept_fields(notice), failed=True)
    return (drawn_on(found, drawn),)


def refund_failed_on(
    notice: Command, found: InSuspense, refund_ref: str, processor_ref: str
) -> tuple[Event, ...]:
    """A refund of it failed: what it took comes back to suspense."""
    back = sum(one.refunded - one.unconfirmed for one in refunds_of(found.waiting, refund_ref))
    if not back:
        return ()
    drawn = Drawn(notice.name, processor_ref, kept_fields(notice), refunded=-back)
    return (drawn_on(found, drawn, refund=refund_ref),)


def refunds_of(waiting: Waiting, refund_ref: str) -> list[Drawn]:
    """What was told of a refund, and of its failure."""
    return [
        one
        for one in waiting.drawn
        if (one.command == "record-refund" and one.ref == refund_ref)
        or (one.command == "fail-refund" and one.notice.get("refund") == refund_ref)
    ]


def drawn_on(found: InSuspense, drawn: Drawn, **more: Any) -> SuspenseDrawn:
    """The event: what the notice adds, and what that moves."""
    before, after = found.waiting, found.waiting.with_drawn(drawn)
    moved = after.outflow.less(before.outflow)
    return SuspenseDrawn(
        processor=before.processor,
        ref=found.ref,
        command=drawn.command,
        notice_ref=drawn.ref,
        notice=drawn.notice,
        suspense=moved.suspense,
        bad_debt=moved.bad_debt,
        fee=moved.fees,
        refunded=drawn.refunded,
        unconfirmed=drawn.unconfirmed,
        disputed=drawn.disputed,
        failed=drawn.failed,
        currency=before.currency,
        by_processor="dispute" in more,
        **more,
    )
