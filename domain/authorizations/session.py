"""Sessions: what of a booked meeting the ledger has to know, which is who stands for it and when.

An authorisation waits for its session for as long as the policy lets it. Once the session has
started another limit counts, from the start. A group session has an authorisation of each user,
each captured by itself.
"""

from datetime import datetime

import msgspec

from domain.agenda import AGENDA, AgendaEvent, Due
from domain.authorizations.authorization import (
    TICK,
    VOID_EVERY_S,
    Authorization,
    AuthorizationEnded,
    AuthorizationEvent,
    PaymentAuthorized,
    VoidReason,
    authorization_key,
)
from domain.entity import State, entity
from domain.event import Event, stored_as

#: Authorisations that one session may have at a time.
AUTHORIZATIONS_MAX = 16


def session_key(session_id: str) -> str:
    """The tag of a session."""
    return f"session:{session_id}"


@entity
class Session(State, frozen=True, kw_only=True):
    """The authorisations of a session that were not voided and did not fail."""

    KIND = "session"
    CACHED = False

    payments: tuple[str, ...] = ()

    def apply(self, key: str, event: Event) -> "Session":
        """One more, or one less; captures stay."""
        if isinstance(event, PaymentAuthorized):
            return Session(payments=(*self.payments, event.payment_id))
        if isinstance(event, AuthorizationEnded):
            return Session(payments=tuple(p for p in self.payments if p != event.payment_id))
        return self


class AuthorizationProlonged(AuthorizationEvent, AgendaEvent, frozen=True, kw_only=True):
    """An authorisation stands until `expires_at` (inclusive) from now on."""

    payment_id: str
    session_id: str
    expires_at: datetime
    expiry_reason: str = VoidReason.ABANDONED

    def tags(self) -> tuple[str, ...]:
        """The authorisation, the session and the agenda."""
        return authorization_key(self.payment_id), session_key(self.session_id), AGENDA

    def agenda(self) -> tuple[str, Due | None]:
        """It is voided then, and not when it was to be voided before."""
        fields = {"payment": self.payment_id, "reason_code": self.expiry_reason}
        due = Due(self.expires_at + TICK, "void", fields, VOID_EVERY_S)
        return authorization_key(self.payment_id), due

    def in_authorization(self, authorization: Authorization) -> Authorization:
        return msgspec.structs.replace(authorization, extended_to=self.expires_at)


@stored_as("session.started.v1")
class SessionStarted(AuthorizationProlonged, frozen=True, kw_only=True):
    """The session of an authorisation began at `at`."""

    at: datetime

    def in_authorization(self, authorization: Authorization) -> Authorization:
        return msgspec.structs.replace(
            authorization, extended_to=self.expires_at, started_at=self.at
        )


@stored_as("authorization.extended.v1")
class AuthorizationExtended(AuthorizationProlonged, frozen=True):
    """The processor lets an authorisation stand for longer."""
