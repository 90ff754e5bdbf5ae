"""The writer: answers are for ever, neighbours do not suffer, what cannot be written is told."""

import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from domain.command import COMMANDS, Command, Decision, Given
from domain.event import EVENTS, Event
from ledger.postgres.database import Connection
from ledger.write.answer import Answer
from ledger.write.group import Group
from ledger.write.request import Request
from ledger.write.sequencer import Sequencer
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer
from tests.conftest import FreshBook
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import (
    Sent,
    card_tip,
    events,
    freeze,
    grant,
    policy,
    purchase,
    tip,
    unlock,
    wallet,
)
from tests.scenarios.write_path import WritePath
from tests.support.waiting import until_available


@pytest.fixture(autouse=True)
def _funded(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK), purchase("small", price=999, ref="first"))


class Misbehave(Command):
    """A command only tests have: it fails in the way that it is told."""

    name = "misbehave"
    how: str

    def decide(self, given: Given) -> Decision:
        if self.how == "raise":
            raise RuntimeError("a bug in a decider")
        return (Misbehaved(how=self.how),)


class Misbehaved(Event, frozen=True, kw_only=True):
    """An event only tests have; not even its tags or postings can be trusted."""

    type: ClassVar[str] = "test.misbehaved.v1"
    how: str

    def tags(self) -> tuple[str, ...]:
        return ("oddity:a\0b",) if self.how == "nul" else ("oddity:ab",)

    def postings(self, assets: object) -> tuple[tuple[str, str, int], ...]:
        return (("bank", "USD", 1),) if self.how == "unbalanced" else ()


@pytest.fixture
def _misbehaving(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(COMMANDS, Misbehave.name, Misbehave)
    monkeypatch.setitem(EVENTS, Misbehaved.type, Misbehaved)
    with capture_logs():  # drawing a trace with everything in memory takes seconds
        yield


def misbehave(how: str, key: str | None = None) -> Sent:
    return Sent("misbehave", {"how": how}, key=key)


def write(stage: WritePath, *sent: Sent, atomic: bool = False) -> list[Answer]:
    requests = [stage.request(each) for each in sent]
    return stage.writer.write(requests, atomic=atomic)


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


EVERY_OUTCOME = [
    tip(5, key="accepted"),
    tip(5_000, key="rejected"),
    purchase("small", price=998, ref="suspended"),
    purchase("small", price=999, ref="applied"),
    Sent("unfreeze", freeze("fan", "wallet", "SPEND").fields, key="nothing-to-do"),
]


def test_an_answer_is_the_same_for_ever(stage: WritePath) -> None:
    first = write(stage, *EVERY_OUTCOME)
    assert statuses(first) == [201, 402, 202, 201, 201]
    for _ in range(2):
        again = write(stage, *EVERY_OUTCOME)
        assert [(a.status, a.body) for a in again] == [(a.status, a.body) for a in first]
        assert all(answer.replayed for answer in again)
        stage.restart()
    stage.then(events("tip.sent.v1", 1))


def test_what_was_refused_for_lack_of_tokens_stays_refused(stage: WritePath) -> None:
    poor = tip(1_500, key="k")
    (before,) = write(stage, poor)
    stage.given(purchase("small", price=999))
    (after,) = write(stage, poor)
    assert (after.status, after.body) == (402, before.body)
    (again,) = write(stage, poor.but(key="another"))
    assert again.status == 201


def test_a_key_means_one_request_for_ever(stage: WritePath) -> None:
    write(stage, tip(5, key="k"))
    for other in (tip(6, key="k"), tip(5, creator="other", key="k")):
        (answer,) = write(stage, other)
        assert (answer.status, answer.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    (answer,) = write(stage, unlock(99, key="k"))
    assert answer.status == 201, "another command is another scope"
    (answer,) = write(stage, purchase("small", price=998, ref="first"))
    assert answer.code == "REFERENCE_TAKEN", "a notice is known by the processor's reference"
    stage.then(events("tip.sent.v1", 1))


def test_6_13_labels_tell_requests_apart_and_notices_not(stage: WritePath) -> None:
    labelled, other = {"stream": "s1"}, {"stream": "s2"}
    answers = write(stage, tip(5, key="k").but(labels=labelled), tip(5, key="k"))
    assert [answer.code for answer in answers] == [None, "IDEMPOTENCY_KEY_REUSED"]
    charge = card_tip(500, processor_ref="p")
    answers = write(stage, charge.but(labels=labelled), charge, charge.but(labels=other))
    assert [answer.replayed for answer in answers] == [False, True, True]


def test_equal_keys_in_one_batch_share_a_decision(stage: WritePath) -> None:
    same = tip(5, key="k")
    answers = write(stage, same, same, tip(7, key="k"), same)
    assert statuses(answers) == [201, 201, 422, 201]
    assert [answer.replayed for answer in answers] == [False, True, False, True]
    assert len({answer.body for answer in answers}) == 2
    stage.then(events("tip.sent.v1", 1), wallet(1095))


@pytest.mark.usefixtures("_misbehaving")
@pytest.mark.parametrize("how", ["raise", "unbalanced", "nul"])
def test_a_bug_in_one_command_leaves_its_neighbours_alone(stage: WritePath, how: str) -> None:
    crowd = [tip(1) for _ in range(9)]
    answers = write(stage, *crowd[:4], misbehave(how, key="bug"), *crowd[4:])
    assert statuses(answers) == [201] * 4 + [500] + [201] * 5
    assert answers[4].code == "INTERNAL"
    stage.then(wallet(1091), events("test.misbehaved.v1", 0))
    (again,) = write(stage, misbehave("fine", key="bug"))
    assert again.status == 201, "a bug is not remembered"


@pytest.mark.usefixtures("_misbehaving")
def test_however_many_cannot_be_encoded_they_cost_one_more_pass(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deciding runs ahead of encoding: what comes out too late is decided again one by one."""
    passes = []
    once = Sequencer._attempt

    def counted(self: Sequencer, groups: Any, *, one_by_one: bool = False) -> Any:
        passes.append(one_by_one)
        return once(self, groups, one_by_one=one_by_one)

    monkeypatch.setattr(Sequencer, "_attempt", counted)
    sent = [tip(1), misbehave("unbalanced")] * 20
    assert statuses(write(stage, *sent)) == [201, 500] * 20
    assert passes == [False, True]
    stage.then(wallet(1080), events("tip.sent.v1", 20), events("test.misbehaved.v1", 0))


@pytest.mark.usefixtures("_misbehaving")
def test_what_cannot_be_encoded_fails_its_group(stage: WritePath) -> None:
    answers = write(stage, tip(1), misbehave("unbalanced"), tip(1), atomic=True)
    assert [answer.code for answer in answers] == ["BATCH_ABORTED", "INTERNAL", "BATCH_ABORTED"]
    stage.then(wallet(1100))


def test_an_entry_too_large_for_a_proof_is_refused_alone(stage: WritePath) -> None:
    packages = {f"package-{n:05}": {"tokens": 1, "price": 999} for n in range(2_000)}
    since = {
        "body": {**MICRO_UNLOCK, "packages": packages},
        "effective_from": "2026-01-01T00:00:00Z",
    }
    huge = Sent("propose-policy", since, "admin", "alice", key="huge")
    answers = write(stage, tip(1), huge, tip(1))
    assert statuses(answers) == [201, 413, 201]
    assert answers[1].code == "BODY_TOO_LARGE"
    stage.then(wallet(1098), events("policy.proposed.v1", 1))


@pytest.mark.usefixtures("_misbehaving")
def test_a_refused_row_is_found_among_several_callers(stage: WritePath) -> None:
    groups = [
        Group([stage.request(tip(1)), stage.request(tip(2))]),
        Group([stage.request(misbehave("nul")), stage.request(tip(4))], atomic=True),
        Group([stage.request(tip(8))]),
    ]
    outcomes = at_once(stage, groups)
    assert [statuses(answers) for answers in outcomes] == [[201, 201], [500, 500], [201]]
    stage.then(wallet(1100 - 11))


def at_once(stage: WritePath, groups: list[Group]) -> list[list[Answer]]:
    """The groups in one batch: they all wait before the writer starts."""
    stage.close()
    writer = Writer(stage.book, lambda: stage.fresh.connect(autocommit=True))
    futures = [writer.write_soon(group.requests, atomic=group.atomic) for group in groups]
    writer.start()
    outcomes = [future.result(timeout=30) for future in futures]
    writer.stop()
    return outcomes


def test_an_atomic_group_stands_or_falls_as_one(stage: WritePath) -> None:
    answers = write(stage, tip(5, key="a"), tip(5_000, key="b"), tip(1, key="c"), atomic=True)
    assert [answer.status for answer in answers] == [409, 402, 409]
    assert {answer.code for answer in answers} == {"BATCH_ABORTED", "INSUFFICIENT_TOKENS"}
    stage.then(wallet(1100), events("tip.sent.v1", 0))

    answers = write(stage, tip(5, key="a"), tip(50, key="b"), tip(1, key="c"), atomic=True)
    assert statuses(answers) == [201] * 3, "nothing of the first attempt was remembered"
    stage.then(wallet(1044), events("tip.sent.v1", 3))

    again = write(stage, tip(5, key="a"), tip(50, key="b"), tip(1, key="c"), atomic=True)
    assert [a.body for a in again] == [a.body for a in answers]


def test_an_aborted_group_leaves_its_neighbours_alone(stage: WritePath) -> None:
    outcomes = at_once(
        stage,
        [
            Group([stage.request(tip(1, key="a"))]),
            Group([stage.request(tip(99)), stage.request(tip(5_000))], atomic=True),
            Group([stage.request(tip(1, user="nobody")), stage.request(tip(2))]),
        ],
    )
    assert [statuses(answers) for answers in outcomes] == [[201], [409, 402], [402, 201]]
    stage.then(wallet(1097))


def test_no_requests_are_no_trouble(stage: WritePath) -> None:
    assert stage.writer.write([]) == []
    assert stage.writer.write([], atomic=True) == []


def test_a_caller_who_is_gone_stops_nobody_elses_writer(stage: WritePath) -> None:
    def gone(_: object) -> None:
        raise RuntimeError("the caller's event loop is closed")

    stage.writer.submit(Group([stage.request(tip(1))]), gone)
    assert statuses(write(stage, tip(1))) == [201]
    stage.then(wallet(1098))


def test_a_full_queue_refuses_at_once(stage: WritePath, fresh_book: FreshBook) -> None:
    writer = Writer(stage.book, lambda: fresh_book.connect(autocommit=True), queue_commands_max=3)
    waiting = [writer.write_soon([stage.request(tip(1))]) for _ in range(3)]
    with pytest.raises(Unavailable, match="wait already"):
        writer.write_soon([stage.request(tip(1))])
    assert writer.queued == 3
    writer.start()
    assert [future.result(timeout=10)[0].status for future in waiting] == [201] * 3
    writer.stop()
    with pytest.raises(Unavailable, match="shutting down"):
        writer.write_soon([stage.request(tip(1))])


def test_stopping_serves_what_waits(stage: WritePath, fresh_book: FreshBook) -> None:
    writer = Writer(stage.book, lambda: fresh_book.connect(autocommit=True))
    waiting = [writer.write_soon([stage.request(tip(1))]) for _ in range(50)]
    writer.start()
    writer.stop()
    assert all(future.result(timeout=0)[0].status == 201 for future in waiting)
    stage.then(wallet(1050))


def test_a_crowd_of_callers_each_gets_its_own_answer(stage: WritePath) -> None:
    answers: dict[int, Answer] = {}
    requests: dict[int, Request] = {n: stage.request(tip(n)) for n in range(1, 41)}

    def send(n: int) -> None:
        answers[n] = stage.writer.write([requests[n]])[0]

    stage.writer  # noqa: B018 -- starts it
    threads = [threading.Thread(target=send, args=(n,)) for n in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, answer in answers.items():
        assert b'"gross":%d,' % n in answer.body
    stage.then(wallet(1100 - sum(requests)))


class Door:
    """The way to the database, which a test can close."""

    def __init__(self, fresh: FreshBook) -> None:
        self.open = False
        self._fresh = fresh

    def connect(self) -> Connection:
        if not self.open:
            raise psycopg.OperationalError("the database is not there")
        return self._fresh.connect(autocommit=True)


def test_without_a_database_callers_are_told_soon_and_service_resumes_by_itself(
    stage: WritePath, fresh_book: FreshBook
) -> None:
    door = Door(fresh_book)
    writer = Writer(stage.book, door.connect).start()
    lost = stage.request(tip(1, key="k"))
    began = time.monotonic()
    with pytest.raises(Unavailable, match="same key"):
        writer.write([lost])
    assert time.monotonic() - began < 1
    with pytest.raises(Unavailable, match="nothing was written"):
        writer.write([lost])

    door.open = True
    assert until_available(lambda: writer.write([lost]))[0].status == 201
    writer.stop()
    stage.then(wallet(1099))


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_small_groups_in_one_batch_are_decided_as_if_each_came_alone(
    data: st.DataObject, stage: WritePath
) -> None:
    amounts = st.sampled_from([1, 7, 300, 5_000])
    drawn = data.draw(st.lists(st.lists(amounts, min_size=1, max_size=3), max_size=12))
    holder = f"holder-{next(stage.numbers)}"
    write(stage, grant(600, user=holder))
    groups = [Group([stage.request(tip(a, user=holder)) for a in each], True) for each in drawn]
    outcomes = at_once(stage, groups)
    stage.restart()
    left = 600
    for amounts_of, answers in zip(drawn, outcomes, strict=True):
        fits = sum(amounts_of) <= left
        assert all(answer.accepted for answer in answers) == fits
        left -= sum(amounts_of) if fits else 0
    stage.then(wallet(left, user=holder))
