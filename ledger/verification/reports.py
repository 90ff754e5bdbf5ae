"""What processors and their files reported, told back from the events that came of it.

A notice may name what it is about by our id or by a reference, and its figure by now in all or by
itself. Events say what it was about and what was new, so a notice that says that is as good. Where
they do not say its own reference, the notice gets one that nobody has.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from domain.authorizations.authorization import PaymentFailed
from domain.command import Command
from domain.disputes.dispute import DisputeLost, DisputeOpened, DisputeWon
from domain.entity import States
from domain.event import Event
from domain.payments.payment import PaymentSuspended
from domain.payments.suspense_drawn import SuspenseDrawn
from domain.refunds.payment_failure import SalePaymentFailed
from domain.refunds.purchase_taken_back import PurchasePaymentFailed, PurchaseTakenBack
from domain.refunds.refund import RefundFailed, RefundRecorded
from domain.refunds.refund_reversed import RefundReversed
from domain.sales.sale import SaleRecord
from domain.settlements.breaks import BreakResolved
from domain.settlements.lines import (
    LineEvent,
    SettlementFeeRecorded,
    SettlementPayoutRecorded,
)
from domain.settlements.settlement import LineKind
from domain.subscriptions.subscription import PeriodFailed

Fields = dict[str, Any]
E = TypeVar("E", bound=Event)

#: In place of a processor's name and reference that no event says.
UNKNOWN = "not-told"


def _of(kind: type[E], events: Iterable[Event]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def _sale_names(sales: Sequence[str], states: States) -> Iterator[Fields]:
    """What names these sales of one payment: the id of a single one, or the payment."""
    if len(sales) == 1:
        yield {"sale": sales[0]}
    record = states[f"sale:{sales[0]}"]
    if isinstance(record, SaleRecord) and record.sale and record.sale.processor_ref:
        yield {"payment_ref": record.sale.processor_ref}


def _refunded(events: Sequence[Event], states: States) -> Iterator[Fields]:
    recorded = _of(RefundRecorded, events)
    for first in recorded[:1]:
        fields = {
            "amount": sum(one.amount for one in recorded),
            "processor": first.processor,
            "processor_ref": first.processor_ref,
        }
        for name in _sale_names([one.sale_id for one in recorded], states):
            yield {**name, **fields}
    taken = _of(PurchaseTakenBack, events)
    for back in taken[:1]:
        yield {
            "purchase": back.purchase_id,
            "amount": sum(one.amount for one in taken),
            "processor": back.processor,
            "processor_ref": back.processor_ref,
        }


def _refund_failed(events: Sequence[Event], _: States) -> Iterator[Fields]:
    """By the reference of the refund's notice, or by the id of one of the refunds that failed."""
    back = _of(RefundReversed, events)
    own = {"processor": back[0].processor, "processor_ref": back[0].processor_ref} if back else {}
    names: dict[str | None, str] = {one.refund_ref: one.reason for one in back if one.refund_ref}
    names |= {refund: one.reason for one in back for refund in one.refunds}
    names |= {one.refund_id: one.reason for one in _of(RefundFailed, events)}
    for name, reason in names.items():
        yield {"refund": name, "reason_code": reason, **own}
    for taken in _of(PurchaseTakenBack, events)[:1]:
        refund = {"refund": taken.processor_ref, "processor": taken.processor}
        yield {**refund, "reason_code": taken.reason}


def _payment_failed(events: Sequence[Event], states: States) -> Iterator[Fields]:
    for ended in _of(PaymentFailed, events)[:1]:
        yield {"payment": ended.payment_id, "reason_code": ended.reason}
    failed = _of(SalePaymentFailed, events)
    for first in failed[:1]:
        for name in _sale_names([one.sale_id for one in failed], states):
            yield {**name, **_failure(first)}
    for purchase in _of(PurchasePaymentFailed, events)[:1]:
        yield {"purchase": purchase.purchase_id, **_failure(purchase)}


def _failure(event: SalePaymentFailed | PurchasePaymentFailed) -> Fields:
    return {
        "reason_code": event.reason,
        "processor": event.processor,
        "processor_ref": event.processor_ref,
    }


def _disputed(events: Sequence[Event], states: States) -> Iterator[Fields]:
    opened = _of(DisputeOpened, events)
    if not opened:
        return
    first = opened[0]
    fields = {
        "amount": sum(one.amount for one in opened),
        "fee": first.fee,
        "final": bool(_of(DisputeLost, events)),
        "processor": first.processor,
        "processor_ref": first.dispute_ref,
    }
    if first.purchase_id is not None:
        yield {"purchase": first.purchase_id, **fields}
    else:
        for name in _sale_names([one.sale_id or "" for one in opened], states):
            yield {**name, **fields}


def _dispute_ended(events: Sequence[Event], _: States) -> Iterator[Fields]:
    for closed in (*_of(DisputeWon, events), *_of(DisputeLost, events))[:1]:
        fields = {"outcome": closed.status, "processor": closed.processor}
        yield {"dispute": closed.dispute_ref, **fields}
        yield {"dispute": closed.dispute_id, **fields}


def _period_failed(events: Sequence[Event], _: States) -> Iterator[Fields]:
    for event in _of(PeriodFailed, events)[:1]:
        yield {"subscription": event.subscription_id, "period_start": event.period_start}


def _resolved(events: Sequence[Event], _: States) -> Iterator[Fields]:
    for event in _of(BreakResolved, events)[:1]:
        name = event.break_id or event.payment_ref
        yield {"break": name, "resolution": event.resolution, "reason_code": event.reason}


def _imported(events: Sequence[Event], _: States) -> Iterator[Fields]:
    """The piece with its new lines, unless lines that were known already stood between them."""
    fields: Fields = {}
    lines: list[Fields] = []
    for event in events:
        if isinstance(event, SettlementFeeRecorded | SettlementPayoutRecorded | LineEvent):
            fields |= {"file_sha256": event.file_sha256, "processor": event.processor}
            if event.line_ref is not None:
                fields.setdefault("first_line", event.line)
                if event.line != fields["first_line"] + len(lines):
                    return
                lines.append(_line(event))
            elif isinstance(event, SettlementFeeRecorded):
                fields["fee"] = event.fee
            elif isinstance(event, SettlementPayoutRecorded):
                fields["payout"] = event.amount
            elif event.line:  # lines had no references yet
                return
    if fields:
        yield {**fields, "lines": lines}


def _line(event: SettlementFeeRecorded | SettlementPayoutRecorded | LineEvent) -> Fields:
    told: Fields = {"line_ref": event.line_ref}
    if isinstance(event, SettlementPayoutRecorded):
        told |= {"kind": LineKind.PAYOUT, "gross": event.amount}
    elif isinstance(event, SettlementFeeRecorded):
        told |= {"kind": LineKind.FEE, "gross": -event.fee, "processor_ref": event.payment_ref}
    else:
        told |= {"kind": event.kind, "gross": event.gross, "fee": event.fee}
        told["processor_ref"] = event.payment_ref
    return {name: value for name, value in told.items() if value is not None} | _day(event)


def _day(event: Any) -> Fields:
    return {} if event.value_date is None else {"value_date": event.value_date.isoformat()}


Teller = Callable[[Sequence[Event], States], Iterator[Fields]]

#: What each command may have said of which these events came; they may say it in several ways.
REPORTS: Mapping[str, Teller] = {
    "close-dispute": _dispute_ended,
    "fail-payment": _payment_failed,
    "fail-period": _period_failed,
    "fail-refund": _refund_failed,
    "import-settlement": _imported,
    "open-dispute": _disputed,
    "record-refund": _refunded,
    "resolve-break": _resolved,
}


def reported(command: str, events: Sequence[Event], states: States) -> Iterator[Fields]:
    """What the report may have said; what became of money in suspense keeps its notice whole."""
    for event in events:
        kept = isinstance(event, PaymentSuspended | SuspenseDrawn) and event.command == command
        if kept:
            yield dict(event.notice)  # type: ignore[attr-defined]
            return
    yield from REPORTS[command](events, states)


@cache
def unnamed(kind: type[Command]) -> Fields:
    """What stands for the name of a notice of this kind where its events do not tell it."""
    fields = (kind.model_fields.get(name) for name in ("processor", "processor_ref"))
    if not all(field is not None and field.is_required() for field in fields):
        return {}
    return {"processor": UNKNOWN, "processor_ref": UNKNOWN}
