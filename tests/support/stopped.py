"""A PostgreSQL that does not answer and does not hang up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from ledger.postgres.embedded import Server


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """PostgreSQL does not answer and does not hang up: every process of it is stopped."""
    postmaster = psutil.Process(pid_of(server))
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(family):
            process.resume()


def pid_of(server: Server) -> int:
    """The postmaster's process id, as its lock file tells it."""
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    return int((Path(row[0]) / "postmaster.pid").read_text().splitlines()[0])
