"""`tokenledger meter` and `serve` as processes: calls are metered and nobody has to ask."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.cli.books import profile_document
from api.cli.main import app
from api.provisioning import Provisioning, provision_book
from ledger.api_keys import Role, create_key
from ledger.books import Book
from ledger.postgres.database import Database, connect
from tests.api.cli.serving import served
from tests.api.conftest import Caller, fresh
from tests.support.waiting import until

BLOCK = "call_block.charged.v1"


@pytest.fixture
def book(database: Database) -> Book:
    """Calls with blocks of one second."""
    document = {**profile_document("live-call"), "block_seconds": 1}
    provisioning = Provisioning(document, "1970-01-01T00:00:00Z", "ann", "bob")
    return provision_book(database, fresh("Meter"), provisioning)


def started(database: Database, book: Book, send: Callable[..., Any]) -> str:
    """A call of a fan who can pay three blocks."""
    with connect(database.admin_url) as admin:
        create_key(admin, book.name, role=Role.SERVICE, actor="backend")
    send("verify-creator", {"creator": "carl", "verified": True})
    send("grant-promo", {"user": "ann", "tokens": 3, "reason_code": "X"})
    send("start-call", {"call": "c1", "user": "ann", "creator": "carl", "rate": 60})
    return "c1"


def count(database: Database, book: Book, kind: str) -> int:
    with connect(database.service_url, book.schema) as connection:
        query = "SELECT count(*) FROM events WHERE type = %s"
        row = connection.execute(query, [kind]).fetchone()
    assert row is not None
    found: int = row[0]
    return found


@pytest.mark.slow
def test_a_service_meters_calls_until_the_wallet_is_empty(database: Database, book: Book) -> None:
    with connect(database.admin_url) as admin:
        key = create_key(admin, book.name, role=Role.SERVICE, actor="backend").key
    with served(database) as (_, url), httpx.Client(base_url=url, timeout=20) as http:
        caller = Caller(http, book.name, key)

        def send(command: str, fields: dict[str, Any]) -> None:
            assert caller.send(command, fields).status_code == 201

        started(database, book, send)
        until(lambda: count(database, book, "call.ended.v1") == 1, "the end of the call")
        assert count(database, book, BLOCK) == 3
        charged = f'scheduled_events_total{{book="{book.name}",type="{BLOCK}"}} 3.0'
        until(lambda: charged in http.get("/metrics").text, "the blocks among the figures")
        assert f'scheduled_late_seconds_count{{book="{book.name}"}}' in http.get("/metrics").text


def test_one_turn_by_hand(
    database: Database, book: Book, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(database.admin_url) as admin:
        key = create_key(admin, book.name, role=Role.SERVICE, actor="backend").key
    caller = Caller(http, book.name, key)

    def send(command: str, fields: dict[str, Any]) -> None:
        assert caller.send(command, fields).status_code == 201

    started(database, book, send)
    time.sleep(1.1)  # the first block takes its time
    monkeypatch.setenv("TOKENLEDGER_DATABASE_URL", database.service_url)
    monkeypatch.setenv("TOKENLEDGER_ADMIN_DATABASE_URL", database.admin_url)
    monkeypatch.setenv("TOKENLEDGER_LOG_LEVEL", "error")
    result = CliRunner().invoke(app, ["meter", "--once", "--book", book.name])
    assert (result.exit_code, result.stdout) == (0, "1 commands sent\n"), result.output
    assert count(database, book, BLOCK) >= 1
