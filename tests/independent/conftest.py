"""The service over HTTP, with books whose read models are at the head."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from ledger.api_keys import Role, create_key
from ledger.books import Book
from ledger.postgres.database import Database, connect
from projections.rebuild import catch_up
from tests.api.conftest import serving


@pytest.fixture(scope="package")
def url(database: Database) -> Iterator[str]:
    """The service's address."""
    with serving(database) as address:
        yield address


@contextmanager
def auditing(database: Database, url: str, book: Book) -> Iterator[httpx.Client]:
    """An auditor's client of a book that is up to date."""
    catch_up(database.service_url, book.schema)
    with connect(database.admin_url) as admin:
        key = create_key(admin, book.name, role=Role.AUDITOR, actor="auditor").key
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{url}/v1/books/{book.name}", headers=headers) as client:
        yield client
