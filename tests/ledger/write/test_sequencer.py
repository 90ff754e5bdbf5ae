"""The sequencer: several processes, cold and warm states, clocks, partitions, strange events."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from domain.entity import KINDS, kind_of
from domain.wallets.wallet import PAID, Lot, Wallet
from ledger.log.entry import leaf_hash
from ledger.verification.snapshots import verify_snapshots
from ledger.write.answer import Answer
from ledger.write.business_days import BusinessDays
from ledger.write.group import Group
from ledger.write.head import ClocksApart
from ledger.write.sequencer import Sequencer
from ledger.write.state_cache import StateCache
from ledger.write.state_loading import shorten
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer
from tests.conftest import FreshBook
from tests.generators.spending import POLICY, commands
from tests.ledger.random_histories import audit
from tests.ledger.states import cached, encoded, replayed
from tests.scenarios.steps import (
    FAN,
    Sent,
    card_unlock,
    events,
    grant,
    policy,
    purchase,
    tip,
    wallet,
)
from tests.scenarios.write_path import WritePath


@pytest.fixture(autouse=True)
def _policy(stage: WritePath) -> None:
    stage.given(policy(POLICY))


def random_commands(count: int) -> list[Sent]:
    """Commands, valid and not; the same in every run. References are made unique."""
    found: list[Sent] = []

    @settings(
        max_examples=count,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(commands)
    def collect(sent: tuple[str, dict[str, Any]]) -> None:
        name, fields = sent
        if "processor_ref" in fields:
            fields = {**fields, "processor_ref": f"ref-{len(found)}"}
        found.append(Sent(name, fields))

    collect()
    rich = [purchase("small", price=999, user=user) for user in ("ann", "ben", "cid")]
    mixed = found + rich * (len(found) // 40)
    random.Random(7).shuffle(mixed)
    return [
        each.but(processor_ref=f"paid-{n}") if "processor_ref" in each.fields else each
        for n, each in enumerate(mixed)
    ]


def chunks(sent: list[Sent], seed: int) -> list[list[Sent]]:
    """Batches of one to twenty commands."""
    draw, rest, made = random.Random(seed), list(sent), []
    while rest:
        size = draw.randint(1, 20)
        made.append(rest[:size])
        rest = rest[size:]
    return made


def loaded(stage: WritePath, keys: list[str]) -> dict[str, bytes]:
    """States as a cold process loads them: snapshot and tail."""
    with stage.fresh.connect(autocommit=True) as connection:
        sequencer = Sequencer(stage.book, connection, StateCache(1_000))
        _, batch = sequencer._open_batch([])
        sequencer._load(batch, keys)
        connection.execute("ROLLBACK")
        return encoded({key: batch.states[key] for key in keys})


def test_commands_to_two_processes_equal_some_serial_order(stage: WritePath) -> None:
    writers = itertools.cycle([stage.writer, stage.another_writer()])
    sent = random_commands(600)

    def write(batch: list[Sent], writer: Writer) -> list[tuple[Sent, Answer]]:
        answers = writer.write([stage.request(each) for each in batch])
        return list(zip(batch, answers, strict=True))

    with ThreadPoolExecutor(8) as pool:
        doing = [pool.submit(write, batch, next(writers)) for batch in chunks(sent, seed=3)]
        outcomes = [pair for done in doing for pair in done.result()]
    stage.check()
    audit(stage, outcomes)


def test_states_in_memory_and_loaded_ones_are_the_replay_of_the_log(stage: WritePath) -> None:
    writers = [stage.writer, stage.another_writer(cache_entities=8)]
    for number, batch in enumerate(chunks(random_commands(400), seed=5)):
        writers[number % 2].write([stage.request(each) for each in batch])
    truth = replayed(stage)
    for writer in writers:
        writer.write([stage.request(tip(10**9))])  # catches up with the other one
        states = cached(writer)
        assert states == {key: truth[key] for key in states}
    keys = [key for key in truth if kind_of(key)]
    stage.close()  # writes snapshots
    with stage.fresh.connect() as connection:
        found = connection.execute("SELECT count(*) FROM snapshots").fetchone()
        assert found is not None and found[0] >= 3
    assert loaded(stage, keys) == {key: truth[key] for key in keys}


def test_an_entity_of_many_events_is_loaded_by_its_snapshot(stage: WritePath) -> None:
    stage.given(purchase("small", price=999))
    stage.writer.write([stage.request(tip(1)) for _ in range(250)])
    stage.given(tip(1))
    stage.restart()
    with stage.fresh.connect() as connection:
        row = connection.execute(
            "SELECT position FROM snapshots WHERE entity = %s", [f"wallet:{FAN}"]
        ).fetchone()
    assert row is not None and row[0] > 200
    stage.given(tip(1)).then(wallet(1100 - 252))


@pytest.mark.parametrize("version", [0, Wallet.FOLD_VERSION + 1])
def test_a_snapshot_of_another_fold_is_ignored(stage: WritePath, version: int) -> None:
    stage.given(purchase("small", price=999))
    stage.restart()
    rich = msgspec.msgpack.encode(Wallet(lots=(Lot("l", "l", PAID, 10**9, 0),)))
    with stage.fresh.connect(autocommit=True) as connection:
        connection.execute("DELETE FROM snapshots")
        connection.execute(
            "INSERT INTO snapshots VALUES (%s, 3, %s, %s)", [f"wallet:{FAN}", version, rich]
        )
    assert stage.send(tip(1101)).code == "INSUFFICIENT_TOKENS"
    stage.given(tip(1100)).then(wallet(0))


def test_the_cache_keeps_its_bound(stage: WritePath) -> None:
    writer = stage.another_writer(cache_entities=100)
    for start in range(0, 1_000, 50):
        sent = [grant(1, user=f"fan-{start + n}") for n in range(50)]
        writer.write([stage.request(each) for each in sent])
        assert writer.cached_entities <= 150
    for start in range(0, 1_000, 250):
        sent = [tip(1, user=f"fan-{start + n}") for n in range(250)]
        answers = writer.write([stage.request(each) for each in sent])
        assert all(answer.status == 201 for answer in answers)
        assert writer.cached_entities <= 400, "a batch may need more than the cache holds"
    stage.check()


def test_a_full_cache_keeps_what_the_batch_touched_last() -> None:
    """Also where one of its states is due for a snapshot just as the generation is full."""
    cache = StateCache(8)
    keys = [f"wallet:fan-{n}" for n in range(5)]
    events = [1, 1, 1, 100, 1]
    touched = {key: (at, count) for at, (key, count) in enumerate(zip(keys, events, strict=True))}
    cache.take(dict.fromkeys(keys, Wallet()), touched)
    assert all(cache.get(key) for key in keys)
    assert [due.entity for due in cache.take_due()] == [keys[3]]


def test_a_process_far_behind_drops_its_cache(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.write.sequencer.CATCH_UP_MAX", 10)
    stage.given(purchase("small", price=999))
    other = stage.another_writer()
    other.write([stage.request(tip(1)) for _ in range(30)])
    assert stage.send(tip(1071)).code == "INSUFFICIENT_TOKENS"
    stage.given(tip(1070)).then(wallet(0))


def test_recorded_times_rise_even_if_the_clock_went_back(stage: WritePath) -> None:
    ahead = datetime.now(UTC) + timedelta(seconds=30)
    with stage.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("UPDATE head SET recorded_at = %s", [ahead])
    stage.given(purchase("small", price=999), tip(1), tip(1))
    stage.writer.write([stage.request(tip(1)) for _ in range(5)])
    entries = stage.entries()
    times = [entry.recorded_at for entry in entries]
    assert times == sorted(set(times))
    assert times[2] == ahead + timedelta(microseconds=1)
    ids = [entry.event_id for entry in entries]
    assert ids == sorted(set(ids))


def test_clocks_far_apart_stop_writing(fresh_book: FreshBook) -> None:
    with fresh_book.connect(autocommit=True) as connection:
        for seconds in (-6, 6):
            skewed = Sequencer(
                fresh_book.book,
                connection,
                StateCache(10),
                now=lambda seconds=seconds: datetime.now(UTC) + timedelta(seconds=seconds),
            )
            with pytest.raises(ClocksApart):
                skewed.commit_batch([Group([])])


def test_clocks_far_apart_are_told_as_unavailable_and_pass(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = stage.request(purchase("small", price=999))
    with monkeypatch.context() as patched:
        patched.setattr("ledger.write.head.SKEW_MAX", timedelta(seconds=-1))
        with pytest.raises(Unavailable):
            stage.writer.write([request])
    assert stage.writer.write([request])[0].status == 201


def test_a_command_from_the_future_is_refused_and_a_late_fact_is_not(stage: WritePath) -> None:
    late = purchase("small", price=999).but(occurred_at="2020-02-29T23:59:59.5Z")
    stage.given(late)
    assert stage.entries()[-1].effective_on.isoformat() == "2020-02-29"
    future = f"{datetime.now(UTC) + timedelta(seconds=60):%Y-%m-%dT%H:%M:%SZ}"
    assert stage.send(tip(1).but(occurred_at=future)).code == "CLOCK_SKEW"
    soon = f"{datetime.now(UTC) + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}"
    assert stage.send(tip(1).but(occurred_at=soon)).status == 201


@pytest.mark.parametrize("occurred_at", ["9999-12-31T23:59:59.999999Z", "2999-01-01T00:00:00Z"])
def test_a_notice_from_the_future_is_taken_as_of_now(stage: WritePath, occurred_at: str) -> None:
    """Under the policy in force now, not under one that is still to come."""
    dearer = POLICY | {"packages": {"small": {"tokens": 1, "price": 999}}, "breakage_months": 12}
    later = {"body": dearer, "effective_from": "2500-01-01T00:00:00Z"}
    stage.given(
        Sent("propose-policy", later, "admin", "alice"),
        Sent("approve-policy", {"version": 2}, "approver", "bob"),
    )
    early = purchase("small", price=999).but(occurred_at=occurred_at)
    stage.given(early).then(wallet(1100))
    entry = stage.entries()[-1]
    assert entry.occurred_at == entry.recorded_at
    refused = purchase("small", price=998).but(occurred_at=occurred_at)
    assert stage.send(refused).status == 202


@pytest.mark.parametrize("time_zone", ["America/New_York", "Pacific/Kiritimati"])
def test_business_days_have_no_memory_of_an_instant_without_a_date(time_zone: str) -> None:
    days = BusinessDays(time_zone)
    today = datetime(2026, 11, 20, 12, tzinfo=UTC)
    before = days.of(today)
    with pytest.raises(OverflowError):
        days.of(datetime.min.replace(tzinfo=UTC))
    assert days.of(today) == before


@pytest.mark.parametrize(
    ("type_name", "data"),
    [("from.tomorrow.v9", None), ("tip.sent.v1", b"no entry at all"), ("tip.sent.v1", b"{}")],
)
def test_an_event_that_nobody_knows_stops_writing(
    stage: WritePath, type_name: str, data: bytes | None
) -> None:
    stage.given(purchase("small", price=999))
    position = len(stage.rows()) + 1
    if data is None:
        strange = msgspec.json.decode(stage.rows()[-1][1])
        data = msgspec.json.encode({**strange, "type": type_name})
    with stage.fresh.connect(autocommit=True) as foreign, foreign.transaction():
        foreign.execute(
            "INSERT INTO events SELECT %s, gen_random_uuid(), %s, %s, now(), clock_timestamp(),"
            " %s, %s",
            [position, type_name, [f"wallet:{FAN}"], data, leaf_hash(data)],
        )
        foreign.execute("SELECT count_commit(0)")
    for writer in (stage.writer, stage.another_writer()):
        for _ in range(2):
            with pytest.raises(Unavailable):
                writer.write_soon([stage.request(tip(1))]).result(timeout=10)
    assert len(stage.rows()) == position


def test_partitions_are_made_ahead_of_the_head(stage: WritePath) -> None:
    for start in range(0, 2_500, 250):
        sent = [grant(1, user=f"fan-{start + n}") for n in range(250)]
        assert all(
            answer.status == 201
            for answer in stage.writer.write([stage.request(each) for each in sent])
        )
    stage.close()
    with stage.fresh.connect() as connection:
        row = connection.execute("SELECT max(last_position) FROM partitions").fetchone()
    assert row is not None and row[0] >= 4_000


def test_a_missing_partition_is_told_until_it_can_be_made(stage: WritePath) -> None:
    stage.given(purchase("small", price=999))
    stage.restart()
    with stage.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("DROP TABLE events_000001, events_000002")
        admin.execute("DELETE FROM partitions WHERE first_position > 1")
        admin.execute("REVOKE EXECUTE ON FUNCTION add_partitions() FROM tokenledger_app")
        requests = [stage.request(grant(1)) for _ in range(1_200)]
        with pytest.raises(Unavailable, match="no room"):
            stage.writer.write(requests)
        admin.execute("GRANT EXECUTE ON FUNCTION add_partitions() TO tokenledger_app")
    assert all(answer.status == 201 for answer in stage.writer.write(requests))
    stage.then(events("promo_tokens.granted.v1", 1_200))


def test_a_sale_that_is_read_from_its_snapshot_is_refunded_as_what_it_was(
    stage: WritePath,
) -> None:
    """Of a sale with a long history; what its product adds to a sale must not be lost."""
    stage.given(card_unlock(500, item="video", processor_ref="paid"))
    (sold,) = [entry.event() for entry in stage.entries() if entry.type == "content.unlocked.v1"]
    key = f"sale:{sold.sale_id}"  # type: ignore[attr-defined]
    stage.restart()
    with stage.fresh.connect(autocommit=True) as connection:
        assert not shorten(connection, key)
        assert list(verify_snapshots(connection)) == []
        found = connection.execute("SELECT FROM snapshots WHERE entity = %s", [key]).fetchall()
        assert found == [()]
    refund = {"processor": "stripe", "processor_ref": "back", "payment_ref": "paid"}
    stage.given(Sent("record-refund", {**refund, "cumulative": 500}))
    (refunded,) = [entry.event() for entry in stage.entries() if entry.type == "refund.recorded.v1"]
    assert refunded.revoked == ("video",)  # type: ignore[attr-defined]


def test_every_kind_of_entity_survives_its_snapshot() -> None:
    for kind in KINDS.values():
        fresh = kind()
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(fresh), type=kind) == fresh
