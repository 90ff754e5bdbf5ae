"""What unspent tokens oblige the platform to."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from api.http.queries.access import Readers
from api.http.queries.question import Answered, Asked, NotYet, Question
from api.http.schemas import AsOf
from domain.accounts import Assets
from ledger.log.policies import policy_in_force
from projections import queries


class LiabilityClass(BaseModel):
    """Unspent tokens of a class and a range of age in days, held ones included, and what is left to
    release of their price."""

    kind: str
    age: str
    tokens: int
    deferred: int


class Expiring(BaseModel):
    """Tokens that end on a day."""

    date: date
    kind: str
    tokens: int
    deferred: int


class DifferingDay(BaseModel):
    """A day on which the lots and the journal moved by different amounts."""

    date: date
    tokens: int
    deferred: int


class LiabilityTieOut(BaseModel):
    """Lots less journal: of `deferred` and of tokens, in all, and by day where a day differs."""

    ok: bool
    difference: int
    tokens_difference: int
    days: list[DifferingDay]


class UnspentTokens(AsOf):
    """`outstanding` and `deferred` are the sums of the classes, `expiring_30_days` that of
    `expiring`."""

    currency: str
    classes: list[LiabilityClass]
    outstanding: int
    deferred: int
    exposure: int = Field(description="paid tokens × unit value × the creators' default share")
    expiring_30_days: int
    expiring: list[Expiring]
    breakage: int = Field(description="what has been recognised so far")
    tie_out: LiabilityTieOut


def read_liability(asked: Asked) -> Answered:
    """Unspent tokens by class and age, what is deferred, and what creators could cash out of it.

    Age counts from the business day on which a lot came in, and of tokens that a refund returned
    from that of the lot that they were spent from. `expiring` are the days up to 30 days from now
    on which tokens end, and days gone by whose end is not booked yet. The tie-out compares all of
    it with the journal at the same position, in all and for every business day.
    """
    book, now = asked.book, datetime.now(UTC)
    try:
        found = queries.liability(
            asked.connection,
            Assets.of(book.name, book.currency),
            policy_in_force(asked.connection, now),
            now.astimezone(ZoneInfo(book.time_zone)).date(),
        )
    except queries.JournalBehind:
        raise NotYet("the journal has not reached the position of the lots yet") from None
    return {"currency": book.currency, **found}


QUESTIONS = (
    Question(
        "/liability",
        "Unspent tokens",
        UnspentTokens,
        Readers("the books' balances"),
        read_liability,
    ),
)
