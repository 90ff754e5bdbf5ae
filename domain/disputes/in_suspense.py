"""Disputes of a payment that waits in suspense: the bank takes its money, and may give it back."""

from collections.abc import Callable
from typing import Any

from domain.command import Command
from domain.event import Event
from domain.payments.early_fees import TakenOver
from domain.payments.payment import DisputeStatus
from domain.payments.suspense import kept_fields
from domain.payments.waiting import Drawn
from domain.refunds.in_suspense import drawn_on
from domain.refunds.referents import InSuspense


def opened_on(
    notice: Command, found: InSuspense, *, amount: int, fee: int, early: TakenOver, final: bool
) -> tuple[Event, ...]:
    """The dispute takes what is left, the rest is bad debt; nothing the second time."""
    _, ref = notice.notice_id() or ("", "")
    if _told(found, notice.name, ref):
        return ()
    drawn = Drawn(notice.name, ref, kept_fields(notice), disputed=amount, fee=fee)
    status = DisputeStatus.LOST if final else DisputeStatus.OPEN
    return (drawn_on(found, drawn, **_dispute(ref, status, early)),)


def closed_on(
    notice: Command,
    found: InSuspense,
    dispute: str,
    *,
    won: bool,
    fee_refundable: bool,
    returned: Callable[[int], TakenOver],
) -> tuple[Event, ...]:
    """The end of a dispute: a win puts its money back, a loss moves no more.

    `returned` says what of a fee that comes back lines have told already.
    """
    _, ref = notice.notice_id() or ("", "")
    opened = _told(found, "open-dispute", dispute)
    amount = sum(one.disputed for one in opened)
    fee = sum(one.fee for one in opened) if fee_refundable else 0
    back = Drawn(
        notice.name,
        ref,
        kept_fields(notice),
        disputed=-amount if won else 0,
        fee=-fee if won else 0,
    )
    status = DisputeStatus.WON if won else DisputeStatus.LOST
    early = returned(fee) if won and fee else TakenOver()
    return (drawn_on(found, back, **_dispute(dispute, status, early)),)


def _dispute(ref: str, status: DisputeStatus, early: TakenOver) -> dict[str, Any]:
    """The dispute, as it stands now, and what it takes over of fees told early."""
    taken = {"fee_paid": early.amount, "of_payment": early.of_payment}
    return {"dispute": ref, "dispute_status": status, **taken}


def _told(found: InSuspense, command: str, ref: str) -> list[Drawn]:
    return [one for one in found.waiting.drawn if one.command == command and one.ref == ref]
