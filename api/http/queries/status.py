"""How a book is, on one page: what must be zero, how far the read models are, and what waits."""

from pydantic import BaseModel

from api.http import openapi
from api.http.queries.access import Readers
from api.http.queries.consistency import ReadModelShown, TieOutShown, shown_models
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from domain.accounts import Assets
from projections import queries


class Queue(BaseModel):
    """What waits for a person: how many, for how much in minor units (null: they have no amount),
    since when the oldest does, and where they are listed."""

    count: int
    amount: int | None
    oldest_at: str | None
    url: str


class Queues(BaseModel):
    """What waits, by kind; each is empty where nothing does."""

    parked: Queue
    suspended: Queue
    payouts_requested: Queue
    payouts_unconfirmed: Queue
    adjustments_proposed: Queue
    policies_proposed: Queue
    breaks_open: Queue
    creators_negative: Queue


class BookStatus(AsOf):
    """A book's condition as of its oldest read model."""

    tie_outs: list[TieOutShown]
    read_models: list[ReadModelShown]
    waiting: Queues


def read_status(asked: Asked) -> Answered:
    """Whether the sums of the read models tie out with the journal, how far each read model is,
    and what waits for a person. `GET /consistency` compares row by row.
    """
    book = asked.book
    models = queries.status(asked.connection)
    path = openapi.BOOK_PATH.format(book=book.name)
    waiting = queries.waiting(asked.connection, book.currency)
    tied = queries.tie_outs(asked.connection, Assets.of(book.name, book.currency))
    return {
        "tie_outs": [each.shown() for each in tied],
        "read_models": shown_models(models),
        "waiting": {
            kind: {
                "count": each.count,
                "amount": each.amount,
                "oldest_at": each.oldest_at,
                "url": f"{path}/{queries.LISTED[kind]}",
            }
            for kind, each in waiting.items()
        },
        "as_of_position": min((each.position for each in models), default=0),
    }


QUESTIONS = (
    Question("/status", "How the book is", BookStatus, Readers("the book's status"), read_status),
)
