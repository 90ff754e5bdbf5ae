"""One service for all tests of the edge: uvicorn in a thread, projections in another.

Tests speak HTTP to it like any client. Two books with a policy stand ready; a test uses names of
its own, so that tests do not meet.
"""

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import BaseModel

from api.cli.books import profile_document
from api.http import server as http_server
from api.http.app import create_app
from api.provisioning import Provisioning, provision_book
from ledger.api_keys import Role, create_key
from ledger.books import Book
from ledger.postgres.database import Database, connect
from ledger.settings import Settings
from projections import process as engine
from tests.scenarios import steps

_numbers = itertools.count(1)

SETTINGS = Settings(body_bytes_max=100_000, bulk_body_bytes_max=2_000_000, key_cache_s=60)


def fresh(kind: str) -> str:
    """A name that no other test uses."""
    return f"{kind}-{next(_numbers)}"


def shaped(model: type[BaseModel], body: dict[str, Any]) -> dict[str, Any]:
    """Check that an answer has exactly the documented fields."""
    model.model_validate_json(msgspec.json.encode(body), strict=True)
    assert set(body) == {field.alias or name for name, field in model.model_fields.items()}
    return body


@dataclass
class Caller:
    """A client with a key for one book."""

    http: httpx.Client
    book: str
    key: str | None

    def send(
        self, command: str, fields: dict[str, Any] | bytes, *, key: str | None = "", **headers: str
    ) -> httpx.Response:
        """Send a command; `key` None sends no idempotency key, by default a fresh one."""
        more = {} if key is None else {"Idempotency-Key": key or fresh("key")}
        content = {"content": fields} if isinstance(fields, bytes) else {"json": fields}
        return self.http.post(
            f"/v1/books/{self.book}/commands/{command}",
            headers=self._headers() | more | headers,
            **content,
        )

    def bulk(self, body: bytes, **params: str) -> httpx.Response:
        """Send lines."""
        path = f"/v1/books/{self.book}/commands"
        return self.http.post(path, content=body, params=params, headers=self._headers())

    def ask(
        self, path: str, *, body: Any = None, prefer: str = "wait=5", **params: Any
    ) -> httpx.Response:
        """Ask a question about the book, by POST if it has a body."""
        return self.http.request(
            "GET" if body is None else "POST",
            f"/v1/books/{self.book}/{path}".rstrip("/"),
            json=body,
            params=params or None,
            headers=self._headers() | {"Prefer": prefer},
        )

    def _headers(self) -> dict[str, str]:
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}


@dataclass
class Tenant:
    """A book with a policy, and keys for whoever is needed."""

    http: httpx.Client
    where: Database
    book: Book
    _callers: dict[tuple[Role, str], Caller] = field(default_factory=dict)

    def caller(self, role: Role = Role.SERVICE, actor: str = "backend") -> Caller:
        """Somebody with a key of this role."""
        known = self._callers.get((role, actor))
        if known is None:
            with connect(self.where.admin_url) as admin:
                key = create_key(admin, self.book.name, role=role, actor=actor).key
            known = self._callers[role, actor] = Caller(self.http, self.book.name, key)
        return known

    def written(self) -> tuple[int, int]:
        """The head, and how many receipts there are: what must not change."""
        with connect(self.where.service_url, self.book.schema, autocommit=True) as connection:
            row = connection.execute(
                "SELECT (SELECT position FROM head), (SELECT count(*) FROM receipts)"
            ).fetchone()
        assert row is not None
        return row[0], row[1]

    def funded(self, tokens: int = 1_000) -> str:
        """A new user who holds that many tokens."""
        user = fresh("user")
        given = {"user": user, "tokens": tokens, "reason_code": "TEST"}
        assert self.caller().send("grant-promo", given).status_code == 201
        return user


@contextmanager
def serving(where: Database, settings: Settings = SETTINGS) -> Iterator[str]:
    """The HTTP service on a free port; yields its URL."""
    listening = http_server.listen("127.0.0.1", 0)
    server = http_server.make(create_app(settings, where))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield http_server.address(listening)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="package")
def http(database: Database) -> Iterator[httpx.Client]:
    """A client of the running service, which also projects.

    It ends with this package's tests: a projector connects to every book that there is, and the
    other tests make hundreds.
    """
    stop = threading.Event()
    projecting = threading.Thread(target=engine.run, args=(database, stop))
    projecting.start()
    with serving(database) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client
    stop.set()
    projecting.join()


def founded(where: Database, name: str, profile: str = "micro-unlock") -> Book:
    """A book with the profile's policy in force."""
    provisioning = Provisioning(profile_document(profile), "1970-01-01T00:00:00Z", "ann", "bob")
    return provision_book(where, name, provisioning)


@pytest.fixture(scope="package")
def tenant(http: httpx.Client, database: Database) -> Tenant:
    """The book that tests use; another each time that a run comes back to this package."""
    return Tenant(http, database, founded(database, fresh(f"Api-{os.getpid()}")))


@pytest.fixture(scope="package")
def stranger(http: httpx.Client, database: Database) -> Tenant:
    """Another tenant's book."""
    name = fresh(f"Other-{os.getpid()}")
    return Tenant(http, database, founded(database, name, "live-call"))


@pytest.fixture(scope="package")
def service(tenant: Tenant) -> Caller:
    """A backend service of the platform."""
    return tenant.caller()


def tip(user: str, creator: str, amount: int = 10) -> dict[str, Any]:
    """The fields of a tip in tokens."""
    return steps.tip(amount, user, creator).fields


def purchase(user: str, **more: Any) -> dict[str, Any]:
    """The fields of a purchase of the small package, paid by a reference of its own."""
    return steps.purchase("small", 999, user, fresh("payment")).fields | more
