"""COMMIT, and what is known after it."""

import psycopg

from ledger.failpoints import failpoint
from ledger.postgres.database import Connection
from ledger.postgres.warnings import warnings_of
from ledger.write.answer import Answer


class OutcomeUnknown(Exception):
    """COMMIT did not say that it is safe; `answers` is what it was to make true."""

    def __init__(self, answers: list[list[Answer]], why: str) -> None:
        self.answers = answers
        super().__init__(why)


def commit(connection: Connection, answers: list[list[Answer]]) -> None:
    """End the transaction that makes `answers` true; raises OutcomeUnknown."""
    with warnings_of(connection) as warnings:
        try:
            connection.execute("COMMIT")
            failpoint("after_commit")
        except psycopg.OperationalError as error:
            raise OutcomeUnknown(answers, "the reply to COMMIT is lost") from error
    if warnings:
        raise OutcomeUnknown(answers, warnings[0])
