"""Users' wallets."""

from pydantic import BaseModel, Field

from api.http.queries.access import USER_OR_READERS
from api.http.queries.parameters import Subject
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from projections.queries import wallet


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


def read_wallet(asked: Asked, user: Subject) -> Answered:
    """Free and held tokens, and sums since the beginning; a user never seen has zeros."""
    return wallet(asked.connection, user)


QUESTIONS = (Question("/wallets/{user}", "A wallet", Wallet, USER_OR_READERS, read_wallet),)
