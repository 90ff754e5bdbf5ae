"""Payments by card, and what becomes of them: refunds, disputes and failures, in any order."""

from datetime import datetime, timedelta
from typing import Any

from api.simulation.year.platform import APPROVER, FINANCE, Card, Platform, made, text
from ledger.write.answer import Answer

DISPUTE_FEE = 1_500
PROCESSORS = ("stripe", "stripe", "stripe", "ccbill")


def pay(
    platform: Platform,
    at: datetime,
    command: str,
    fields: dict[str, Any],
    *,
    user: str,
    amount: int,
    labels: dict[str, str] | None = None,
    late: timedelta | None = None,
) -> Card:
    """Let a processor's notice tell of a payment, `late` where that is given.

    Seldom it is late anyway, or in a currency that is not the platform's.
    """
    card = new_card(platform, at, command, user, amount)
    told, back = at, fate(platform, at + timedelta(minutes=30), card)
    if late is not None:
        told = at + late
    elif back is not None and platform.chance(0.3):  # told only after it has gone back
        told = back + platform.hours(1, 30)
    elif platform.chance(0.02):  # lost for a while, perhaps over the end of a month
        told = at + platform.hours(2, 24 * 12)
    sent = {
        **fields,
        "processor": card.processor,
        "processor_ref": card.ref,
        "occurred_at": text(at),
    }

    def then(answer: Answer) -> None:
        card.sale = made(answer) or ""
        if answer.status == 202 and answer.events and platform.chance(0.9):  # it is suspended
            _release(platform, told, card)
        elif card.sale:
            refund_perhaps(platform, told, card)

    if platform.chance(0.004):
        sent["currency"] = "CHF"
    platform.act(told, command, sent, then=then, labels=labels)
    platform.line(card.processor, "PAYMENT", card.ref, amount, at)
    return card


def new_card(platform: Platform, at: datetime, what: str, user: str, amount: int) -> Card:
    """A payment that nobody has told of yet."""
    ref = f"ch-{platform.seed}-{platform.number()}"
    card = Card(ref, platform.draw.choice(PROCESSORS), amount, at, what, user)
    platform.cards.append(card)
    return card


def refund_perhaps(platform: Platform, at: datetime, card: Card) -> None:
    """Seldom somebody asks us for the money back."""
    if card.gone or not platform.chance(0.03):
        return
    card.gone = True
    when = at + platform.hours(5, 24 * 9)
    if card.what == "record-purchase":
        fields = {"purchase": card.sale, "reason_code": "REQUESTED_BY_CUSTOMER"}
        platform.act(when, "refund-purchase", fields, by=FINANCE)
        return
    part = card.amount if platform.chance(0.6) else max(1, card.amount // 3)
    _ask(platform, when, card, part, before=0)
    if part < card.amount and platform.chance(0.3):
        _ask(platform, when + timedelta(days=6), card, part, before=part)


def _ask(platform: Platform, at: datetime, card: Card, amount: int, *, before: int) -> None:
    fields = {"sale": card.sale, "amount": amount, "reason_code": "REQUESTED_BY_CUSTOMER"}

    def then(answer: Answer) -> None:
        refund = made(answer)
        if refund is None:
            return
        told = at + platform.hours(20, 60)
        notice = {"processor": card.processor, "processor_ref": f"re-{platform.number()}"}
        if platform.chance(0.1):
            failed = {**notice, "refund": refund, "reason_code": "ACCOUNT_CLOSED"}
            platform.act(told, "fail-refund", failed)
            return
        figure = {"payment_ref": card.ref, "cumulative": before + amount}
        platform.act(told, "record-refund", {**notice, **figure})
        platform.line(card.processor, "REFUND", card.ref, -amount, told)

    platform.act(at, "refund", fields, then=then)


def fate(platform: Platform, at: datetime, card: Card) -> datetime | None:
    """What processors and banks do with the payment, whether or not its notice is here yet.

    Answers when the first of it is told.
    """
    chance = platform.draw.random()
    notice = {"processor": card.processor, "payment_ref": card.ref}
    if chance < 0.02:
        return _dispute(platform, at, card)
    if chance < 0.04:
        card.gone = True
        part = card.amount if platform.chance(0.5) else max(1, card.amount * 2 // 5)
        told = at + platform.hours(0, 100)
        ref = f"re-{platform.number()}"
        fields = {**notice, "processor_ref": ref, "amount": part}
        platform.act(told, "record-refund", fields)
        platform.line(card.processor, "REFUND", card.ref, -part, told)
        if platform.chance(0.2):
            bounced = {"processor": card.processor, "refund": ref, "reason_code": "BOUNCED"}
            again = {**bounced, "processor_ref": f"rf-{platform.number()}"}
            platform.act(told + timedelta(days=4), "fail-refund", again)
        return told
    if chance < 0.048:
        card.gone = True
        fields = {**notice, "processor_ref": f"pf-{platform.number()}"}
        fields["reason_code"] = "INSUFFICIENT_FUNDS"
        told = at + platform.hours(40, 120)
        platform.act(told, "fail-payment", fields)
        return told
    return None


def _dispute(platform: Platform, at: datetime, card: Card) -> datetime:
    card.gone = True
    amount = card.amount if platform.chance(0.8) else max(1, card.amount // 2)
    told = at + platform.hours(0, 24 * 20)
    ref = f"dp-{platform.number()}"
    final = platform.chance(0.15)
    opened = {
        "processor": card.processor,
        "processor_ref": ref,
        "payment_ref": card.ref,
        "amount": amount,
        "fee": DISPUTE_FEE,
        "final": final,
    }
    platform.act(told, "open-dispute", opened)
    platform.line(card.processor, "CHARGEBACK", card.ref, -amount, told)
    if final:
        return told
    won = platform.chance(0.4)
    ended = told + platform.hours(24 * 7, 24 * 30)
    closed = {
        "processor": card.processor,
        "processor_ref": f"{ref}-closed",
        "dispute": ref,
        "outcome": "WON" if won else "LOST",
    }
    platform.act(ended, "close-dispute", closed)
    if won:
        platform.line(card.processor, "CHARGEBACK_REVERSAL", card.ref, amount, ended)
    return told


def _release(platform: Platform, at: datetime, card: Card) -> None:
    """Send back what could not be booked: one person asks for it, another agrees."""
    card.gone = True
    fields = {"payment_ref": card.ref, "resolution": "RETURN"}
    when = at + platform.hours(20, 50)
    platform.act(when, "release-payment", fields, by=FINANCE, then=agreed(platform, when))


def agreed(platform: Platform, at: datetime) -> Any:
    """Lets a second person agree to what turns out to be a proposal, or seldom refuse it."""

    def then(answer: Answer) -> None:
        if not answer.accepted or not any(e.type == "command.proposed.v1" for e in answer.events):
            return
        proposal = answer.events[0].event_id
        if platform.chance(0.1):
            refused = {"proposal": proposal, "reason_code": "NOT_CLEAR"}
            platform.act(at + timedelta(hours=26), "reject-proposal", refused, by=APPROVER)
            return
        platform.act(
            at + timedelta(hours=26), "approve-proposal", {"proposal": proposal}, by=APPROVER
        )

    return then
