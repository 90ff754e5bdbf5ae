"""The commands by which a session begins, and by which its authorisation stands for longer."""

from datetime import timedelta

from domain.authorizations.authorization import Authorization, VoidReason
from domain.authorizations.commands import AuthorizationCommand
from domain.authorizations.session import AuthorizationExtended, SessionStarted
from domain.command import Decision, Given, command
from domain.fields import Instant
from domain.rejections import (
    INVALID_TRANSITION,
    NO_POLICY,
    OFFER_EXPIRED,
    UNKNOWN_AUTHORIZATION,
    reject,
)


@command
class StartSession(AuthorizationCommand):
    """Begin the session of an open authorisation.

    From now on it stands for as long as the policy lets sessions run, 4 hours by default.
    """

    name = "start-session"

    def decide(self, given: Given) -> Decision:
        """The start, once."""
        authorization = given.state(Authorization, self.payment)
        terms, version = authorization.terms, given.policy
        if terms is None:
            return reject(UNKNOWN_AUTHORIZATION, payment=self.payment)
        if version is None:
            return reject(NO_POLICY, at=given.now)
        status = authorization.status_at(given.now)
        if not self.is_allowed(status):
            return self.not_open(status)
        if authorization.started_at is not None:
            subject = f"the session of {self.payment}"
            return reject(INVALID_TRANSITION, subject=subject, state="STARTED")
        event = SessionStarted(
            payment_id=self.payment,
            session_id=terms.session_id,
            at=given.now,
            expires_at=given.now + timedelta(hours=version.policy.session_hours),
        )
        return (event,)


@command
class ExtendAuthorization(AuthorizationCommand):
    """Let an open authorisation stand until `expires_at`, later than it would have stood."""

    name = "extend-authorization"

    expires_at: Instant

    def decide(self, given: Given) -> Decision:
        """The new end, or a rejection where it would be no later one."""
        authorization = given.state(Authorization, self.payment)
        terms = authorization.terms
        if terms is None:
            return reject(UNKNOWN_AUTHORIZATION, payment=self.payment)
        status = authorization.status_at(given.now)
        if not self.is_allowed(status):
            return self.not_open(status)
        if self.expires_at <= given.now:
            return reject(OFFER_EXPIRED, expired_at=self.expires_at)
        before = authorization.expires_at
        if before is None or self.expires_at <= before:
            state = "open without an end" if before is None else f"open until {before}"
            return reject(INVALID_TRANSITION, subject=self.payment, state=state)
        waits = authorization.started_at is None and terms.expiry_reason == VoidReason.CANCELLED
        event = AuthorizationExtended(
            payment_id=self.payment,
            session_id=terms.session_id,
            expires_at=self.expires_at,
            expiry_reason=VoidReason.CANCELLED if waits else VoidReason.ABANDONED,
        )
        return (event,)
