"""Buyers whose banks have won disputes."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

from api.http.queries.access import Readers
from api.http.queries.listing import Paged, cursor_text, listed, read_cursor
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from ledger.write.admission import ID
from projections import queries
from projections.queries import RiskFilter


class BuyerAtRisk(BaseModel):
    """A buyer's lost disputes by card."""

    id: str
    user: str
    disputes: int
    amount: int
    currency: str
    last_at: str
    frozen: list[str]
    last_position: int


class BuyersAtRisk(AsOf):
    """A page of buyers."""

    items: list[BuyerAtRisk]
    next_cursor: str | None
    has_more: bool


def read_risk(
    asked: Asked,
    page: Paged,
    user: Annotated[str | None, Query(pattern=ID.pattern)] = None,
    min_disputes: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    min_amount: Annotated[int, Query(ge=0, le=10**15)] = 0,
) -> Answered:
    """Buyers with lost disputes, who lost last first: how many, for how much, and what is frozen
    of their wallets. A dispute that is won after all counts no more.
    """
    wanted = RiskFilter(user, min_disputes, min_amount)
    which = (asked.book.name, "risk", wanted, page.order)
    after = None
    if page.after is not None:
        after = read_cursor(which, page.after, tuple[datetime, str])
    found, position = queries.risk(
        asked.connection,
        wanted,
        asked.book.currency,
        after=after,
        newest_first=page.newest_first,
        limit=page.limit + 1,
    )
    answered = listed(found, page.limit, position)
    if answered["has_more"]:
        last = answered["items"][-1]
        answered["next_cursor"] = cursor_text(which, (last["last_at"], last["user"]))
    return answered


QUESTIONS = (
    Question("/risk", "Buyers with lost disputes", BuyersAtRisk, Readers("risk"), read_risk),
)
