"""Six days of a book, on each of which some facts of the days before are told."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest

from ledger.books import create_book
from ledger.postgres.database import Database
from projections.models.account_classes import AccountClasses
from tests.conftest import FreshBook, new_name
from tests.projections import expected as sums
from tests.projections.following import POLICY, follow
from tests.scenarios.steps import policy, purchase, tip
from tests.scenarios.write_path import WritePath

#: Thirteen hours ahead of UTC in November: most of its days begin on the day before.
ZONE = "Pacific/Auckland"
DAYS = 6


@contextmanager
def told_late(database: Database, name: str) -> Iterator[WritePath]:
    """The book, followed with steps of classes that it passes."""
    book = create_book(database.admin_url, new_name(name), currency="USD", time_zone=ZONE)
    told = WritePath(FreshBook(book, database.service_url, database.admin_url))
    told.clock(datetime(2031, 11, 3, 9, tzinfo=UTC))
    told.given(policy({**POLICY, "time_zone": ZONE}))
    told.given(purchase("small", 999, "ann"), purchase("small", 999, "ben"))
    chance = random.Random(7)
    for day in range(DAYS):
        told.later(hours=chance.randint(18, 30))
        for _ in range(5):
            late = timedelta(hours=chance.choice([0, 0, 0, 30, 60, 24 * day]))
            last = datetime.fromisoformat(sums.entries(told.rows())[-1]["recorded_at"])
            payer, paid = chance.choice(["ann", "ben"]), chance.choice(["cora", "carl"])
            sent = tip(chance.randint(1, 9), payer, paid)
            when = (last - late).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            told.given(sent.but(occurred_at=when) if late else sent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AccountClasses, "step_events", 4)
        follow(told.fresh)
        yield told
    told.close()


def days_of(stage: WritePath) -> list[date]:
    """Every day on which something was effective, and one on either side."""
    days = sorted({date.fromisoformat(e["effective_on"]) for e in sums.entries(stage.rows())})
    return [days[0] - timedelta(days=1), *days, days[-1] + timedelta(days=1)]
