"""A year of each platform, computed twice: by the service, and by DuckDB from the exported log."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.cli.books import profile_document
from api.simulation.year.book import simulate_year
from api.simulation.year.plan import SCENES
from api.simulation.year.platform import Extent
from api.simulation.year.run import YearTallies
from ledger.books import Book
from ledger.postgres.database import Database
from tests.independent.agreement import Agreement
from tests.independent.conftest import auditing
from tests.independent.exported import ExportedLog

BEGINS = datetime(2025, 2, 1, tzinfo=UTC)
FANS = {"session-booking": 8, "subscription": 12, "live-call": 16}


def lived(database: Database, profile: str, fans: int, days: int) -> tuple[Book, YearTallies]:
    extent = Extent(fans, BEGINS, BEGINS + timedelta(days=days))
    name = f"sim-{os.getpid()}-{days}-{profile}"
    return simulate_year(database, name, profile_document(profile), extent, seed=3)


@pytest.mark.parametrize("profile", sorted(SCENES))
def test_a_year_is_what_its_log_says(
    database: Database, url: str, profile: str, tmp_path: Path
) -> None:
    book, tallies = lived(database, profile, FANS.get(profile, 24), 365)
    with auditing(database, url, book) as client:
        log = ExportedLog(client, tmp_path / "log.ndjson")
        assert log.entries == tallies.position > 1_000
        both = Agreement(client, log)
        both.check_all()
        both.check_tiers()


def test_a_log_that_lacks_an_event_agrees_with_nothing(
    database: Database, url: str, tmp_path: Path
) -> None:
    """Every check notices an event that is its business."""
    book, _ = lived(database, "micro-unlock", 60, 90)
    lacking = {
        "tip.sent.v1": (
            "log",
            "balances",
            "journal",
            "wallets",
            "creators",
            "days",
            "periods",
            "revenue",
        ),
        "payout.paid.v1": ("registers",),
        "dispute.opened.v1": ("registers",),
        "offer.published.v1": ("registers",),
        "payment.released.v1": ("registers",),
        "tier.changed.v1": ("tiers",),
        "tokens.purchased.v1": ("wallets", "liability", "days"),
    }
    with auditing(database, url, book) as client:
        for number, (type_name, checks) in enumerate(lacking.items()):
            log = ExportedLog(client, tmp_path / f"{number}.ndjson")
            log.forget(type_name)
            both = Agreement(client, log)
            for check in checks:
                with pytest.raises(AssertionError):
                    getattr(both, f"check_{check}")()
