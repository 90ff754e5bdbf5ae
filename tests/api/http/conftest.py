"""A platform that sells everything, for the tests of registers."""

import os

import httpx
import pytest

from api.provisioning import Provisioning, provision_book
from ledger.postgres.database import Database
from tests.api.conftest import Caller, Tenant
from tests.golden.history import POLICY


@pytest.fixture(scope="package")
def platform(http: httpx.Client, database: Database) -> Tenant:
    """A book whose policy sells everything, with 19 % VAT in Germany."""
    first = Provisioning(POLICY, "1970-01-01T00:00:00Z", "ann", "bob")
    book = provision_book(database, f"Registers-{os.getpid()}", first)
    return Tenant(http, database, book)


@pytest.fixture(scope="package")
def backend(platform: Tenant) -> Caller:
    """The platform's backend."""
    return platform.caller()
