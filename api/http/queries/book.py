"""A book itself: what it counts in, and up to where it is written and closed."""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from api.currencies import exponent
from api.http.queries.access import Readers
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.accounts import Assets
from domain.controls.periods import PERIODS, Periods
from ledger.log import reading
from ledger.log.entry import decode
from ledger.log.policies import version_in_force


class BookAsset(BaseModel):
    """What a book counts in. `kind`: money, or a class of tokens; amounts are whole numbers of
    10^-exponent."""

    asset: str
    kind: str
    exponent: int


class BookDescription(AsOf):
    """A book, by the policy in force. `closed_through`: the last day that is closed;
    `recorded_at`: when the event at the head was recorded."""

    book: str
    currency: str
    currency_exponent: int
    assets: list[BookAsset]
    time_zone: str
    fiscal_year_start: int
    profile: str | None
    policy_version: int | None
    closed_through: str | None
    head: int
    recorded_at: str | None


def read_book(asked: Asked) -> Answered:
    """What the book counts in, its zone, its policy, and up to where it is written and closed."""
    head = reading.head(asked.connection)
    not_before(asked.min_position, {"as_of_position": head})
    version = version_in_force(asked.connection, datetime.now(UTC))
    periods = Periods()
    for _, data in reading.history(asked.connection, PERIODS, until=head):
        periods = periods.apply(PERIODS, decode(data).event())
    closed = periods.first_open and periods.first_open - timedelta(days=1)
    last = reading.entry(asked.connection, head)
    book = asked.book
    assets, places = Assets.of(book.name, book.currency), exponent(book.currency)
    return {
        "book": book.name,
        "currency": book.currency,
        "currency_exponent": places,
        "assets": [
            {"asset": assets.currency, "kind": "MONEY", "exponent": places},
            {"asset": assets.paid, "kind": "PAID", "exponent": 0},
            {"asset": assets.promo, "kind": "PROMO", "exponent": 0},
        ],
        "time_zone": book.time_zone,
        "fiscal_year_start": version.policy.fiscal_year_start if version else 1,
        "profile": version and version.policy.profile,
        "policy_version": version and version.version,
        "closed_through": closed,
        "head": head,
        "recorded_at": last and decode(last[0]).recorded_at,
        "as_of_position": head,
    }


QUESTIONS = (Question("", "The book", BookDescription, Readers("the book"), read_book),)
