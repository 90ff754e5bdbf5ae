"""Many books over few connections: none waits long, and what is idle costs nothing."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest

from ledger.books import Book, create_book
from ledger.postgres.database import Database, connect
from ledger.write.connections import connections_of_writers
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import grant, policy
from tests.scenarios.write_path import WritePath, admitted
from tests.support.waiting import until

#: As 1,000 books, 50 of them busy, stand to 32 connections.
BOOKS = 24
BUSY = 12
CONNECTIONS = 4
UNSERVED_MAX_S = 5.0


@pytest.fixture(scope="module")
def books(database: Database) -> list[Book]:
    """Books without a policy: every command is refused, and every refusal is written."""
    return [
        create_book(
            database.admin_url,
            f"many-{number}",
            currency="USD",
            time_zone="UTC",
            partition_rows=1_000,
        )
        for number in range(BOOKS)
    ]


@pytest.fixture
def writers(database: Database, books: list[Book]) -> Iterator[list[Writer]]:
    """A writer for each book, over a few connections."""
    shared = connections_of_writers(
        partial(connect, database.service_url, autocommit=True, application="many-books"),
        CONNECTIONS,
    )
    started = [Writer(book, shared, idle_s=0.3).start() for book in books]
    yield started
    for writer in started:
        writer.stop()
    shared.close_idle(0.0)


def sessions(database: Database) -> int:
    """How many connections the writers have."""
    with connect(database.admin_url, autocommit=True) as admin:
        row = admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'many-books'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_no_busy_book_waits_long_for_its_turn(database: Database, writers: list[Writer]) -> None:
    longest = [0.0] * len(writers)
    until_s = time.monotonic() + 3.0
    most = 0

    def drive(nth: int) -> None:
        number = 0
        while time.monotonic() < until_s:
            began = time.monotonic()
            answers = writers[nth].write([admitted(grant(1), f"k-{nth}-{number}")])
            longest[nth] = max(longest[nth], time.monotonic() - began)
            assert answers[0].status < 500
            number += 1
            if nth >= BUSY:  # the others come once in a while
                threading.Event().wait(0.5)

    with ThreadPoolExecutor(len(writers)) as threads:
        driving = [threads.submit(drive, nth) for nth in range(len(writers))]
        while not all(each.done() for each in driving):
            most = max(most, sessions(database))
            threading.Event().wait(0.1)
        for each in driving:
            each.result()
    assert 0 < max(longest) < UNSERVED_MAX_S
    assert 0 < most <= CONNECTIONS


def test_an_idle_writer_ends_and_begins_anew(database: Database, writers: list[Writer]) -> None:
    before = {thread.name for thread in threading.enumerate()}
    assert writers[0].book.schema in before
    for writer in writers:
        assert writer.write([admitted(grant(1), "first")])[0].status < 500
    schemas = {writer.book.schema for writer in writers}
    until(lambda: not schemas & {each.name for each in threading.enumerate()}, "their ends")
    assert all(not writer.cached_entities for writer in writers)
    (again,) = writers[0].write([admitted(grant(1), "first")])
    assert again.replayed


def test_who_gets_no_connection_is_told_what_is_short(
    database: Database, books: list[Book]
) -> None:
    shared = connections_of_writers(partial(connect, database.service_url, autocommit=True), 1)
    shared._wait_s = 0.05
    taken = shared.take(books[0].schema)
    writer = Writer(books[1], shared).start()
    with pytest.raises(Unavailable, match=r"all 1 connections .* nothing was written"):
        writer.write([admitted(grant(1), "short")])
    shared.give_back(taken)
    assert not writer.write([admitted(grant(1), "short")])[0].replayed
    writer.stop()
    shared.close_idle(0.0)


def test_a_server_without_connections_is_not_called_away(books: list[Book]) -> None:
    def full() -> psycopg.Connection[psycopg.rows.TupleRow]:
        raise psycopg.OperationalError("FATAL:  sorry, too many clients already")

    writer = Writer(books[0], full).start()
    with pytest.raises(Unavailable, match=r"no connection left .* nothing was written"):
        writer.write([admitted(grant(1), "full")])
    writer.stop()


def test_what_is_known_of_a_book_survives_another_connection(
    stage: WritePath, books: list[Book]
) -> None:
    """The connection moves to another book between every two commands of ours."""
    shared = connections_of_writers(
        partial(connect, stage.fresh.service_url, autocommit=True), connections_max=1
    )
    stage.given(policy(MICRO_UNLOCK))
    writer, other = Writer(stage.book, shared).start(), Writer(books[0], shared).start()
    for number in range(5):
        writer.write([admitted(grant(10), f"grant-{number}")])
        other.write([admitted(grant(10), f"other-{number}")])
    writer.stop()
    other.stop()
    shared.close_idle(0.0)
    assert len(stage.rows()) == 2 + 5
    stage.check()
