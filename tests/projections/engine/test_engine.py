"""The engine: every book's read models follow its log, whatever happens to the connections."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.books import Book, create_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, Database, connect
from ledger.postgres.migrations import migrate
from projections import process as engine
from projections.queries import status, wait_for, wallet
from tests.conftest import FreshBook
from tests.projections.following import busy_day, written
from tests.scenarios.steps import Sent, tip
from tests.scenarios.write_path import WritePath
from tests.support.waiting import until


@pytest.fixture
def running(database: Database, fresh_book: FreshBook) -> Iterator[None]:
    """Two engines for one book, as two processes would run."""
    stop = threading.Event()
    engines = [
        threading.Thread(
            target=engine.run,
            args=(database, stop),
            kwargs={"books": [fresh_book.book.name]},
            daemon=True,
        )
        for _ in range(2)
    ]
    for thread in engines:
        thread.start()
    yield
    stop.set()
    for thread in engines:
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.usefixtures("running")
def test_a_book_is_noticed_and_followed(stage: WritePath) -> None:
    written(stage)
    head = len(stage.rows())
    with stage.fresh.connect(autocommit=True) as connection:
        for name in ("wallets", "earnings", "entitlements", "journal", "daily", "notices", "risk"):
            assert wait_for(connection, name, head, 20)
        assert all(model.healthy and not model.lag_events for model in status(connection))
        assert wallet(connection, "ben")["as_of_position"] == head
        assert not wait_for(connection, "wallets", head + 1, 0.05)


@pytest.mark.usefixtures("running")
def test_cut_connections_lose_nothing_and_repeat_nothing(stage: WritePath) -> None:
    written(stage)
    with (
        stage.fresh.connect(autocommit=True) as connection,
        stage.fresh.connect_admin(autocommit=True) as admin,
    ):
        assert wait_for(connection, "wallets", len(stage.rows()), 20)
        for _ in range(4):
            stage.given(tip(1, "ben", "cora"))
            assert admin.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE application_name = 'tokenledger-projections'"
            ).fetchone()
            stage.given(tip(1, "ben", "cora"))
            assert wait_for(connection, "wallets", len(stage.rows()), 20)
        assert wallet(connection, "ben")["free"]["paid"] == 927 - 8


@pytest.mark.usefixtures("running")
def test_the_dead_ones_place_is_taken(stage: WritePath) -> None:
    written(stage)
    with stage.fresh.connect_admin(autocommit=True) as admin:
        holders = (
            "SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND a.application_name = 'tokenledger-projections'"
        )
        until(lambda: admin.execute(holders).fetchall(), "a holder of the locks")
        before = admin.execute(holders).fetchall()
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", before[0])
        stage.given(tip(1, "ben", "cora"))  # locks are for books that move
        until(lambda: admin.execute(holders).fetchall(), "another holder")
        assert before[0] not in admin.execute(holders).fetchall()
        stage.given(tip(1, "ben", "cora"))
        with stage.fresh.connect(autocommit=True) as connection:
            assert wait_for(connection, "wallets", len(stage.rows()), 20)


def test_the_database_may_be_killed_and_come_back(tmp_path: Path) -> None:
    stop = threading.Event()
    with embedded.server(tmp_path) as server:
        migrate(server.url())
        database = Database(server.url(user=SERVICE_ROLE), server.url(), server)
        book = create_book(server.url(), "killed", currency="USD", time_zone="UTC")
        fresh = FreshBook(book, database.service_url, database.admin_url)
        following = threading.Thread(target=engine.run, args=(database, stop), daemon=True)
        following.start()
        try:
            _write_and_wait(fresh, busy_day())
            server.kill()
            server.start()
            _write_and_wait(fresh, [tip(1, "ben", "cora")])
        finally:
            stop.set()
            following.join(20)
        assert not following.is_alive()
        with fresh.connect() as connection:
            assert wallet(connection, "ben")["free"]["paid"] == 926


def _write_and_wait(fresh: FreshBook, sent: list[Sent]) -> None:
    stage = WritePath(fresh)
    stage.given(sent)
    stage.close()
    with fresh.connect(autocommit=True) as connection:
        for name in ("wallets", "journal"):
            assert wait_for(connection, name, len(stage.rows()), 20)


def test_many_books_share_few_connections(
    database: Database, fresh_book: FreshBook, stage: WritePath
) -> None:
    """Every book is followed, whatever its turn; and no more connections than were allowed."""
    names = [f"shared-{number}" for number in range(12)]
    for name in names:
        create_book(database.admin_url, name, currency="USD", time_zone="UTC", partition_rows=1_000)
    stop = threading.Event()
    following = threading.Thread(
        target=engine.run,
        args=(database, stop),
        kwargs={"books": [*names, fresh_book.book.name], "connections_max": 2},
        daemon=True,
    )
    following.start()
    written(stage)
    with (
        stage.fresh.connect(autocommit=True) as connection,
        stage.fresh.connect_admin(autocommit=True) as admin,
    ):
        assert wait_for(connection, "wallets", len(stage.rows()), 20)
        installed = "SELECT count(*) FROM pg_tables WHERE tablename = 'wallets'"
        installed += " AND schemaname LIKE 'read_shared-%'"
        until(lambda: admin.execute(installed).fetchone() == (len(names),), "tables of every book")
        sessions = "SELECT count(*) FROM pg_stat_activity"
        sessions += " WHERE application_name = 'tokenledger-projections'"
        assert admin.execute(sessions).fetchone() == (2,)
    stop.set()
    following.join(20)
    assert not following.is_alive()


def _mended(database: Database, book: Book) -> None:
    """Later tests have projectors for every book there is, and read what those log."""
    with connect(database.admin_url, book.schema, read_models=True, autocommit=True) as admin:
        admin.execute("GRANT INSERT ON projections TO tokenledger_app")


def test_a_book_that_cannot_be_followed_stops_no_other(
    database: Database,
    fresh_book: FreshBook,
    stage: WritePath,
    request: pytest.FixtureRequest,
) -> None:
    broken = create_book(
        database.admin_url, "broken", currency="USD", time_zone="UTC", partition_rows=1_000
    )
    with connect(database.admin_url, broken.schema, read_models=True, autocommit=True) as admin:
        admin.execute("REVOKE INSERT ON projections FROM tokenledger_app")
        request.addfinalizer(lambda: _mended(database, broken))
    stop = threading.Event()
    following = threading.Thread(
        target=engine.run,
        args=(database, stop),
        kwargs={"books": ["broken", fresh_book.book.name], "connections_max": 1},
        daemon=True,
    )
    following.start()
    written(stage)
    with stage.fresh.connect(autocommit=True) as connection:
        assert wait_for(connection, "wallets", len(stage.rows()), 20)
    stop.set()
    following.join(20)
    assert not following.is_alive()
