"""Authorisations: a card is asked for an amount before a session and charged after it.

An authorisation is not money, so nothing is posted until the capture, which is a sale by card. It
holds the terms of that sale: tier, commission, tax and maturity are those at authorisation,
whatever happens to the creator or the policy afterwards.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from domain.agenda import AGENDA, AgendaEvent, AgendaItem, Due
from domain.entity import State, entity
from domain.event import Event, stored_as
from domain.money import portion
from domain.offers.offer import OfferEvent, offer_keys
from domain.payments.payment import PaymentEvent, PaymentRecord, PaymentStatus, payment_key
from domain.sales.sale import Sale
from domain.transitions import EXPIRY, Transitions


class AuthorizationStatus(StrEnum):
    """Where an authorisation is in its life."""

    AUTHORIZED = "AUTHORIZED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


#: The step of a capture that is not the final one.
PART = "capture of a part"

TRANSITIONS: Transitions[AuthorizationStatus] = {
    (None, "authorize"): AuthorizationStatus.AUTHORIZED,
    (AuthorizationStatus.AUTHORIZED, "capture"): AuthorizationStatus.CAPTURED,
    (AuthorizationStatus.AUTHORIZED, PART): AuthorizationStatus.AUTHORIZED,
    (AuthorizationStatus.AUTHORIZED, "start-session"): AuthorizationStatus.AUTHORIZED,
    (AuthorizationStatus.AUTHORIZED, "extend-authorization"): AuthorizationStatus.AUTHORIZED,
    (AuthorizationStatus.AUTHORIZED, "void"): AuthorizationStatus.VOIDED,
    (AuthorizationStatus.AUTHORIZED, "fail-payment"): AuthorizationStatus.FAILED,
    (AuthorizationStatus.AUTHORIZED, EXPIRY): AuthorizationStatus.EXPIRED,
    (AuthorizationStatus.EXPIRED, "void"): AuthorizationStatus.VOIDED,
    (AuthorizationStatus.EXPIRED, "fail-payment"): AuthorizationStatus.FAILED,
}


class VoidReason(StrEnum):
    """Why an authorisation is voided by time."""

    #: It waited for as long as the policy lets it.
    CANCELLED = "CANCELLED"
    #: Its session runs, and its own time or that of running sessions is over.
    ABANDONED = "ABANDONED"


VOID_EVERY_S = 60
TICK = timedelta(microseconds=1)


def authorization_key(payment_id: str) -> str:
    """The tag of an authorisation."""
    return f"authorization:{payment_id}"


class AuthorizationEvent(Event, frozen=True):
    """An event in an authorisation's life."""

    def in_authorization(self, authorization: "Authorization") -> "Authorization":
        """The authorisation after this event."""
        raise NotImplementedError(type(self).__name__)


@entity
class Authorization(State, frozen=True, kw_only=True):
    """The terms of an authorisation and what became of it."""

    KIND = "authorization"
    FOLD_VERSION = 3

    status: AuthorizationStatus | None = None
    terms: "PaymentAuthorized | None" = None
    #: Minor units that were captured so far.
    captured: int = 0
    #: Since when its session runs, and until when it stands by now (inclusive), if that changed.
    started_at: datetime | None = None
    extended_to: datetime | None = None

    @property
    def labels(self) -> dict[str, str] | None:
        """Those that it was noted with."""
        return None if self.terms is None else self.terms.labels

    @property
    def left(self) -> int:
        """What of the authorised amount was not captured."""
        return 0 if self.terms is None else self.terms.amount - self.captured

    @property
    def unused_offer(self) -> dict[str, Any]:
        """The fields by which its end gives back the use of its offer; none after a capture."""
        if self.terms is None or self.terms.offer_id is None or self.captured:
            return {}
        return {"offer_id": self.terms.offer_id, "user": self.terms.user}

    @property
    def expires_at(self) -> datetime | None:
        """Until when it stands (inclusive); None: without an end."""
        if self.extended_to is not None or self.terms is None:
            return self.extended_to
        return self.terms.expires_at

    def status_at(self, now: datetime) -> AuthorizationStatus | None:
        """Its status, expiry included whether or not a scheduler has seen to it."""
        if self.status == AuthorizationStatus.AUTHORIZED and self.terms is not None:
            expires_at = self.expires_at
            return (
                AuthorizationStatus.EXPIRED
                if expires_at is not None and now > expires_at
                else AuthorizationStatus.AUTHORIZED
            )
        return self.status

    def apply(self, key: str, event: Event) -> "Authorization":
        """The authorisation after `event`: every event in its life says how."""
        assert isinstance(event, AuthorizationEvent)
        return event.in_authorization(self)


class PayeeWeight(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One of several payees, and with what weight."""

    creator: str
    weight: int


@stored_as("payment.authorized.v1")
class PaymentAuthorized(
    AuthorizationEvent, PaymentEvent, OfferEvent, AgendaEvent, frozen=True, kw_only=True
):
    """A card stands for up to `amount` until `expires_at` (inclusive), on these terms.

    The price is `amount` and both discounts; of a captured part they are parts in proportion.
    """

    payment_id: str
    session_id: str
    user: str
    creator: str
    tier: str
    commission_bps: int
    amount: int
    processor: str
    processor_ref: str
    country: str | None = None
    vat_bps: int = 0
    payees: tuple[PayeeWeight, ...] = ()
    maturity_days: int = 0
    refund_window_days: int | None = None
    frozen_creator_rule: str = "REJECT"
    expires_at: datetime | None = None
    expiry_reason: str = VoidReason.CANCELLED
    discount: int = 0
    platform_discount: int = 0
    #: The offer that the discounts follow from; the authorisation is a use of it.
    offer_id: str | None = None

    @property
    def weights(self) -> tuple[tuple[str, int], ...]:
        """(creator, weight) of everybody who is to be paid."""
        shares = tuple((share.creator, share.weight) for share in self.payees)
        return shares or ((self.creator, 1),)

    def unposted(self) -> int:
        return self.amount

    def tags(self) -> tuple[str, ...]:
        """The authorisation, the payment's reference, the session, the agenda, the offer."""
        return (
            authorization_key(self.payment_id),
            payment_key(self.processor_ref),
            f"session:{self.session_id}",
            AGENDA,
            *offer_keys(self.offer_id, self.user),
        )

    def agenda(self) -> tuple[str, Due | None]:
        """It is voided once its time is over."""
        item = authorization_key(self.payment_id)
        if self.expires_at is None:
            return item, None
        fields = {"payment": self.payment_id, "reason_code": self.expiry_reason}
        return item, Due(self.expires_at + TICK, "void", fields, VOID_EVERY_S)

    def uses(self) -> int:
        """It is a use from now on, not only once it is captured."""
        return 1

    def parts(self, before: int, after: int) -> tuple[int, int]:
        """What of both discounts falls on the capture from `before` to `after` of `amount`.

        Each is rounded down cumulatively, so that the last minor unit brings all that is left.
        """
        discount, by_platform = (
            portion(whole, after, self.amount) - portion(whole, before, self.amount)
            for whole in (self.discount, self.platform_discount)
        )
        return discount, by_platform

    def in_authorization(self, authorization: Authorization) -> Authorization:
        return Authorization(status=AuthorizationStatus.AUTHORIZED, terms=self)

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        """The reference is taken; there is no money yet."""
        return payment.became(
            status=PaymentStatus.AUTHORIZED,
            processor=self.processor,
            authorization_id=self.payment_id,
        )


class AuthorizationEnded(AuthorizationEvent, OfferEvent, AgendaEvent, frozen=True, kw_only=True):
    """An authorisation that ends without a capture, or without another: nothing is posted."""

    payment_id: str
    session_id: str
    amount: int
    reason: str
    #: The offer of which this was a use by `user`, and is none since nothing was captured.
    offer_id: str | None = None
    user: str | None = None

    def unposted(self) -> int:
        return self.amount

    def tags(self) -> tuple[str, ...]:
        """The authorisation, the session, the agenda and the offer."""
        offer = offer_keys(self.offer_id, self.user or "")
        return authorization_key(self.payment_id), f"session:{self.session_id}", AGENDA, *offer

    def uses(self) -> int:
        """One less."""
        return -1

    def agenda(self) -> tuple[str, Due | None]:
        """Nothing is left to do."""
        return authorization_key(self.payment_id), None


@stored_as("payment.voided.v1")
class PaymentVoided(AuthorizationEnded, frozen=True):
    """The authorisation was given up, or its time was over."""

    def in_authorization(self, authorization: Authorization) -> Authorization:
        return msgspec.structs.replace(authorization, status=AuthorizationStatus.VOIDED)


@stored_as("payment.failed.v1")
class PaymentFailed(AuthorizationEnded, frozen=True):
    """The processor withdrew the authorisation."""

    def in_authorization(self, authorization: Authorization) -> Authorization:
        return msgspec.structs.replace(authorization, status=AuthorizationStatus.FAILED)


@stored_as("payment.captured.v1")
class PaymentCaptured(Sale, AuthorizationEvent, frozen=True, kw_only=True):
    """The card was charged. At the final capture `voided` is what of the authorised amount never
    was; before it, more captures may follow.
    """

    payment_id: str
    session_id: str
    tier: str
    voided: int = 0
    final: bool = True
    #: What it is a fee for, where the session did not take place.
    reason: str | None = None

    def labelled_by(self) -> str:
        """The authorisation."""
        return authorization_key(self.payment_id)

    def tags(self) -> tuple[str, ...]:
        """Those of a sale, the authorisation, the session and the agenda."""
        tags = (*super().tags(), authorization_key(self.payment_id), f"session:{self.session_id}")
        return (*tags, AGENDA) if self.final and AGENDA not in tags else tags

    def uses(self) -> int:
        """None: its authorisation was one."""
        return 0

    def agenda_items(self) -> tuple[AgendaItem, ...]:
        """After the final one, nothing is left to do but to let the earnings mature."""
        maturing = super().agenda_items()
        return ((authorization_key(self.payment_id), None), *maturing) if self.final else maturing

    def in_authorization(self, authorization: Authorization) -> Authorization:
        return msgspec.structs.replace(
            authorization,
            status=AuthorizationStatus.CAPTURED if self.final else authorization.status,
            captured=authorization.captured + self.charged,
        )

    def in_payment(self, payment: PaymentRecord) -> PaymentRecord:
        """The first capture makes it a sale; later ones are sales of the same payment."""
        if payment.status != PaymentStatus.APPLIED or payment.sale_id is None:
            captured = super().in_payment(payment)
            return msgspec.structs.replace(captured, authorization_id=self.payment_id)
        return msgspec.structs.replace(
            payment,
            further=(*payment.further, self.sale_id),
            amount=payment.amount + self.charged,
        )
