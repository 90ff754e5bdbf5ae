"""Builds the read models of a moment, in a schema beside the live ones.

They are what the live ones were when the log ended there, so a figure of back then can be looked up
as it was shown. The schema is called after the read models' own and the position, `read_shop@1234`:
no book's name has an `@`. Queries with that schema on the search path, after the log's, answer as
of then. A replay that was killed is gone on with; nobody keeps it up to date.
"""

from collections.abc import Callable
from datetime import datetime

from psycopg import errors, sql

from ledger.books import Book
from ledger.log import reading
from ledger.postgres import sql_files
from ledger.postgres.database import Connection, Database, connect, read_schema
from projections.catalogue import all_projections
from projections.engine.install import install
from projections.engine.runner import Runner
from projections.rebuild import AlreadyRebuilding, RebuildFailed

SQL = sql_files.load("replay", "projections")
CHECKPOINTS = sql_files.load("checkpoints", "projections")

#: Called with (done, total), in events.
Progress = Callable[[int, int], None]


class NoSuchMoment(Exception):
    """There is nothing to replay up to there."""


def position_of(connection: Connection, until: int | datetime) -> int:
    """The position that a moment stands for; raises NoSuchMoment."""
    if isinstance(until, datetime):
        position = reading.position_at(connection, until)
        if position == 0:
            raise NoSuchMoment(f"nothing was recorded by {until.isoformat()}")
        return position
    head = reading.head(connection)
    if not 1 <= until <= head:
        raise NoSuchMoment(f"the log has the positions 1 to {head}")
    return until


def schema_at(book: Book, position: int) -> str:
    """Where the read models of a position are built."""
    return f"{read_schema(book.schema)}@{position}"


def replay(
    database: Database,
    book: Book,
    until: int | datetime,
    *,
    progress: Progress = lambda _done, _total: None,
) -> str:
    """Build the read models as they were at `until`; answers the name of their schema.

    Raises NoSuchMoment, AlreadyRebuilding where another process builds the same, RebuildFailed, and
    what psycopg raises.
    """
    with connect(database.service_url, book.schema, read_models=True, autocommit=True) as live:
        install(live, all_projections())
        position = position_of(live, until)
    schema = schema_at(book, position)
    _make_schema(database, book, schema)
    with connect(
        database.service_url, book.schema, autocommit=True, application="tokenledger-replay"
    ) as connection:
        connection.execute(
            sql.SQL("SET search_path TO {}, {}, tokenledger").format(
                sql.Identifier(book.schema), sql.Identifier(schema)
            )
        )
        if connection.execute(CHECKPOINTS["take"], (schema,)).fetchone() != (True,):
            raise AlreadyRebuilding(schema)
        connection.execute(CHECKPOINTS["relaxed"])
        _fold(connection, position, progress)
    return schema


def drop_replay(database: Database, book: Book, until: int | datetime) -> str | None:
    """Remove what was built for a moment; answers its schema, None where there is none."""
    with connect(database.service_url, book.schema, autocommit=True) as connection:
        schema = schema_at(book, position_of(connection, until))
    with connect(database.admin_url, autocommit=True) as admin:
        try:
            admin.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
        except errors.InvalidSchemaName:
            return None
    return schema


def _make_schema(database: Database, book: Book, schema: str) -> None:
    """The schema, with checkpoints of its own; as the live ones' it is the service's to fill."""
    names = {"live": sql.Identifier(read_schema(book.schema)), "schema": sql.Identifier(schema)}
    with connect(database.admin_url, autocommit=True) as admin, admin.transaction():
        admin.execute(sql.SQL(SQL["make"].decode()).format(**names))


def _fold(connection: Connection, position: int, progress: Progress) -> None:
    projections = all_projections()
    install(connection, projections)
    runner = Runner(connection, projections)
    runner.follow_alone()
    while runner.step(position):
        progress(min(follower.position for follower in runner.followers), position)
        for follower in runner.followers:
            if follower.failed_at is not None:
                name, at = follower.projection.name, follower.failed_at
                raise RebuildFailed(f"{name} at position {at}: {follower.failure}")
    progress(position, position)
