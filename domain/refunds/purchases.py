"""Refunds of token purchases: what is unspent of the tokens goes back, and its money with it.

The bonus that came with them is cancelled; what of it was used, by sales, holds or corrections, is
deducted at its worth.
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
from domain.purchases.purchase import PurchaseEvent, PurchaseRecord
from domain.rejections import (
    DISPUTE_OPEN,
    NO_POLICY,
    REFUND_EXCEEDS_REMAINING,
    UNKNOWN_PURCHASE,
    Rejection,
    reject,
)
from domain.reversals.purchase_usage import PurchaseUsage, bonus_spent
from domain.sales.invoices import Document, credit_note, series_keys
from domain.wallets.lot_changes import Cause, LotChange, changes_of
from domain.wallets.wallet import LotUse, TokenClass, Wallet, WalletEvent


@stored_as("token_purchase.refunded.v1")
class TokenPurchaseRefunded(WalletEvent, PurchaseEvent, frozen=True, kw_only=True):
    """`tokens` of a purchase and `bonus_cancelled` bonus tokens went back for `amount`.

    amount = released + tax - deducted; `deducted` pays for `bonus_spent` tokens of the bonus.
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

    def labelled_by(self) -> str:
        return f"purchase:{self.purchase_id}"

    def tags(self) -> tuple[str, ...]:
        return f"wallet:{self.user}", f"purchase:{self.purchase_id}"

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`w.free -> supply`, and `deferred + vat -> psp + exp.promo`."""
        money = assets.currency
        return (
            *self.token_postings(assets),
            (accounts.DEFERRED, money, self.released),
            (accounts.vat(self.country or ""), money, self.tax),
            (accounts.PROMO_EXPENSE, money, -self.deducted),
            (accounts.processor(self.processor), money, -self.amount),
        )

    def lot_changes(self) -> tuple[LotChange, ...]:
        """The tokens are gone."""
        return changes_of(self.user, self.lots, Cause.REVOKED)

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        return msgspec.structs.replace(
            record,
            refunded=record.refunded + self.released + self.tax,
            refunded_tax=record.refunded_tax + self.tax,
            sent_back=record.sent_back + self.amount,
            bonus_deducted=record.bonus_deducted + self.bonus_spent,
        )


@command
class RefundPurchase(Command):
    """Refund what is unspent of a purchase of tokens."""

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
        keys = (key, wallet, usage) if record.bonus else (key, wallet)
        return keys + series_keys(record.country)

    def decide(self, given: Given) -> Decision:
        """The refund; refused where nothing is left, or nothing after the bonus is deducted."""
        record = given.state(PurchaseRecord, self.purchase)
        if record.purchase_id is None:
            return reject(UNKNOWN_PURCHASE, purchase=self.purchase)
        version = given.policy
        if version is None:
            return reject(NO_POLICY, at=given.now)
        if record.disputed(DisputeStatus.OPEN):
            subject = f"purchase {self.purchase}"
            return reject(DISPUTE_OPEN, subject=subject, purchase=self.purchase)
        refunded = self._refunded(given, record, version.policy.unit_value or 0)
        if isinstance(refunded, Rejection):
            return refunded
        document = Document(
            country=record.country,
            net=refunded.released,
            vat=refunded.tax,
            rate=record.vat_bps,
            purchase_id=self.purchase,
        )
        return refunded, *credit_note(given, document, given.new_id)

    def _refunded(
        self, given: Given, record: PurchaseRecord, unit_value: int
    ) -> TokenPurchaseRefunded | Rejection:
        wallet = given.state(Wallet, record.user)
        lots = tuple(
            LotUse(
                lot.lot, lot.purchase, lot.kind, lot.free, lot.released(lot.free), lot.expires_at
            )
            for lot in wallet.lots
            if lot.purchase == self.purchase and lot.free
        )
        released = sum(use.released for use in lots)
        tax = _tax(record, released)
        spent = max(0, _bonus_spent(given, record) - record.bonus_deducted)
        deducted = min(released + tax, spent * unit_value)
        tokens = sum(use.tokens for use in lots if use.kind == TokenClass.PAID)
        if not tokens or not released + tax - deducted:
            subject = f"purchase {self.purchase}"
            return reject(REFUND_EXCEEDS_REMAINING, subject=subject, remaining=0)
        return TokenPurchaseRefunded(
            purchase_id=self.purchase,
            user=record.user,
            tokens=tokens,
            bonus_cancelled=sum(use.tokens for use in lots if use.kind == TokenClass.PROMO),
            amount=released + tax - deducted,
            released=released,
            tax=tax,
            bonus_spent=spent,
            deducted=deducted,
            reason=self.reason_code,
            processor=record.processor,
            country=record.country,
            lots=lots,
        )


def _tax(record: PurchaseRecord, released: int) -> int:
    """The VAT on what is refunded of the net price, cumulatively."""
    left = record.tax - record.refunded_tax - record.lost_tax
    net = record.refunded - record.refunded_tax + released
    if not record.net:
        return left
    cumulative = split_by_weight(record.tax, net, record.net - net)[0]
    return max(0, min(left, cumulative - record.refunded_tax))


def _bonus_spent(given: Given, record: PurchaseRecord) -> int:
    """Bonus tokens of the purchase that were used; a purchase without any needs no look at it."""
    if not record.bonus:
        return 0
    usage = given.state(PurchaseUsage, f"{record.user}:{record.purchase_id}")
    return bonus_spent(record.purchase_id or "", usage)
