"""COMMIT, and what is known after it.

With a synchronous standby COMMIT waits until the standby has everything. Whatever ends that wait
too early, a cancelled query or a session that is told to end, PostgreSQL tells with a WARNING and
commits all the same: what it committed stands here, and perhaps nowhere else.
"""

import psycopg

from ledger.failpoints import failpoint
from ledger.postgres.database import Connection
from ledger.write.answer import Answer


class OutcomeUnknown(Exception):
    """COMMIT did not say that it is safe; `answers` is what it was to make true."""

    def __init__(self, answers: list[list[Answer]], why: str) -> None:
        self.answers = answers
        super().__init__(why)


def commit(connection: Connection, answers: list[list[Answer]]) -> None:
    """End the transaction that makes `answers` true; raises OutcomeUnknown."""
    warnings: list[str] = []

    def hear(told: psycopg.errors.Diagnostic) -> None:
        if told.severity_nonlocalized == "WARNING":
            warnings.append(told.message_primary or "")

    connection.add_notice_handler(hear)
    try:
        connection.execute("COMMIT")
        failpoint("after_commit")
    except psycopg.OperationalError as error:
        raise OutcomeUnknown(answers, "the reply to COMMIT is lost") from error
    finally:
        connection.remove_notice_handler(hear)
    if warnings:
        raise OutcomeUnknown(answers, warnings[0])
