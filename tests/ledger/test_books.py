"""Books are made whole or not at all, and never see each other."""

import psycopg
import pytest

from ledger.books import (
    Book,
    BookExists,
    InvalidBook,
    UnknownBook,
    create_book,
    get_book,
    list_books,
)
from ledger.postgres.database import Database, connect
from tests.conftest import FreshBook


def test_a_new_book_is_found(fresh_book: FreshBook) -> None:
    with fresh_book.connect() as service:
        assert get_book(service, fresh_book.book.name) == fresh_book.book
        assert fresh_book.book in list_books(service)
        with pytest.raises(UnknownBook):
            get_book(service, "nowhere")


def test_a_new_book_is_at_position_zero(fresh_book: FreshBook) -> None:
    with fresh_book.connect() as service:
        row = service.execute("SELECT position, commits, partition_rows FROM head").fetchone()
        assert row == (0, 0, 1_000)
        assert service.execute("SELECT count(*) FROM partitions").fetchone() == (3,)


def test_partitions_of_a_new_book_are_whole_subtrees(database: Database) -> None:
    made = create_book(database.admin_url, "subtrees", currency="USD", time_zone="UTC")
    with connect(database.service_url, made.schema) as service:
        query = "SELECT first_position - 1, last_position FROM partitions ORDER BY 1"
        edges = service.execute(query).fetchall()
    assert edges == [(part << 20, (part + 1) << 20) for part in range(3)]


def test_names_with_capitals_and_dashes_are_books_of_their_own(database: Database) -> None:
    made = [
        create_book(database.admin_url, name, currency="EUR", time_zone="Europe/Berlin")
        for name in ("Case", "case", "with-dash", "1st")
    ]
    with connect(database.service_url, autocommit=True) as service:
        assert set(made) <= set(list_books(service))
    assert made[0] == Book("Case", "book_Case", "EUR", "Europe/Berlin")


def test_a_name_is_taken_once(database: Database, fresh_book: FreshBook) -> None:
    with pytest.raises(BookExists):
        create_book(database.admin_url, fresh_book.book.name, currency="USD", time_zone="UTC")


@pytest.mark.parametrize(
    ("name", "currency", "time_zone", "rows"),
    [
        ("", "USD", "UTC", 1),
        ("a" * 41, "USD", "UTC", 1),
        ('quo"te', "USD", "UTC", 1),
        ("new\nline\n", "USD", "UTC", 1),
        ("ok\n", "USD", "UTC", 1),
        ("ok", "usd", "UTC", 1),
        ("ok", "USD", "Mars/Olympus", 1),
        ("ok", "USD", "../etc/passwd", 1),
        ("ok", "USD", "UTC", 0),
    ],
)
def test_what_cannot_be_a_book(
    database: Database, name: str, currency: str, time_zone: str, rows: int
) -> None:
    with pytest.raises(InvalidBook):
        create_book(
            database.admin_url, name, currency=currency, time_zone=time_zone, partition_rows=rows
        )


def test_the_service_cannot_make_a_book(database: Database) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        create_book(database.service_url, "mine", currency="USD", time_zone="UTC")
    with connect(database.service_url) as service, pytest.raises(UnknownBook):
        get_book(service, "mine")


def test_the_auditor_reads_and_writes_nothing(fresh_book: FreshBook) -> None:
    with fresh_book.connect_admin() as admin:
        admin.execute("SET ROLE tokenledger_auditor")
        assert admin.execute("SELECT count(*) FROM events_json").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute("INSERT INTO event_tags VALUES ('x', 1)")
        admin.rollback()
