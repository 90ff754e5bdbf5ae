"""Disputing: what processors report of disputes, and what follows of it.

Notices: never rejected. What they speak of may not have arrived, then they wait for it; what
contradicts waits in suspense. A dispute that is won stays won, whatever is heard of it later.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import structs

from domain.command import Command, Decision, Given, Parked, command
from domain.disputes import purchases as purchase_disputes
from domain.disputes import sales as sale_disputes
from domain.disputes.dispute import TRANSITIONS, DisputeOpened, DisputeRecord
from domain.entity import LoadedStates
from domain.event import Event
from domain.fields import Amount, Id, PositiveAmount, Reference
from domain.payments.payment import DisputeStatus, PaymentRecord, payment_key
from domain.payments.suspense import suspended
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.commands import sale_keys, sale_of
from domain.rejections import INVALID_TRANSITION, NO_POLICY
from domain.reversals.clawback import with_cancelled_payouts
from domain.sales.invoices import series_keys
from domain.sales.sale import SaleRecord
from domain.wallets.wallet import Wallet

#: What is disputed; empty where the reference is of something that cannot be.
Disputed = SaleRecord | PurchaseRecord


@command
class OpenDispute(Command):
    """Record that a bank took a payment back, in part or whole (notice); if `final`, it is lost.

    One of `sale`, `purchase` (ids, or the processor's references of their payments) and
    `payment_ref` says what is disputed. Sales in tokens never are, only the purchase of the tokens.
    """

    name = "open-dispute"

    sale: Reference | None = None
    purchase: Reference | None = None
    payment_ref: Reference | None = None
    amount: PositiveAmount
    fee: Amount
    final: bool = False
    processor: Id
    processor_ref: Reference

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference of the dispute."""
        return self.processor, self.processor_ref

    def problems(self) -> Iterable[tuple[str, str]]:
        """Exactly one of `sale`, `purchase` and `payment_ref` is named."""
        named = [one for one in (self.sale, self.purchase, self.payment_ref) if one is not None]
        if len(named) != 1:
            yield "", "name one of sale, purchase and payment_ref"

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """What is disputed, whom it concerns, and whether this very dispute is known already."""
        key = f"dispute:{self.processor_ref}"
        if self.sale is not None:
            return key, *sale_keys(states, self.sale)
        if self.purchase is not None:
            return key, *_purchase_keys(states, self.purchase)
        reference = self.payment_ref or ""
        payment = states.loaded(PaymentRecord, reference)
        if payment is None:
            return key, payment_key(reference)
        if payment.purchase_id is not None:
            return key, *_purchase_keys(states, payment.purchase_id)
        return key, *sale_keys(states, reference)

    def decide(self, given: Given) -> Decision:
        """The dispute; a final one is lost at once."""
        if given.state(DisputeRecord, self.processor_ref).status is not None:
            return ()
        disputed = self._disputed(given)
        if isinstance(disputed, Parked):
            return disputed
        if self.amount > _disputable(disputed):
            return suspended(self, -self.amount - self.fee, INVALID_TRANSITION.code)
        version = given.policy_at(self.occurred_at or given.now)
        if version is None:
            return suspended(self, -self.amount - self.fee, NO_POLICY.code)
        opened = DisputeOpened(
            dispute_id=given.new_id,
            dispute_ref=self.processor_ref,
            user=_user(disputed),
            amount=self.amount,
            processor=self.processor,
            bearer=version.policy.dispute_bearer,
            fee=self.fee,
            fee_refundable=version.policy.dispute_fee_refundable,
        )
        opened = _opened(given, disputed, opened)
        events: tuple[Event, ...] = (opened,)
        if self.final:
            events = (opened, *_lost_at_once(given, disputed, opened))
        return with_cancelled_payouts(given, events)

    def _disputed(self, given: Given) -> Disputed | Parked:
        if self.sale is not None:
            return sale_of(given, self.sale)
        if self.purchase is not None:
            return _purchase_of(given, self.purchase)
        payment = given.state(PaymentRecord, self.payment_ref or "")
        if payment.purchase_id is not None:
            return given.state(PurchaseRecord, payment.purchase_id)
        return sale_of(given, self.payment_ref or "")


@command
class CloseDispute(Command):
    """Record the outcome of a dispute (notice).

    `dispute` is its id, or the processor's reference of the notice that opened it.
    """

    name = "close-dispute"

    dispute: Reference
    outcome: Literal["WON", "LOST"]
    processor: Id
    processor_ref: Reference

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference of the outcome."""
        return self.processor, self.processor_ref

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The dispute, what is disputed, and whom it concerns."""
        key = f"dispute:{self.dispute}"
        dispute = states.loaded(DisputeRecord, self.dispute)
        if dispute is None or dispute.opened is None:
            return (key,)
        opened = dispute.opened
        if opened.sale_id is not None:
            return key, *sale_keys(states, opened.sale_id)
        return key, *_purchase_keys(states, opened.purchase_id or "")

    def decide(self, given: Given) -> Decision:
        """The outcome. One that is known already changes nothing, and a win is final."""
        dispute = given.state(DisputeRecord, self.dispute)
        if dispute.opened is None:
            return Parked(f"dispute:{self.dispute}")
        if dispute.status == self.outcome:
            return ()
        if (dispute.status, self.outcome) not in TRANSITIONS:
            return suspended(self, 0, INVALID_TRANSITION.code)
        return with_cancelled_payouts(given, self._closed(given, dispute.opened))

    def _closed(self, given: Given, opened: DisputeOpened) -> tuple[Event, ...]:
        if opened.sale_id is not None:
            sale = given.state(SaleRecord, opened.sale_id)
            closed = (
                sale_disputes.won_on if self.outcome == DisputeStatus.WON else sale_disputes.lost_on
            )
            return closed(given, sale, opened)
        purchase = given.state(PurchaseRecord, opened.purchase_id or "")
        wallet = given.state(Wallet, opened.user)
        ended = (
            purchase_disputes.won_on
            if self.outcome == DisputeStatus.WON
            else purchase_disputes.lost_on
        )
        return ended(given, purchase, wallet, opened)


def _purchase_keys(states: LoadedStates, reference: str) -> tuple[str, ...]:
    """What `_purchase_of` will look at, the wallet, and the invoices of the country."""
    record = states.loaded(PurchaseRecord, reference)
    if record is None:
        return (f"purchase:{reference}",)
    if record.purchase_id is not None:
        wallet = f"wallet:{record.user}"
        return f"purchase:{reference}", wallet, *series_keys(record.country)
    payment = states.loaded(PaymentRecord, reference)
    if payment is None or payment.purchase_id in (None, reference):
        return f"purchase:{reference}", payment_key(reference)
    return _purchase_keys(states, payment.purchase_id)


def _purchase_of(given: Given, reference: str) -> Disputed | Parked:
    """The purchase called `reference`, or the one that this payment paid."""
    record = given.state(PurchaseRecord, reference)
    if record.purchase_id is not None:
        return record
    payment = given.state(PaymentRecord, reference)
    if payment.purchase_id is not None:
        return given.state(PurchaseRecord, payment.purchase_id)
    return record if payment.sale_id is not None else Parked(payment_key(reference))


def _disputable(disputed: Disputed) -> int:
    """What was paid by card for what is disputed; nothing where no card was charged for it."""
    if isinstance(disputed, PurchaseRecord):
        return disputed.price
    return disputed.by_card


def _user(disputed: Disputed) -> str:
    if isinstance(disputed, PurchaseRecord):
        return disputed.user
    return "" if disputed.sale is None else disputed.sale.buyer


def _opened(given: Given, disputed: Disputed, dispute: DisputeOpened) -> DisputeOpened:
    """The dispute with what it reserves and holds."""
    if isinstance(disputed, PurchaseRecord):
        wallet = given.state(Wallet, disputed.user)
        named = structs.replace(dispute, purchase_id=disputed.purchase_id)
        return purchase_disputes.opened_on(disputed, wallet, named)
    assert disputed.sale is not None
    named = structs.replace(dispute, sale_id=disputed.sale.sale_id)
    return sale_disputes.opened_on(given, disputed, named)


def _lost_at_once(given: Given, disputed: Disputed, opened: DisputeOpened) -> tuple[Event, ...]:
    """The loss of a dispute that was opened in the same command."""
    if isinstance(disputed, PurchaseRecord):
        wallet = opened.in_wallet(given.state(Wallet, disputed.user), disputed.user)
        return purchase_disputes.lost_on(given, opened.in_purchase(disputed), wallet, opened)
    return sale_disputes.lost_on(given, opened.in_sale(disputed), opened)
