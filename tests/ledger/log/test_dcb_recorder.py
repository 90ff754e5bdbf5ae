"""The log passes the `eventsourcing` library's own conformance tests, and guards a book's own."""

import threading
from collections.abc import Iterator

import pytest
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.dcb.tests import DCBRecorderTestCase
from eventsourcing.persistence import IntegrityError, OperationalError, ProgrammingError

from ledger.log import dcb_recorder as recorder
from ledger.log.dcb_recorder import BookLog, PlainLog, Pool
from ledger.postgres import database as doors
from tests.conftest import FreshBook
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import policy
from tests.scenarios.write_path import WritePath


@pytest.fixture
def pool(fresh_book: FreshBook) -> Iterator[Pool]:
    schema = fresh_book.book.schema
    with doors.pool(fresh_book.service_url, schema, connections_max=8) as connections:
        yield connections


@pytest.fixture
def log(pool: Pool) -> PlainLog:
    return PlainLog(pool)


def event(type_name: str, *tags: str, data: bytes = b"data") -> DCBEvent:
    return DCBEvent(type_name, data, list(tags))


class TestTheLibrarysOwn(DCBRecorderTestCase):
    """Their test case as it is; it wants somebody to hand it a recorder."""

    @pytest.fixture(autouse=True)
    def _take_log(self, log: PlainLog) -> None:
        self.log = log

    def test_append_read(self) -> None:
        self._test_append_read(self.log)

    def test_append_subscribe(self) -> None:
        self._test_append_subscribe(self.log)


def test_a_read_goes_over_many_pages(log: PlainLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "PAGE_EVENTS", 3)
    log.append([event("t", f"n:{n % 2}", data=b"%d" % n) for n in range(10)])
    assert [e.position for e in log.read()] == list(range(1, 11))
    assert [e.position for e in log.read(limit=7)] == list(range(1, 8))
    odd = DCBQuery([DCBQueryItem(tags=["n:1"])])
    assert [e.event.data for e in log.read(odd, after=2)] == [b"3", b"5", b"7", b"9"]


def test_an_event_that_two_items_match_comes_once(log: PlainLog) -> None:
    log.append([event("t", "a", "b"), event("u", "b")])
    both = DCBQuery([DCBQueryItem(tags=["a"]), DCBQueryItem(tags=["b"])])
    assert [e.position for e in log.read(both)] == [1, 2]


def test_a_read_ends_at_the_head_it_began_with(log: PlainLog) -> None:
    log.append([event("t")])
    reading = log.read()
    log.append([event("t")])
    assert [e.position for e in reading] == [1]
    assert reading.head == 1


def test_no_transaction_stays_open_between_pages(
    log: PlainLog, fresh_book: FreshBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "PAGE_EVENTS", 2)
    log.append([event("t") for _ in range(6)])
    reading = log.read()
    next(reading)
    with fresh_book.connect_admin() as admin:
        row = admin.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state LIKE 'idle in transaction%' AND usename = 'tokenledger_app'"
        ).fetchone()
    assert row == (0,)
    assert len(list(reading)) == 5


def test_positions_stay_dense_over_refused_appends(log: PlainLog) -> None:
    log.append([event("t", "a")])
    for refused in (DCBAppendCondition(), DCBAppendCondition(DCBQuery([DCBQueryItem(["t"])]))):
        with pytest.raises(IntegrityError):
            log.append([event("t")], refused)
    with pytest.raises(IntegrityError):
        log.append([event("t", data=b"x" * 70_000)])
    with pytest.raises(ProgrammingError):
        log.append([])
    assert log.append([event("t")]) == 2


def test_of_concurrent_appends_on_one_condition_one_wins(log: PlainLog) -> None:
    once = DCBAppendCondition(DCBQuery([DCBQueryItem(tags=["seat:1"])]))
    outcomes: list[str] = []

    def book() -> None:
        try:
            log.append([event("seat.taken", "seat:1")], once)
            outcomes.append("taken")
        except IntegrityError:
            outcomes.append("refused")

    threads = [threading.Thread(target=book) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 5 + ["taken"]
    assert log.head() == 1


def test_partitions_are_made_ahead(log: PlainLog) -> None:
    for _ in range(5):
        last = log.append([event("t") for _ in range(1_000)])
    assert last == 5_000


def test_a_subscription_gets_only_what_matches_and_stops(log: PlainLog) -> None:
    log.append([event("t", "a"), event("t", "b")])
    with log.subscribe(DCBQuery([DCBQueryItem(tags=["b"])])) as following:
        assert next(following).position == 2
        log.append([event("t", "a"), event("t", "b")])
        assert next(following).position == 4
        waiting = threading.Thread(target=list, args=(following,))
        waiting.start()
        following.stop()
        waiting.join(timeout=2)
        assert not waiting.is_alive()


def test_a_lost_database_shows_in_the_librarys_own_error(fresh_book: FreshBook) -> None:
    nowhere = "postgresql://nobody@/none?host=/nonexistent"
    with (
        doors.pool(nowhere, fresh_book.book.schema, connections_max=1) as away,
        pytest.raises(OperationalError),
    ):
        BookLog(away).head()


def test_a_books_own_log_can_be_read_and_never_appended_to(stage: WritePath, pool: Pool) -> None:
    stage.given(policy(MICRO_UNLOCK))
    log = BookLog(pool)
    assert [e.event.type for e in log.read()] == ["policy.proposed.v1", "policy.published.v1"]
    assert len(list(log.read(DCBQuery([DCBQueryItem(tags=["policy:book"])])))) == 2
    with pytest.raises(ProgrammingError, match="sequencer"):
        log.append([event("t")])
    with pytest.raises(ProgrammingError, match="sequencer"):
        PlainLog(pool).append([event("t")])
    assert log.head() == 2
