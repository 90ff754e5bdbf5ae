"""The yardstick: raw binary COPY of exactly the rows that commands have written.

Rows are read back from the book that the commands wrote, batch by batch, and copied into the
same tables of a second book with nothing else done: three COPYs and a COMMIT per batch, and no
check of what is appended.
"""

import time
from dataclasses import dataclass

from ledger.postgres.database import Connection

TABLES = {
    "events": "position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash",
    "event_tags": "tag, position",
    "receipts": "key, fingerprint, position, events, status, code, body",
}
_READ = {
    "events": "SELECT {c} FROM events WHERE position > {a} AND position <= {b} ORDER BY position",
    "event_tags": "SELECT {c} FROM event_tags WHERE position > {a} AND position <= {b}"
    " ORDER BY tag, position",
    "receipts": "SELECT {c} FROM receipts WHERE position > {a} AND position <= {b}"
    " ORDER BY position",
}


@dataclass(frozen=True)
class Rows:
    """A batch's rows, packed for COPY, per table."""

    packed: dict[str, bytes]
    rows: int


def read(connection: Connection, after: int, until: int) -> Rows:
    """The rows of positions `after` < p <= `until`, as COPY gives them."""
    packed, count = {}, 0
    for table, columns in TABLES.items():
        query = _READ[table].format(c=columns, a=after, b=until)
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)".encode()) as copy:
                packed[table] = b"".join(bytes(block) for block in copy)
            count += cursor.rowcount
    return Rows(packed, count)


def write(connection: Connection, batches: list[Rows]) -> float:
    """Copy the batches into the connection's book, each in a transaction; seconds taken."""
    cursor = connection.cursor()
    started = time.perf_counter()
    for batch in batches:
        cursor.execute("BEGIN")
        for table, columns in TABLES.items():
            statement = f"COPY {table} ({columns}) FROM STDIN (FORMAT binary)"
            with cursor.copy(statement.encode()) as copy:
                copy.write(batch.packed[table])
        cursor.execute("COMMIT")
    return time.perf_counter() - started
