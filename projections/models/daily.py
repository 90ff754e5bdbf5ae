"""Daily analytics: what a platform sold on each of its business days, and what else happened.

A day is an entry's effective date, in the book's own time zone. What an event adds to its day is
found by the event's class, so whatever is derived from `Sale` is counted under its product. Refunds
and disputes count on their own day and leave the sales of earlier days as they were. Who paid is
kept by day, week and month, so that whoever paid on two days of a week counts once in it.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from psycopg import Cursor

from domain.authorizations.authorization import (
    AuthorizationEnded,
    AuthorizationEvent,
    PaymentAuthorized,
)
from domain.calls.call import (
    CallBlockCharged,
    CallBlockWrittenOff,
    CallEnded,
    CallEvent,
    CallStarted,
)
from domain.disputes.dispute import DisputeLost, DisputeOpened, DisputeWon
from domain.event import Event
from domain.holds.hold import HoldSettled
from domain.payouts.payout import PayoutEvent, PayoutPaid, PayoutRequested, PayoutReturned
from domain.purchases.purchase import TokensPurchased
from domain.refunds.payment_failure import SalePaymentFailed
from domain.refunds.purchase_taken_back import TakenBack
from domain.refunds.purchases import TokenPurchaseRefunded
from domain.refunds.refund import RefundRecorded
from domain.refunds.refund_reversed import RefundReversed
from domain.sales.sale import CARD, Sale, SaleEvent
from domain.sales.tips import TipSent
from domain.subscriptions.subscription import (
    PeriodFailed,
    SubscriptionCancelled,
    SubscriptionEvent,
    SubscriptionLapsed,
    SubscriptionStarted,
)
from domain.wallets.expiry import PromoTokensExpired, TokensLapsed
from domain.wallets.promo_grants import PromoTokensGranted
from domain.wallets.wallet import WalletEvent
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, integers, texts

CACHED_PAYERS = 50_000
#: The label of tips that says of which stream they are.
STREAM = "stream"

_EPOCH = date(2000, 1, 1).toordinal()


def _nothing(_daily: "Daily", _event: Any, _day: int) -> None:
    pass


#: What an event adds to its day.
branches: ByClass[Callable[["Daily", Any, int], None]] = ByClass(
    _nothing,
    decides_about=(
        WalletEvent, SaleEvent, CallEvent, SubscriptionEvent, AuthorizationEvent, PayoutEvent,
    ),
    nothing="""
        account.frozen.v1 account.unfrozen.v1 adjustment.approved.v1 adjustment.proposed.v1
        adjustment.rejected.v1 call.paused.v1 call.resumed.v1 credit_note.issued.v1
        credits.held.v1 debit_note.issued.v1 hold.released.v1 invoice.issued.v1
        authorization.extended.v1 payout.approved.v1 payout.failed.v1 payout.rejected.v1
        payout.submitted.v1 purchase_loss.restated.v1 refund.failed.v1 refund.requested.v1
        session.started.v1 subject.erased.v1 subscription.changed.v1 tier.changed.v1
        """,
)  # fmt: skip


class Daily(Projection):
    """Figures by business day."""

    name = "daily"
    version = 4
    branches = branches
    tables = (
        Table("days", ("day",)),
        Table("day_products", ("day", "product")),
        Table("day_payers", ("day", "user_id")),
        Table("day_facts", ("day", "fact")),
        Table("day_streams", ("day", "stream")),
        Table("period_payers", ("unit", "first_day", "user_id")),
        Table("period_payer_counts", ("unit", "first_day")),
    )

    def forget(self) -> None:
        """Drop the sums, and the cache of payers that were counted."""
        self._days: dict[int, list[int]] = {}
        self._products: dict[tuple[int, str], list[int]] = {}
        self._facts: dict[tuple[int, str], list[int]] = {}
        self._streams: dict[tuple[int, str], list[int]] = {}
        self._payers: set[tuple[int, str]] = set()
        self._counted: set[tuple[int, str]] = set()

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Sum up what the page adds to each day."""
        for entry in page:
            event = entry.event
            count = branches[type(event)]  # type: ignore[index]
            count(self, event, entry.effective_on.toordinal() - _EPOCH)

    def write(self, cursor: Cursor[Any]) -> None:
        """Enter the payers, then add the sums to the tables."""
        if self._payers:
            payers = sorted(self._payers)
            days = integers(day for day, _ in payers)
            cursor.execute(self.sql["add_payers"], (days, texts([user for _, user in payers])))
            for day, fresh in cursor:
                self.figures(day)[4] += fresh
            self._counted.update(self._payers)
            if len(self._counted) >= CACHED_PAYERS:
                self._counted = set()
            self._payers = set()
        if self._days:
            numbers = sorted(self._days)
            columns = zip(*(self._days[day] for day in numbers), strict=True)
            cursor.execute(self.sql["add_days"], (integers(numbers), *map(integers, columns)))
            self._days = {}
        self._products = _added(cursor, self.sql["add_products"], self._products)
        self._facts = _added(cursor, self.sql["add_facts"], self._facts)
        self._streams = _added(cursor, self.sql["add_streams"], self._streams)

    def figures(self, day: int) -> list[int]:
        """What the page adds to a day: sales of tokens, tokens sold, their price, tokens granted,
        payers.
        """
        figures = self._days.get(day)
        if figures is None:
            figures = self._days[day] = [0] * 5
        return figures

    def product(self, day: int, product: str) -> list[int]:
        """What the page adds to a product on a day: sales, amount paid, tokens, tax, what creators
        get, what the platform gets.
        """
        figures = self._products.get((day, product))
        if figures is None:
            figures = self._products[day, product] = [0] * 6
            self.figures(day)
        return figures

    def fact(
        self, day: int, fact: str, count: int = 1, *, amount: int = 0, tokens: int = 0
    ) -> None:
        """Add something other than a sale that happened on a day, `count` times."""
        sums = self._facts.get((day, fact))
        if sums is None:
            sums = self._facts[day, fact] = [0] * 3
            self.figures(day)
        sums[0] += count
        sums[1] += amount
        sums[2] += tokens

    def stream(self, day: int, stream: str, *, paid: int, tokens: int) -> None:
        """Add a tip to a stream's of a day."""
        sums = self._streams.get((day, stream))
        if sums is None:
            sums = self._streams[day, stream] = [0] * 3
        sums[0] += 1
        sums[1] += paid
        sums[2] += tokens

    def paid(self, day: int, user: str) -> None:
        """Count `user` among the payers of a day, once."""
        payer = day, user
        if payer not in self._counted:
            self._payers.add(payer)


#: Sums by day and product, fact or stream.
Sums = dict[tuple[int, str], list[int]]


def _added(cursor: Cursor[Any], query: bytes, sums: Sums) -> Sums:
    """Add `sums` to their table; answers an empty dictionary for the next page."""
    if sums:
        keys = sorted(sums)
        columns = zip(*(sums[key] for key in keys), strict=True)
        names = integers(day for day, _ in keys), texts([name for _, name in keys])
        cursor.execute(query, (*names, *map(integers, columns)))
    return {}


@branches.branch(Sale)
def _sold(daily: Daily, event: Sale, day: int) -> None:
    figures = daily.product(day, event.product)
    paid = event.gross - event.discount
    figures[0] += 1
    figures[1] += paid
    figures[2] += event.tokens_paid + event.tokens_promo
    figures[3] += event.tax
    figures[4] += event.creator_share
    figures[5] += event.platform_share
    if event.funding == CARD:
        daily.fact(day, "card_sale", amount=event.charged)
    if paid:
        daily.paid(day, event.buyer)


@branches.branch(TipSent)
def _tipped(daily: Daily, event: TipSent, day: int) -> None:
    _sold(daily, event, day)
    if event.labels is not None and STREAM in event.labels:
        paid, tokens = event.gross - event.discount, event.tokens_paid + event.tokens_promo
        daily.stream(day, event.labels[STREAM], paid=paid, tokens=tokens)


@branches.branch(CallBlockCharged)
def _talked(daily: Daily, event: CallBlockCharged, day: int) -> None:
    _sold(daily, event, day)
    daily.fact(day, "call_second", event.seconds)


@branches.branch(TokensPurchased)
def _purchased(daily: Daily, event: TokensPurchased, day: int) -> None:
    figures = daily.figures(day)
    figures[0] += 1
    figures[1] += event.tokens
    figures[2] += event.price
    figures[3] += event.bonus
    daily.paid(day, event.user)


@branches.branch(PromoTokensGranted)
def _granted(daily: Daily, event: PromoTokensGranted, day: int) -> None:
    daily.figures(day)[3] += event.tokens


@branches.branch(RefundRecorded)
def _refunded(daily: Daily, event: RefundRecorded, day: int) -> None:
    if event.funding == CARD:
        daily.fact(day, "refund", amount=event.amount)
    else:
        daily.fact(day, "refund", tokens=event.amount)


@branches.branch(RefundReversed)
def _not_refunded(daily: Daily, event: RefundReversed, day: int) -> None:
    daily.fact(day, "refund_reversed", amount=event.amount)


@branches.branch(SalePaymentFailed)
def _bounced(daily: Daily, event: SalePaymentFailed, day: int) -> None:
    daily.fact(day, "payment_failed", amount=event.amount)


@branches.branch(TokenPurchaseRefunded)
def _bought_back(daily: Daily, event: TokenPurchaseRefunded, day: int) -> None:
    tokens = event.tokens + event.bonus_cancelled
    daily.fact(day, "purchase_refund", amount=event.amount, tokens=tokens)


@branches.branch(TakenBack)
def _taken_back(daily: Daily, event: TakenBack, day: int) -> None:
    daily.fact(day, "purchase_taken_back", int(event.part == 1), amount=event.amount)


@branches.branch(DisputeOpened)
def _disputed(daily: Daily, event: DisputeOpened, day: int) -> None:
    daily.fact(day, "dispute_opened", amount=event.amount)
    daily.fact(day, "dispute_fee", int(event.fee != 0), amount=event.fee)


@branches.branch(DisputeLost)
def _lost(daily: Daily, event: DisputeLost, day: int) -> None:
    daily.fact(day, "dispute_lost", int(event.part == 1), amount=event.amount)


@branches.branch(DisputeWon)
def _won(daily: Daily, event: DisputeWon, day: int) -> None:
    daily.fact(day, "dispute_won", int(event.part == 1), amount=event.amount)
    daily.fact(day, "dispute_fee", -int(event.fee != 0), amount=-event.fee)


@branches.branch(PayoutRequested)
def _requested(daily: Daily, event: PayoutRequested, day: int) -> None:
    daily.fact(day, "payout_requested", amount=event.gross)


@branches.branch(PayoutPaid)
def _paid_out(daily: Daily, event: PayoutPaid, day: int) -> None:
    daily.fact(day, "payout_paid", amount=event.gross)


@branches.branch(PayoutReturned)
def _came_back(daily: Daily, event: PayoutReturned, day: int) -> None:
    daily.fact(day, "payout_returned", amount=event.gross)


@branches.branch(PaymentAuthorized)
def _authorized(daily: Daily, event: PaymentAuthorized, day: int) -> None:
    daily.fact(day, "session_authorized", amount=event.amount)


@branches.branch(AuthorizationEnded)
def _given_up(daily: Daily, event: AuthorizationEnded, day: int) -> None:
    daily.fact(day, "session_voided", amount=event.amount)


@branches.branch(HoldSettled)
def _used(daily: Daily, event: HoldSettled, day: int) -> None:
    daily.fact(day, "batch_settled", amount=event.released, tokens=event.tokens)


@branches.branch(PromoTokensExpired)
def _expired(daily: Daily, event: PromoTokensExpired, day: int) -> None:
    daily.fact(day, "expired", tokens=event.tokens)


@branches.branch(TokensLapsed)
def _lapsed(daily: Daily, event: TokensLapsed, day: int) -> None:
    daily.fact(day, "lapsed", amount=event.released, tokens=event.tokens)


@branches.branch(CallBlockWrittenOff)
def _written_off(daily: Daily, event: CallBlockWrittenOff, day: int) -> None:
    daily.fact(day, "call_block_written_off", tokens=event.cost)


def _counted(fact: str, *classes: type[Event]) -> None:
    """Register events of which only the number counts."""
    branches.branch(*classes)(lambda daily, _event, day: daily.fact(day, fact))


_counted("call_started", CallStarted)
_counted("call_ended", CallEnded)
_counted("subscription_started", SubscriptionStarted)
_counted("subscription_failed", PeriodFailed)
_counted("subscription_cancelled", SubscriptionCancelled)
_counted("subscription_lapsed", SubscriptionLapsed)
