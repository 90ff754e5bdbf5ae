"""What answers look like, for the documentation page: every shape that the HTTP edge hands out.

Nothing is validated against these on the way out; answers are encoded where they are made. A
test compares real answers with them.
"""

from typing import Any

from pydantic import BaseModel, Field

POSITION = "the position of the log that the answer stands for"


class RecordedEvent(BaseModel):
    """One event that a command caused."""

    position: int
    event_id: str
    type: str
    body: dict[str, Any]


class CommandAnswer(BaseModel):
    """What a command that was not refused is answered."""

    outcome: str = Field(description="accepted, parked or suspended")
    command: str
    code: str | None = Field(None, description="why a notice was parked or suspended")
    position: int = Field(description="of the last event, or the head where nothing was to do")
    recorded_at: str | None = Field(json_schema_extra={"format": "date-time"})
    events: list[RecordedEvent]


class FieldError(BaseModel):
    """One wrong field."""

    pointer: str = Field(description="a JSON pointer (RFC 6901)")
    message: str


class ProblemDocument(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    details: dict[str, Any]
    retryable: bool
    correlation_id: str
    errors: list[FieldError] | None = None


class _AsOf(BaseModel):
    as_of_position: int = Field(description=POSITION)


class TokensByClass(BaseModel):
    """Tokens bought and tokens given."""

    paid: int
    promo: int


class Lifetime(BaseModel):
    """A wallet's sums since the beginning, in tokens."""

    purchased: int
    granted: int
    spent: int
    refunded: int
    expired: int


class Wallet(_AsOf):
    """A user's tokens."""

    user: str
    free: TokensByClass
    held: TokensByClass
    lifetime: Lifetime
    frozen: list[str]


class EarningsBySource(BaseModel):
    """What one kind of sale brought, in minor units."""

    source: str
    count: int
    gross: int
    commission: int
    net: int
    tokens: int


class Earnings(_AsOf):
    """A creator's money in minor units."""

    creator: str
    currency: str
    pending: int
    available: int
    reserved: int
    in_payout: int
    lifetime_earned: int
    by_source: list[EarningsBySource]


class Entitlement(_AsOf):
    """A right to an item."""

    user: str
    item: str
    source: str
    sale: str
    valid_until: str | None = Field(json_schema_extra={"format": "date-time"})


class TrialBalanceRow(BaseModel):
    """An account's net balance on its side."""

    account: str
    asset: str
    debit: int
    credit: int


class TrialBalanceTotal(BaseModel):
    """The sums of an asset's two sides, which are equal."""

    asset: str
    debit: int
    credit: int


class TrialBalance(_AsOf):
    """Every account."""

    rows: list[TrialBalanceRow]
    totals: list[TrialBalanceTotal]


class AccountBalance(_AsOf):
    """One account in one asset, debit positive."""

    account: str
    asset: str
    balance: int


class DailyFigures(_AsOf):
    """Figures by day."""

    days: list[dict[str, Any]]


class Event(_AsOf):
    """One entry of the log."""

    position: int
    leaf_hash: str

    model_config = {"extra": "allow"}


class Events(_AsOf):
    """A page of the log."""

    events: list[dict[str, Any]]
    next_cursor: str
    has_more: bool
    head: int


ANSWERS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        CommandAnswer,
        ProblemDocument,
        Wallet,
        Earnings,
        Entitlement,
        TrialBalance,
        AccountBalance,
        DailyFigures,
        Event,
        Events,
    )
}
