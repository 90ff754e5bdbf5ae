"""Columns of registers: what each holds, and how a page of values is sent to the database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any


class ColumnType(StrEnum):
    """What a column holds, as PostgreSQL calls it."""

    TEXT = "text"
    INTEGER = "bigint"
    BOOLEAN = "boolean"
    TIME = "timestamptz"
    STATE = "bytea"

    @property
    def declared(self) -> str:
        """In the definition of a table: texts are ordered by their bytes."""
        return 'text COLLATE "C"' if self is ColumnType.TEXT else str(self)


TEXT, INTEGER, BOOLEAN, TIME, STATE = ColumnType


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a register, beside those that all registers have.

    Either `of` makes it of the state, or `step` of its value before and an event. `filter`: the
    parameter that asks for rows by it, which gives it an index; `text` describes it.
    """

    name: str
    type: ColumnType
    of: Callable[[Any], Any] | None = None
    step: Callable[[Any, Any], Any] | None = None
    nullable: bool = False
    filter: str | None = None
    text: str | None = None


def kept(
    name: str,
    column_type: ColumnType,
    of: Callable[[Any], Any] | None = None,
    *,
    nullable: bool = False,
    by: str | None = None,
    text: str | None = None,
) -> Column:
    """What the state keeps: its field of that name, or whatever `of` makes of it."""
    of = of or attrgetter(name)
    return Column(name, column_type, of=of, nullable=nullable, filter=by, text=text)


def said(
    name: str,
    column_type: ColumnType,
    of: Callable[[Any], Any] | None = None,
    *,
    nullable: bool = True,
    by: str | None = None,
    text: str | None = None,
) -> Column:
    """What the last event says that says something of it: its field, or what `of` finds in it."""

    def step(before: Any, event: Any) -> Any:
        value = getattr(event, name, None) if of is None else of(event)
        return before if value is None else value

    return Column(name, column_type, step=step, nullable=nullable, filter=by, text=text)


def followed(
    name: str,
    column_type: ColumnType,
    step: Callable[[Any, Any], Any],
    *,
    nullable: bool = False,
    text: str | None = None,
) -> Column:
    """What `step` makes of the value before, None at first, and of each event."""
    return Column(name, column_type, step=step, nullable=nullable, text=text)


def first(*classes: type, field: str) -> Callable[[Any], Any]:
    """For `said`: the field of an event of one of `classes`; other events may call another so."""
    return lambda event: getattr(event, field) if isinstance(event, classes) else None


def array(column_type: ColumnType, values: Sequence[Any]) -> str:
    """Values of a type as an array literal: several times faster than the driver's own lists."""
    write = _WRITE[column_type]
    return "{" + ",".join("NULL" if value is None else write(value) for value in values) + "}"


def _text(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def _boolean(value: bool) -> str:
    return "t" if value else "f"


def _time(value: datetime) -> str:
    return f'"{value.isoformat()}"'


def _state(value: bytes) -> str:
    return f'"\\\\x{value.hex()}"'


_WRITE: dict[ColumnType, Callable[[Any], str]] = {
    TEXT: _text,
    INTEGER: str,
    BOOLEAN: _boolean,
    TIME: _time,
    STATE: _state,
}
