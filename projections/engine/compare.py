"""Compares a read model with the same one built anew, row by row, and says what differs."""

from collections.abc import Iterator
from typing import Any

import msgspec
from psycopg import sql

from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from projections.engine.projection import Projection, template

SQL = sql_files.load("tables", "projections")

DIFFERENCES_MAX = 100


class RowDifference(msgspec.Struct, frozen=True):
    """A row that is not what the log makes of it; None where it should not be, or is missing."""

    table: str
    found: dict[str, Any] | None
    expected: dict[str, Any] | None


def differences(
    connection: Connection, projection: Projection, live: str, *, built: str, suffix: str = ""
) -> Iterator[RowDifference]:
    """Where the tables in schema `live` differ from those in schema `built` with `suffix`."""
    for table in projection.tables:
        query = template(SQL["differences"]).format(
            live=sql.Identifier(live, table.name),
            built=sql.Identifier(built, f"{table.name}{suffix}"),
            key=sql.SQL(", ").join(map(sql.Identifier, table.key)),
        )
        for found, expected in connection.execute(query, (DIFFERENCES_MAX,)):
            yield RowDifference(table.name, found, expected)
