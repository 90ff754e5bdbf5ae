"""Questions about tiers, and what is due, walk along indexes: nobody reads all users or sales."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.books import create_book
from ledger.postgres.database import Connection, Database
from projections import queries, tier_changes
from projections.models.tiers import Tiers
from projections.queries import TierFilter
from tests.conftest import FreshBook, new_name
from tests.projections.explaining import Explaining
from tests.projections.following import follow

GROWING = {"tiers", "tier_sales", "events"}
USERS, SALES = 60_000, 20
FILLED = f"""
INSERT INTO tier_ladders VALUES
  (1, '1970-01-01', '{{"window_days": 30, "steps": [["VIP", 1000], ["HIGH", 100]]}}');
INSERT INTO tiers
SELECT 'u' || n, (ARRAY['VIP', 'HIGH', 'NEW'])[1 + least(n % 1000, 2)], NULL, 2000, now(), now(),
       false, now() + (n - 50) * interval '1 minute', 'HIGH', 900, 30, now(), now(), n, n
FROM generate_series(1, {USERS}) n;
INSERT INTO tier_sales
SELECT 'u' || n, now() - k * interval '1 day', k * {USERS} + n, 100, (20 - k) * 100
FROM generate_series(1, {USERS}) n, generate_series(1, {SALES}) k WHERE n % 10 = 0 OR n <= 100;
ANALYZE tier_ladders, tiers, tier_sales
"""


@pytest.fixture(scope="module")
def reader(database: Database) -> Iterator[Connection]:
    """A reader of a book with many users."""
    book = create_book(database.admin_url, new_name("Tiered"), currency="USD", time_zone="UTC")
    fresh = FreshBook(book, database.service_url, database.admin_url)
    follow(fresh)
    with fresh.connect_admin(autocommit=True) as admin:
        admin.execute(FILLED.encode())
    with fresh.connect(autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(
    "wanted", [{}, {"statuses": ("VIP",)}, {"statuses": ("HIGH", "VIP")}, {"user": "u10"}]
)
def test_a_page_of_users(reader: Connection, wanted: dict[str, Any], *, newest_first: bool) -> None:
    explaining = Explaining(reader)
    found, _ = queries.tiers(
        explaining,  # type: ignore[arg-type]
        TierFilter(**wanted),
        "USD",
        newest_first=newest_first,
        limit=20,
    )
    assert len(found) == (1 if "user" in wanted else 20)
    assert not explaining.scanned & GROWING
    assert explaining.rows < 2_000


def test_one_user(reader: Connection) -> None:
    explaining = Explaining(reader)
    found = queries.tier(explaining, "u10", "USD")  # type: ignore[arg-type]
    assert (found["status"], found["spend"]) == ("NEW", 2_000)
    assert not explaining.scanned & GROWING


def test_what_is_due(reader: Connection) -> None:
    explaining = Explaining(reader)
    values = {"limit": 20, "settled": timedelta(seconds=1), "until": datetime.now(UTC)}
    rows = explaining.execute(tier_changes.SQL["due"], values).fetchall()
    assert len(rows) == 20
    assert not explaining.scanned & GROWING
    assert explaining.rows < 500


def test_the_next_change_of_some_users(reader: Connection) -> None:
    explaining = Explaining(reader)
    users = [f"u{n}" for n in range(1, 101)]
    edges = [datetime.now(UTC) - timedelta(days=10.5)] * 100
    gone = explaining.execute(Tiers().sql["gone"], (users, edges)).fetchall()
    assert {total for _, total in gone} == {1_000}
    buts = [2_000 - 1_000] * 100
    falls = explaining.execute(Tiers().sql["reaching"], (users, buts)).fetchall()
    assert {total for _, _, total in falls} == {1_100}
    assert not explaining.scanned & GROWING
    assert explaining.rows < 2_000
