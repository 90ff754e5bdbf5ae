"""What a processor's notice is about: sales by card, a purchase of tokens, or money in suspense.

A notice names a sale or a purchase, by our id or by the processor's reference of its payment, or
the payment alone, whatever it paid for. An id of ours is tried first.
"""

import msgspec

from domain.authorizations.authorization import (
    Authorization,
    AuthorizationStatus,
    authorization_key,
)
from domain.command import Given, Parked
from domain.entity import LoadedStates
from domain.offers.offer import offer_keys
from domain.payments.payment import PaymentRecord, PaymentStatus, payment_key
from domain.payments.waiting import Waiting
from domain.purchases.purchase import PurchaseRecord
from domain.sales.invoices import series_keys
from domain.sales.sale import SaleRecord


class SalesPaid(msgspec.Struct, frozen=True):
    """The sales that a payment paid, the latest capture first; mostly there is one.

    A sale in tokens stands here too: no card has paid any of it.
    """

    records: tuple[SaleRecord, ...]


class InSuspense(msgspec.Struct, frozen=True):
    """A payment that waits in suspense under `ref`, or was sent back from there."""

    ref: str
    waiting: Waiting


class Authorized(msgspec.Struct, frozen=True):
    """An authorisation that may still be captured, or of which nothing ever was."""

    payment: str
    ref: str


Referent = SalesPaid | PurchaseRecord | InSuspense | Authorized


#: The fields by which a notice may name what it is about.
NAMES = ("payment", "sale", "purchase", "payment_ref")


def referent(given: Given, field: str, name: str, processor: str) -> Referent | Parked:
    """What `field` names for `processor`."""
    if field == "sale":
        sale = given.state(SaleRecord, name)
        if sale.sale is not None:
            return SalesPaid((sale,))
    elif field == "purchase":
        purchase = given.state(PurchaseRecord, name)
        if purchase.purchase_id is not None:
            return purchase
    elif field == "payment":
        authorization = given.state(Authorization, name)
        if authorization.terms is not None:
            ref = authorization.terms.processor_ref
            if authorization.status == AuthorizationStatus.CAPTURED:
                return _paid_by(given, ref, processor)
            return Authorized(name, ref)
    return _paid_by(given, name, processor)


def _paid_by(given: Given, reference: str, processor: str) -> Referent | Parked:
    """What the payment under `reference` has become."""
    payment = given.state(PaymentRecord, reference)
    waiting = payment.suspended_by(processor)
    if waiting is not None and (
        payment.status in (PaymentStatus.SUSPENDED, PaymentStatus.RELEASED)
        or payment.processor != processor
    ):
        return InSuspense(reference, waiting)
    if payment.processor != processor:
        return Parked(payment_key(reference))  # that processor's own is still to come
    if payment.purchase_id is not None:
        return given.state(PurchaseRecord, payment.purchase_id)
    if payment.sale_id is not None:
        records = given.states_of(SaleRecord, payment.sale_ids)
        return SalesPaid(tuple(reversed(records.values())))
    if payment.authorization_id is not None:
        return Authorized(payment.authorization_id, reference)
    return Parked(payment_key(reference))


def referent_keys(states: LoadedStates, field: str, name: str) -> tuple[str, ...]:
    """What `referent` will look at, the parties, and the invoices of the country."""
    if field == "sale":
        sale = states.loaded(SaleRecord, name)
        if sale is None:
            return (f"sale:{name}",)
        if sale.sale is not None:
            return sale_keys(states, name)
    elif field == "purchase":
        purchase = states.loaded(PurchaseRecord, name)
        if purchase is None:
            return (f"purchase:{name}",)
        if purchase.purchase_id is not None:
            return purchase_keys(states, name)
    elif field == "payment":
        key = authorization_key(name)
        authorization = states.loaded(Authorization, name)
        if authorization is None:
            return (key,)
        if authorization.terms is not None:
            payment = _payment_keys(states, authorization.terms.processor_ref)
            return tuple(dict.fromkeys((*_authorization_keys(states, name), *payment)))
    return _payment_keys(states, name)


def _payment_keys(states: LoadedStates, reference: str) -> tuple[str, ...]:
    key = payment_key(reference)
    payment = states.loaded(PaymentRecord, reference)
    if payment is None:
        return (key,)
    if payment.purchase_id is not None:
        return key, *purchase_keys(states, payment.purchase_id)
    if payment.authorization_id is not None and payment.sale_id is None:
        return key, *_authorization_keys(states, payment.authorization_id)
    keys = dict.fromkeys(
        each for sale_id in payment.sale_ids for each in sale_keys(states, sale_id)
    )
    return key, *keys


def _authorization_keys(states: LoadedStates, payment: str) -> tuple[str, ...]:
    """An authorisation, and the offer that it is a use of."""
    key = authorization_key(payment)
    authorization = states.loaded(Authorization, payment)
    if authorization is None or authorization.terms is None:
        return (key,)
    terms = authorization.terms
    return key, *offer_keys(terms.offer_id, terms.user)


def sale_keys(states: LoadedStates, sale_id: str) -> tuple[str, ...]:
    """A sale, its parties, and the invoices of its country."""
    key = f"sale:{sale_id}"
    record = states.loaded(SaleRecord, sale_id)
    if record is None or record.sale is None:
        return (key,)
    return key, *record.sale.party_keys(), *series_keys(record.sale.country)


def purchase_keys(states: LoadedStates, purchase_id: str) -> tuple[str, ...]:
    """A purchase, its wallet, and the invoices of its country."""
    key = f"purchase:{purchase_id}"
    record = states.loaded(PurchaseRecord, purchase_id)
    if record is None or record.purchase_id is None:
        return (key,)
    return key, f"wallet:{record.user}", *series_keys(record.country)
