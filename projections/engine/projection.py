"""What a projection is: its tables, and how a page of the log changes them.

A projection folds a page in memory and writes it once; the runner stores its new checkpoint in
the same transaction. Nothing here knows where pages come from. The same projection can be bound
to tables of other names, so that a rebuild stands beside what it will replace.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import msgspec
from psycopg import Cursor, sql

from ledger.postgres import sql_files
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry

#: What a rebuild's tables, and its checkpoint, are called beside the live ones.
BESIDE = "__next"


class Table(msgspec.Struct, frozen=True):
    """A table of a read model and its primary key."""

    name: str
    key: tuple[str, ...]


class Projection(ABC):
    """One read model. Instances hold what was folded and not yet written, and bounded caches.

    Its user must hold its lock, and call `forget` after any error.
    """

    name: ClassVar[str]
    #: Goes up when the tables or the fold change; a rebuild then brings the tables up to it.
    version: ClassVar[int]
    tables: ClassVar[tuple[Table, ...]]
    #: What it does with each event of its facets; None for one that looks at postings alone.
    branches: ClassVar[ByClass[Any] | None] = None
    #: Whether the fold looks into events; postings and dates are there in any case.
    bodies: ClassVar[bool] = True
    #: Whether the fold needs every event in the order of the log. Others add up in any order in
    #: which one fan's events keep theirs.
    ordered: ClassVar[bool] = False
    #: How much work it is beside others, decoding aside: by this a rebuild shares them out among
    #: processes.
    weight: ClassVar[int] = 1

    def __init__(self, suffix: str = "") -> None:
        self.checkpoint = f"{self.name}{suffix}"
        self.sql = self.bind(suffix)
        self.forget()

    def bind(self, suffix: str) -> dict[str, bytes]:
        """Its queries, with `suffix` behind the names of its tables."""
        return bound(self.name, self.tables, suffix)

    @abstractmethod
    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Take in the next entries, in memory."""

    @abstractmethod
    def write(self, cursor: Cursor[Any]) -> None:
        """Write what was folded since the last write, inside the caller's transaction."""

    @abstractmethod
    def forget(self) -> None:
        """Drop what was folded and every cache."""


def bound(
    name: str, tables: Sequence[Table], suffix: str = "", **parts: sql.Composable
) -> dict[str, bytes]:
    """The queries of `sql/<name>.sql` with `{table}` standing for the table and its suffix, and
    the name of each of `parts` for that part."""
    names = identifiers(tables, suffix)
    return {
        query: template(text).format(**names, **parts).as_bytes(None)
        for query, text in sql_files.load(name, "projections").items()
    }


def identifiers(tables: Sequence[Table], suffix: str = "") -> dict[str, sql.Composable]:
    """What `{table}` stands for in a query, for each of `tables`."""
    return {table.name: sql.Identifier(f"{table.name}{suffix}") for table in tables}


def template(text: bytes) -> sql.SQL:
    """A query from a `.sql` file, whose `{names}` psycopg fills with quoted identifiers."""
    return sql.SQL(text.decode())


def integers(values: Iterable[int]) -> str:
    """An array literal: ten times faster than the driver's own for thousands of numbers."""
    return "{" + ",".join(map(str, values)) + "}"


def texts(values: Sequence[str | None]) -> str | list[str | None]:
    """The same for texts; those with a quote or a backslash, and nulls, are left to the driver."""
    try:
        joined = '","'.join(values)  # type: ignore[arg-type]
    except TypeError:
        return list(values)
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        return list(values)
    return f'{{"{joined}"}}' if values else "{}"
