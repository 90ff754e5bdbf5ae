"""Registers: a list of each, and each of its things alone with its history.

What a register declares makes its two questions: the filters are those of its columns, and the
shape of an item is its columns'. Whoever is a party reads their own rows.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from inspect import Parameter, Signature, getdoc
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Path, Query
from pydantic import BaseModel, Field, create_model

from api.http.queries.access import PartyOrReaders
from api.http.queries.listing import (
    ItemStep,
    Labels,
    OlderThan,
    Page,
    Paged,
    cursor_text,
    listed,
    read_cursor,
    status_filter,
)
from api.http.queries.parameters import Period, PeriodAsked
from api.http.queries.question import Answered, Asked, Question, not_before
from api.http.schemas import AsOf
from domain.rejections import Reason, reject
from ledger.api_keys import Role
from ledger.log import reading
from ledger.write.admission import ID, Denied
from projections import queries
from projections.queries import REGISTERS, Column, ColumnType, Register, RegisterPlace, Wanted

REFERENCE = r"^[A-Za-z0-9_.:+=@-]{1,128}$"
AMOUNT_MAX = 10**12
_KEYWORD = Parameter.KEYWORD_ONLY
_SHAPES: dict[ColumnType, type] = {
    ColumnType.TEXT: str,
    ColumnType.INTEGER: int,
    ColumnType.BOOLEAN: bool,
    ColumnType.TIME: str,
}


class PinnedRegister(NamedTuple):
    """What the cursor of a register holds: between which positions the list's items began, as its
    first page was pinned to, and the last item's place."""

    first: int
    last: int
    position: int
    id: str


class ListAsked(NamedTuple):
    """Which rows a list is asked for, and when they began."""

    wanted: Wanted
    age: timedelta | None
    period: PeriodAsked


def questions(register: type[Register]) -> tuple[Question, Question]:
    """The questions of a register: its list, and one of its things."""
    may = PartyOrReaders(register.name, _parties(register))
    item = _item(register)
    named = register.item.title().replace("_", "")
    items = create_model(
        f"{named}Items",
        __base__=AsOf,
        __doc__=f"A page of {register.name}.",
        items=(list[item], ...),  # type: ignore[valid-type]
        next_cursor=(str | None, ...),
        has_more=(bool, ...),
    )
    alone: dict[str, Any] = {detail.name: (detail.shape, ...) for detail in register.details}
    one = create_model(
        f"One{named}",
        __base__=(AsOf, item),
        __doc__=f"One {register.item} with its history.",
        **alone,
        history=(list[ItemStep], ...),
    )
    title = register.name.capitalize()
    path = f"/{register.name}"
    summary = f"One {register.item}"
    return (
        Question(path, title, items, may, _list_query(register, may)),
        Question(
            f"{path}/{{{register.item}}}",
            summary,
            one,
            may,
            _one_query(register, may),
            statuses=(404,),
        ),
    )


def _parties(register: type[Register]) -> dict[Role, str]:
    """Whose rows a fan and a creator may read: where a row names a fan, no creator's."""
    has = register.filters()
    if "user" in has:
        return {Role.FAN: "user"}
    return {Role.CREATOR: "creator"} if "creator" in has else {}


def _item(register: type[Register]) -> type[BaseModel]:
    """The shape of an item."""
    status: Any = Literal.__getitem__(register.statuses)
    fields: dict[str, Any] = {"id": (str, ...), "status": (status, ...)}
    fields |= {column.name: _field(column) for column in register.columns}
    fields |= {
        "currency": (str, ...),
        "labels": (dict[str, str] | None, ...),
        "created_at": (str, ...),
        "updated_at": (str, ...),
        "first_position": (int, ...),
        "last_position": (int, ...),
    }
    name = register.item.title().replace("_", "")
    return create_model(f"{name}Item", __doc__=getdoc(register), **fields)


def _field(column: Column) -> tuple[Any, Any]:
    shape: Any = _SHAPES[column.type]
    return shape | None if column.nullable else shape, Field(description=column.text)


def _filter_parameters(register: type[Register]) -> list[Parameter]:
    """What a list is asked for, as the framework reads it."""
    some = ", ".join(status.lower() for status in register.statuses)
    status = Annotated[list[str] | None, Query(description=f"{some}; repeatable")]
    parameters = [
        Parameter("labels", _KEYWORD, annotation=Labels),
        Parameter("age", _KEYWORD, annotation=OlderThan),
        Parameter("period", _KEYWORD, annotation=Period),
        Parameter("status", _KEYWORD, annotation=status, default=None),
    ]
    for name in register.filters():
        pattern = REFERENCE if name.endswith("_ref") else ID.pattern
        annotation = Annotated[str | None, Query(pattern=pattern)]
        parameters.append(Parameter(name, _KEYWORD, annotation=annotation, default=None))
    if register.amount is not None:
        query = Query(ge=0, le=AMOUNT_MAX, description=f"of {register.amount}")
        parameters.append(
            Parameter("min_amount", _KEYWORD, annotation=Annotated[int, query], default=0)
        )
    return parameters


def _list_query(register: type[Register], may: PartyOrReaders) -> Any:
    """The query of the list, with the signature that the framework reads."""

    async def read_filter(**given: Any) -> ListAsked:
        equal = {name: given[name] for name in register.filters() if given[name] is not None}
        wanted = Wanted(
            statuses=status_filter(given["status"], register.statuses),
            equal=equal,
            min_amount=given.get("min_amount", 0),
            labels=given["labels"],
        )
        return ListAsked(wanted, given["age"], given["period"])

    def query(asked: Asked, by: ListAsked, page: Page) -> Answered:
        return _page(register, asked, may.own(asked.identity), by, page)

    declared = Signature(_filter_parameters(register))
    read_filter.__signature__ = declared  # type: ignore[attr-defined]
    query.__name__ = f"read_{register.name}"
    query.__doc__ = (
        f"{getdoc(register)}\n\nThey are listed in the order in which they began, the last one "
        "first. `period` and `older_than` ask for when they began, `label.KEY=VALUE` for the label "
        "that they began with."
    )
    annotations: dict[str, Any] = {"by": Annotated[ListAsked, Depends(read_filter)], "page": Paged}
    parameters = [Parameter(name, _KEYWORD, annotation=each) for name, each in annotations.items()]
    asked = Parameter("asked", Parameter.POSITIONAL_OR_KEYWORD)
    query.__signature__ = Signature([asked, *parameters])  # type: ignore[attr-defined]
    return query


def _page(
    register: type[Register],
    asked: Asked,
    own: Mapping[str, str],
    by: ListAsked,
    page: Page,
) -> Answered:
    which = (asked.book.name, register.name, by, own, page.order)
    if page.after is None:
        first, last = between(asked, by.age, by.period)
        after = None
    else:
        first, last, position, name = read_cursor(which, page.after, PinnedRegister)
        after = RegisterPlace(position, name)
    found, position = queries.register_page(
        asked.connection,
        register,
        by.wanted,
        asked.book.currency,
        own=own,
        first=first,
        last=last,
        after=after,
        newest_first=page.newest_first,
        limit=page.limit + 1,
    )
    answered = listed(found, page.limit, position)
    if answered["has_more"]:
        item = answered["items"][-1]
        pinned = PinnedRegister(first, last, item["first_position"], item["id"])
        answered["next_cursor"] = cursor_text(which, pinned)
    return answered


def between(asked: Asked, age: timedelta | None, period: PeriodAsked) -> tuple[int, int]:
    """Between which positions the items of a list began."""
    first, last = 0, reading.head(asked.connection)
    if age is not None:
        last = min(last, reading.position_at(asked.connection, datetime.now(UTC) - age))
    if period != PeriodAsked(None, None, None):
        begins, ends = asked.span(period)
        if begins is not None:
            first = reading.position_at(asked.connection, begins) + 1
        if ends is not None:
            last = min(last, reading.position_at(asked.connection, ends))
    return first, last


def _one_query(register: type[Register], may: PartyOrReaders) -> Any:
    """The query of one thing, with the signature that the framework reads."""
    name = register.item
    said = name.replace("_", " ")
    unknown = Reason(
        f"UNKNOWN_{name.upper()}", 404, f"Unknown {said}", f"there is no {said} {{{name}}}"
    )

    def query(asked: Asked, number: str) -> Answered:
        own = may.own(asked.identity)
        found = queries.register_item(
            asked.connection, register, number, asked.book.currency, own=own
        )
        not_before(asked.min_position, found)
        if "id" not in found:
            raise Denied(reject(unknown, **{name: number}))
        return found

    query.__name__ = f"read_{name}"
    query.__doc__ = f"One of the {register.name}, with the events of its life and what each posted."
    asked = Parameter("asked", Parameter.POSITIONAL_OR_KEYWORD)
    pattern = REFERENCE if register.by_reference else ID.pattern
    subject = Annotated[str, Path(alias=name, pattern=pattern)]
    query.__signature__ = Signature(  # type: ignore[attr-defined]
        [asked, Parameter("number", _KEYWORD, annotation=subject)]
    )
    return query


#: Of each register, the question of its list and that of one of its things.
BY_REGISTER = {register.name: questions(register) for register in REGISTERS}
QUESTIONS = tuple(question for both in BY_REGISTER.values() for question in both)
