"""Token purchases: a processor has charged a card for a package of tokens.

A notice: it is never rejected. What contradicts the policy goes to suspense, and no tokens are
given. A frozen buyer is still credited; spending stays frozen. A wallet that holds as many lots as
it may takes no more: the money waits in suspense until some are spent and a person releases it.
"""

from domain.command import Command, Decision, Given, Suspended, command
from domain.entity import LoadedStates
from domain.event import Event
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
    is_notice = True

    user: Id
    package: Id
    price: PositiveAmount
    processor: Id
    processor_ref: Reference
    country: Country | None = None
    currency: Currency | None = None

    def notice_id(self) -> tuple[str, str]:
        """The processor's reference of the payment."""
        own = self.__dict__  # a model's attribute costs five times an item of it
        return own["processor"], own["processor_ref"]

    def prefetch(self, states: LoadedStates) -> tuple[str, ...]:
        """The buyer's wallet, what stands under the reference, and the invoices of the country."""
        own = self.__dict__
        keys = f"wallet:{own['user']}", payment_key(own["processor_ref"])
        return keys + series_keys(own["country"])

    def decide(self, given: Given) -> Decision:
        """The tokens, under the policy in force when the processor was paid; else suspense."""
        other = other_currency(self, given)
        if other is not None:
            return suspended(self, self.price, CURRENCY_MISMATCH.code, currency=other)
        own, now = self.__dict__, given.now
        user, price = own["user"], own["price"]
        processor, ref = own["processor"], own["processor_ref"]
        if given.state(PaymentRecord, ref).is_another(processor):
            return self._suspend(DUPLICATE_PAYMENT)
        paid_at = own["occurred_at"] or now
        version = given.policy if paid_at is now else given.policy_at(paid_at)
        if version is None:
            return self._suspend(NO_POLICY.code)
        policy = version.policy
        package = policy.packages.get(own["package"])
        if package is None:
            return self._suspend(UNKNOWN_PACKAGE)
        if package.price != price:
            return self._suspend(PRICE_MISMATCH)
        lots = 1 + (package.bonus > 0 and policy.bonus_class == TokenClass.PROMO)
        if len(given.state(Wallet, user).lots) + lots > LOTS_MAX:
            return self._suspend(LIMIT_REACHED.code)
        if not policy.knows_tax(own["country"]):
            return self._suspend(UNKNOWN_TAX_COUNTRY.code)
        country = policy.tax_country(own["country"])
        vat_bps = policy.vat_bps(country)
        tax = vat_included(price, vat_bps)
        bonus_expires_at = policy.promo_expiry(now) if package.bonus else None
        lapses_at = policy.lapse(paid_at)
        event = TokensPurchased(
            purchase_id=given.new_id,
            user=user,
            package_id=own["package"],
            tokens=package.tokens,
            bonus=package.bonus,
            bonus_class=policy.bonus_class,
            price=price,
            tax=tax,
            processor=processor,
            processor_ref=ref,
            country=country,
            bonus_expires_at=bonus_expires_at,
            lapses_at=lapses_at,
            vat_bps=vat_bps if tax else 0,
            on_agenda=bonus_expires_at is not None or lapses_at is not None,
        )
        return (event, *_invoice(given, event)) if tax else (event,)

    def _suspend(self, code: str) -> Suspended:
        return suspended(self, self.price, code)


def _invoice(given: Given, purchase: TokensPurchased) -> tuple[Event, ...]:
    """The invoice of a purchase that bears VAT."""
    document = Document(
        country=purchase.country,
        net=purchase.price - purchase.tax,
        vat=purchase.tax,
        rate=purchase.vat_bps,
        purchase_id=purchase.purchase_id,
    )
    return invoice(given, document)
