"""Users' wallets."""

from datetime import date, datetime

from pydantic import BaseModel, Field

from api.http.queries.access import USER_OR_READERS
from api.http.queries.parameters import Subject
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from projections.queries import lots_of, wallet


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


class Wallet(AsOf):
    """A user's tokens."""

    user: str
    free: TokensByClass
    lapsing: int = Field(description="bought tokens that have lapsed, while no event says so yet")
    expired: int = Field(description="given tokens that have expired, while no event says so yet")
    held: TokensByClass
    lifetime: Lifetime
    frozen: list[str]


class LotLeft(BaseModel):
    """Tokens that came in together: `left` of `tokens` are not spent, `held` of these are set
    aside; `released` of their `price` is earned. `since` is the business day they came in on."""

    lot: str
    purchase: str
    kind: str
    tokens: int
    left: int
    held: int
    price: int
    released: int
    since: date
    expires_at: datetime | None


class LotsLeft(AsOf):
    """The lots of which something is left; a wallet holds at most 150."""

    user: str
    items: list[LotLeft]


def read_wallet(asked: Asked, user: Subject) -> Answered:
    """Free and held tokens, and sums since the beginning; a user never seen has zeros."""
    return wallet(asked.connection, user)


def read_lots(asked: Asked, user: Subject) -> Answered:
    """What is left of which lots, in the order in which they are spent. Whatever a refund returned
    comes in the place of the lot that it was spent from."""
    return lots_of(asked.connection, user)


QUESTIONS = (
    Question("/wallets/{user}", "A wallet", Wallet, USER_OR_READERS, read_wallet),
    Question("/wallets/{user}/lots", "A wallet's lots", LotsLeft, USER_OR_READERS, read_lots),
)
