"""Applies the numbered migrations: `sql/control/*.sql` once, `sql/book/*.sql` in every book.

A file is applied in one transaction, in order, under an advisory lock, and its checksum is
remembered. Every run first proves that what was applied is what the code still holds: history
is never edited, and a database newer than the code is left alone.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ledger.postgres import sql_files
from ledger.postgres.database import Connection, connect

_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
SQL = sql_files.load("migrate")
_APPLICATION = "tokenledger-migrate"

#: The oldest major version of PostgreSQL.
SERVER_MIN = 15


class MigrationRefused(Exception):
    """The database cannot be migrated as it is; nothing was changed by the file concerned."""


class MigrationChanged(MigrationRefused):
    """A file that was applied has been edited since, or is gone."""


class DatabaseTooNew(MigrationRefused):
    """The database was migrated by a newer release than this one."""


class ServerTooOld(MigrationRefused):
    """The server is older than what our SQL is written for."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: bytes

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal."""
        return hashlib.sha256(self.sql).hexdigest()


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """One file in one scope: `control`, or `book:<name>` with its schema."""

    scope: str
    schema: str | None
    migration: Migration

    def __str__(self) -> str:
        return f"{self.scope} {self.migration.number:04d}_{self.migration.name}"


def migrate(admin_url: str) -> list[MigrationStep]:
    """Bring the control schema and every book up to date; answers what was applied."""
    with _connected(admin_url) as connection, locked(connection):
        connection.execute(SQL["create_control"])
        done = _apply_all(connection, _missing(connection, "control", None))
        for name, schema in connection.execute(SQL["books"]).fetchall():
            done += _apply_all(connection, _missing(connection, f"book:{name}", schema))
        return done


def pending(url: str) -> list[MigrationStep]:
    """What `migrate` would apply; the service's connection suffices."""
    with _connected(url) as connection:
        if not _value(connection, "has_control"):
            return [MigrationStep("control", None, migration) for migration in available("control")]
        steps = _missing(connection, "control", None)
        if not steps:
            for name, schema in connection.execute(SQL["books"]).fetchall():
                steps += _missing(connection, f"book:{name}", schema)
        return steps


def migrate_book(connection: Connection, name: str, schema: str) -> list[MigrationStep]:
    """Apply a book's migrations inside the caller's transaction, under the caller's lock."""
    return _apply_all(connection, _missing(connection, f"book:{name}", schema))


@contextmanager
def locked(connection: Connection) -> Iterator[None]:
    """Keep every other migration of this database out."""
    connection.execute(SQL["lock"])
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute(SQL["unlock"])


@contextmanager
def as_owner(connection: Connection, schema: str) -> Iterator[None]:
    """Within a transaction, act as the owner of the log in a book's schema."""
    with connection.transaction():
        connection.execute(SQL["enter_book"], [schema])
        yield
        connection.execute(SQL["leave_book"])


@cache
def available(kind: str) -> tuple[Migration, ...]:
    """The files of a kind (`control` or `book`), numbered from 1 without a gap."""
    found = []
    for file in files("ledger").joinpath("sql", kind).iterdir():
        match = _FILE.match(file.name)
        if match is None:
            raise MigrationRefused(f"{file.name} is not named like 0001_what_it_does.sql")
        found.append(Migration(int(match[1]), match[2], file.read_bytes()))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationRefused(f"the {kind} migrations are not numbered 1, 2, 3 …")
    return tuple(found)


def _missing(connection: Connection, scope: str, schema: str | None) -> list[MigrationStep]:
    ours = available("control" if schema is None else "book")
    applied = connection.execute(SQL["applied"], [scope]).fetchall()
    for number, name, checksum in applied:
        if number > len(ours):
            raise DatabaseTooNew(
                f"{scope} was migrated to {number:04d}_{name}; this release knows {len(ours):04d}"
            )
        if (name, checksum) != (ours[number - 1].name, ours[number - 1].checksum):
            raise MigrationChanged(
                f"{scope}: {number:04d}_{name} was applied with another content than it has now"
            )
    if [number for number, *_ in applied] != list(range(1, len(applied) + 1)):
        raise MigrationChanged(f"{scope}: the record of applied migrations has a gap")
    return [MigrationStep(scope, schema, migration) for migration in ours[len(applied) :]]


def _apply_all(connection: Connection, steps: list[MigrationStep]) -> list[MigrationStep]:
    for step in steps:
        with connection.transaction():
            if step.schema is None:
                connection.execute(step.migration.sql)
            else:
                with as_owner(connection, step.schema):
                    connection.execute(step.migration.sql)
            done = (step.scope, step.migration.number, step.migration.name)
            connection.execute(SQL["record"], [*done, step.migration.checksum])
    return steps


def _value(connection: Connection, query: str) -> object:
    row = connection.execute(SQL[query]).fetchone()
    return row[0] if row else None


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    with connect(url, autocommit=True, application=_APPLICATION) as connection:
        found = connection.info.server_version // 10_000
        if found < SERVER_MIN:
            raise ServerTooOld(f"PostgreSQL {SERVER_MIN} or newer is needed; this is {found}")
        yield connection
