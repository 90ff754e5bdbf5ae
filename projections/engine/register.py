"""A register: one row for each thing with a life of its own, folded from the events of its life.

A register is one declaration: which kind of entity its rows are, which events are in their lives,
and which columns it has. Table and indexes, loading, writing and listing follow from it by the
queries of `sql/register.sql`. A row is a rendering of the state that decisions are made on, folded
by the domain's own `apply`, so it cannot disagree with them; the state stands beside its columns.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from psycopg import Cursor, sql

from domain.entity import State
from domain.event import Event
from ledger.log import reading
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.columns import INTEGER, STATE, TEXT, TIME, Column, ColumnType, array
from projections.engine.dispatch import ByClass
from projections.engine.entries import PlacedEntry
from projections.engine.projection import Projection, Table, template

SQL = sql_files.load("register", "projections")

#: Goes up with the tables that `register.sql` makes.
LAYOUT = 2

Branches = ByClass[Callable[["Register", PlacedEntry], None]]


def _nothing(_register: "Register", _entry: PlacedEntry) -> None:
    pass


def _keep(register: "Register", entry: PlacedEntry) -> None:
    register.keep(entry)


def lives(*facets: type[Event]) -> Branches:
    """The branches of a register whose things live by the events of `facets`."""
    branches: Branches = ByClass(_nothing, decides_about=facets)
    branches.branch(*facets)(_keep)
    return branches


class Detail(msgspec.Struct, frozen=True):
    """What is shown of a thing that is asked for alone: `of` makes it of the state.

    `shape` is a type that JSON is made of, and its description: a list of dataclasses, mostly.
    """

    name: str
    shape: Any
    of: Callable[[Any], Any]


class Life(State, frozen=True, kw_only=True):
    """The state of a thing whose events have no tag of its own, so that it remembers where they
    are; the last ones, of very many."""

    status: str | None = None
    positions: tuple[int, ...] = ()


LIFE_EVENTS_MAX = 1_000


class RegisterRow(msgspec.Struct):
    """A thing as its life so far leaves it; `values` are those of the columns that events say."""

    state: State
    values: list[Any]
    labels: str | None
    created_at: datetime
    first_position: int
    updated_at: datetime
    last_position: int


class Register(Projection):
    """Things by their ids. What a subclass declares is all there is to a register."""

    #: What one of its things is called: `payout`.
    item: ClassVar[str]
    #: The state of a thing, whose kind is that of the tags of the events in its life.
    state: ClassVar[type[State]]
    statuses: ClassVar[tuple[str, ...]]
    columns: ClassVar[tuple[Column, ...]]
    details: ClassVar[tuple[Detail, ...]] = ()
    #: The column that `min_amount` asks about.
    amount: ClassVar[str | None] = None
    #: Whether its ids are processors' references.
    by_reference: ClassVar[bool] = False
    branches: ClassVar[Branches]
    #: The table of labels beside its own.
    labels: ClassVar[str]
    #: What the tags of its things begin with.
    prefix: ClassVar[str]
    ordered = True

    _kept: ClassVar[tuple[Column, ...]]
    _said: ClassVar[tuple[Column, ...]]

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.labels = f"{cls.name}_labels"
        cls.tables = (
            Table(cls.name, ("id",)),
            Table(cls.labels, ("label", "first_position", "id")),
        )
        #: Another fold of the state, or another shape, makes other rows.
        cls.version += cls.state.FOLD_VERSION + LAYOUT - 2
        cls.prefix = f"{cls.state.KIND}:"
        cls._kept = tuple(column for column in cls.columns if column.of is not None)
        cls._said = tuple(column for column in cls.columns if column.step is not None)

    @classmethod
    def filters(cls) -> dict[str, str]:
        """Its columns by the parameters that ask for rows by them."""
        return {column.filter: column.name for column in cls.columns if column.filter is not None}

    @classmethod
    def ids_of(cls, event: Event) -> Iterable[str]:
        """The things in whose lives the event is, by its tags. Other names of the same kind have
        a colon, which no id has."""
        prefix = cls.prefix
        ids = (tag[len(prefix) :] for tag in event.tags() if tag.startswith(prefix))
        return [each for each in ids if ":" not in each]

    @classmethod
    def apply(cls, state: Any, name: str, event: Event, position: int) -> Any:
        """The state of the thing `name` after an event of its life."""
        after = state.apply(f"{cls.prefix}{name}", event)
        if isinstance(after, Life):
            positions = (*state.positions, position)[-LIFE_EVENTS_MAX:]
            return msgspec.structs.replace(after, positions=positions)
        return after

    def complete(self, connection: Connection, rows: Sequence[RegisterRow], until: int) -> None:
        """Add to rows what neither their states nor their events say, from the log up to `until`;
        nothing unless a register says otherwise."""

    @classmethod
    def status_of(cls, state: Any) -> str | None:
        """The status of a thing; None: there is none, and no row."""
        status: str | None = state.status
        return None if status is None else status.upper()

    def forget(self) -> None:
        """Drop the changes."""
        self._changes: list[PlacedEntry] = []

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        """Keep what happens to the things."""
        branches = self.branches
        for entry in page:
            branches[type(entry.event)](self, entry)  # type: ignore[index]

    def keep(self, entry: PlacedEntry) -> None:
        """Keep an entry."""
        self._changes.append(entry)

    def write(self, cursor: Cursor[Any]) -> None:
        """Load the rows that the page changes, fold, and write them back."""
        changes = [(entry, self.ids_of(entry.event)) for entry in self._changes if entry.event]
        names = sorted({name for _, ids in changes for name in ids})
        if names:
            rows = self._loaded(cursor, names)
            for entry, ids in changes:
                for name in ids:
                    self._follow(rows, name, entry)
            until = self._changes[-1].position
            self.complete(cursor.connection, [rows[name] for name in names], until)
            self._put(cursor, {name: rows[name] for name in names}, self._changes[0].position)
        self._changes = []

    def _loaded(self, cursor: Cursor[Any], names: list[str]) -> dict[str, RegisterRow]:
        cursor.execute(self.sql["load"], (array(TEXT, names),))
        decode = msgspec.msgpack.Decoder(self.state).decode
        return {
            name: RegisterRow(decode(state), values, labels, created_at, first, created_at, first)
            for name, state, labels, created_at, first, *values in cursor
        }

    def _follow(self, rows: dict[str, RegisterRow], name: str, entry: PlacedEntry) -> None:
        """Take an event of the thing into its row, which begins with the first."""
        row, at, position = rows.get(name), entry.recorded_at, entry.position
        if row is None:
            nothing: list[Any] = [None] * len(self._said)
            labels = labels_text(entry.labels)
            row = rows[name] = RegisterRow(
                self.state(), nothing, labels, at, position, at, position
            )
        event: Any = entry.event
        row.state = self.apply(row.state, name, event, position)
        row.updated_at, row.last_position = at, position
        for number, column in enumerate(self._said):
            assert column.step is not None
            row.values[number] = column.step(row.values[number], event)

    def _put(self, cursor: Cursor[Any], rows: dict[str, RegisterRow], since: int) -> None:
        """Write the rows; those that began at `since` or after it are new."""
        encode = msgspec.msgpack.Encoder().encode
        found: list[tuple[Any, ...]] = []
        labels: list[tuple[str, int, str]] = []
        for name, row in rows.items():
            status = self.status_of(row.state)
            if status is not None:
                kept = (column.of(row.state) for column in self._kept if column.of)
                times = row.created_at, row.updated_at, row.first_position, row.last_position
                head = name, encode(row.state), status, *times
                found.append((*head, *kept, *row.values, row.labels))
                if row.labels and row.first_position >= since:
                    new = ((label, row.first_position, name) for label in row.labels.split(","))
                    labels.extend(new)
        if found:
            types = [*(kind for _, kind in ALWAYS), *(each.type for each in self._ordered()), TEXT]
            values = zip(*found, strict=True)
            cursor.execute(self.sql["put"], list(map(array, types, values)))
        if labels:
            values = zip(*labels, strict=True)
            cursor.execute(self.sql["put_labels"], list(map(array, (TEXT, INTEGER, TEXT), values)))

    @classmethod
    def _ordered(cls) -> tuple[Column, ...]:
        return (*cls._kept, *cls._said)

    def bind(self, suffix: str) -> dict[str, bytes]:
        """Its queries, with tables of that suffix."""
        table, labels = (sql.Identifier(f"{each.name}{suffix}") for each in self.tables)
        columns = self._ordered()
        said = ("id", "state", "labels", "created_at", "first_position")
        names = [*(name for name, _ in ALWAYS), *(column.name for column in columns)]
        arrays = [*(kind for _, kind in ALWAYS), *(column.type for column in columns), TEXT]
        filters = [column.name for column in columns if column.filter]
        changes = [name for name in names if name not in said or name == "state"]

        def query(name: str, **values: sql.Composable) -> sql.Composed:
            return template(SQL[name]).format(table=table, labels=labels, **values)

        indexes = [query("indexes")]
        indexes += [query("index", column=sql.Identifier(name)) for name in filters]
        if self.amount is not None:
            indexes.append(query("index_of_amount", column=sql.Identifier(self.amount)))
        loaded = [*said, *(column.name for column in self._said)]
        made = {
            "tables": query("tables", columns=_definitions(columns)),
            "indexes": sql.SQL(";\n").join(indexes),
            "put_labels": query("put_labels"),
            "load": query("load", names=identifiers(loaded)),
            "put": query(
                "put",
                names=identifiers(names),
                arrays=_comma(sql.SQL(f"%s::{kind}[]") for kind in arrays),
                changes=_comma(
                    sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changes
                ),
            ),
        }
        return {name: text.as_bytes(None) for name, text in made.items()}


#: The columns of every register, `labels` aside, which are an array.
ALWAYS: tuple[tuple[str, ColumnType], ...] = (
    ("id", TEXT),
    ("state", STATE),
    ("status", TEXT),
    ("created_at", TIME),
    ("updated_at", TIME),
    ("first_position", INTEGER),
    ("last_position", INTEGER),
)


def labels_text(labels: dict[str, str] | None) -> str | None:
    """Labels as they are sent to the database: ids have neither `=` nor a comma."""
    return None if labels is None else ",".join(sorted(map("=".join, labels.items())))


def identifiers(names: Iterable[str]) -> sql.Composed:
    """Names of columns in a list."""
    return _comma(map(sql.Identifier, names))


def _comma(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _definitions(columns: Sequence[Column]) -> sql.Composed:
    """What the table of a register consists of."""
    always = [(name, kind, False) for name, kind in ALWAYS]
    own = [(column.name, column.type, column.nullable) for column in columns]
    parts = [
        sql.SQL("{} {}").format(
            sql.Identifier(name), sql.SQL(kind.declared + ("" if nullable else " NOT NULL"))
        )
        for name, kind, nullable in (*always, *own)
    ]
    return _comma([*parts, sql.SQL('labels text[] COLLATE "C"'), sql.SQL("PRIMARY KEY (id)")])


R = TypeVar("R", bound=msgspec.Struct)


class RegisterList(Generic[R]):
    """How the rows of one table, with those of others beside, are listed, in the order of their
    first positions, where another read model than a register keeps them."""

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
