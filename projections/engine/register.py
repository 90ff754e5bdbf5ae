"""A register: one row for each thing with a life of its own, folded from the events of its life.

A register says what a row is, which events are in the lives of its things, and what an event makes
of a row. Loading, writing and listing are the same for all; its queries are `tables`, `load`, `put`
and `one` of `sql/<name>.sql`, and `list` of `sql/<list_name>.sql`.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from psycopg import Cursor, sql

from domain.event import Event
from ledger.log import reading
from ledger.log.entry import Entry, decode
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, template

E = TypeVar("E", bound=Event)
R = TypeVar("R", bound=msgspec.Struct)

Branches = ByClass[Callable[["Register[Any, Any]", Any, int], None]]


def _nothing(_register: "Register[Any, Any]", _event: Any, _position: int) -> None:
    pass


def _keep(register: "Register[Any, Any]", event: Any, position: int) -> None:
    register.keep(event, position)


def lives(facet: type[Event]) -> Branches:
    """The branches of a register whose things live by the events of `facet`."""
    branches: Branches = ByClass(_nothing, decides_about=(facet,))
    branches.branch(facet)(_keep)
    return branches


class Register(Projection, Generic[E, R]):
    """Rows by the id of the thing, which is a row's first field."""

    row: ClassVar[type[msgspec.Struct]]
    branches: ClassVar[Branches]
    ordered = True

    @abstractmethod
    def id_of(self, event: E) -> str:
        """The thing in whose life the event is."""

    @abstractmethod
    def after(self, row: R | None, event: E, entry: Entry, position: int) -> R:
        """The row after `event`; None: before its first."""

    def forget(self) -> None:
        """Drop the changes."""
        self._changes: list[tuple[int, E]] = []

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Keep what happens to the things."""
        for entry in page:
            event = entry.event
            self.branches[type(event)](self, event, entry.position)  # type: ignore[index]

    def keep(self, event: E, position: int) -> None:
        """Keep an event."""
        self._changes.append((position, event))

    def write(self, cursor: Cursor[Any]) -> None:
        """Load the rows that the page changes, fold, and write them back."""
        if not self._changes:
            return
        names = sorted({self.id_of(event) for _, event in self._changes})
        cursor.execute(self.sql["load"], (names,))
        rows: dict[str, Any] = {values[0]: self.row(*values) for values in cursor}
        told = reading.entries(cursor.connection, [position for position, _ in self._changes])
        for position, event in self._changes:
            name = self.id_of(event)
            rows[name] = self.after(rows.get(name), event, decode(told[position]), position)
        cursor.executemany(self.sql["put"], [msgspec.structs.asdict(rows[name]) for name in names])
        self._changes = []


class RegisterList(Generic[R]):
    """How the rows of one table, with those of others beside, are listed, in the order of their
    first positions."""

    def __init__(self, table: str, list_name: str, row: type[R], *beside: str) -> None:
        text = sql_files.load(list_name, "projections")["list"]
        names = {name: sql.Identifier(name) for name in (table, *beside)}
        self._row = row
        self._ascending, self._descending = (
            template(text).format(**names, order=sql.SQL(order), beyond=sql.SQL(beyond))
            for order, beyond in (("ASC", ">"), ("DESC", "<"))
        )

    def rows(
        self,
        connection: Connection,
        wanted: Any,
        *,
        until: int | None = None,
        created_by: datetime | None = None,
        after: int | None = None,
        newest_first: bool = True,
        limit: int,
    ) -> tuple[list[R], int]:
        """At most `limit` rows, and the position that they stand for.

        `wanted`: the filter, with `statuses` and `labels`; `until`: those whose life began up to
        that position; `created_by`: up to that time.
        """
        values = {
            **msgspec.structs.asdict(wanted),
            "statuses": list(wanted.statuses),
            "labels": encoded(wanted.labels),
            "until": until,
            "created_by": created_by,
            "after": after if after is not None else reading.POSITION_MAX if newest_first else 0,
            "limit": limit,
        }
        query = self._descending if newest_first else self._ascending
        found = connection.execute(query, values).fetchall()
        rows = [self._row(*values) for _, *values in found if values[0] is not None]
        return rows, found[0][0] if found else 0


def encoded(labels: dict[str, str] | None) -> str | None:
    """Labels as a row keeps them."""
    return None if labels is None else msgspec.json.encode(labels, order="sorted").decode()


def decoded_labels(text: str | None) -> dict[str, str] | None:
    """The same read back."""
    return None if text is None else msgspec.json.decode(text, type=dict[str, str])
