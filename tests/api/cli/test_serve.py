"""`tokenledger serve` as a process: an order to stop loses nothing that was acknowledged."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import httpx
import psutil
import pytest

from api.cli.projector_process import RESTART_S, SILENT_S
from ledger.api_keys import Role, create_key
from ledger.books import Book
from ledger.postgres.database import Database, connect
from projections.verify import verify
from tests.api.cli.serving import ROOT, served
from tests.api.conftest import Caller, founded, fresh
from tests.support.waiting import until

#: A process of ours starts within this, also on a busy machine.
STARTS_S = 60.0


@pytest.fixture(scope="module")
def book(database: Database) -> Book:
    return founded(database, fresh("Serve"))


@pytest.fixture(scope="module")
def key(database: Database, book: Book) -> str:
    with connect(database.admin_url) as admin:
        return create_key(admin, book.name, role=Role.SERVICE, actor="backend").key


@pytest.mark.slow
@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_an_order_to_stop_loses_nothing(
    database: Database, book: Book, key: str, order: signal.Signals
) -> None:
    acknowledged: list[int] = []
    with served(database) as (process, url):
        children = psutil.Process(process.pid).children()
        senders = [
            threading.Thread(target=_send_until_refused, args=(url, book, key, acknowledged))
            for _ in range(4)
        ]
        for sender in senders:
            sender.start()
        _until(lambda: len(acknowledged) > 200)
        process.send_signal(order)
        assert process.wait(30) == 0
        for sender in senders:
            sender.join()
    assert not [child for child in children if child.is_running()]
    with connect(database.service_url, book.schema, autocommit=True) as connection:
        rows = connection.execute("SELECT position FROM events ORDER BY position").fetchall()
    positions = [position for (position,) in rows]
    assert positions == list(range(1, len(positions) + 1))
    assert set(acknowledged) <= set(positions)
    assert len(set(acknowledged)) == len(acknowledged)


@pytest.mark.slow
def test_two_services_share_a_book_and_a_dead_projector_is_replaced(
    database: Database, book: Book, key: str
) -> None:
    with served(database) as (one, url_one), served(database) as (_, url_two):
        with httpx.Client(base_url=url_one) as http:
            first = Caller(http, book.name, key)
            grant = {"user": "shared", "tokens": 5, "reason_code": "X"}
            assert first.send("grant-promo", grant, key="shared").status_code == 201
            (projector,) = psutil.Process(one.pid).children()
            projector.kill()
            projector.wait()
        with httpx.Client(base_url=url_two, timeout=20) as http:
            second = Caller(http, book.name, key)
            again = second.send("grant-promo", grant, key="shared")
            assert again.headers["idempotent-replayed"] == "true"
            position = second.send("grant-promo", grant).json()["position"]
            wallet = second.ask("wallets/shared", min_position=position, prefer="wait=10").json()
            assert wallet["free"]["promo"] == 10
        _until(lambda: bool(psutil.Process(one.pid).children()))


@pytest.mark.slow
def test_a_projector_that_hangs_is_replaced_and_doubles_nothing(
    database: Database, book: Book, key: str
) -> None:
    with served(database) as (one, url), httpx.Client(base_url=url, timeout=60) as http:
        caller = Caller(http, book.name, key)
        grant = {"user": "patient", "tokens": 5, "reason_code": "X"}
        position = caller.send("grant-promo", grant).json()["position"]
        assert caller.ask("wallets/patient", min_position=position).status_code == 200
        (hung,) = psutil.Process(one.pid).children()
        hung.suspend()
        try:
            position = caller.send("grant-promo", grant).json()["position"]
            until(
                lambda: _free(caller, "patient", position) == 10,
                "the read model after the projector was stopped",
                timeout_s=SILENT_S + RESTART_S + STARTS_S,
            )
            until(
                lambda: psutil.Process(one.pid).children() not in ([], [hung]),
                "another projector",
                timeout_s=SILENT_S + RESTART_S + STARTS_S,
            )
            assert not hung.is_running()
        finally:
            with suppress(psutil.NoSuchProcess):
                hung.kill()  # a stopped one would keep the pipe open that we read to its end
        assert len(psutil.Process(one.pid).children()) == 1
    assert verify(database.service_url, book).sound


def _free(caller: Caller, user: str, position: int) -> int | None:
    """The user's promotional tokens, once the read model has reached a position."""
    answer = caller.ask(f"wallets/{user}", min_position=position, prefer="wait=1")
    return answer.json()["free"]["promo"] if answer.status_code == 200 else None


def test_a_port_that_is_taken(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(database) as (_, url):
        port = url.rsplit(":", 1)[1]
        environment = os.environ | {"TOKENLEDGER_DATABASE_URL": database.admin_url}
        command = [sys.executable, "-m", "api", "serve", "--port", port]
        second = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    assert second.returncode == 2
    assert "cannot listen" in second.stderr and "--port" in second.stderr


def _send_until_refused(url: str, book: Book, key: str, acknowledged: list[int]) -> None:
    with httpx.Client(base_url=url, timeout=20) as http:
        caller = Caller(http, book.name, key)
        while True:
            try:
                grant = {"user": "u1", "tokens": 1, "reason_code": "X"}
                answer = caller.send("grant-promo", grant)
            except httpx.TransportError:
                return
            if answer.status_code != 201:
                assert answer.status_code == 503
                return
            acknowledged.append(answer.json()["position"])


def _until(reached: object, timeout_s: float = 20.0) -> None:
    assert callable(reached)
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)
