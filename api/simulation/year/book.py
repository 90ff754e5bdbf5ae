"""A book for a simulated year, and the year in it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from api.provisioning import Provisioning, provision_book
from api.simulation.year.office import payout_requested
from api.simulation.year.plan import YearPlan
from api.simulation.year.platform import Extent, Platform
from api.simulation.year.run import Year, YearTallies
from api.simulation.year.tiers import DueTiers
from domain.policy import Policy
from ledger.books import Book
from ledger.postgres.database import Connection, Database, connect
from ledger.simulation import SimulatedWriter


def simulate_year(
    where: Database,
    name: str,
    profile: dict[str, Any],
    extent: Extent,
    *,
    seed: int = 1,
    day_ended: Callable[[YearTallies], None] = lambda _tallies: None,
) -> tuple[Book, YearTallies]:
    """Make the book `name` under the policy `profile`, and let the platform live in it.

    Raises BookRefused, also for a name that does not begin with `sim-`, CannotProvision and
    PlanRefused. The read models are left for whoever follows the log, but for that of tiers.
    """
    names = f"{profile['profile']}-{seed}"
    writers = partial(_writer, where, seed=names, begins=extent.begins)
    first = Provisioning(profile, "1970-01-01T00:00:00Z", "ada", "grace")
    book = provision_book(where, name, first, simulated=writers)
    policy = Policy.model_validate(profile)
    writer = writers(book)
    writer.start()
    try:
        with _connected(where, book) as connection:
            year = Year(writer, connection, seed=names, begins=extent.begins)
            platform = Platform(policy, extent, seed, year.send)
            year.on_scheduled = partial(_see_to, platform)
            if policy.tier_ladder:
                year.foreseen = DueTiers(where, book, connection)
            plan = YearPlan(platform)
            for _ in year.run(plan.days(), plan.begin):
                day_ended(year.tallies)
    finally:
        writer.stop()
    return book, year.tallies


def _writer(where: Database, book: Book, *, seed: str, begins: datetime) -> SimulatedWriter:
    opened = partial(_connected, where, book)
    return SimulatedWriter(book, opened, seed=seed, begins=begins)


def _connected(where: Database, book: Book) -> Connection:
    """A connection that waits for no disk: a year that is broken off is begun anew anyway."""
    connection = connect(where.service_url, book.schema, autocommit=True)
    connection.execute("SET synchronous_commit = off")
    return connection


def _see_to(platform: Platform, command: str, at: datetime, answer: Any) -> None:
    """Payouts that the schedule asks for need people as others do."""
    if command == "request-payout":
        payout_requested(platform, at, answer)
