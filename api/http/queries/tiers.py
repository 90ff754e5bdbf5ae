"""Tiers: what users have spent lately, which tier that makes, and when it changes next."""

from typing import Annotated, NamedTuple

from fastapi import Depends, Query
from msgspec.structs import replace
from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from api.http.queries.access import USER_OR_READERS, PartyOrReaders
from api.http.queries.listing import ItemStep, OlderThan, Paged, cursor_text, listed, read_cursor
from api.http.queries.parameters import Period, Subject
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.queries.registers import between
from api.http.schemas import AsOf
from ledger.api_keys import Role
from ledger.write.admission import ID
from projections import queries
from projections.queries import TierFilter

_OWN = PartyOrReaders("tiers", {Role.FAN: "user"})
_TIME: JsonDict = {"format": "date-time"}
_Id = Annotated[str | None, Query(pattern=ID.pattern)]
_Tiers = Annotated[
    list[Annotated[str, Query(pattern=ID.pattern)]] | None,
    Query(description="like VIP or NEW, as the ladder names them; repeatable", max_length=50),
]


class TierItem(BaseModel):
    """A user's tier. Whoever was never seen is NEW and has no times and positions."""

    id: str
    status: str = Field(
        description="the tier of the last `tier.changed.v1`, `NEW` before the first"
    )
    user: str
    spend: int = Field(
        description="minor units, of sales within the window that ends now, net of what went back"
    )
    currency: str
    since: str | None = Field(json_schema_extra=_TIME, description="when the tier was reached")
    changes_at: str | None = Field(
        json_schema_extra=_TIME,
        description="when the tier changes next if nothing happens; what is over is on its way",
    )
    changes_to: str | None = Field(description="to which tier")
    labels: dict[str, str] | None
    created_at: str | None = Field(json_schema_extra=_TIME, description="when the first sale was")
    updated_at: str | None = Field(json_schema_extra=_TIME)
    first_position: int | None
    last_position: int | None


class TierItems(AsOf):
    """A page of users and their tiers."""

    items: list[TierItem]
    next_cursor: str | None
    has_more: bool


class LadderStep(BaseModel):
    """A tier and the least spend of those in it, in minor units."""

    tier: str
    min: int


class OneTier(AsOf, TierItem):
    """One user's tier with its changes."""

    window_days: int
    ladder: list[LadderStep]
    history: list[ItemStep]


class _Place(NamedTuple):
    """Between which positions the users of a list first bought, and the last one's."""

    first: int
    last: int
    position: int


async def read_filter(status: _Tiers = None, user: _Id = None) -> TierFilter:
    """Which users a question asks for, by tiers in either case."""
    named = tuple(dict.fromkeys(name for each in status or () for name in (each, each.upper())))
    return TierFilter(named, user)


_Filter = Annotated[TierFilter, Depends(read_filter)]


def read_tiers(asked: Asked, by: _Filter, age: OlderThan, period: Period, page: Paged) -> Answered:
    """Users by tier, in the order in which they first bought, the last one first. `period` and
    `older_than` ask for when that was."""
    own = _OWN.own(asked.identity).get("user")
    wanted = by if own is None else replace(by, user=own)
    which = (asked.book.name, "tiers", wanted, age, period, page.order)
    if page.after is None:
        first, last = begins, ends = between(asked, age, period)
    else:
        begins, ends, position = read_cursor(which, page.after, _Place)
        first = begins if page.newest_first else position + 1
        last = position - 1 if page.newest_first else ends
    found, position = queries.tiers(
        asked.connection,
        wanted,
        asked.book.currency,
        first=first,
        last=last,
        newest_first=page.newest_first,
        limit=page.limit + 1,
    )
    items = [] if own is not None and by.user not in (None, own) else found
    answered = listed(items, page.limit, position)
    if answered["has_more"]:
        place = _Place(begins, ends, answered["items"][-1]["first_position"])
        answered["next_cursor"] = cursor_text(which, place)
    return answered


def read_tier(asked: Asked, user: Subject) -> Answered:
    """The tier of one user, what was spent within the window up to now, when the tier changes next
    if nothing happens, and every change so far."""
    answered = queries.tier(asked.connection, user, asked.book.currency)
    not_before(asked.min_position, answered)
    return answered


QUESTIONS = (
    Question("/tiers", "Users by tier", TierItems, _OWN, read_tiers),
    Question("/tiers/{user}", "One user's tier", OneTier, USER_OR_READERS, read_tier),
)
