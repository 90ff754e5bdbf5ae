"""Many notices wait: they are found by the tag that they await, counted, and there is a limit."""

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from ledger.postgres.database import Connection
from ledger.write import inbox as inbox_module
from ledger.write.answer import Answer
from ledger.write.group import Group
from ledger.write.inbox import Inbox, NoticeStatus, ParkedCount, parked_count
from ledger.write.unavailable import NotWritten
from tests.ledger.write.kept import inbox, refunded
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import Sent, card_tip, policy, tip
from tests.scenarios.write_path import WritePath

MANY = 2_000


@pytest.fixture(autouse=True)
def _open(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK))


def about(nth: int) -> Sent:
    """A refund of a payment that nobody has told of."""
    return refunded(100, ref=f"refund{nth}", sale=f"tip{nth}")


def paid(nth: int) -> Sent:
    """That payment."""
    return card_tip(1_000, processor_ref=f"tip{nth}")


def counted(stage: WritePath) -> ParkedCount:
    """What the book says of its parked notices."""
    with stage.fresh.connect() as connection:
        return parked_count(connection)


def test_only_what_a_batch_may_release_is_read(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = stage.writer, stage.another_writer()
    parked = one.write([stage.request(about(nth)) for nth in range(MANY)])
    assert {answer.status for answer in parked} == {202}
    assert counted(stage).notices == MANY
    read: list[str] = []
    reading = inbox_module.parked_notice

    def counting(row: tuple[object, ...]) -> object:
        read.append(str(row[1]))
        return reading(row)

    monkeypatch.setattr(inbox_module, "parked_notice", counting)
    for nth, writer in ((MANY + 1, other), (7, one), (MANY + 2, one), (8, other)):
        assert stage.send(paid(nth), writer).status == 201
    assert read == ["refund7", "refund8"]
    assert counted(stage).notices == MANY - 2
    assert stage.balance("psp.stripe") == 4 * 1_000 - 2 * 100


def test_what_no_command_asked_for_is_looked_up_once_it_is_recorded(stage: WritePath) -> None:
    """A refund whose failure waits is told of under its own reference, which it never looks for."""
    stage.given(paid(1))
    failure = {"reason_code": "FAILED", "processor": "stripe", "processor_ref": "f1"}
    waiting = Sent("fail-refund", {"refund": "r1", **failure})
    assert stage.send(waiting).code == "AWAITING_REFERENT"
    stage.restart()
    told = stage.send(refunded(100, ref="r1", sale="tip1"))
    assert [one["processor_ref"] for one in told.json["released"]] == ["f1"]
    assert inbox(stage)["f1"][0] == "applied"
    assert stage.balance("psp.stripe") == 1_000


def test_they_are_counted_whoever_changes_them(stage: WritePath) -> None:
    sent = [about(1), about(2), about(3), paid(2)]
    stage.writer.write([stage.request(one) for one in sent])
    assert counted(stage).notices == 2
    assert counted(stage).oldest_s > 0
    stage.close()
    with stage.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("DELETE FROM inbox WHERE processor_ref = 'refund1'")
        assert parked_count(admin).notices == 1
        admin.execute("UPDATE inbox SET state = 'applied' WHERE processor_ref = 'refund3'")
        assert parked_count(admin) == (0, 0.0)


def test_beyond_the_limit_the_processor_is_asked_to_come_again(stage: WritePath) -> None:
    narrow = stage.another_writer(parked_max=2)
    for nth in (1, 2):
        assert stage.send(about(nth), narrow).status == 202
    request = stage.request(about(3))
    with capture_logs() as logged:
        (answer,) = narrow.write([request])
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    assert [line["event"] for line in logged if line["log_level"] == "critical"] == [
        "a notice finds no room"
    ]
    assert set(inbox(stage)) == {"refund1", "refund2"}
    assert stage.send(paid(1), narrow).status == 201, "what has arrived is taken, and makes room"
    (answer,) = narrow.write([request])
    assert (answer.status, answer.replayed) == (202, False)
    assert counted(stage).notices == 2


def test_one_payment_cannot_take_all_the_room(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "PARKED_OF_ONE_TAG_MAX", 2)
    for ref, status in (("a", 202), ("b", 202), ("c", 503)):
        assert stage.send(refunded(100, ref=ref)).status == status
        stage.restart()
    assert stage.send(about(1)).status == 202


def test_what_is_written_along_waits_with_a_notice_that_finds_no_room(stage: WritePath) -> None:
    """So a consumer does not count a notice as read that is kept nowhere, and keeps it itself."""
    narrow = stage.another_writer(parked_max=1)
    written: list[int] = []

    def along(connection: Connection, answers: Sequence[Answer]) -> None:
        written.append(len(answers))

    assert stage.send(about(1), narrow).status == 202
    outcomes: list[object] = []
    narrow.submit(Group([stage.request(about(2))], alongside=along), outcomes.append)
    assert stage.send(paid(3), narrow).status == 201
    assert isinstance(outcomes[0], NotWritten)
    assert written == []
    assert set(inbox(stage)) == {"refund1"}


def test_a_group_that_falls_leaves_the_inbox_as_it_was(stage: WritePath) -> None:
    stage.send(about(1))
    group = [stage.request(one) for one in (paid(1), about(2), tip(1_000))]
    answers = stage.writer.write(group, atomic=True)
    assert [answer.accepted for answer in answers] == [False, False, False]
    assert inbox(stage) == {"refund1": ("parked", "payment:tip1", None)}
    assert counted(stage).notices == 1
    assert stage.send(paid(1)).json["released"][0]["processor_ref"] == "refund1"


def test_saving_costs_the_same_however_many_wait(stage: WritePath) -> None:
    """A group that falls puts back what it changed, and looks at nothing else."""
    request = stage.request(about(1))
    waiting = Inbox(parked=MANY)
    for nth in range(MANY):
        waiting.keep(
            request, NoticeStatus.PARKED, f"payment:{nth}", stage.entries()[-1].recorded_at
        )
    before = dict(waiting.waiting)
    saved = waiting.save()
    assert len(saved) == 3
    waiting.keep(request, NoticeStatus.PARKED, "payment:0", stage.entries()[-1].recorded_at)
    cause = Answer(201, 1, "x")
    waiting.wake(["payment:1", "wallet:u", "payment:new"], cause, "0" * 32)
    assert [due.notice.awaits for due in waiting.due] == ["payment:1"]
    assert list(waiting.unknown) == ["payment:new"]
    waiting.restore(saved)
    assert waiting.waiting == before
    assert (waiting.due, waiting.unknown, len(waiting.kept)) == ([], {}, MANY)
    assert waiting.parked == 2 * MANY
