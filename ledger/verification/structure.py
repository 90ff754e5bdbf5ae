"""What a book consists of in PostgreSQL, compared with a book that was made a moment ago.

A trigger that is gone, a right that was given, a function that does something else: none of it
shows in the data until it is used. Nothing here lists what there should be: the same migrations
make a database anew, and whatever stands otherwise in the one that is verified was not made by
them.
"""

import os
import re
import secrets
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ledger.postgres import sql_files
from ledger.postgres.database import Connection, connect
from ledger.verification.difference import Difference, shown

SQL = sql_files.load("structure")

#: A part of a log, and of which all have the same structure.
_PARTITION = re.compile(r"events_\d{6,}")

#: One thing of a relation (or of none): its kind, its name, its definition.
Thing = tuple[str, str, str]
#: Things by schema and relation.
Structure = dict[tuple[str, str], Counter[Thing]]


class NoScratchDatabase(Exception):
    """The role may not make a database to compare with."""


@contextmanager
def scratch_database(admin_url: str) -> Iterator[str]:
    """A new, empty database on the same server, as long as the block; yields its URL.

    Raises NoScratchDatabase where the role may not make any.
    """
    name = f"tokenledger_scratch_{os.getpid()}_{secrets.token_hex(4)}"
    with connect(admin_url, autocommit=True, application="tokenledger-verify") as admin:
        try:
            admin.execute(_named("CREATE DATABASE {} TEMPLATE template0", name))
        except psycopg.errors.InsufficientPrivilege as error:
            raise NoScratchDatabase(str(error)) from None
        try:
            yield make_conninfo(admin_url, dbname=name)
        finally:
            admin.execute(_named("DROP DATABASE {} WITH (FORCE)", name))


def schemas(connection: Connection) -> list[str]:
    """The schemas of a database that is ours alone."""
    return [name for (name,) in connection.execute(SQL["schemas"])]


def structure(connection: Connection, names: Collection[str]) -> Structure:
    """All that stands in these schemas."""
    found: Structure = {}
    with connection.transaction(force_rollback=True):
        connection.execute(SQL["qualify"])
        rows = connection.execute(SQL["structure"], (list(names),)).fetchall()
    for schema, relation, *thing in rows:
        kind, name, definition = (part.replace(relation, "…") if relation else part
                                  for part in thing)  # fmt: skip
        found.setdefault((schema, relation), Counter())[kind, name, definition] += 1
    return found


def differences(
    live: Structure, fresh: Structure, *, passing: str, absent: Collection[str] = ()
) -> Iterator[Difference]:
    """Where `live` differs from `fresh`.

    Relations whose names end with `passing` are on their way and not compared; those called
    `absent` may be missing.
    """
    template = {
        schema: things
        for (schema, relation), things in fresh.items()
        if _PARTITION.fullmatch(relation)
    }
    for (schema, relation), things in sorted(live.items()):
        if relation.endswith(passing):
            continue
        expected = fresh.get((schema, relation))
        if expected is None and _PARTITION.fullmatch(relation):
            expected = template.get(schema)
        if expected is None:
            yield Difference(None, "relation", "nothing of this name", f"{schema}.{relation}")
            continue
        yield from _things(f"{schema}.{relation}".removesuffix("."), things, expected)
    for schema, relation in sorted(fresh.keys() - live.keys()):
        if relation not in absent and not _PARTITION.fullmatch(relation):
            yield Difference(None, "relation", f"{schema}.{relation}".removesuffix("."), "none")


def _things(where: str, things: Counter[Thing], expected: Counter[Thing]) -> Iterator[Difference]:
    missing = {thing[:2]: thing[2] for thing in expected - things}
    surplus = {thing[:2]: thing[2] for thing in things - expected}
    for kind, name in sorted(missing.keys() | surplus.keys()):
        wanted, found = missing.get((kind, name)), surplus.get((kind, name))
        at = f"{where}: {name}"
        yield Difference(
            None,
            kind,
            shown(f"{at}: {wanted}" if wanted is not None else f"{at}: none"),
            shown(found if found is not None else "none"),
        )


def role_differences(connection: Connection) -> Iterator[Difference]:
    """Roles that may do more than they were given: superusers, members of others."""
    for role, more in connection.execute(SQL["roles"]):
        if more:
            yield Difference(None, "role", f"{role} has rights on things alone", more)


def _named(statement: str, name: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(name))
