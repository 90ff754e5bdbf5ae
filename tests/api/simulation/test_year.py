"""A simulated year: through the real write path at told times, in a book that says so."""

import os
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from api.cli.books import profile_document
from api.simulation.year.book import simulate_year
from api.simulation.year.plan import SCENES
from api.simulation.year.platform import Extent
from api.simulation.year.run import YearTallies
from ledger.books import Book, InvalidBook, create_book
from ledger.log.reading import page
from ledger.postgres.database import Database, connect
from ledger.simulation import NotSimulated, SimulatedAgenda, SimulatedWriter
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer
from projections import process
from projections.rebuild import catch_up
from projections.verify import verify
from tests.conftest import FreshBook
from tests.scenarios.stage import admitted
from tests.scenarios.steps import tip

BEGINS = datetime(2025, 3, 1, tzinfo=UTC)
EVERYWHERE = {
    "policy.published.v1": 2,
    "period.closed.v1": 5,
    "account.frozen.v1": 1,
    "account.unfrozen.v1": 1,
    "adjustment.proposed.v1": 4,
    "settlement.matched.v1": 20,
    "break.opened.v1": 2,
    "break.resolved.v1": 1,
    "payment.suspended.v1": 1,
    "command.proposed.v1": 1,
    "dispute.opened.v1": 1,
}
WENT_BACK = {"refund.recorded.v1", "purchase.taken_back.v1", "token_purchase.refunded.v1"}
OF_PROFILE = {
    "micro-unlock": ("content.unlocked.v1", "tip.sent.v1", "payout.paid.v1", "tokens.lapsed.v1"),
    "live-call": ("call.ended.v1", "call.paused.v1", "call_block.charged.v1", "payout.paid.v1"),
    "prepaid-credits": ("credits.held.v1", "hold.settled.v1", "subscription_period.charged.v1"),
    "subscription": ("subscription.lapsed.v1", "earnings.matured.v1", "payout.paid.v1"),
    "session-booking": ("payment.captured.v1", "payment.voided.v1", "invoice.issued.v1"),
}


def lived(
    database: Database, profile: str, *, name: str = "a", months: int = 7, fans: int = 30
) -> tuple[Book, YearTallies, list[dict[str, Any]]]:
    """A new simulated book, what was sent, and its log."""
    extent = Extent(fans, BEGINS, BEGINS + timedelta(days=30 * months))
    name = f"sim-{name}-{os.getpid()}-{profile}"
    book, tallies = simulate_year(database, name, profile_document(profile), extent, seed=7)
    return book, tallies, [msgspec.json.decode(data) for _, data in log(database, book)]


def log(database: Database, book: Book) -> list[tuple[int, bytes]]:
    with connect(database.service_url, book.schema, autocommit=True) as connection:
        return page(connection, 0, 10**9)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("profile", sorted(SCENES))
def test_a_year_of_each_profile_is_true_and_has_everything(
    database: Database, profile: str
) -> None:
    book, tallies, entries = lived(database, profile)
    catch_up(database.service_url, book.schema)
    assert verify(database.service_url, book, admin_url=database.admin_url).first is None
    times: dict[str, int] = {}
    for entry in entries:
        times[entry["type"]] = times.get(entry["type"], 0) + 1
        assert entry["book"] == book.name
    ends = BEGINS + timedelta(days=210)
    recorded = [instant(entry["recorded_at"]) for entry in entries]
    assert BEGINS <= recorded[0] < recorded[-1] <= ends
    assert recorded == sorted(recorded)
    lacking = {name for name, least in EVERYWHERE.items() if times.get(name, 0) < least}
    assert lacking | {name for name in OF_PROFILE[profile] if name not in times} == set()
    assert WENT_BACK & set(times)
    late = [e for e in entries if e["effective_on"] > instant(e["occurred_at"]).date().isoformat()]
    assert late
    assert tallies.position == len(entries)
    assert not [one for one in tallies.outcomes if one[2] in ("INTERNAL", "UNAVAILABLE")]


def test_what_time_makes_due_happens_at_its_time(database: Database) -> None:
    _, _, entries = lived(database, "session-booking", name="b", months=2, fans=60)
    ends = {
        entry["body"]["payment_id"]: instant(entry["body"]["expires_at"])
        for entry in entries
        if entry["type"] in ("session.started.v1", "payment.authorized.v1")
    }
    voided = {
        entry["body"]["payment_id"]: instant(entry["recorded_at"])
        for entry in entries
        if entry["type"] == "payment.voided.v1" and entry["principal"] == "scheduler"
    }
    assert len(voided) > 3
    for payment, at in voided.items():
        assert timedelta(0) < at - ends[payment] < timedelta(seconds=1)
    matured = [e for e in entries if e["type"] == "earnings.matured.v1"]
    assert any(instant(e["recorded_at"]) - instant(e["body"]["through"]) == timedelta(0)
               for e in matured)  # fmt: skip


def test_the_same_seed_makes_the_same_log(database: Database) -> None:
    """But for the book's name, and the salted hashes of texts."""
    first, _, _ = lived(database, "live-call", name="c", months=2, fans=10)
    second, _, _ = lived(database, "live-call", name="d", months=2, fans=10)
    one, other = log(database, first), log(database, second)
    assert len(one) == len(other) > 100
    texts = 0
    for (_, ours), (_, theirs) in zip(one, other, strict=True):
        entry = msgspec.json.decode(ours)
        if entry["type"] == "adjustment.proposed.v1":
            texts += 1
            assert entry["body"]["evidence"] != msgspec.json.decode(theirs)["body"]["evidence"]
        else:
            assert ours.replace(first.name.encode(), second.name.encode()) == theirs
    assert texts


def test_no_real_book_is_told_the_time(fresh_book: FreshBook, database: Database) -> None:
    connect_book = partial(fresh_book.connect, autocommit=True)
    with pytest.raises(NotSimulated):
        SimulatedWriter(fresh_book.book, connect_book, seed="x", begins=BEGINS)
    with connect_book() as connection, pytest.raises(NotSimulated):
        SimulatedAgenda(fresh_book.book, connection)
    make = partial(create_book, database.admin_url, currency="USD", time_zone="UTC")
    with pytest.raises(InvalidBook):
        make("sim-of-a-customer")
    with pytest.raises(InvalidBook):
        make("customer", simulated=True)


def test_the_real_clock_is_checked_in_a_simulated_book_too(database: Database) -> None:
    book, _, _ = lived(database, "live-call", name="e", months=1, fans=3)
    opened = partial(connect, database.service_url, book.schema, autocommit=True)
    writer = Writer(book, opened).start()
    try:
        with pytest.raises(Unavailable, match="tokenledger clock --accept"):
            writer.write([admitted(tip(1), "later")])
    finally:
        writer.stop()


def test_a_year_beside_a_process_that_keeps_read_models(database: Database) -> None:
    """Whoever serves follows a simulated book as any other: its tiers are waited for."""
    stop = threading.Event()
    beside = threading.Thread(target=process.run, args=(database, stop))
    beside.start()
    try:
        _, tallies, entries = lived(database, "micro-unlock", name="beside", months=2, fans=12)
    finally:
        stop.set()
        beside.join()
    changes = [entry for entry in entries if entry["type"] == "tier.changed.v1"]
    assert len(changes) > 5
    assert tallies.position == len(entries)
