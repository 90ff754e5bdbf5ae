"""Maps: which column of a file becomes which field of which command, written as TOML.

The shape is here and nowhere else; docs/imports.md explains it to the people who write maps. A map
that cannot work is told when it is read, with the place in it that is wrong.
"""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from domain.command import COMMANDS

SHIPPED = files("api.imports").joinpath("maps")
#: Whose commands a map may make: what two people must agree on does not come from a file.
ROLES = ("service", "finance")
#: A column in a key.
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")

Kind = Literal[
    "PAYMENT", "REFUND", "CHARGEBACK", "CHARGEBACK_REVERSAL", "FEE", "ADJUSTMENT", "PAYOUT"
]


class InvalidMap(Exception):
    """A map cannot be used; the message says which place in it is wrong, and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FileShape(_Part):
    """How the file is written; the options of the command line come before it."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(max_length=1)] = '"'
    encoding: str = "utf-8"
    header_line: Annotated[int, Field(ge=1, le=1000)] = 1
    multiline: bool = False
    time_zone: str = "UTC"


class Numbers(_Part):
    """How the file writes numbers."""

    decimal: Annotated[str, Field(min_length=1, max_length=1)] = "."
    thousands: Annotated[str, Field(max_length=1)] = ""
    negative: Literal["minus", "trailing", "parentheses"] = "minus"

    @model_validator(mode="after")
    def _two_signs(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands are the same sign")
        return self


#: A bare string stands for a list of it alone.
Texts = Annotated[
    list[str], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)
]

#: A bare string names a column.
Value = Annotated[
    "Source", BeforeValidator(lambda given: {"column": given} if isinstance(given, str) else given)
]


class Source(_Part):
    """Where a value comes from: one of `column`, `columns`, `constant`, `content`.

    `columns`: the texts joined by `join`, or, of amounts, their sum; `-` before a name subtracts.
    `content`: a stable id made of these columns and of how many equal rows came before.
    """

    column: str | None = None
    columns: list[str] = []
    content: list[str] = []
    constant: str | int | bool | None = None
    join: str = " "
    kind: Literal["text", "money", "whole", "time", "date"] = Field("text", alias="as")
    sign: Literal["keep", "negate", "absolute"] = "keep"
    format: str | None = None
    zone: Value | None = None
    values: dict[str, str | int | bool] | None = None
    optional: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [self.column is not None, self.columns, self.content, self.constant is not None]
        if sum(map(bool, given)) != 1:
            raise ValueError("say one of column, columns, content, constant")
        if self.kind == "date" and self.format is None and self.zone is not None:
            raise ValueError("a zone needs a format with a time of day")
        return self

    def names(self) -> list[str]:
        """The columns that it reads."""
        one = [] if self.column is None else [self.column]
        zone = self.zone.names() if self.zone else []
        return [*one, *(name.removeprefix("-") for name in self.columns), *self.content, *zone]


class CommandMap(_Part):
    """One command of a row. `key` names a request for ever: `{column}` stands for a value."""

    command: str
    key: str | None = None
    fields: dict[str, Value]

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = COMMANDS.get(self.command)
        if known is None:
            raise ValueError(f"there is no command {self.command!r}")
        if not set(ROLES) & set(known.roles):
            raise ValueError(f"{self.command} is for people to send, not for a file")
        unknown = sorted(set(self.fields) - set(known.field_names()))
        if unknown:
            raise ValueError(f"{self.command} has no field {', '.join(unknown)}")
        return self

    def key_columns(self) -> list[str]:
        """The columns that the key names."""
        return PLACEHOLDER.findall(self.key or "")


class LineMap(_Part):
    """A line of a settlement. `gross` as it changes the processor's balance: a payment is
    positive, a refund negative; `fee` is what was kept, positive."""

    kind: Kind
    line_ref: Value
    processor_ref: Value | None = None
    gross: Value
    fee: Value | None = None
    value_date: Value | None = None


class RowMap(_Part):
    """What a row becomes; the first of the map's that fits a row counts.

    `when`: the values that a column must have, all of them; one of `commands`, `line`, `skip`.
    """

    when: dict[str, Texts] = {}
    commands: list[CommandMap] = []
    line: LineMap | None = None
    skip: str | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if sum(map(bool, (self.commands, self.line, self.skip))) != 1:
            raise ValueError("say one of commands, line, skip (a reason)")
        return self


class Map(_Part):
    """Everything about a kind of file.

    `noun` is what a row is called in the report, `sum` what the report adds up, `processor` whose
    settlement its lines are, and `currency` the columns that name the book's currency or nothing.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    about: str = ""
    noun: str = "rows"
    sum: Value | None = None
    processor: str | None = None
    currency: Texts = []
    policy: Literal["tips"] | None = None
    file: FileShape = FileShape()
    numbers: Numbers = Numbers()
    rows: Annotated[list[RowMap], Field(min_length=1)]

    @model_validator(mode="after")
    def _lines_have_a_processor(self) -> Self:
        if self.processor is None and self.has_lines:
            raise ValueError("processor is missing: lines of a settlement are a processor's")
        return self

    @property
    def has_lines(self) -> bool:
        """Whether rows become lines of a settlement."""
        return any(row.line for row in self.rows)

    def columns(self) -> list[str]:
        """Every column that the file must have, in the map's order."""
        found = dict.fromkeys([*self.currency, *(self.sum.names() if self.sum else [])])
        for row in self.rows:
            found.update(dict.fromkeys(row.when))
            found.update(dict.fromkeys(_columns_of(row)))
        return list(found)


def _columns_of(row: RowMap) -> list[str]:
    names: list[str] = []
    for command in row.commands:
        names += command.key_columns()
        for value in command.fields.values():
            names += value.names()
    if row.line is not None:
        line = row.line
        for part in (line.line_ref, line.processor_ref, line.gross, line.fee, line.value_date):
            names += part.names() if part else []
    return names


def shipped() -> list[str]:
    """The maps that come along."""
    names = (entry.name for entry in SHIPPED.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def text_of(name: str) -> str:
    """A map's TOML: a shipped map by its name, any other by its file; raises InvalidMap."""
    if name in shipped():
        return SHIPPED.joinpath(f"{name}.toml").read_text("utf-8")
    try:
        return Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(shipped())
        raise InvalidMap(
            f"{name} is no map: it cannot be read ({error}), and the maps that come along are "
            f"{known}"
        ) from None


def read_map(name: str) -> Map:
    """The map called `name`, or in the file `name`; raises InvalidMap."""
    return parse_map(text_of(name), name)


def parse_map(text: str, where: str) -> Map:
    """A map from its TOML; raises InvalidMap."""
    try:
        return _valid(tomllib.loads(text), f"the map {where} is wrong")
    except tomllib.TOMLDecodeError as error:
        raise InvalidMap(f"{where} is not TOML: {error}") from None


def changed(mapping: Map, **changes: Any) -> Map:
    """The map with other values, `file` and `numbers` merged key by key; None changes nothing.

    Raises InvalidMap.
    """
    document = mapping.model_dump(exclude_unset=True, by_alias=True)
    for part, change in changes.items():
        if isinstance(change, dict):
            given = {key: value for key, value in change.items() if value is not None}
            document[part] = {**document.get(part, {}), **given}
        elif change is not None:
            document[part] = change
    return _valid(document, "these options do not fit")


def _valid(document: dict[str, Any], otherwise: str) -> Map:
    try:
        return Map.model_validate(document)
    except ValidationError as error:
        wrong = "\n  - ".join(
            f"{'.'.join(map(str, e['loc'])) or 'the map'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_url=False)
        )
        raise InvalidMap(f"{otherwise}:\n  - {wrong}") from None
