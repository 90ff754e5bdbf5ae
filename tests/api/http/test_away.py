"""The database goes away under a running service: everybody is told within a second, and it
comes back by itself."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from api.cli.books import profile_document
from api.provisioning import Provisioning, provision_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, Database
from ledger.postgres.migrations import migrate
from ledger.settings import Settings
from tests.api.conftest import Tenant, serving, tip
from tests.support.stopped import stopped

TOLD_WITHIN_S = 1.2


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[embedded.Server]:
    with embedded.server(tmp_path) as server:
        migrate(server.url())
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("key_cache_s", [0.0, 60.0], ids=["keys forgotten", "keys remembered"])
def test_away_and_back(doomed: embedded.Server, key_cache_s: float) -> None:
    where = Database(doomed.url(user=SERVICE_ROLE), doomed.url(), doomed)
    provisioning = Provisioning(
        profile_document("micro-unlock"), "1970-01-01T00:00:00Z", "ann", "bob"
    )
    book = provision_book(where, "Doomed", provisioning)
    settings = Settings(key_cache_s=key_cache_s)
    with serving(where, settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        tenant = Tenant(client, where, book)
        service, user = tenant.caller(), tenant.funded()
        assert service.send("send-tip", tip(user, "c1")).status_code == 201
        before = tenant.written()
        doomed.kill()
        key = "sent-while-away"
        for _ in range(3):
            _told(lambda: service.send("send-tip", tip(user, "c1"), key=key))
            _told(lambda: service.ask("trial-balance"))
            _told(lambda: service.bulk(b'{"command": "send-tip"}\n' + _line(user)))
            _told(lambda: client.get("/health/ready"))
        assert client.get("/health/live").status_code == 200
        assert "tokenledger_database_up 0.0" in client.get("/metrics").text
        assert service.send("send-tip", b"{", key=key).status_code in {400, 503}
        doomed.start()
        assert tenant.written() == before
        again = _back(lambda: service.send("send-tip", tip(user, "c1"), key=key))
        assert again.status_code == 201
        assert _back(lambda: service.ask("events")).status_code == 200
        assert _back(lambda: client.get("/health/ready")).status_code == 200


def test_stopped_and_back(doomed: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL does not answer and does not hang up: nobody waits for it for ever."""
    monkeypatch.setattr("ledger.write.writer.BATCH_S", 1.0)
    where = Database(doomed.url(user=SERVICE_ROLE), doomed.url(), doomed)
    provisioning = Provisioning(
        profile_document("micro-unlock"), "1970-01-01T00:00:00Z", "ann", "bob"
    )
    book = provision_book(where, "Doomed", provisioning)
    with serving(where, Settings()) as url, httpx.Client(base_url=url, timeout=20) as client:
        tenant = Tenant(client, where, book)
        service, user = tenant.caller(), tenant.funded()
        assert service.send("send-tip", tip(user, "c1")).status_code == 201
        assert client.get("/health/ready").status_code == 200
        with stopped(doomed):
            _told(lambda: service.send("send-tip", tip(user, "c1"), key="late"), within_s=10)
            _told(lambda: client.get("/health/ready"), within_s=10)
            _told(lambda: service.ask("trial-balance"), within_s=10)
        again = _back(lambda: service.send("send-tip", tip(user, "c1"), key="late"))
        assert again.status_code == 201
        assert _back(lambda: client.get("/health/ready")).status_code == 200


def test_a_command_is_answered_soon_whatever_its_commit_takes(doomed: embedded.Server) -> None:
    """PostgreSQL stands still for less than a batch may take: a retry learns what became of it."""
    where = Database(doomed.url(user=SERVICE_ROLE), doomed.url(), doomed)
    provisioning = Provisioning(
        profile_document("micro-unlock"), "1970-01-01T00:00:00Z", "ann", "bob"
    )
    book = provision_book(where, "Doomed", provisioning)
    settings = Settings(answer_within_s=0.5, key_cache_s=60)
    with serving(where, settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        tenant = Tenant(client, where, book)
        service, user = tenant.caller(), tenant.funded()
        assert service.send("send-tip", tip(user, "c1")).status_code == 201
        head, _ = tenant.written()
        with stopped(doomed):
            _told(lambda: service.send("send-tip", tip(user, "c1"), key="slow"))
            _told(lambda: service.send("send-tip", tip(user, "c1"), key="slow"))
        again = _back(lambda: service.send("send-tip", tip(user, "c1"), key="slow"))
        assert again.status_code == 201
        assert tenant.written()[0] == head + 1


def _told(ask: Callable[[], httpx.Response], within_s: float = TOLD_WITHIN_S) -> None:
    begun = time.monotonic()
    answer = ask()
    elapsed_s = time.monotonic() - begun
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert elapsed_s < within_s
    if answer.headers["content-type"] == "application/problem+json":
        assert answer.json()["code"] == "UNAVAILABLE" and answer.json()["retryable"] is True


def _back(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The first answer that is not 503, from a client less patient than Retry-After asks for."""
    deadline = time.monotonic() + 10
    while (answer := ask()).status_code == 503:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    return answer


def _line(user: str) -> bytes:
    return (
        b'{"command":"send-tip","idempotency_key":"b","user":"%b","creator":"c1",' % (user.encode())
        + b'"funding":"TOKEN","amount":1}'
    )
