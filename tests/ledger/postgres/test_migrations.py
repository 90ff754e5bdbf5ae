"""Migrations: once, in order, checked, all or nothing."""

import itertools
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from ledger.api_keys import Role, create_key, revoke_key
from ledger.books import create_book
from ledger.postgres import embedded
from ledger.postgres import migrations as migrate
from ledger.postgres.database import connect
from ledger.postgres.migrations import (
    DatabaseTooNew,
    Migration,
    MigrationChanged,
    MigrationStep,
    ServerTooOld,
    available,
    pending,
)

_numbers = itertools.count(1)


@pytest.fixture
def empty_url(server: embedded.Server) -> Iterator[str]:
    name = f"empty_{next(_numbers)}"
    with connect(server.url(dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        yield server.url(dbname=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def more_files(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], None]:
    """Pretends that this release carries one more file of a kind."""
    files = {kind: available(kind) for kind in ("control", "book")}

    def add(kind: str, sql: bytes) -> None:
        files[kind] = (*files[kind], Migration(len(files[kind]) + 1, "more", sql))

    monkeypatch.setattr(migrate, "available", lambda kind: files[kind])
    return add


def test_a_new_database_is_migrated_once(empty_url: str) -> None:
    waiting = pending(empty_url)
    assert [str(step) for step in waiting] == [
        "control 0001_control",
        "control 0002_kinds_of_keys",
        "control 0003_books_behind",
        "control 0004_stalled_sessions",
        "control 0005_books_behind_in_their_schemas",
        "control 0006_keys_apart",
    ]
    assert migrate.migrate(empty_url) == waiting
    assert migrate.migrate(empty_url) == []
    assert pending(empty_url) == []


def test_an_older_server_is_refused(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "SERVER_MIN", 999)
    for attempt in (migrate.migrate, pending):
        with pytest.raises(ServerTooOld, match="PostgreSQL 999 or newer is needed"):
            attempt(empty_url)


def test_two_at_once_do_not_collide(empty_url: str) -> None:
    done: list[list[MigrationStep]] = []
    threads = [
        threading.Thread(target=lambda: done.append(migrate.migrate(empty_url))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(steps) for steps in done) == [0, 0, 0, len(available("control"))]


def test_books_follow_a_new_release(
    empty_url: str, more_files: Callable[[str, bytes], None]
) -> None:
    migrate.migrate(empty_url)
    create_book(empty_url, "old", currency="USD", time_zone="UTC")
    more_files("book", b"CREATE TABLE more (n int); INSERT INTO more VALUES (1)")
    last = len(migrate.available("book"))
    assert [str(step) for step in pending(empty_url)] == [f"book:old {last:04}_more"]
    assert len(migrate.migrate(empty_url)) == 1
    create_book(empty_url, "new", currency="USD", time_zone="UTC")
    assert migrate.migrate(empty_url) == []
    with connect(empty_url, "book_new") as admin:
        assert admin.execute("SELECT n FROM more").fetchone() == (1,)
        owner = "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename = 'more'"
        assert admin.execute(owner).fetchall() == [("tokenledger_owner",)]


def test_a_file_that_fails_leaves_nothing_behind(
    empty_url: str, more_files: Callable[[str, bytes], None]
) -> None:
    migrate.migrate(empty_url)
    more_files("control", b"CREATE TABLE tokenledger.half (); SELECT 1/0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate(empty_url)
    with connect(empty_url) as admin:
        assert admin.execute("SELECT to_regclass('tokenledger.half')").fetchone() == (None,)
    assert [step.migration.number for step in pending(empty_url)] == [len(available("control")) + 1]


def test_an_edited_file_is_refused(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate.migrate(empty_url)
    edited = (Migration(1, "control", b"SELECT 1"),)
    monkeypatch.setattr(migrate, "available", lambda _: edited)
    with pytest.raises(MigrationChanged, match="0001_control"):
        migrate.migrate(empty_url)


@pytest.mark.parametrize("scope", ["control", "book:old"])
def test_a_newer_database_is_refused(empty_url: str, scope: str) -> None:
    migrate.migrate(empty_url)
    create_book(empty_url, "old", currency="USD", time_zone="UTC")
    with connect(empty_url) as admin:
        insert = "INSERT INTO tokenledger.migrations VALUES (%s, 99, 'future', '')"
        admin.execute(insert, [scope])
    for look in (migrate.migrate, pending):
        with pytest.raises(DatabaseTooNew, match="0099_future"):
            look(empty_url)


def test_a_gap_in_the_record_is_refused(
    empty_url: str, more_files: Callable[[str, bytes], None]
) -> None:
    more_files("control", b"SELECT 1")
    migrate.migrate(empty_url)
    with connect(empty_url) as admin:
        admin.execute("DELETE FROM tokenledger.migrations WHERE number = 1")
    with pytest.raises(MigrationChanged, match="gap"):
        migrate.migrate(empty_url)


def test_files_are_numbered_without_a_gap() -> None:
    for kind in ("control", "book"):
        numbers = [migration.number for migration in available(kind)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_the_service_sees_what_is_pending(empty_url: str, server: embedded.Server) -> None:
    migrate.migrate(empty_url)
    dbname = str(conninfo_to_dict(empty_url)["dbname"])
    assert pending(server.url(user="tokenledger_app", dbname=dbname)) == []


@pytest.mark.usefixtures("database")
def test_who_migrates_need_not_be_a_superuser(server: embedded.Server) -> None:
    with connect(server.url(dbname="postgres"), autocommit=True) as admin:
        admin.execute("CREATE ROLE administrator LOGIN CREATEROLE CREATEDB")
        for role in ("owner", "app", "keys"):  # of this server, made by who migrated before
            admin.execute(f"GRANT tokenledger_{role} TO administrator".encode())
    with connect(server.url(user="administrator", dbname="postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE plain")
    url = server.url(user="administrator", dbname="plain")
    migrate.migrate(url)
    create_book(url, "plain", currency="USD", time_zone="UTC")
    with connect(url, autocommit=True) as admin:
        made = create_key(admin, "plain", role=Role.SERVICE, actor="shop")
        assert revoke_key(admin, made.identity.key_id)
    with connect(server.url(dbname="postgres"), autocommit=True) as admin:
        admin.execute("DROP DATABASE plain WITH (FORCE)")
