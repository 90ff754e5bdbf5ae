"""Token purchases: a processor has charged a card for a package of tokens.

A notice: it is never rejected. What contradicts the policy goes to suspense, and no tokens are
given. A frozen buyer is still credited; spending stays frozen.
"""

from datetime import datetime

from domain import accounts
from domain.accounts import Assets, Posting
from domain.agenda import AGENDA, AgendaEvent, AgendaItem, ending
from domain.command import Command, Decision, Given, Suspended, command
from domain.event import stored_as
from domain.fields import Country, Id, PositiveAmount
from domain.invoices import Document, invoice
from domain.money import vat_included
from domain.purchase import PurchaseEvent, PurchaseRecord
from domain.rejections import DUPLICATE_PAYMENT, NO_POLICY, PRICE_MISMATCH, UNKNOWN_PACKAGE
from domain.suspense import APPLIED, PaymentEvent, PaymentRecord, payment_key, suspended
from domain.wallet import PAID, PROMO, Lot, Wallet, WalletEvent


@stored_as("tokens.purchased.v1")
class TokensPurchased(
    WalletEvent,
    PaymentEvent,
    AgendaEvent,
    PurchaseEvent,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
):
    """`tokens` and `bonus` tokens for `price` minor units, of which `tax` is VAT.

    Bonus tokens of class PROMO are a lot of their own that releases nothing; of class PAID they
    share the purchase's lot and its price.
    """

    purchase_id: str
    user: str
    package_id: str
    tokens: int
    bonus: int
    bonus_class: str
    price: int
    tax: int
    processor: str
    processor_ref: str
    country: str | None = None
    bonus_expires_at: datetime | None = None
    #: When what is left of the purchased tokens lapses (exclusive).
    lapses_at: datetime | None = None
    #: The inclusive rate that `tax` was computed with.
    vat_bps: int = 0
    #: Whether the agenda has to learn of the end of bonus or tokens.
    on_agenda: bool = False

    def tags(self) -> tuple[str, ...]:
        """The wallet, the purchase and the payment; the agenda, if any of it ends by itself."""
        tags = (
            f"wallet:{self.user}",
            f"purchase:{self.purchase_id}",
            payment_key(self.processor_ref),
        )
        return (*tags, AGENDA) if self.on_agenda else tags

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """What is left of bonus and tokens ends."""
        if not self.on_agenda:
            return ()
        lot = self.purchase_id
        return (
            *ending(f"{lot}b", "expire-promo", self.user, self.bonus_expires_at),
            *ending(lot, "lapse-tokens", self.user, self.lapses_at),
        )

    def postings(self, assets: Assets) -> tuple[Posting, ...]:
        """`psp -> deferred + vat` and `supply -> w.free`."""
        free = accounts.wallet_free(self.user)
        promo = self.bonus if self.bonus_class == PROMO else 0
        paid = self.tokens + self.bonus - promo
        return (
            (accounts.processor(self.processor), assets.currency, self.price),
            (accounts.vat(self.country or ""), assets.currency, -self.tax),
            (accounts.DEFERRED, assets.currency, self.tax - self.price),
            (accounts.SUPPLY, assets.paid, paid),
            (free, assets.paid, -paid),
            (accounts.SUPPLY, assets.promo, promo),
            (free, assets.promo, -promo),
        )

    def in_wallet(self, wallet: Wallet, user: str) -> Wallet:
        """The new lots stand at their places."""
        promo = self.bonus if self.bonus_class == PROMO else 0
        paid = Lot(
            self.purchase_id,
            self.purchase_id,
            PAID,
            self.tokens + self.bonus - promo,
            self.price - self.tax,
            expires_at=self.lapses_at,
        )
        if not promo:
            return wallet.with_lots(paid)
        bonus = Lot(
            f"{self.purchase_id}b",
            self.purchase_id,
            PROMO,
            promo,
            0,
            expires_at=self.bonus_expires_at,
        )
        return wallet.with_lots(paid, bonus)

    def in_purchase(self, record: PurchaseRecord) -> PurchaseRecord:
        """The purchase begins its record."""
        promo = self.bonus if self.bonus_class == PROMO else 0
        return PurchaseRecord(
            purchase_id=self.purchase_id,
            user=self.user,
            tokens=self.tokens + self.bonus - promo,
            bonus=promo,
            price=self.price,
            tax=self.tax,
            vat_bps=self.vat_bps,
            country=self.country,
            processor=self.processor,
        )

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        """The payment bought tokens."""
        return payment.became(
            state=APPLIED,
            purchase_id=self.purchase_id,
            processor=self.processor,
            amount=self.price,
        )


@command
class RecordPurchase(Command):
    """Credit the tokens of a package that a processor was paid for (notice)."""

    name = "record-purchase"

    user: Id
    package: Id
    price: PositiveAmount
    processor: Id
    processor_ref: Id
    country: Country | None = None

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference of the payment."""
        return self.processor, self.processor_ref

    def entities(self) -> tuple[str, ...]:
        """The buyer's wallet, and what stands under the reference."""
        return f"wallet:{self.user}", payment_key(self.processor_ref)

    def decide(self, given: Given) -> Decision:
        """The tokens, under the policy in force when the processor was paid; else suspense."""
        if given.state(PaymentRecord, self.processor_ref).is_another(self.processor):
            return self._suspend(DUPLICATE_PAYMENT)
        paid_at = self.occurred_at or given.now
        version = given.policy_at(paid_at)
        if version is None:
            return self._suspend(NO_POLICY.code)
        policy = version.policy
        package = policy.packages.get(self.package)
        if package is None:
            return self._suspend(UNKNOWN_PACKAGE)
        if package.price != self.price:
            return self._suspend(PRICE_MISMATCH)
        country = self.country or policy.default_country
        vat_bps = policy.vat_bps(country)
        tax = vat_included(self.price, vat_bps)
        bonus_expires_at = policy.promo_expiry(given.now) if package.bonus else None
        lapses_at = policy.lapse(paid_at)
        event = TokensPurchased(
            purchase_id=given.new_id,
            user=self.user,
            package_id=self.package,
            tokens=package.tokens,
            bonus=package.bonus,
            bonus_class=policy.bonus_class,
            price=self.price,
            tax=tax,
            processor=self.processor,
            processor_ref=self.processor_ref,
            country=country,
            bonus_expires_at=bonus_expires_at,
            lapses_at=lapses_at,
            vat_bps=vat_bps if tax else 0,
            on_agenda=bonus_expires_at is not None or lapses_at is not None,
        )
        document = Document(
            country=country,
            net=self.price - tax,
            vat=tax,
            rate=vat_bps,
            purchase_id=event.purchase_id,
        )
        return (event, *invoice(given, document))

    def _suspend(self, code: str) -> Suspended:
        return suspended(self, self.price, code)
