"""A few connections, and many books that take them in turn."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from ledger.postgres.book_connections import BOOKS_EACH, BookConnections, NoConnectionFree
from ledger.postgres.database import Connection, Database, connect

TOO_MANY = "connection failed: FATAL:  sorry, too many clients already"


class Door:
    """Opens connections, as long as there is room."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opened: list[Connection] = []
        self.room = 1_000

    def __call__(self) -> Connection:
        if len(self.opened) >= self.room:
            raise psycopg.OperationalError(TOO_MANY)
        self.opened.append(connect(self.url, autocommit=True))
        return self.opened[-1]


@pytest.fixture
def door(database: Database) -> Iterator[Door]:
    """The way to the test run's database."""
    door = Door(database.service_url)
    yield door
    for connection in door.opened:
        connection.close()


def schema_of(connection: Connection) -> str:
    row = connection.execute("SHOW search_path").fetchone()
    assert row is not None
    return str(row[0])


def test_a_book_gets_the_connection_that_it_had(door: Door) -> None:
    shared = BookConnections(door, connections_max=3)
    ours, other = shared.take("one"), shared.take("two")
    shared.give_back(other)
    shared.give_back(ours)
    assert shared.take("one") is ours
    assert shared.take("two") is other
    assert len(door.opened) == 2


def test_beyond_the_bound_the_one_unused_longest_moves_to_another_book(door: Door) -> None:
    shared = BookConnections(door, connections_max=2)
    one, two = shared.take("one"), shared.take("two")
    shared.give_back(one)
    shared.give_back(two)
    three = shared.take("three")
    assert three is one
    assert schema_of(three.connection) == '"three",tokenledger'
    assert len(door.opened) == 2


def test_beyond_the_bound_a_book_moves_to_a_session_that_knows_it(door: Door) -> None:
    shared = BookConnections(door, connections_max=2)
    one, two = shared.take("one"), shared.take("two")
    shared.give_back(one)
    shared.give_back(two)
    shared.give_back(shared.take("three"))  # over the first
    shared.give_back(shared.take("two"))
    assert shared.take("one") is one
    assert schema_of(one.connection) == '"one",tokenledger'


def test_two_books_over_one_session_do_not_wear_it_out(door: Door) -> None:
    shared = BookConnections(door, connections_max=1)
    for _ in range(BOOKS_EACH):
        shared.give_back(shared.take("one"))
        shared.give_back(shared.take("two"))
    assert len(door.opened) == 1
    for nth in range(BOOKS_EACH - 1):
        shared.give_back(shared.take(f"many{nth}"))
    assert len(door.opened) == 2


def test_who_waits_is_served_in_the_order_of_coming(door: Door) -> None:
    shared = BookConnections(door, connections_max=1)
    first, served = shared.take("first"), list[str]()
    with ThreadPoolExecutor() as threads:

        def book(name: str) -> None:
            taken = shared.take(name)
            served.append(name)
            shared.give_back(taken)

        waiting = []
        for name in ("a", "b", "c"):
            waiting.append(threads.submit(book, name))
            while len(shared._waiting) < len(waiting):
                threading.Event().wait(0.001)
        shared.give_back(first)
        again = shared.take("first")
        served.append("first")
        shared.give_back(again)
        for each in waiting:
            each.result(10)
    assert served == ["a", "b", "c", "first"]


def test_nobody_waits_for_ever(door: Door) -> None:
    shared = BookConnections(door, connections_max=1, wait_s=0.05)
    taken = shared.take("one")
    with pytest.raises(NoConnectionFree, match="all 1 connections that books share"):
        shared.take("two")
    shared.give_back(taken)
    shared.give_back(shared.take("two"))
    assert len(door.opened) == 1


def test_a_server_that_has_none_left_makes_do_with_those_there_are(door: Door) -> None:
    door.room = 1
    shared = BookConnections(door, connections_max=5)
    shared.give_back(shared.take("one"))
    shared.give_back(shared.take("two"))
    assert len(door.opened) == 1
    door.room = 0
    with pytest.raises(NoConnectionFree, match="PostgreSQL has no connection left"):
        BookConnections(door, connections_max=5).take("one")


def test_a_broken_one_takes_those_that_are_free_with_it(door: Door) -> None:
    shared = BookConnections(door, connections_max=5)
    one, two = shared.take("one"), shared.take("two")
    shared.give_back(two)
    one.connection.close()
    shared.give_back(one)
    assert two.connection.closed
    assert shared.take("two") is not two


def test_one_left_in_a_transaction_is_nobodys_any_more(door: Door) -> None:
    shared = BookConnections(door, connections_max=1)
    taken = shared.take("one")
    taken.connection.execute("BEGIN")
    shared.give_back(taken)
    assert taken.connection.closed
    assert not shared.take("one").connection.closed


def test_an_outage_is_tried_by_one_and_told_to_all() -> None:
    tried = []

    def nowhere() -> Connection:
        tried.append(1)
        raise psycopg.OperationalError("away")

    shared = BookConnections(nowhere, connections_max=50)
    for book in range(20):
        with pytest.raises(psycopg.OperationalError, match="away"):
            shared.take(f"book_{book}")
    assert len(tried) < 20


def test_what_nobody_takes_is_closed(door: Door) -> None:
    shared = BookConnections(door, connections_max=5, idle_s=1_000)
    shared.give_back(shared.take("one"))
    shared.close_idle()
    assert not door.opened[0].closed
    shared.close_idle(0.0)
    assert door.opened[0].closed
