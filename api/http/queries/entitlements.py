"""Users' rights to items."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from api.http.queries.access import USER_OR_READERS, Readers
from api.http.queries.listing import PagedInOrder, cursor_text, listed, read_cursor
from api.http.queries.parameters import Subject
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.rejections import Reason, reject
from ledger.write.admission import ID, Denied
from projections import queries
from projections.queries import entitlement

_NOT_ENTITLED = Reason("NOT_ENTITLED", 402, "Not entitled", "{user} is not entitled to {item}")


class Entitlement(AsOf):
    """A right to an item."""

    user: str
    item: str
    source: str
    sale: str
    valid_until: str | None = Field(json_schema_extra={"format": "date-time"})


class LibraryItem(BaseModel):
    """What a user is entitled to, or was."""

    item: str
    source: str | None
    sale: str | None
    valid_until: str | None = Field(json_schema_extra={"format": "date-time"})
    entitled: bool


class Library(AsOf):
    """A page of a user's entitlements."""

    items: list[LibraryItem]
    next_cursor: str | None
    has_more: bool


class EntitlementAsked(BaseModel):
    """A user and an item."""

    model_config = ConfigDict(extra="forbid")

    user: str = Field(pattern=ID.pattern)
    item: str = Field(pattern=ID.pattern)


class EntitlementChecks(BaseModel):
    """Up to 100 users and items."""

    model_config = ConfigDict(extra="forbid")

    checks: list[EntitlementAsked] = Field(min_length=1, max_length=100)


class CheckedEntitlement(BaseModel):
    """Whether a user has a right to an item, by what, until when."""

    user: str
    item: str
    entitled: bool
    source: str | None
    sale: str | None
    valid_until: str | None = Field(json_schema_extra={"format": "date-time"})


class CheckedEntitlements(AsOf):
    """The answers, in the order of the questions."""

    results: list[CheckedEntitlement]


def read_entitlement(asked: Asked, user: Subject, item: Subject) -> Answered:
    """200 where the user has a right to the item, 402 where not."""
    answered = not_before(asked.min_position, entitlement(asked.connection, user, item))
    if answered["source"] is None:
        raise Denied(reject(_NOT_ENTITLED, user=user, item=item))
    return answered


def list_entitlements(
    asked: Asked,
    page: PagedInOrder,
    user: Annotated[str, Query(pattern=ID.pattern)],
    ended: Annotated[bool, Query(description="also what has ended or was taken back")] = False,
) -> Answered:
    """A user's library by item: what the user may use now, and with `ended` also what came
    to an end. A list goes on as of the time of its first page.
    """
    which = (asked.book.name, "entitlements", user, ended)
    after, now = "", datetime.now(UTC)
    if page.after is not None:
        after, now = read_cursor(which, page.after, tuple[str, datetime])
    found, position = queries.library(
        asked.connection,
        user,
        in_force=not ended,
        now=now,
        after=after,
        limit=page.limit + 1,
    )
    answered = listed(found, page.limit, position)
    if answered["has_more"]:
        answered["next_cursor"] = cursor_text(which, (answered["items"][-1]["item"], now))
    return answered


def check_entitlements(asked: Asked, body: EntitlementChecks) -> Answered:
    """Whether users are entitled to items, up to 100 pairs at once, answered in their order."""
    pairs = [(each.user, each.item) for each in body.checks]
    results, position = queries.check_entitlements(asked.connection, pairs, now=datetime.now(UTC))
    return {"results": results, "as_of_position": position}


QUESTIONS = (
    Question(
        "/entitlements/{user}/{item}",
        "Whether a user is entitled to an item",
        Entitlement,
        USER_OR_READERS,
        read_entitlement,
        statuses=(402,),
    ),
    Question(
        "/entitlements",
        "What a user may use",
        Library,
        USER_OR_READERS,
        list_entitlements,
    ),
    Question(
        "/entitlements/check",
        "Whether users are entitled to items",
        CheckedEntitlements,
        Readers("entitlements"),
        check_entitlements,
        body=EntitlementChecks,
    ),
)
