"""Tests of the read side need a book that is written, and its read models."""

from collections.abc import Iterator

import pytest

from domain.accounts import Assets
from ledger.books import create_book
from ledger.postgres.database import Connection, Database
from tests.conftest import FreshBook, new_name
from tests.projections import expected as sums
from tests.projections.following import follow, written
from tests.projections.full_history import live_through
from tests.projections.sound_book import sound
from tests.scenarios.write_path import WritePath, stage

__all__ = ["lived", "reader", "rows", "sound", "stage"]


@pytest.fixture(scope="package")
def lived(database: Database) -> WritePath:
    """A book in which everything happened, its read models at the head."""
    book = create_book(database.admin_url, new_name("Eventful"), currency="USD", time_zone="UTC")
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


@pytest.fixture
def assets(stage: WritePath) -> Assets:
    """What the book of a test counts in."""
    return Assets.of(stage.book.name, stage.book.currency)


@pytest.fixture
def busy(stage: WritePath) -> Iterator[Connection]:
    """A reader of that book after a busy day."""
    written(stage)
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        yield connection
