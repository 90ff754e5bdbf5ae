"""What PostgreSQL warns of while it does as it is told."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from ledger.postgres.database import Connection


@contextmanager
def warnings_of(connection: Connection) -> Iterator[list[str]]:
    """Collect the warnings of the block's statements.

    With a synchronous standby COMMIT waits until the standby has everything. Whatever ends that
    wait too early, a cancelled query or a session that is told to end, PostgreSQL tells with a
    WARNING and commits all the same: what it committed stands here, and perhaps nowhere else.
    """
    warnings: list[str] = []

    def hear(told: psycopg.errors.Diagnostic) -> None:
        if told.severity_nonlocalized == "WARNING":
            warnings.append(told.message_primary or "")

    connection.add_notice_handler(hear)
    try:
        yield warnings
    finally:
        connection.remove_notice_handler(hear)
