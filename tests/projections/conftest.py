"""Tests of the read side need a book that is written, and its read models."""

from collections.abc import Iterator

import pytest

from ledger.books import create_book
from ledger.postgres.database import Connection, Database
from tests.conftest import FreshBook
from tests.projections import expected as sums
from tests.projections.following import follow
from tests.projections.full_history import live_through
from tests.projections.sound_book import sound
from tests.scenarios.write_path import WritePath, stage

__all__ = ["lived", "reader", "rows", "sound", "stage"]


@pytest.fixture(scope="package")
def lived(database: Database) -> WritePath:
    """A book in which everything happened, its read models at the head."""
    book = create_book(database.admin_url, "Eventful", currency="USD", time_zone="UTC")
    stage = WritePath(FreshBook(book, database.service_url, database.admin_url))
    live_through(stage)
    stage.close()
    assert all(follower.failed_at is None for follower in follow(stage.fresh))
    return stage


@pytest.fixture(scope="package")
def rows(lived: WritePath) -> sums.Rows:
    """Its log."""
    return lived.rows()


@pytest.fixture
def reader(lived: WritePath) -> Iterator[Connection]:
    """A reader's connection."""
    with lived.fresh.connect(autocommit=True) as connection:
        yield connection
