"""What consumers of message brokers have put aside: listed, and one with all that came with it."""

from base64 import b64encode
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel

from api.http.queries.access import Readers
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.rejections import Reason, reject
from ledger.log import reading
from ledger.streams import parked
from ledger.streams.parked import ParkedMessage, Place
from ledger.write.admission import Denied

LIMIT_MAX = 1_000
UNKNOWN_MESSAGE = Reason(
    "UNKNOWN_MESSAGE", 404, "Unknown message", "no message {message} is put aside"
)
READERS = Readers("parked messages")

Id = Annotated[
    str,
    Path(
        description="consumer:partition:offset, as lists show it",
        pattern=r"^[a-z-]{1,40}:[0-9]{1,9}:[0-9]{1,18}$",
    ),
]


class ParkedItem(BaseModel):
    """A message that cannot be applied, or that waits behind one of its key."""

    id: str
    consumer: str
    topic: str
    partition: int
    offset: int
    key: str | None
    reason: str
    detail: str
    tries: int
    released: bool
    sent_at: str
    parked_at: str


class ParkedItems(AsOf):
    """A page of parked messages."""

    items: list[ParkedItem]
    next_cursor: str | None
    has_more: bool


class ParkedWhole(AsOf, ParkedItem):
    """One parked message; headers and value in base64."""

    headers: list[list[str]]
    value: str | None


def place_of(book: str, message: str) -> Place:
    """Where a message stands by its id."""
    consumer, partition, offset = message.split(":")
    return Place(consumer, f"tokenledger.{book}.{consumer}", int(partition), int(offset))


def read_parked_messages(
    asked: Asked,
    after: Annotated[
        str | None,
        Query(
            description="the `next_cursor` of an answer",
            pattern=r"^[a-z-]{1,40}:[0-9]{1,9}:[0-9]{1,18}$",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
) -> Answered:
    """What consumers have put aside, by consumer, in the order of each partition."""
    start = parked.FIRST if after is None else place_of(asked.book.name, after)
    found = parked.listed(asked.connection, after=start, limit=limit + 1)
    items = [_item(message) for message in found[:limit]]
    more = len(found) > limit
    answered = {
        "items": items,
        "next_cursor": items[-1]["id"] if more else None,
        "has_more": more,
        "as_of_position": reading.head(asked.connection),
    }
    return not_before(asked.min_position, answered)


def read_parked_message(asked: Asked, message: Id) -> Answered:
    """The message as it came: headers and value in base64."""
    found = parked.shown(asked.connection, place_of(asked.book.name, message))
    if found is None:
        raise Denied(reject(UNKNOWN_MESSAGE, message=message))
    whole = {
        "headers": [[name, b64encode(value).decode()] for name, value in found.headers],
        "value": None if found.value is None else b64encode(found.value).decode(),
        "as_of_position": reading.head(asked.connection),
    }
    return not_before(asked.min_position, _item(found) | whole)


def _item(message: ParkedMessage) -> dict[str, Any]:
    place = message.place
    return {
        "id": f"{place.consumer}:{place.partition}:{place.offset}",
        "consumer": place.consumer,
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
        "key": None if message.key is None else message.key.decode("utf-8", "replace"),
        "reason": message.reason,
        "detail": message.detail,
        "tries": message.tries,
        "released": message.released,
        "sent_at": message.sent_at.isoformat().replace("+00:00", "Z"),
        "parked_at": message.parked_at.isoformat().replace("+00:00", "Z"),
    }


QUESTIONS = (
    Question(
        "/parked-messages",
        "Messages that consumers have put aside",
        ParkedItems,
        READERS,
        read_parked_messages,
    ),
    Question(
        "/parked-messages/{message}",
        "One message that was put aside",
        ParkedWhole,
        READERS,
        read_parked_message,
        statuses=(404,),
    ),
)
