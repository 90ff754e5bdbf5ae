"""Token purchases: a processor has charged a card for a package of tokens.

A notice: it is never rejected. What contradicts the policy goes to suspense, and no tokens are
given. A frozen buyer is still credited; spending stays frozen. A wallet that holds as many lots as
it may takes no more: the money waits in suspense until some are spent and a person releases it.
"""

from domain.command import Command, Decision, Given, Suspended, command
from domain.entity import LoadedStates
from domain.fields import Country, Currency, Id, PositiveAmount, Reference
from domain.money import vat_included
from domain.payments.payment import PaymentRecord, payment_key
from domain.payments.suspense import other_currency, suspended
from domain.purchases.purchase import TokensPurchased
from domain.rejections import (
    CURRENCY_MISMATCH,
    DUPLICATE_PAYMENT,
    LIMIT_REACHED,
    NO_POLICY,
    PRICE_MISMATCH,
    UNKNOWN_PACKAGE,
    UNKNOWN_TAX_COUNTRY,
)
from domain.sales.invoices import Document, invoice, series_keys
from domain.wallets.wallet import LOTS_MAX, TokenClass, Wallet


@command
class RecordPurchase(Command):
    """Credit the tokens of a package that a processor was paid for (notice)."""

    name = "record-purchase"
    grows = False

    user: Id
    package: Id
    price: PositiveAmount
    processor: Id
    processor_ref: Reference
    country: Country | None = None
    currency: Currency | None = None

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference of the payment."""
        return self.processor, self.processor_ref

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The buyer's wallet, what stands under the reference, and the invoices of the country."""
        keys = f"wallet:{self.user}", payment_key(self.processor_ref)
        return keys + series_keys(self.country)

    def decide(self, given: Given) -> Decision:
        """The tokens, under the policy in force when the processor was paid; else suspense."""
        other = other_currency(self, given)
        if other is not None:
            return suspended(self, self.price, CURRENCY_MISMATCH.code, currency=other)
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
        lots = 1 + (package.bonus > 0 and policy.bonus_class == TokenClass.PROMO)
        if len(given.state(Wallet, self.user).lots) + lots > LOTS_MAX:
            return self._suspend(LIMIT_REACHED.code)
        if not policy.knows_tax(self.country):
            return self._suspend(UNKNOWN_TAX_COUNTRY.code)
        country = policy.tax_country(self.country)
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
