"""Payments by their processors' references: what each became, and what waits in suspense."""

from collections.abc import Iterable
from dataclasses import dataclass

from domain.authorizations.authorization import PaymentAuthorized
from domain.event import Event
from domain.payments.payment import PaymentEvent, PaymentRecord, PaymentStatus
from domain.purchases.purchase import TokensPurchased
from domain.sales.sale import Sale
from projections.engine.columns import INTEGER, TEXT, kept, said
from projections.engine.register import Detail, Register, lives


@dataclass(frozen=True)
class WaitingMoney:
    """What waits in suspense under a reference: `amount` came, `left` is there still."""

    processor: str
    command: str
    amount: int
    left: int
    currency: str | None


def _user(event: PaymentEvent) -> str | None:
    """Who pays, where the event is what the payment became."""
    match event:
        case Sale():
            return event.buyer
        case TokensPurchased() | PaymentAuthorized():
            return event.user
    return None


def _creator(event: PaymentEvent) -> str | None:
    """Who is paid."""
    return event.creator or None if isinstance(event, Sale | PaymentAuthorized) else None


class Payments(Register):
    """Payments; `id` is the processor's reference.

    APPLIED ones became a sale or a purchase, SUSPENDED ones wait for a person, RELEASED ones were
    sent back, AUTHORIZED ones are no money yet. `amount` is in minor units of `currency`.
    """

    name, item = "payments", "payment"
    version = 1
    by_reference = True
    state = PaymentRecord
    statuses = tuple(status.upper() for status in PaymentStatus)
    branches = lives(PaymentEvent)
    amount = "amount"
    columns = (
        said("user", TEXT, _user, by="user"),
        said("creator", TEXT, _creator, by="creator"),
        kept("processor", TEXT, by="processor"),
        kept("amount", INTEGER),
        kept(
            "currency",
            TEXT,
            lambda payment: (
                payment.waiting[0].currency if payment.status == PaymentStatus.SUSPENDED else None
            ),
            nullable=True,
        ),
        kept("sale", TEXT, lambda payment: payment.sale_id, nullable=True, text="the first"),
        kept("purchase", TEXT, lambda payment: payment.purchase_id, nullable=True),
        kept("authorization", TEXT, lambda payment: payment.authorization_id, nullable=True),
    )
    details = (
        Detail("sales", list[str], lambda payment: list(payment.sale_ids)),
        Detail(
            "waiting",
            list[WaitingMoney],
            lambda payment: [
                WaitingMoney(one.processor, one.command, one.amount, one.left, one.currency)
                for one in payment.waiting
            ],
        ),
    )

    @classmethod
    def ids_of(cls, event: Event) -> Iterable[str]:
        """Its reference, which may have a colon."""
        prefix = cls.prefix
        return [tag[len(prefix) :] for tag in event.tags() if tag.startswith(prefix)]
