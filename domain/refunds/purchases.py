"""Refunds of token purchases: what is unspent of the tokens goes back, and its money with it.

The bonus that came with them is cancelled; what of it was used, by sales, holds or corrections, or
waits in holds to be used, is deducted at its worth. It is given back when that bonus comes back.
"""

import msgspec

from domain import accounts
from domain.accounts import Assets, Posting
from domain.command import Command, Decision, Given, command
from domain.entity import LoadedStates
from domain.event import stored_as
from domain.fields import Code, Id
from domain.money import split_by_weight
from domain.payments.payment import DisputeStatus
from domain.purchases.disputed_lots import LotCancelled, LotMovements, settling
from domain.purchases.purchase import PurchaseEvent, PurchaseRecord
from domain.refunds.purchase_freezes import with_freezes
from domain.refunds.reasons import reason_refusal
from domain.rejections import (
    DISPUTE_OPEN,
    NO_POLICY,
    REFUND_EXCEEDS_REMAINING,
    UNKNOWN_PURCHASE,
    Rejection,
    reject,
)
from domain.reversals.purchase_loss import (
    bonus_in_holds,
    deducted_for,
    lots_of,
    rounding_in_margin,
)
from domain.reversals.purchase_usage import PurchaseUsage, bonus_spent
from domain.sales.invoices import Document, credit_note, series_keys
from domain.wallets.lot_changes import Cause, LotChange, changes_of
from domain.wallets.wallet import Lot, LotUse, TokenClass, Wallet, WalletEvent


@stored_as("token_purchase.refunded.v1")
class TokenPurchaseRefunded(WalletEvent, PurchaseEvent, frozen=True, kw_only=True):
    """`tokens` of a purchase and `bonus_cancelled` bonus tokens went back for `amount`.

    amount = released + tax - deducted - settled - rounding. `deducted` pays for `bonus_spent`
    tokens of the bonus; negative, it is given back for those that came back unspent. `settled` is
    what the buyer owed for the purchase, `rounding` what the margin bore of its loss because only
    whole tokens are cancelled; `cancelled` are the tokens that pay for both. What had been written
    off of the settled debt is `recovered`: bad debt that comes back.
    """

    purchase_id: str
    user: str
    tokens: int
    bonus_cancelled: int
    amount: int
    released: int
    tax: int
    bonus_spent: int
    deducted: int
    reason: str
    processor: str
    country: str | None = None
    lots: tuple[LotUse, ...] = ()
    settled: int = 0
    rounding: int = 0
    cancelled: tuple[LotCancelled, ...] = ()
    recovered: int = 0

    @property
    def cleared(self) -> int:
        """What it clears of an earlier loss."""
        return self.settled + self.rounding

    def labelled_by(self) -> str:
        return f"purchase:{self.purchase_id}"

    def tags(self) -> tuple[str, ...]:
        return f"wallet:{self.user}", f"purchase:{self.purchase_id}"

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`w.free -> supply`, and `deferred + vat -> psp + exp.promo + fan_debt + rev.margin`; what
        had been written off of `fan_debt` goes to `exp.baddebt`.
        """
        money = assets.currency
        return (
            *self.token_postings(assets),
            (accounts.DEFERRED, money, self.released),
            (accounts.vat(self.country or ""), money, self.tax),
            (accounts.PROMO_EXPENSE, money, -self.deducted),
            (accounts.fan_debt(self.user), money, self.recovered - self.settled),
            (accounts.BAD_DEBT_EXPENSE, money, -self.recovered),
            (accounts.MARGIN_REVENUE, money, -self.rounding),
            (accounts.processor(self.processor), money, -self.amount),
        )

    def lot_changes(self) -> tuple[LotChange, ...]:
        """The tokens are gone."""
        revoked = changes_of(self.user, self.lots, Cause.REVOKED)
        return *revoked, *self._movements().changes(self.user)

    def _movements(self) -> LotMovements:
        held = tuple(
            LotUse(lot.lot, lot.purchase, lot.kind, lot.tokens, 0, lot.expires_at)
            for lot in self.cancelled
        )
        return LotMovements(held=held, cancelled=self.cancelled)

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """The tokens are gone, and so much of the debt."""
        wallet = super().in_wallet(wallet, user)
        return wallet.owing(self.purchase_id, -self.settled, self.recovered)

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        """So much is sent back; what is cleared of a loss the cancelled tokens bear."""
        by_tax = max(0, self.cleared - self.released)
        cleared = self.cleared - by_tax
        return msgspec.structs.replace(
            record.moved(self._movements()),
            sent_back=record.sent_back + self.amount,
            refunded_net=record.refunded_net + self.released - cleared,
            refunded_tax=record.refunded_tax + self.tax - by_tax,
            lost_net=record.lost_net + cleared,
            lost_tax=record.lost_tax + by_tax,
            debt=record.debt - self.settled,
            bonus_deducted=record.bonus_deducted + self.bonus_spent,
            deducted=record.deducted + self.deducted,
        )


@command
class RefundPurchase(Command):
    """Refund what is unspent of a purchase of tokens.

    Its bonus is cancelled; what of that was used, or is in a hold, is deducted, and given back by
    another refund once it is free again. The money leaves the processor's account at once: a
    processor that reports this refund, too, does so by a `cumulative` figure, in which it is
    included. An `amount` would be another refund.
    """

    name = "refund-purchase"
    roles = frozenset({"service", "finance"})

    purchase: Id
    reason_code: Code

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The purchase, its wallet, its usage if a bonus came with it, and the invoices."""
        key = f"purchase:{self.purchase}"
        record = states.loaded(PurchaseRecord, self.purchase)
        if record is None or record.purchase_id is None:
            return (key,)
        wallet, usage = f"wallet:{record.user}", f"trail:{record.user}:{self.purchase}"
        keys = (key, wallet, usage) if record.bonus or record.contested else (key, wallet)
        return keys + series_keys(record.country)

    def decide(self, given: Given) -> Decision:
        """The refund; refused where nothing is left, or nothing after the bonus is deducted."""
        record = given.state(PurchaseRecord, self.purchase)
        if record.purchase_id is None:
            return reject(UNKNOWN_PURCHASE, purchase=self.purchase)
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        unlisted = reason_refusal(given, self.reason_code)
        if unlisted is not None:
            return unlisted
        if record.disputed(DisputeStatus.OPEN):
            subject = f"purchase {self.purchase}"
            return reject(DISPUTE_OPEN, subject=subject, purchase=self.purchase)
        refunded = self._refunded(given, record, version.policy.unit_value or 0)
        if isinstance(refunded, Rejection):
            return refunded
        tax = refunded.tax - max(0, refunded.cleared - refunded.released)
        document = Document(
            country=record.country,
            net=refunded.released + refunded.tax - refunded.cleared - tax,
            vat=tax,
            rate=record.vat_bps,
            purchase_id=self.purchase,
        )
        events = with_freezes(record, given.state(Wallet, record.user), (refunded,))
        return *events, *credit_note(given, document, given.new_id)

    def _refunded(
        self, given: Given, record: PurchaseRecord, unit_value: int
    ) -> TokenPurchaseRefunded | Rejection:
        wallet = given.state(Wallet, record.user)
        mine = [lot for lot in lots_of(record, wallet) if lot.free]
        released = sum(lot.released(lot.free) for lot in mine)
        tokens = sum(lot.free for lot in mine if lot.kind == TokenClass.PAID)
        tax = _tax(record, released)
        spent = _bonus_spent(given, record, wallet)
        bonus_spent, deducted = _deduction(record, spent, unit_value)
        settled = rounding = 0
        if tokens:
            settled, rounding = record.debt, rounding_in_margin(given, record, wallet)
        amount = released + tax - deducted - settled - rounding
        if amount <= 0:
            subject = f"purchase {self.purchase}"
            return reject(REFUND_EXCEEDS_REMAINING, subject=subject, remaining=0)
        cleared = min(released, settled + rounding)
        cancelled = settling(mine, -(-tokens * cleared // released)) if cleared else ()
        return TokenPurchaseRefunded(
            purchase_id=self.purchase,
            user=record.user,
            tokens=tokens,
            bonus_cancelled=sum(lot.free for lot in mine if lot.kind == TokenClass.PROMO),
            amount=amount,
            released=released,
            tax=tax,
            bonus_spent=bonus_spent,
            deducted=deducted,
            reason=self.reason_code,
            processor=record.processor,
            country=record.country,
            lots=_revoked(mine, cancelled),
            settled=settled,
            rounding=rounding,
            cancelled=cancelled,
            recovered=wallet.recovered(self.purchase, -settled),
        )


def _revoked(lots: list[Lot], cancelled: tuple[LotCancelled, ...]) -> tuple[LotUse, ...]:
    """What is free of the lots, but for the tokens that are cancelled."""
    gone = {lot.lot: lot.tokens for lot in cancelled}
    left = ((lot, lot.free - gone.get(lot.lot, 0)) for lot in lots)
    return tuple(
        LotUse(lot.lot, lot.purchase, lot.kind, tokens, lot.released(tokens), lot.expires_at)
        for lot, tokens in left
        if tokens
    )


def _deduction(record: PurchaseRecord, spent: int, unit_value: int) -> tuple[int, int]:
    """How many bonus tokens more are deducted, and minor units for them; negative, given back.

    What a loss has taken of what is to be given back is not there any more.
    """
    more = spent - record.bonus_deducted
    if more >= 0:
        return more, more * unit_value
    back = record.deducted - deducted_for(record, spent)
    left = max(0, back - record.lost_promo)
    return (more * left // back if back else more), -left


def _tax(record: PurchaseRecord, released: int) -> int:
    """The VAT on what is refunded of the net price, cumulatively."""
    left = record.tax - record.refunded_tax - record.lost_tax
    net = record.refunded_net + released
    if not record.net:
        return left
    cumulative = split_by_weight(record.tax, net, record.net - net)[0]
    return max(0, min(left, cumulative - record.refunded_tax))


def _bonus_spent(given: Given, record: PurchaseRecord, wallet: Wallet) -> int:
    """Bonus tokens of the purchase that were used, or are in holds to be used."""
    if not record.bonus:
        return 0
    usage = given.state(PurchaseUsage, f"{record.user}:{record.purchase_id}")
    spent = bonus_spent(record.purchase_id or "", usage, usage.sales())
    return spent + bonus_in_holds(record, wallet)
