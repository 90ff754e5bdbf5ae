"""The tree of accounts, from the chart's classes down to one account."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from api.http.queries.access import Readers
from api.http.queries.listing import PagedInOrder, cursor_text, read_cursor
from api.http.queries.parameters import Period, said
from api.http.queries.question import Answered, Asked, Question
from api.http.schemas import AsOf
from domain.accounts import CLASSES, AccountType
from domain.catalogue import Problem
from ledger.write.admission import invalid
from projections import queries
from projections.queries import NodeFilter, TreePlace

_Prefix = Annotated[
    str,
    Query(
        pattern=r"^[A-Za-z0-9._*-]{0,255}$",
        description="the names above: cr, cr.zoe; or a class: cr.*.available",
    ),
]
_Depth = Annotated[int, Query(ge=1, le=4, description="how many names below the prefix")]
_OfAsset = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
_Nonzero = Annotated[bool, Query(description="without those that have neither balance nor lines")]


class AccountNode(BaseModel):
    """A class, an account, or all accounts below a name: opening + debit - credit = closing, debit
    positive. `accounts`: how many it stands for; `leaf`: an account itself."""

    account: str
    asset: str
    class_: str | None = Field(alias="class")
    number: int | None
    name: str | None
    type: AccountType | None
    accounts: int
    opening: int
    debit: int
    credit: int
    closing: int
    leaf: bool


class AccountTree(AsOf):
    """A page of nodes by name; classes by number."""

    from_: str | None = Field(alias="from")
    to: str | None
    items: list[AccountNode]
    next_cursor: str | None
    has_more: bool


def list_accounts(
    asked: Asked,
    *,
    period: Period,
    page: PagedInOrder,
    prefix: _Prefix = "",
    depth: _Depth = 1,
    asset: _OfAsset = None,
    nonzero: _Nonzero = False,
) -> Answered:
    """What accounts stood at before a period, their debit and credit by effective date, and what
    they stood at then. Without a period, of all time.

    Without a prefix, the classes of the chart, with their numbers, all on one page. Below a prefix
    such as `cr` or `cr.zoe` what stands `depth` names deeper, or the accounts of a class; its pages
    are pinned to a position, and `limit` counts names, each of which has a row in every asset.
    """
    if "*" in prefix and prefix not in CLASSES:
        raise invalid(Problem("/prefix", "is no class of accounts"))
    if prefix.strip(".") != prefix or ".." in prefix:
        raise invalid(Problem("/prefix", "must be names with a dot between them"))
    days, wanted = asked.days(period), NodeFilter(prefix, depth, asset, nonzero)
    which = (asked.book.name, "accounts", wanted, days)
    answered = {**said(period, days), "next_cursor": None, "has_more": False}
    if not prefix:
        if page.after is not None:
            raise invalid(Problem("/after", "must be a next_cursor of this list"))
        return answered | queries.top(asked.connection, wanted, days)
    position, after = queries.known(asked.connection), TreePlace("", "")
    if page.after is not None:
        position, after = read_cursor(which, page.after, tuple[int, TreePlace])
    items, place = queries.below(
        asked.connection, wanted, days, position=position, after=after, limit=page.limit
    )
    if place is not None:
        answered |= {"next_cursor": cursor_text(which, (position, place)), "has_more": True}
    return answered | {"items": items, "as_of_position": position}


QUESTIONS = (
    Question(
        "/accounts",
        "The tree of accounts",
        AccountTree,
        Readers("the books' balances"),
        list_accounts,
    ),
)
