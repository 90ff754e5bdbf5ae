"""Settings become two doors, and each connection stands in its book."""

import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from ledger import settings
from ledger.postgres import embedded
from ledger.postgres.database import connect, conninfo, database, external, pool
from ledger.settings import Settings
from tests.conftest import FreshBook


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENLEDGER_HTTP_PORT", "9000")
    monkeypatch.setenv("TOKENLEDGER_DATABASE_URL", "")
    assert settings.load().http_port == 9_000
    assert settings.load().database_url is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTP_PORT", "70000"), ("DATABASE_URL", "mysql://x/y"), ("LOG_LEVEL", "loud")],
)
def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TOKENLEDGER_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        settings.load()


def test_without_a_url_the_embedded_server_serves(tmp_path: Path) -> None:
    with database(Settings(data_dir=tmp_path)) as doors:
        assert doors.server is not None
        assert "tokenledger_app@" in doors.service_url
        with connect(doors.admin_url) as admin:
            assert admin.execute("SELECT current_user").fetchone() == ("postgres",)
    assert doors.server.postmaster_pid() is None


def test_two_urls_are_taken_as_they_are() -> None:
    doors = external("postgresql://app@h/d", "postgresql://root@h/d")
    assert (doors.service_url, doors.admin_url) == ("postgresql://app@h/d", "postgresql://root@h/d")


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgresql://app@h/d", None),
        ("postgresql://app@a,b/d", "read-write"),
        ("postgresql://app@/d?host=/a,/b", "read-write"),
        ("host=a,b dbname=d", "read-write"),
        ("postgresql://app@a,b/d?target_session_attrs=primary", "primary"),
    ],
)
def test_of_several_servers_the_primary_is_looked_for(url: str, wanted: str | None) -> None:
    for text in (conninfo(url), conninfo(external(url, None).service_url, "book_x")):
        assert conninfo_to_dict(text).get("target_session_attrs") == wanted


def test_a_connection_is_cut_when_an_answer_takes_too_long(fresh_book: FreshBook) -> None:
    began = time.monotonic()
    connection = connect(fresh_book.service_url, autocommit=True, answer_s=0.2)
    assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT pg_sleep(30)")
    connection.close()
    assert time.monotonic() - began < 20


def test_one_url_serves_for_both(fresh_book: FreshBook) -> None:
    with database(Settings(database_url=f"{fresh_book.admin_url}&options=-cjit%3Doff")) as doors:
        assert doors.server is None
        with connect(doors.service_url, fresh_book.book.schema) as service:
            assert service.execute("SELECT current_user").fetchone() == ("tokenledger_app",)
            assert service.execute("SHOW jit").fetchone() == ("off",)
            assert service.execute("SELECT position FROM head").fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute("DELETE FROM events")


def test_a_connection_stands_in_its_book(fresh_book: FreshBook) -> None:
    with fresh_book.connect(autocommit=True) as service:
        assert service.execute("SELECT current_schema()").fetchone() == (fresh_book.book.schema,)
        service.execute("SELECT name FROM books")
        told = conninfo_to_dict(service.info.dsn)
        assert (told["connect_timeout"], told["keepalives"]) == ("2", "1")


def test_a_pool_of_readers_outlives_its_server(tmp_path: Path) -> None:
    with embedded.server(tmp_path) as server, pool(server.url(), connections_max=2) as readers:
        with readers.connection() as reader:
            assert reader.execute("SELECT 1").fetchone() == (1,)
        server.kill()
        server.start()
        with readers.connection() as reader:
            assert reader.execute("SELECT 2").fetchone() == (2,)
