"""Users' wallets."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from api.http.queries.access import USER_OR_READERS, Readers
from api.http.queries.listing import Paged, ranked_page
from api.http.queries.parameters import Period, Subject
from api.http.queries.party_lines import read_lines
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from projections import queries
from projections.queries import WalletOrder


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


class WalletItem(BaseModel):
    """A user's tokens."""

    user: str
    free: TokensByClass
    lapsing: int = Field(description="bought tokens that have lapsed, while no event says so yet")
    expired: int = Field(description="given tokens that have expired, while no event says so yet")
    held: TokensByClass
    lifetime: Lifetime
    frozen: list[str]


class Wallet(AsOf, WalletItem):
    """A user's tokens."""


class WalletPage(AsOf):
    """A page of wallets."""

    items: list[WalletItem]
    next_cursor: str | None
    has_more: bool


class WalletLine(BaseModel):
    """What an event did to the tokens of a class in one place of a wallet, free or held, and what
    is there after it."""

    position: int
    event_id: str
    type: str
    effective_on: date
    recorded_at: datetime
    counterparty: str | None = Field(description="the creator, or else the processor")
    item: str | None
    place: str
    kind: str
    amount: int
    balance: int


class WalletStatement(AsOf):
    """A page of a wallet's lines."""

    user: str
    items: list[WalletLine]
    next_cursor: str | None
    has_more: bool


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
    return queries.wallet(asked.connection, user)


_WalletOrder = Annotated[
    WalletOrder, Query(description="free: free tokens of both classes; spent: of all time")
]


def read_wallets(asked: Asked, page: Paged, order_by: _WalletOrder = "free") -> Answered:
    """All wallets, the largest first, or with `order=asc` the smallest.

    In the order of an amount, a wallet that moves while one page is read after the other may be
    seen twice or not at all; by user, each is seen once.
    """
    return ranked_page(asked, "wallets", order_by, page, queries.wallets)


def read_wallet_statement(asked: Asked, user: Subject, period: Period, page: Paged) -> Answered:
    """What each event did to a user's tokens, the last one first, with whom and what is left.

    The amounts of a place and class add up to its balance. `period` is of the times of recording.
    """
    found = read_lines(asked, queries.wallet_statement, user, period, page)
    return {"user": user, **found}


def read_lots(asked: Asked, user: Subject) -> Answered:
    """What is left of which lots, in the order in which they are spent. Whatever a refund returned
    comes in the place of the lot that it was spent from."""
    return queries.lots_of(asked.connection, user)


QUESTIONS = (
    Question("/wallets/{user}", "A wallet", Wallet, USER_OR_READERS, read_wallet),
    Question("/wallets", "Wallets", WalletPage, Readers("wallets"), read_wallets),
    Question(
        "/wallets/{user}/statement",
        "A wallet's statement",
        WalletStatement,
        USER_OR_READERS,
        read_wallet_statement,
    ),
    Question("/wallets/{user}/lots", "A wallet's lots", LotsLeft, USER_OR_READERS, read_lots),
)
