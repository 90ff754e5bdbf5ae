"""The writer in trouble: what one command, one outage or one full table may not do to others."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from uuid import UUID

import msgspec
import psycopg
import pytest
from structlog.testing import capture_logs

from domain.creators.creator import Creator
from domain.payments.payment import PaymentSuspended
from domain.sales.tips import SendTip
from domain.wallets.wallet import PAID, Lot, Wallet
from ledger.books import create_book
from ledger.log.event_ids import event_ids
from ledger.postgres.book_connections import BookConnections
from ledger.postgres.database import Connection
from ledger.write.answer import Answer
from ledger.write.connections import connections_of_writers
from ledger.write.group import Group
from ledger.write.sequencer import Sequencer
from ledger.write.snapshots import Snapshotter
from ledger.write.state_cache import CachedState, Snapshot
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer
from tests.conftest import FreshBook
from tests.ledger.states import cached
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import FAN, Sent, events, grant, policy, purchase, tip, wallet
from tests.scenarios.write_path import WritePath
from tests.support.waiting import until_available


@pytest.fixture(autouse=True)
def _funded(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), purchase("small", price=999, ref="first"))


def write(stage: WritePath, *sent: Sent, atomic: bool = False) -> list[Answer]:
    return stage.writer.write([stage.request(each) for each in sent], atomic=atomic)


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


def test_a_bug_before_the_decision_leaves_neighbours_alone(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: SendTip, *_: object) -> tuple[str, ...]:
        if self.amount == 7:
            raise RuntimeError("the inside of the service")
        return ()

    crowd = [
        msgspec.structs.replace(stage.request(tip(amount)), looks_ahead=True)
        for amount in (1, 2, 7, 3)
    ]
    monkeypatch.setattr(SendTip, "prefetch", broken)
    answers = stage.writer.write(crowd)
    assert statuses(answers) == [201, 201, 500, 201]
    assert b"inside" not in answers[2].body
    stage.then(wallet(1100 - 6))


def test_a_receipt_whose_event_is_archived_holds_up_nobody_else(stage: WritePath) -> None:
    first = tip(5, key="old")
    stage.given(first)
    stage.restart()
    with stage.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("ALTER TABLE events DETACH PARTITION events_000000")
    try:
        answers = write(stage, grant(1), first, grant(2))
        answer = answers[1]
        assert (answer.status, answer.code, answer.replayed) == (410, "ANSWER_ARCHIVED", True)
    finally:
        stage.close()
        with stage.fresh.connect_admin(autocommit=True) as admin:
            admin.execute(
                "ALTER TABLE events ATTACH PARTITION events_000000 FOR VALUES FROM (1) TO (1001)"
            )


def test_a_parked_notice_that_cannot_be_read_any_more_stops_nobody(stage: WritePath) -> None:
    stage.restart()
    with stage.fresh.connect_admin(autocommit=True) as admin:
        for ref, name, fields in (("r1", "send-tip", '{"gone":1}'), ("r2", "gone", "{}")):
            admin.execute(
                "INSERT INTO inbox VALUES ('psp', %s, %s, convert_to(%s, 'UTF8'), 'a', 'a', 'c',"
                " '', '', 'parked', 'payment:x', now())",
                [ref, name, fields],
            )
        admin.execute("UPDATE head SET commits = commits + 1")
    with capture_logs() as logged:
        assert statuses(write(stage, purchase("small", 999, ref="x"), tip(2))) == [201, 201]
    told = [line["ref"] for line in logged if line["event"] == "a parked notice cannot be read"]
    assert sorted(told) == ["r1", "r2"]


def inbox(stage: WritePath) -> list[tuple[str, str, int | None]]:
    """What is kept of notices: (reference, state, position)."""
    with stage.fresh.connect() as connection:
        return connection.execute(
            "SELECT processor_ref, state, position FROM inbox ORDER BY processor_ref"
        ).fetchall()


def test_a_notice_that_cannot_be_recorded_is_not_kept(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> tuple[str, ...]:
        raise RuntimeError("a bug in an event")

    wrong = purchase("small", price=998, ref="wrong")
    with monkeypatch.context() as patched:
        patched.setattr(PaymentSuspended, "tags", broken)
        assert statuses(write(stage, tip(1), wrong, tip(1))) == [201, 500, 201]
    assert inbox(stage) == []
    assert statuses(write(stage, wrong)) == [202], "nothing of it is in the way"
    assert inbox(stage) == [("wrong", "suspended", None)]


def test_a_waiting_notice_that_is_suspended_names_its_event(stage: WritePath) -> None:
    offering = {"body": MICRO_UNLOCK | {"products_enabled": ["subscription"], "price_bounds": {}}}
    stage.given(
        Sent(
            "propose-policy", offering | {"effective_from": "1970-01-02T00:00:00Z"}, "admin", "al"
        ),
        Sent("approve-policy", {"version": 2}, "approver", "bob"),
    )
    period = {"period_start": "2026-11-01T00:00:00Z", "period_end": "2026-12-01T00:00:00Z"}
    for ref in ("p1", "p2"):
        paid = {"price": 999, "processor": "stripe", "processor_ref": ref}
        charged = Sent("charge-period", {"subscription": "s", **period, **paid})
        assert stage.send(charged).code == "AWAITING_REFERENT"
    deal = {"user": "ann", "creator": "zoe", "price": 999}
    stage.given(Sent("start-subscription", {"subscription": "s", **deal}))
    last = len(stage.rows())
    assert inbox(stage) == [("p1", "applied", last - 1), ("p2", "suspended", last)]


def small_partitions(database_of: FreshBook, rows: int) -> FreshBook:
    name = f"{database_of.book.name}-small"
    book = create_book(
        database_of.admin_url, name, currency="USD", time_zone="UTC", partition_rows=rows
    )
    return FreshBook(book, database_of.service_url, database_of.admin_url)


@pytest.fixture
def narrow(fresh_book: FreshBook) -> Iterator[WritePath]:
    """A book whose log has partitions of ten events."""
    running = WritePath(small_partitions(fresh_book, 10))
    running.given(policy(MICRO_UNLOCK))
    yield running
    running.close()


def test_a_batch_larger_than_the_partitions_ahead_is_written_in_parts(narrow: WritePath) -> None:
    answers = write(narrow, *[grant(1) for _ in range(300)])
    assert set(statuses(answers)) == {201}
    assert [answer.position for answer in answers] == list(range(3, 303))
    narrow.check()


def test_refusals_need_no_room(narrow: WritePath) -> None:
    answers = write(narrow, *[tip(5) for _ in range(300)])
    assert set(statuses(answers)) == {402}


def test_what_stands_or_falls_together_must_have_room_together(narrow: WritePath) -> None:
    with pytest.raises(Unavailable, match="beyond"):
        write(narrow, *[grant(1) for _ in range(100)], atomic=True)
    assert set(statuses(write(narrow, *[grant(1) for _ in range(15)], atomic=True))) == {201}


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the connection is to be lost at each point of the write path from now on."""
    wanted: Counter[str] = Counter()

    def failpoint(point: str) -> None:
        if wanted[point]:
            wanted[point] -= 1
            raise psycopg.OperationalError(f"the connection is lost {point}")

    monkeypatch.setattr("ledger.write.sequencer.failpoint", failpoint)
    return wanted


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 1), (2, 0), (0, 2)])
def test_after_a_lost_commit_first_answers_are_no_replays(
    stage: WritePath, losses: Counter[str], before: int, after: int
) -> None:
    stage.given(tip(9, key="earlier"))
    losses.update(after_copy=before, after_commit=after)
    same = tip(5, key="twice")
    answers = write(stage, tip(9, key="earlier"), same, tip(5_000, key="poor"), same)
    assert statuses(answers) == [201, 201, 402, 201]
    assert [answer.replayed for answer in answers] == [True, False, False, True]
    stage.then(wallet(1100 - 14), events("tip.sent.v1", 2))
    again = write(stage, tip(9, key="earlier"), same, tip(5_000, key="poor"), same)
    assert [answer.body for answer in again] == [answer.body for answer in answers]
    assert all(answer.replayed for answer in again)


def test_states_of_a_history_that_is_gone_are_forgotten(stage: WritePath) -> None:
    """As after a failover that lost the end of the log: the head is behind what we knew."""
    stage.given(tip(1))
    sequencer = stage.writer._sequencer
    assert sequencer is not None
    rich = Wallet(lots=(Lot("l", "l", PAID, 10**9, 0),))
    sequencer._cache.put(f"wallet:{FAN}", CachedState(rich, 1_000, 0))
    sequencer.position, sequencer._commits = 1_000, -1
    assert statuses(write(stage, tip(1_100))) == [402]


def test_an_outage_does_not_gather_traces(stage: WritePath) -> None:
    """Raised for every request, one and the same exception would keep every request's frames."""

    def nowhere() -> Connection:
        raise psycopg.OperationalError("away")

    writer = Writer(stage.book, nowhere).start()
    raised = []
    for _ in range(3):
        with pytest.raises(Unavailable) as told:
            writer.write([stage.request(tip(1))])
        raised.append(told.value)
    writer.stop()
    assert len({id(away) for away in raised}) == 3


def test_a_standby_is_as_good_as_no_database(stage: WritePath) -> None:
    """After a failover nobody's command may be blamed for a server that is not promoted yet."""
    standby = threading.Event()
    standby.set()

    def connect() -> Connection:
        connection = stage.fresh.connect(autocommit=True)
        if standby.is_set():
            connection.execute("SET default_transaction_read_only = on")
        return connection

    writer = Writer(stage.book, connect).start()
    request = stage.request(tip(1))
    with pytest.raises(Unavailable):
        writer.write([request])
    standby.clear()
    assert statuses(until_available(lambda: writer.write([request]))) == [201]
    writer.stop()


def test_whatever_goes_wrong_on_the_way_back_the_writer_lives(stage: WritePath) -> None:
    failures: list[Callable[[], Connection]] = []

    def connect() -> Connection:
        if failures:
            failures.pop()()
        return stage.fresh.connect(autocommit=True)

    def away() -> Connection:
        raise psycopg.OperationalError("away")

    def strange() -> Connection:
        raise OSError("too many open files")

    writer = Writer(stage.book, connect)
    failures += [strange, strange, *[away] * 20]
    writer.start()
    with pytest.raises(Unavailable):
        writer.write([stage.request(tip(1))])
    assert statuses(until_available(lambda: writer.write([stage.request(tip(1))]))) == [201]
    writer.stop()


def test_a_batch_has_bounded_commands_and_bytes(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    commit_batch = Sequencer.commit_batch

    def watched(sequencer: Sequencer, groups: list[Group]) -> list[list[Answer]]:
        sizes.append((sum(len(g.requests) for g in groups), sum(g.size_bytes for g in groups)))
        return commit_batch(sequencer, groups)

    monkeypatch.setattr(Sequencer, "commit_batch", watched)
    writer = Writer(
        stage.book,
        lambda: stage.fresh.connect(autocommit=True),
        batch_commands_max=5,
        batch_bytes_max=1_000,
    )
    delivered: list[object] = []
    for size_bytes in [100] * 8 + [600] * 4 + [5_000, 1]:
        group = Group([stage.request(grant(1))], size_bytes=size_bytes)
        writer.submit(group, delivered.append)
    writer.start()
    writer.stop()
    assert len(delivered) == 14
    assert sizes == [(5, 500), (4, 900), (1, 600), (1, 600), (1, 600), (1, 5_000), (1, 1)]


def test_the_bytes_that_wait_are_bounded(stage: WritePath) -> None:
    writer = Writer(stage.book, lambda: stage.fresh.connect(autocommit=True), queue_bytes_max=1_000)
    group = Group([stage.request(grant(1))], size_bytes=400)
    writer.submit(group, lambda _: None)
    writer.submit(group, lambda _: None)
    with pytest.raises(Unavailable, match="wait already"):
        writer.submit(group, lambda _: None)
    writer.start()
    writer.stop()


def snapshots(count: int) -> list[Snapshot]:
    return [Snapshot(f"creator:c{n}", 1, Creator.FOLD_VERSION, b"\x90") for n in range(count)]


def timeline(connections: BookConnections, stage: WritePath) -> int:
    taken = connections.take(stage.book.schema)
    connections.give_back(taken)
    return taken.timeline


def written_snapshots(stage: WritePath) -> int:
    with stage.fresh.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FROM snapshots WHERE entity LIKE 'creator:c%%'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_snapshots_queued_before_a_failover_are_not_written_after_it(stage: WritePath) -> None:
    connections = connections_of_writers(lambda: stage.fresh.connect(autocommit=True))
    here = timeline(connections, stage)
    assert here > 0
    for committed_on, kept in ((here - 1, 0), (here, 5)):
        snapshotter = Snapshotter(connections, stage.book.schema)
        snapshotter.offer(snapshots(25), committed_on + 1)
        snapshotter.offer(snapshots(5), committed_on)
        snapshotter.start()
        snapshotter.stop()
        assert written_snapshots(stage) == kept
    connections.close_idle(0)


def test_what_is_in_memory_is_not_believed_on_another_timeline(stage: WritePath) -> None:
    """A promoted standby may have another history, of as many commits as ours."""
    sequencer = stage.writer._sequencer
    assert sequencer is not None and cached(stage.writer)
    sequencer.work_over(sequencer.connection, sequencer.timeline)
    assert cached(stage.writer)
    sequencer.work_over(sequencer.connection, sequencer.timeline - 1)
    assert not cached(stage.writer)
    stage.given(tip(1))
    stage.check()


def test_of_too_many_snapshots_those_are_kept_that_fit(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.write.snapshots.SNAPSHOTS_MAX", 10)
    connections = connections_of_writers(lambda: stage.fresh.connect(autocommit=True))
    snapshotter = Snapshotter(connections, stage.book.schema)
    snapshotter.offer(snapshots(25), timeline(connections, stage))
    snapshotter.start()
    snapshotter.stop()
    connections.close_idle(0)
    assert written_snapshots(stage) == 10


@pytest.mark.parametrize("error", [psycopg.OperationalError("away"), OSError("no more files")])
def test_stopping_does_not_insist_on_snapshots(error: Exception) -> None:
    """An order to stop must not try the connection once for every chunk that waits."""
    tried = []

    def nowhere() -> Connection:
        tried.append(1)
        raise error

    snapshotter = Snapshotter(connections_of_writers(nowhere), "book_none")
    snapshotter.offer(snapshots(20_000), 1)
    snapshotter._stopping = True
    snapshotter.start()
    snapshotter.stop()
    assert len(tried) == 1


def test_ids_stay_apart_when_two_sources_draw_at_once() -> None:
    a, b = event_ids(), event_ids()
    drawn = [new_id(us) for us in range(5_000) for new_id in (a, b)]
    assert len(set(drawn)) == len(drawn)
    assert all(UUID(text).bytes == raw and UUID(text).version == 7 for text, raw in drawn)
    assert [text for text, _ in drawn[::2]] == sorted(text for text, _ in drawn[::2])
