"""Disputing: what processors report of disputes, and what follows of it.

Notices: never rejected. What they speak of may not have arrived, then they wait for it; what
contradicts waits in suspense. A dispute that is won stays won, whatever is heard of it later.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import structs

from domain.command import Command, Decision, Given, Parked, command
from domain.disputes import in_suspense
from domain.disputes import purchases as purchase_disputes
from domain.disputes import sales as sale_disputes
from domain.disputes.dispute import (
    TRANSITIONS,
    DisputeOpened,
    DisputeRecord,
    DisputeWon,
    ReportedDispute,
    known_dispute,
)
from domain.disputes.risk import with_marks
from domain.entity import LoadedStates
from domain.event import Event
from domain.fields import Amount, Currency, Id, PositiveAmount, Reference
from domain.payments.early_fees import TakenOver, early_fee_key, paid_early, returned_early
from domain.payments.payment import DisputeStatus, PaymentRecord, payment_key
from domain.payments.suspense import other_currency, suspended
from domain.payments.suspense_drawn import dispute_notice_key
from domain.policy import Policy
from domain.purchases.purchase import PurchaseRecord
from domain.refunds.notice import PaymentNotice
from domain.refunds.referents import Authorized, InSuspense, purchase_keys, sale_keys
from domain.refunds.sale_refunds import notes, numbered
from domain.rejections import CURRENCY_MISMATCH, INVALID_TRANSITION, NO_POLICY
from domain.reversals.clawback import with_cancelled_payouts
from domain.sales.sale import SaleRecord
from domain.wallets.wallet import Wallet

#: What is disputed.
Disputed = SaleRecord | PurchaseRecord


@command
class OpenDispute(PaymentNotice):
    """Record that a bank took a payment back, in part or whole (notice); if `final`, it is lost.

    One of `sale`, `purchase` (ids, or the processor's references of their payments) and
    `payment_ref` says what is disputed. Sales in tokens never are, only the purchase of the tokens.
    What the bank takes beyond what was paid is bad debt.
    """

    name = "open-dispute"

    amount: PositiveAmount
    fee: Amount
    final: bool = False

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """What is disputed, whom it concerns, and whether this very dispute is known already."""
        return (
            f"dispute:{self.processor_ref}",
            dispute_notice_key(self.processor, self.processor_ref),
            early_fee_key(self.processor, self.processor_ref),
            *(early_fee_key(self.processor, ref) for ref in self._payments(states)),
            *super().prefetch(states),
        )

    def _payments(self, states: LoadedStates) -> Iterable[str]:
        """The references that the payment may have, as far as is known."""
        ((field, name),) = self.named().items()
        if field == "sale":
            record = states.loaded(SaleRecord, name)
            if record is not None and record.sale is not None:
                yield record.sale.processor_ref or ""
        elif field == "purchase":
            purchase = states.loaded(PurchaseRecord, name)
            if purchase is not None and purchase.purchase_id is not None:
                yield purchase.payment_ref
        yield name

    def decide(self, given: Given) -> Decision:
        """The dispute; a final one is lost at once."""
        if known_dispute(given, self.processor, self.processor_ref).opened is not None:
            return ()
        found = self.referent(given)
        if isinstance(found, Authorized):
            return Parked(payment_key(found.ref))
        if isinstance(found, Parked):
            return found
        other = self.other_currency(given, found)
        if other is not None:
            money = None if other == given.assets.currency else other
            paid = -self.amount - self.fee
            return suspended(self, paid, CURRENCY_MISMATCH.code, currency=money)
        if isinstance(found, InSuspense):
            return in_suspense.opened_on(
                self,
                found,
                amount=self.amount,
                fee=self.fee,
                early=TakenOver()
                if found.waiting.currency
                else paid_early(given, *self.notice_id(), found.ref, self.fee),
                final=self.final,
            )
        disputed = (found,) if isinstance(found, PurchaseRecord) else found.records
        if not any(map(_disputable, disputed)):
            return suspended(self, -self.amount - self.fee, INVALID_TRANSITION.code)
        version = given.policy_at(self.occurred_at or given.now)
        if version is None:
            return suspended(self, -self.amount - self.fee, NO_POLICY.code)
        events: list[Event] = []
        for nth, (record, amount) in enumerate(_spread(disputed, self.amount)):
            opened = self._opened(given, record, amount, nth, version.policy)
            events.append(opened)
            if self.final:
                events += _lost_at_once(given, record, opened, notes=notes(events))
        return with_cancelled_payouts(given, with_marks(given, tuple(events)))

    def _opened(
        self, given: Given, disputed: Disputed, amount: int, nth: int, policy: Policy
    ) -> DisputeOpened:
        """The dispute of the nth thing that the payment paid, with what it reserves and holds."""
        fee = 0 if nth else self.fee
        early = TakenOver()
        if fee:
            early = paid_early(given, *self.notice_id(), _payment(disputed), fee)
        dispute = DisputeOpened(
            dispute_id=numbered(given.new_id, nth),
            dispute_ref=self.processor_ref,
            user=_user(disputed),
            amount=amount,
            processor=self.processor,
            bearer=policy.dispute_bearer,
            fee=fee,
            fee_refundable=policy.dispute_fee_refundable,
            by_processor=True,
            fee_paid=early.amount,
            of_payment=early.of_payment,
            payment_ref=early.payment_ref,
        )
        if isinstance(disputed, PurchaseRecord):
            wallet = given.state(Wallet, disputed.user)
            named = structs.replace(dispute, purchase_id=disputed.purchase_id)
            return purchase_disputes.opened_on(disputed, wallet, named)
        assert disputed.sale is not None
        named = structs.replace(dispute, sale_id=disputed.sale.sale_id)
        return sale_disputes.opened_on(given, disputed, named)


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
    currency: Currency | None = None

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference of the outcome."""
        return self.processor, self.processor_ref

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The dispute, what is disputed, and whom it concerns."""
        own = f"dispute:{self.dispute}", dispute_notice_key(self.processor, self.dispute)
        dispute = states.loaded(DisputeRecord, self.dispute)
        reported = states.loaded(ReportedDispute, f"{self.processor}:{self.dispute}")
        if dispute is None or reported is None:
            return own
        if reported.status is not None:
            dispute = reported
        if dispute.payment_ref is not None:
            named = self.dispute, dispute.payment_ref
            early = (early_fee_key(self.processor, ref) for ref in named)
            return *own, payment_key(dispute.payment_ref), *early
        keys = [*own]
        for opened in dispute.parts:
            keys += _early_keys(states, opened)
            keys.append(f"dispute:{opened.dispute_ref}")
            keys.append(dispute_notice_key(opened.processor, opened.dispute_ref))
            if opened.sale_id is not None:
                keys += sale_keys(states, opened.sale_id)
            else:
                keys += purchase_keys(states, opened.purchase_id or "")
        return tuple(dict.fromkeys(keys))

    def decide(self, given: Given) -> Decision:
        """The outcome. One that is known already changes nothing, and a win is final."""
        dispute = known_dispute(given, self.processor, self.dispute)
        if dispute.status is None:
            return Parked(dispute_notice_key(self.processor, self.dispute))
        if dispute.status == self.outcome:
            return ()
        if (dispute.status, self.outcome) not in TRANSITIONS:
            return suspended(self, 0, INVALID_TRANSITION.code)
        if dispute.payment_ref is not None:
            return self._in_suspense(given, dispute.payment_ref)
        if other_currency(self, given) is not None:
            return suspended(self, 0, CURRENCY_MISMATCH.code)
        events: list[Event] = []
        for opened in dispute.parts:
            events += self._closed(given, opened, notes=notes(events))
        return with_cancelled_payouts(given, with_marks(given, tuple(events)))

    def _in_suspense(self, given: Given, payment_ref: str) -> Decision:
        payment = given.state(PaymentRecord, payment_ref)
        waiting = payment.suspended_by(self.processor)
        if waiting is None:
            return suspended(self, 0, INVALID_TRANSITION.code)
        if self.currency not in (None, waiting.currency or given.assets.currency):
            return suspended(self, 0, CURRENCY_MISMATCH.code)
        version = given.policy_at(self.occurred_at or given.now)
        refundable = version is not None and version.policy.dispute_fee_refundable
        return in_suspense.closed_on(
            self,
            InSuspense(payment_ref, waiting),
            self.dispute,
            won=self.outcome == DisputeStatus.WON,
            fee_refundable=refundable,
            returned=lambda fee: (
                TakenOver()
                if waiting.currency
                else returned_early(given, self.processor, self.dispute, payment_ref, fee)
            ),
        )

    def _closed(self, given: Given, opened: DisputeOpened, *, notes: int) -> tuple[Event, ...]:
        won = self.outcome == DisputeStatus.WON
        if opened.sale_id is not None:
            sale = given.state(SaleRecord, opened.sale_id)
            closed = sale_disputes.won_on if won else sale_disputes.lost_on
            return _returned(given, opened, sale, closed(given, sale, opened, notes=notes))
        purchase = given.state(PurchaseRecord, opened.purchase_id or "")
        wallet = given.state(Wallet, opened.user)
        ended = purchase_disputes.won_on if won else purchase_disputes.lost_on
        return _returned(given, opened, purchase, ended(given, purchase, wallet, opened))


def _spread(records: Sequence[Disputed], amount: int) -> Iterable[tuple[Disputed, int]]:
    """How a dispute of `amount` falls on what one payment paid, the latest capture first.

    Each bears what neither refunds nor other disputes have taken, then what refunds alone have;
    the earliest what there is not.
    """
    found = [0] * len(records)
    for beside_refunds in (True, False):
        for nth, record in enumerate(records):
            room = _disputable(record) - found[nth]
            room -= record.disputed(DisputeStatus.OPEN) + record.disputed(DisputeStatus.LOST)
            if beside_refunds:
                room -= _refunded(record)
            part = min(amount, max(0, room))
            found[nth] += part
            amount -= part
    found[-1] += amount
    return [(record, part) for record, part in zip(records, found, strict=True) if part]


def _disputable(disputed: Disputed) -> int:
    """What was paid by card for what is disputed; nothing where no card was charged for it."""
    if isinstance(disputed, PurchaseRecord):
        return disputed.price
    return disputed.by_card


def _refunded(disputed: Disputed) -> int:
    if isinstance(disputed, PurchaseRecord):
        return disputed.sent_back + disputed.taken
    return disputed.refunded


def _user(disputed: Disputed) -> str:
    if isinstance(disputed, PurchaseRecord):
        return disputed.user
    return "" if disputed.sale is None else disputed.sale.buyer


def _payment(disputed: Disputed) -> str:
    """The reference of the payment."""
    if isinstance(disputed, PurchaseRecord):
        return disputed.payment_ref
    return "" if disputed.sale is None else disputed.sale.processor_ref or ""


def _returned(
    given: Given, opened: DisputeOpened, disputed: Disputed, events: tuple[Event, ...]
) -> tuple[Event, ...]:
    """The same events; a win that brings the fee back takes over what lines have told of it."""
    won, *others = events
    if not isinstance(won, DisputeWon) or not won.fee:
        return events
    named = opened.processor, opened.dispute_ref, _payment(disputed)
    early = returned_early(given, *named, won.fee)
    taken = structs.replace(
        won,
        fee_returned=-early.amount,
        of_payment=-early.of_payment,
        payment_ref=early.payment_ref,
    )
    return taken, *others


def _early_keys(states: LoadedStates, opened: DisputeOpened) -> Iterable[str]:
    """What lines may have told early of the dispute's fee."""
    record: Disputed | None = None
    if opened.sale_id is not None:
        record = states.loaded(SaleRecord, opened.sale_id)
    elif opened.purchase_id is not None:
        record = states.loaded(PurchaseRecord, opened.purchase_id)
    names = (opened.dispute_ref,) if record is None else (opened.dispute_ref, _payment(record))
    return (early_fee_key(opened.processor, ref) for ref in names)


def _lost_at_once(
    given: Given, disputed: Disputed, opened: DisputeOpened, *, notes: int
) -> tuple[Event, ...]:
    """The loss of a dispute that was opened in the same command."""
    if isinstance(disputed, PurchaseRecord):
        wallet = opened.in_wallet(given.state(Wallet, disputed.user), disputed.user)
        return purchase_disputes.lost_on(given, opened.in_purchase(disputed), wallet, opened)
    return sale_disputes.lost_on(given, opened.in_sale(disputed), opened, notes=notes)
