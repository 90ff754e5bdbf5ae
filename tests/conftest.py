"""What tests share: one embedded PostgreSQL per test process, and a new book for each test.

The server is the product's own, durable settings included; nothing here is faked.
"""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import settings

from ledger.books import Book, create_book
from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE, Connection, Database, connect
from ledger.postgres.migrations import migrate
from tests.support.examples import EXPLORE, FAST

_numbers = itertools.count(1)


TEMPORARY = "PYTEST_DEBUG_TEMPROOT"
settings.register_profile(FAST, max_examples=10, deadline=None, derandomize=True)
#: How long an example takes is the machine's business, never a test's.
settings.register_profile(EXPLORE, deadline=None)
#: The same examples in every run: whether a change may land is not a matter of luck.
settings.register_profile("full", deadline=None, derandomize=True)
settings.load_profile("full")


def pytest_configure(config: pytest.Config) -> None:
    """Temporary directories under a root of this run's own.

    Whenever a run begins, pytest closes the root that all runs share to other users; PostgreSQL,
    which runs as one where we are root, would lose its files in the middle of another run.
    """
    if TEMPORARY not in os.environ:
        root = os.environ[TEMPORARY] = tempfile.mkdtemp(prefix="tl-")
        config.add_cleanup(lambda: shutil.rmtree(root, ignore_errors=True))


@dataclass(frozen=True, slots=True)
class FreshBook:
    """A new, empty book without a policy, and the doors to it."""

    book: Book
    service_url: str
    admin_url: str

    def connect(self, *, autocommit: bool = False) -> Connection:
        """Connect as the service does, in the book's schemas."""
        return connect(self.service_url, self.book.schema, read_models=True, autocommit=autocommit)

    def connect_admin(self, *, autocommit: bool = False) -> Connection:
        """Connect as the superuser, in the book's schemas."""
        return connect(self.admin_url, self.book.schema, read_models=True, autocommit=autocommit)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """One embedded PostgreSQL for this test process."""
    with embedded.server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session")
def database(server: embedded.Server) -> Database:
    """The migrated database of the test run."""
    migrate(server.url())
    return Database(server.url(user=SERVICE_ROLE), server.url(), server)


def new_name(kind: str) -> str:
    """The name of one more book of this test process: tests that leave a module and come back to it
    make what its fixtures made once more."""
    return f"{kind}-{next(_numbers)}"


@pytest.fixture
def fresh_book(database: Database) -> FreshBook:
    """A new book in US dollars, with small partitions of 1,000 events."""
    name = f"Book-{os.getpid()}-{next(_numbers)}"
    book = create_book(
        database.admin_url, name, currency="USD", time_zone="UTC", partition_rows=1_000
    )
    return FreshBook(book, database.service_url, database.admin_url)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line that there was no broker, and what is missing for one."""
    reasons = {
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple) and "no Kafka broker" in report.longrepr[2]
    }
    for reason in sorted(reasons):
        terminalreporter.write_line(f"The tests with Kafka were skipped: {reason}")
