"""The inbox: a notice about something unknown waits, and nothing of it is ever lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger.write import batch, sequencer
from ledger.write.state_cache import StateCache
from tests.golden.history import FINANCE
from tests.ledger.random_histories import audit
from tests.ledger.write.kept import differences, inbox, refunded
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import FAN, Sent, card_tip, policy, purchase, tip
from tests.scenarios.steps_disputes import disputed, lost
from tests.scenarios.write_path import WritePath

TIP = card_tip(1_000, processor_ref="tip")
SENDS_A_TIP = """
import sys
from ledger.books import get_book
from ledger.postgres.database import connect
from ledger.write.writer import Writer
from tests.scenarios.stage import admitted
from tests.scenarios.steps import card_tip
url, name = sys.argv[1:]
with connect(url) as connection:
    book = get_book(connection, name)
writer = Writer(book, lambda: connect(url, book.schema, autocommit=True)).start()
writer.write([admitted(card_tip(1_000, processor_ref="tip"), "k")])
"""


@pytest.fixture(autouse=True)
def _open(stage: WritePath) -> None:
    stage.given(policy(MICRO_UNLOCK))


def release(ref: str, resolution: str) -> Sent:
    """Somebody decides about a payment in suspense."""
    return Sent("release-payment", {"payment_ref": ref, "resolution": resolution}, *FINANCE)


def types(stage: WritePath) -> list[str]:
    """What has happened since the policy."""
    return [entry.type for entry in stage.entries()[2:]]


def test_a_notice_about_something_unknown_is_kept(stage: WritePath) -> None:
    outcome = stage.send(refunded(400))
    assert (outcome.status, outcome.code, outcome.replayed) == (202, "AWAITING_REFERENT", False)
    assert outcome.json["outcome"] == "parked"
    assert outcome.json["events"] == []
    assert inbox(stage) == {"refund": ("parked", "payment:tip", None)}
    assert types(stage) == []


def test_a_figure_that_says_nothing_new_is_kept_as_ignored(stage: WritePath) -> None:
    stage.given(TIP, refunded(400))
    outcome = stage.send(refunded(400, ref="again"))
    assert (outcome.status, outcome.code) == (202, "STALE_FIGURE")
    assert outcome.json["outcome"] == "ignored"
    assert [event["type"] for event in outcome.json["events"]] == ["refund.ignored.v1"]
    assert inbox(stage) == {"again": ("ignored", None, None)}
    again = stage.send(refunded(400, ref="again"))
    assert (again.status, again.body, again.replayed) == (202, outcome.body, True)
    assert stage.send(refunded(300, ref="early", sale="later")).json["outcome"] == "parked"
    stage.given(card_tip(1_000, processor_ref="later"))
    assert inbox(stage)["early"][0] == "applied"


def test_a_parked_figure_may_turn_out_to_say_nothing_new(stage: WritePath) -> None:
    stage.send(refunded(400))
    stage.send(refunded(300, ref="lower"))
    stage.given(TIP)
    assert [inbox(stage)[ref][0] for ref in ("refund", "lower")] == ["applied", "ignored"]


def test_it_is_applied_with_what_it_spoke_of(stage: WritePath) -> None:
    first = stage.send(refunded(400))
    sold = stage.send(TIP)
    assert [event["type"] for event in sold.json["events"]] == ["tip.sent.v1"]
    assert types(stage) == ["tip.sent.v1", "refund.recorded.v1"]
    assert inbox(stage) == {"refund": ("applied", None, 4)}
    assert stage.balance("psp.stripe") == 600
    again = stage.send(refunded(400))
    assert (again.status, again.body, again.replayed) == (first.status, first.body, True)
    assert types(stage) == ["tip.sent.v1", "refund.recorded.v1"]
    stage.close()
    assert differences(stage) == []


def test_it_is_applied_in_the_transaction_of_its_referent(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.send(refunded(400))

    def fail(point: str) -> None:
        raise KeyboardInterrupt(point)

    groups = [sequencer.Group([stage.request(TIP)])]
    stage.close()
    with stage.fresh.connect(autocommit=True) as connection:
        door = sequencer.Sequencer(stage.book, connection, StateCache(1_000))
        monkeypatch.setattr(sequencer, "failpoint", fail)
        with pytest.raises(KeyboardInterrupt):
            door.commit_batch(groups)
    monkeypatch.undo()
    assert types(stage) == []
    assert inbox(stage) == {"refund": ("parked", "payment:tip", None)}
    stage.given(TIP)
    assert types(stage) == ["tip.sent.v1", "refund.recorded.v1"]


@pytest.mark.parametrize(("point", "seen"), [("after_copy", 0), ("after_commit", 2)])
def test_a_process_killed_in_between_has_applied_all_or_nothing(
    stage: WritePath, point: str, seen: int
) -> None:
    first = stage.send(refunded(400))
    stage.close()
    killed = subprocess.run(
        [sys.executable, "-c", SENDS_A_TIP, stage.fresh.service_url, stage.book.name],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "TOKENLEDGER_FAILPOINT": f"{point}:SIGKILL"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(types(stage)) == seen
    assert stage.send(TIP).status == 201
    assert stage.send(refunded(400)).body == first.body
    assert types(stage) == ["tip.sent.v1", "refund.recorded.v1"]


def test_another_process_applies_what_one_had_kept(stage: WritePath) -> None:
    one, other = stage.writer, stage.another_writer()
    stage.send(disputed(1_000, payment_ref="tip"), one)
    stage.send(lost(), other)
    assert stage.send(TIP, one).status == 201
    assert types(stage) == ["tip.sent.v1", "dispute.opened.v1", "dispute.lost.v1"]
    assert {state for state, _, _ in inbox(stage).values()} == {"applied"}


def test_a_restart_forgets_nothing(stage: WritePath) -> None:
    stage.send(lost())
    stage.restart()
    stage.send(disputed(1_000, payment_ref="tip"))
    stage.restart()
    stage.send(TIP)
    stage.restart()
    assert types(stage) == ["tip.sent.v1", "dispute.opened.v1", "dispute.lost.v1"]
    assert stage.balance("disputed") == 0
    assert differences(stage) == []


def test_notices_wait_in_one_batch_with_what_they_speak_of(stage: WritePath) -> None:
    sent = [lost(), refunded(300), disputed(700, payment_ref="tip"), TIP, tip(1)]
    answers = stage.writer.write([stage.request(one) for one in sent])
    assert [answer.status for answer in answers] == [202, 202, 202, 201, 402]
    assert stage.balance("disputed") == 0
    assert stage.balance("psp.stripe") == 1_000 - 300 - 700 - 1_500
    stage.close()
    audit(stage, [*zip(sent, answers, strict=True)][:-1])
    assert differences(stage) == []


def test_a_suspended_notice_waits_for_a_person(stage: WritePath) -> None:
    wrong = purchase("small", price=998, ref="wrong")
    first = stage.send(wrong)
    assert (first.status, first.code) == (202, "PRICE_MISMATCH")
    assert inbox(stage)["wrong"][:2] == ("suspended", None)
    stage.given(release("wrong", "RETURN"))
    assert inbox(stage)["wrong"] == ("applied", None, 4)
    assert stage.balance("suspense") == 0
    assert stage.send(wrong).body == first.body


def test_a_suspended_notice_is_applied_once_nothing_contradicts(stage: WritePath) -> None:
    first = stage.send(purchase("large", price=1_998, ref="large"))
    assert (first.status, first.code) == (202, "UNKNOWN_PACKAGE")
    assert stage.send(release("large", "APPLY")).code == "INVALID_TRANSITION"
    assert inbox(stage)["large"][0] == "suspended"
    large = {**MICRO_UNLOCK, "packages": {"large": {"tokens": 2_000, "price": 1_998}}}
    proposal, approval = policy(large)
    stage.given(proposal, approval.but(version=2))
    stage.given(release("large", "APPLY"))
    assert stage.balance(f"w.{FAN}.free", f"{stage.book.name}.PAID") == -2_000
    assert inbox(stage)["large"][0] == "applied"
    assert stage.send(purchase("large", price=1_998, ref="large")).body == first.body


def test_what_had_waited_may_contradict_when_its_time_comes(stage: WritePath) -> None:
    first = stage.send(refunded(1_001))
    stage.given(TIP)
    assert types(stage) == ["tip.sent.v1", "refund.recorded.v1", "payment.suspended.v1"]
    assert inbox(stage) == {"refund": ("suspended", None, 5)}
    assert stage.send(refunded(1_001)).body == first.body
    stage.given(release("refund", "RETURN"))
    assert inbox(stage) == {"refund": ("applied", None, 6)}
    stage.close()
    assert differences(stage) == []


def test_what_is_refunded_beyond_a_sale_is_in_suspense_once(stage: WritePath) -> None:
    stage.given(TIP)
    beyond, stale = "INVALID_TRANSITION", "STALE_FIGURE"
    told = ((1_002, "a", beyond, 2), (1_001, "b", stale, 2), (1_005, "c", beyond, 5))
    for cumulative, ref, code, waiting in told:
        assert stage.send(refunded(cumulative, ref)).code == code
        assert stage.balance("suspense") == waiting
    assert stage.send(release("c", "APPLY")).code == "INVALID_TRANSITION"
    for ref, waiting in (("c", 2), ("a", 0)):
        stage.given(release(ref, "RETURN"))
        assert stage.balance("suspense") == waiting
    stage.close()
    assert differences(stage) == []


def test_6_3_what_waits_for_a_payment_is_applied_while_that_is_in_suspense(
    stage: WritePath,
) -> None:
    stage.send(disputed(500, payment_ref="later", fee=0))
    stage.send(purchase("small", price=998, ref="later"))
    assert inbox(stage)["dispute"][:2] == ("applied", None)
    assert stage.balance("suspense") == -498
    stage.given(release("later", "RETURN"))
    assert stage.balance("suspense") == stage.balance("psp.stripe") == 0
    stage.close()
    assert differences(stage) == []


def test_a_bug_in_applying_leaves_the_notice_waiting(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.send(refunded(400))
    apply = batch.Batch._decide

    def broken(self: batch.Batch, request: Any) -> Any:
        if request.command.name == "record-refund":
            raise RuntimeError("a bug")
        return apply(self, request)

    monkeypatch.setattr(batch.Batch, "_decide", broken)
    stage.given(TIP)
    assert types(stage) == ["tip.sent.v1"]
    assert inbox(stage)["refund"][:2] == ("parked", "payment:tip")


def test_6_21_two_notices_under_one_reference_wait_each_by_itself(stage: WritePath) -> None:
    tipped = card_tip(50, user="ann", creator="ann", processor_ref="same")
    stage.given(TIP)
    sent = [purchase("small", price=998, ref="same"), refunded(1_001, "same"), tipped]
    codes = [stage.send(one).code for one in sent]
    assert codes == ["PRICE_MISMATCH", "INVALID_TRANSITION", "SELF_DEALING"]
    with stage.fresh.connect() as connection:
        rows = connection.execute("SELECT command, state FROM inbox ORDER BY received_at")
        assert [*rows] == [(one.command, "suspended") for one in sent]
    stage.given(release("same", "RETURN"))
    with stage.fresh.connect() as connection:
        rows = connection.execute("SELECT command FROM inbox WHERE state = 'applied'")
        assert [*rows] == [("record-purchase",)]


def test_6_21_other_fields_under_a_known_reference_post_nothing(stage: WritePath) -> None:
    stage.given(TIP, refunded(400))
    for other in (refunded(500), refunded(400).but(sale="other"), TIP.but(amount=999)):
        outcome = stage.send(other)
        assert (outcome.status, outcome.code) == (422, "REFERENCE_TAKEN")
        assert outcome.json["details"] == {"processor_ref": other.fields["processor_ref"]}
    assert types(stage) == ["tip.sent.v1", "refund.recorded.v1"]
    assert inbox(stage) == {}


def test_6_20_a_receipt_covers_what_was_released_after_a_restart(stage: WritePath) -> None:
    stage.send(refunded(400))
    sold = stage.send(TIP)
    assert sold.json["position"] == 4
    stage.restart()
    assert stage.send(TIP).body == sold.body
    sent = [lost(), disputed(600, payment_ref="two"), card_tip(600, processor_ref="two"), TIP]
    answers = stage.writer.write([stage.request(one) for one in sent])
    assert msgspec.json.decode(answers[2].body)["position"] == 7
    stage.restart()
    again = stage.writer.write([stage.request(one) for one in sent])
    assert [answer.body for answer in again] == [answer.body for answer in answers]
    stage.close()
    assert differences(stage) == []
