"""What strangers cost: no memory, no thread, no line of a log, and they learn nothing."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from ledger.api_keys import Role
from ledger.postgres.database import Database
from ledger.settings import Settings
from tests.api.conftest import Caller, Tenant, serving, tip

#: How long a test waits for what must happen within half a second on a quiet machine.
PATIENCE_S = 10
LIMITS = Settings(
    connections_max=6,
    headers_within_s=0.5,
    body_within_s=0.5,
    bodies_bytes_max=1_000_000,
    waiting_reads_max=2,
    http_host="0.0.0.0",
)


@pytest.fixture(scope="module")
def limited(database: Database) -> Iterator[str]:
    """A service with small limits, and its address."""
    with serving(database, LIMITS) as url:
        yield url


@pytest.fixture
def sockets(limited: str) -> Iterator[Any]:
    """Opens plain connections to it."""
    place = urlsplit(limited)
    with ExitStack() as stack:

        def opened(sent: bytes = b"") -> socket.socket:
            made = stack.enter_context(
                closing(socket.create_connection((place.hostname, place.port), PATIENCE_S))
            )
            made.sendall(sent)
            return made

        yield opened


def heard(connection: socket.socket) -> bytes:
    """Everything until the service hangs up."""
    found = b""
    try:
        while more := connection.recv(65_536):
            found += more
    except ConnectionResetError:
        pass
    return found


def _post(tenant: Tenant, size: int, key: str | None = None) -> bytes:
    authorization = f"authorization: Bearer {key}\r\n" if key else ""
    return (
        f"POST /v1/books/{tenant.book.name}/commands HTTP/1.1\r\nhost: x\r\n{authorization}"
        f"content-length: {size}\r\n\r\n"
    ).encode()


def test_a_key_is_asked_for_before_a_body_is_read(tenant: Tenant, sockets: Any) -> None:
    stranger = sockets(_post(tenant, 30_000_000))
    assert stranger.recv(1_000).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nhost: x\r\nx-y", b"\r\n"])
def test_half_of_the_headers_do_not_stay(sockets: Any, sent: bytes) -> None:
    assert heard(sockets(sent)).startswith(b"HTTP/1.1 408")


def test_half_a_body_does_not_stay(tenant: Tenant, sockets: Any) -> None:
    key = tenant.caller().key
    assert heard(sockets(_post(tenant, 100, key) + b"{")).startswith(b"HTTP/1.1 408")
    refused = sockets(_post(tenant, 100))
    assert refused.recv(1_000).startswith(b"HTTP/1.1 401")
    refused.sendall(b"{")  # and then nothing more
    heard(refused)


def test_one_connection_too_many_is_told_so(sockets: Any) -> None:
    answers = [b""]
    for _ in range(LIMITS.connections_max + 1):
        last = sockets()
    answers = heard(last)
    assert answers.startswith(b"HTTP/1.1 503") and b"retry-after: 1" in answers


def test_bodies_have_a_budget(tenant: Tenant, sockets: Any, limited: str) -> None:
    key = tenant.caller().key
    waits = sockets(_post(tenant, 900_001, key) + b" " * 900_000)
    second = httpx.Client(base_url=limited, timeout=PATIENCE_S)
    with second:
        caller = Caller(second, tenant.book.name, key)
        for _ in range(100):
            answer = caller.bulk(b" " * 400_000)
            if answer.status_code == 503:
                break
        assert answer.json()["code"] == "UNAVAILABLE" and "large" in answer.json()["detail"]
        heard(waits)
        assert caller.bulk(b" " * 900_000).status_code == 200


def test_ready_names_no_books_to_strangers(tenant: Tenant, stranger: Tenant, limited: str) -> None:
    asked = httpx.get(f"{limited}/health/ready", timeout=PATIENCE_S)
    assert asked.json() == {"status": "ready", "database": {"status": "ok"}}
    key = {"Authorization": f"Bearer {stranger.caller().key}"}
    asked = httpx.get(f"{limited}/health/ready", headers=key, timeout=PATIENCE_S)
    assert list(asked.json()["books"]) == [stranger.book.name]


def test_metrics_need_a_key_where_strangers_may_come(database: Database, limited: str) -> None:
    assert httpx.get(f"{limited}/metrics", timeout=PATIENCE_S).status_code == 401
    settings = LIMITS.model_copy(update={"metrics_key": SecretStr("scraper")})
    with serving(database, settings) as url:
        for key, status in (("scraper", 200), ("scrape", 401), ("Schlüssel", 401)):
            headers = {"Authorization": f"Bearer {key}".encode()}
            answer = httpx.get(f"{url}/metrics", headers=headers, timeout=PATIENCE_S)
            assert answer.status_code == status


def test_strangers_learn_nothing_and_are_counted(tenant: Tenant, stranger: Tenant) -> None:
    def strangers() -> float:
        (line,) = [
            line
            for line in tenant.http.get("/metrics").text.splitlines()
            if line.startswith("tokenledger_strangers_total ")
        ]
        return float(line.split()[1])

    before, answers = strangers(), []
    with capture_logs() as logged:
        for key in (None, "nonsense", "tlk_abcdefghjkmn_" + "A" * 43, stranger.caller().key):
            for book in (tenant.book.name, "no-such-book", "%00"):
                caller = Caller(tenant.http, book, key)
                asked = [caller.send("send-tip", tip("u", "c")), caller.send("send-tip", b"{")]
                asked += [caller.bulk(b"{"), caller.ask("wallets/u1"), caller.ask("events?limit=x")]
                answers += asked[:4]
    assert logged == []
    documents = [answer.json() for answer in answers]
    for document in documents:
        del document["correlation_id"]
    assert {json.dumps(document) for document in documents} == {json.dumps(documents[0])}
    assert documents[0]["code"] == "UNAUTHENTICATED"
    assert strangers() - before == len(answers)


def test_few_questions_of_one_key_wait(tenant: Tenant, limited: str) -> None:
    key = tenant.caller(Role.AUDITOR, "eve").key
    answers = []

    def ask() -> None:
        with httpx.Client(base_url=limited, timeout=PATIENCE_S) as client:
            caller = Caller(client, tenant.book.name, key)
            answers.append(caller.ask("wallets/u1", min_position=10**12, prefer="wait=2"))

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [429, 429, 503, 503]
    told = next(answer for answer in answers if answer.status_code == 429)
    assert told.json()["code"] == "RATE_LIMITED" and told.headers["retry-after"] == "1"
