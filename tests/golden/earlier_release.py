"""The log that an earlier release left, row by row, to be put into a book."""

import json
from pathlib import Path
from typing import Any

from psycopg import sql

from ledger.postgres.database import Connection

KEPT: dict[str, Any] = json.loads((Path(__file__).with_name("release_1.json")).read_text())
HEX = {
    "events": ("data", "leaf_hash"),
    "receipts": ("key", "fingerprint", "body"),
    "inbox": ("fields", "key", "fingerprint"),
}
COLUMNS = {
    "events": "position event_id type tags occurred_at recorded_at data leaf_hash",
    "receipts": "key fingerprint position events status code body",
    "inbox": "processor processor_ref command fields principal client correlation_id key "
    "fingerprint state awaits received_at settled_at position",
}


def restore(admin: Connection) -> None:
    """Put its events, receipts and notices into the connection's book, which is empty."""
    for table in COLUMNS:
        _restore(admin, table)


def _restore(admin: Connection, table: str) -> None:
    """The rows of a table."""
    names = COLUMNS[table].split()
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join([sql.Placeholder()] * len(names)),
    )
    for row in KEPT[table]:
        values = dict(zip(names, row, strict=True))
        for name in HEX[table]:
            values[name] = None if values[name] is None else bytes.fromhex(values[name])
        admin.execute(query, list(values.values()))
