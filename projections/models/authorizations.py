"""Authorisations: cards that stand for sessions, on which terms, and what was captured of them."""

from operator import attrgetter

from domain.authorizations.authorization import (
    Authorization,
    AuthorizationEnded,
    AuthorizationEvent,
    AuthorizationStatus,
)
from projections.engine.columns import INTEGER, TEXT, TIME, Column, ColumnType, first, kept, said
from projections.engine.register import Register, lives


def _agreed(
    name: str,
    column_type: ColumnType,
    field: str = "",
    *,
    nullable: bool = False,
    by: str | None = None,
) -> Column:
    """A field of the terms."""
    of = attrgetter(f"terms.{field or name}")
    return kept(name, column_type, of, nullable=nullable, by=by)


class Authorizations(Register):
    """Authorisations, in minor units.

    One whose time is over counts as AUTHORIZED until it is voided, which the scheduler sees to.
    """

    name, item = "authorizations", "authorization"
    version = 1
    state = Authorization
    statuses = tuple(
        str(status) for status in AuthorizationStatus if status != AuthorizationStatus.EXPIRED
    )
    branches = lives(AuthorizationEvent)
    amount = "amount"
    columns = (
        _agreed("session", TEXT, "session_id", by="session"),
        _agreed("user", TEXT, by="user"),
        _agreed("creator", TEXT, by="creator"),
        _agreed("tier", TEXT),
        _agreed("amount", INTEGER),
        kept("captured", INTEGER),
        _agreed("discount", INTEGER),
        _agreed("platform_discount", INTEGER),
        _agreed("commission_bps", INTEGER),
        _agreed("vat_bps", INTEGER),
        _agreed("country", TEXT, nullable=True),
        _agreed("processor", TEXT, by="processor"),
        _agreed("processor_ref", TEXT, by="processor_ref"),
        _agreed("offer", TEXT, "offer_id", nullable=True),
        said("reason", TEXT, first(AuthorizationEnded, field="reason")),
        kept("started_at", TIME, nullable=True),
        kept("expires_at", TIME, nullable=True),
    )
