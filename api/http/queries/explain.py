"""What a figure is made of: the events, what each adds to it, and the running sum."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel

from api.http.queries.access import Readers
from api.http.queries.listing import PagedInOrder, cursor_text, read_cursor
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from domain.accounts import Assets
from domain.catalogue import Problem
from ledger.log.entry import Entry
from ledger.write.admission import invalid
from projections import queries

_Of = Annotated[
    str,
    Query(
        description="`wallet:USER:free.paid`, `earnings:CREATOR:available`, "
        "`earnings:CREATOR:tip.net`, `balance:ACCOUNT:ASSET`",
        max_length=200,
    ),
]


class ExplainedEvent(BaseModel):
    """An event, what it adds to the figure, and the sum of it and all before it."""

    position: int
    event_id: str
    type: str
    effective_on: str
    recorded_at: str
    amount: int
    running: int


class Explanation(AsOf):
    """The events that a figure is made of, in the order of the log. `asset`: what its amounts are
    in; null where they are counts or tokens of both classes. `sum`: of all up to the last of these;
    of the last page, the figure itself. Balances are debit positive, figures as their views show
    them."""

    of: str
    asset: str | None
    items: list[ExplainedEvent]
    sum: int
    next_cursor: str | None
    has_more: bool


def explain_figure(asked: Asked, of: _Of, page: PagedInOrder) -> Answered:
    """The events that make a figure what it is: of a wallet (`free.paid`, `free.promo`,
    `held.paid`, `held.promo`, `lifetime.purchased`, `lifetime.granted`, `lifetime.spent`,
    `lifetime.refunded`, `lifetime.expired`), of a creator (`pending`, `available`, `reserved`,
    `in_payout`, `lifetime_earned`, and of a source `tip.net`), or of the balance of an account.
    Pages are of one position; one may be short or empty while `has_more` is true, where many
    events were looked at that have no part in the figure. Free tokens whose time is over still
    count here until an event says that they expired.
    """
    book = asked.book
    try:
        figure = queries.figure(of, Assets.of(book.name, book.currency))
    except queries.UnknownFigure as unknown:
        raise invalid(Problem("/of", str(unknown))) from None
    which = (book.name, "explain", of)
    if page.after is not None:
        until, *place = read_cursor(which, page.after, tuple[int, int, int])
    else:
        until, place = queries.explained_up_to(asked.connection, figure), [0, 0]
    after, running = place
    found = queries.explain(
        asked.connection, figure, until=until, place=(after, running), limit=page.limit
    )
    return {
        "of": of,
        "asset": figure.asset,
        "items": [_item(part, entry) for part, entry in found.parts],
        "sum": found.sum,
        "next_cursor": cursor_text(which, (until, *found.place)) if found.place else None,
        "has_more": found.place is not None,
        "as_of_position": until,
    }


def _item(part: queries.ExplainedPart, entry: Entry) -> dict[str, Any]:
    return {
        "position": part.position,
        "event_id": entry.event_id,
        "type": entry.type,
        "effective_on": entry.effective_on,
        "recorded_at": entry.recorded_at,
        "amount": part.amount,
        "running": part.running,
    }


QUESTIONS = (
    Question(
        "/explain",
        "The events that a figure is made of",
        Explanation,
        Readers("explanations"),
        explain_figure,
    ),
)
