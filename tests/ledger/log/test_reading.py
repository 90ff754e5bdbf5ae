"""The one door to the log: what each reader gets, and that nobody goes round it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from eventsourcing.dcb.api import DCBEvent

from ledger.log import reading
from ledger.log.dcb_recorder import PlainLog
from ledger.log.entry import leaf_hash
from ledger.postgres import database as doors
from ledger.postgres.database import Connection
from tests.conftest import FreshBook

ROOT = Path(__file__).parents[3]
#: Who touches the log's tables beside the door: who writes it, who checks it against itself, whose
#: clock it is, how far behind it the read models and the relay are, who fills a copy, who takes its
#: lock, and what joins its own rows with positions and times.
BESIDE_THE_DOOR = {
    "consumers/sql/replica.sql",
    "ledger/sql/agenda.sql",
    "ledger/sql/inbox.sql",
    "ledger/sql/reading.sql",
    "ledger/sql/recorder.sql",
    "ledger/sql/relay.sql",
    "ledger/sql/sequencer.sql",
    "ledger/sql/verify.sql",
    "ledger/sql/verify_beside.sql",
    "projections/sql/checkpoints.sql",
    "projections/sql/general_journal.sql",
    "projections/sql/tier_changes.sql",
}
LOG_TABLES = ("FROM head", "FROM events", "JOIN events", "FROM event_tags", "JOIN event_tags")


@pytest.fixture
def log(fresh_book: FreshBook) -> Iterator[Connection]:
    """Six entries: `odd` and `even` in turn, all of them tagged `all`, `n:0` to `n:2` by turns."""
    schema = fresh_book.book.schema
    with doors.pool(fresh_book.service_url, schema, connections_max=1) as pool:
        for number in range(1, 7):
            tags = ["all", f"n:{number % 3}"]
            event = DCBEvent("odd" if number % 2 else "even", b"%d" % number, tags)
            PlainLog(pool).append([event])
    with fresh_book.connect(autocommit=True) as connection:
        yield connection


def test_an_empty_log_has_nothing(fresh_book: FreshBook) -> None:
    with fresh_book.connect(autocommit=True) as connection:
        assert reading.head(connection) == 0
        assert reading.page(connection, 0, 10) == []
        assert reading.entry(connection, 1) is None
        assert list(reading.history(connection, "all")) == []


def test_a_page_is_every_entry_of_its_range(log: Connection) -> None:
    assert reading.head(log) == 6
    assert reading.page(log, 2, 4) == [(3, b"3"), (4, b"4")]
    assert reading.entry(log, 5) == (b"5", leaf_hash(b"5"))
    assert reading.entries(log, [6, 1, 7]) == {1: b"1", 6: b"6"}
    assert reading.entries(log, []) == {}


def test_who_must_not_miss_an_entry_is_told_of_one_that_is_not_there(log: Connection) -> None:
    assert reading.whole_page(log, 2, 4) == reading.page(log, 2, 4)
    with pytest.raises(reading.EntriesMissing, match="does not hold position 7"):
        reading.whole_page(log, 4, 9)


@pytest.mark.parametrize(
    ("tag", "type_name", "expected"),
    [
        (None, None, [2, 3, 4, 5]),
        (None, "odd", [3, 5]),
        ("n:0", None, [3]),
        ("all", "even", [2, 4]),
        ("n:9", None, []),
    ],
)
def test_a_listing_is_of_a_tag_and_a_type(
    log: Connection, tag: str | None, type_name: str | None, expected: list[int]
) -> None:
    found = reading.listing(log, after=1, until=5, tag=tag, type_name=type_name, limit=10)
    assert [position for position, _ in found] == expected
    assert reading.listing(log, after=1, tag=tag, type_name=type_name, limit=1) == found[:1]


@pytest.mark.parametrize("page", [1, 2, 6, 7])
def test_a_history_is_whole_whatever_its_pages_are(
    log: Connection, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HISTORY_PAGE", page)
    assert [position for position, _ in reading.history(log, "all")] == [1, 2, 3, 4, 5, 6]
    assert [position for position, _ in reading.history(log, "all", until=4)] == [1, 2, 3, 4]


def test_histories_come_in_the_order_of_the_log(log: Connection) -> None:
    found = reading.histories(log, ["n:1", "n:0"], until=4)
    assert found == [("n:1", 1, b"1"), ("n:0", 3, b"3"), ("n:1", 4, b"4")]


def test_a_recorded_time_has_a_position(log: Connection) -> None:
    times = log.execute("SELECT position, recorded_at FROM events ORDER BY position").fetchall()
    for position, recorded_at in times:
        assert reading.position_at(log, recorded_at) == position
        assert reading.position_at(log, recorded_at - timedelta(microseconds=1)) == position - 1


def test_nobody_goes_round_the_door() -> None:
    files = [path for layer in ("ledger", "projections", "api", "consumers")
             for path in (ROOT / layer).rglob("*.sql") if path.parent.name == "sql"]  # fmt: skip
    touching = {
        str(path.relative_to(ROOT))
        for path in files
        if any(table in path.read_text() for table in LOG_TABLES)
    }
    assert touching == BESIDE_THE_DOOR
    assert not (ROOT / "api" / "sql").exists()
