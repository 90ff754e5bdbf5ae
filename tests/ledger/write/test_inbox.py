"""The inbox: a notice about something unknown waits, and nothing of it is ever lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.log.verify import Difference, verify_log, verify_snapshots
from ledger.write import batch, sequencer
from ledger.write.admission import admit
from ledger.write.request import Request
from ledger.write.state_cache import StateCache
from tests.golden.history import FINANCE
from tests.ledger.random_histories import audit
from tests.scenarios.platform import Person, Platform
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import FAN, Sent, card_tip, policy, purchase, tip
from tests.scenarios.steps_disputes import disputed, lost

TIP = card_tip(1_000, processor_ref="tip")
SENDS_A_TIP = """
import sys
from ledger.books import get_book
from ledger.postgres.database import connect
from ledger.write.writer import Writer
from tests.ledger.write.test_inbox import TIP, admitted
url, name = sys.argv[1:]
with connect(url) as connection:
    book = get_book(connection, name)
writer = Writer(book, lambda: connect(url, book.schema, autocommit=True)).start()
writer.write([admitted(TIP)])
"""


@pytest.fixture(autouse=True)
def _open(platform: Platform) -> None:
    platform.given(policy(MICRO_UNLOCK))


def refunded(cumulative: int, ref: str = "refund", sale: str = "tip") -> Sent:
    """A processor's report."""
    fields = {"sale": sale, "cumulative": cumulative, "processor": "stripe", "processor_ref": ref}
    return Sent("record-refund", fields)


def release(ref: str, resolution: str) -> Sent:
    """Somebody decides about a payment in suspense."""
    return Sent("release-payment", {"payment_ref": ref, "resolution": resolution}, *FINANCE)


def admitted(sent: Sent) -> Request:
    """A command as it stands before the sequencer of some process."""
    person = Person(sent.role, sent.actor, sent.client)
    return admit(sent.command, sent.fields, person, idempotency_key="k", correlation_id="c1")


def inbox(platform: Platform) -> dict[str, tuple[str, str | None, int | None]]:
    """What the inbox holds: (state, awaited tag, position), by reference."""
    with platform.fresh.connect() as connection:
        rows = connection.execute("SELECT processor_ref, state, awaits, position FROM inbox")
        return {ref: (state, awaits, position) for ref, state, awaits, position in rows}


def differences(platform: Platform) -> list[Difference]:
    """What verification finds."""
    with platform.fresh.connect(autocommit=True) as connection:
        return [*verify_log(connection, platform.book), *verify_snapshots(connection)]


def types(platform: Platform) -> list[str]:
    """What has happened since the policy."""
    return [entry.type for entry in platform.entries()[2:]]


def test_a_notice_about_something_unknown_is_kept(platform: Platform) -> None:
    outcome = platform.send(refunded(400))
    assert (outcome.status, outcome.code, outcome.replayed) == (202, "AWAITING_REFERENT", False)
    assert outcome.json["outcome"] == "parked"
    assert outcome.json["events"] == []
    assert inbox(platform) == {"refund": ("parked", "payment:tip", None)}
    assert types(platform) == []


def test_it_is_applied_with_what_it_spoke_of(platform: Platform) -> None:
    first = platform.send(refunded(400))
    sold = platform.send(TIP)
    assert [event["type"] for event in sold.json["events"]] == ["tip.sent.v1"]
    assert types(platform) == ["tip.sent.v1", "refund.recorded.v1"]
    assert inbox(platform) == {"refund": ("applied", None, 4)}
    assert platform.balance("psp.stripe") == 600
    again = platform.send(refunded(400))
    assert (again.status, again.body, again.replayed) == (first.status, first.body, True)
    assert types(platform) == ["tip.sent.v1", "refund.recorded.v1"]
    platform.close()
    assert differences(platform) == []


def test_it_is_applied_in_the_transaction_of_its_referent(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.send(refunded(400))

    def fail(point: str) -> None:
        raise KeyboardInterrupt(point)

    groups = [sequencer.Group([platform.request(TIP)])]
    platform.close()
    with platform.fresh.connect(autocommit=True) as connection:
        door = sequencer.Sequencer(platform.book, connection, StateCache(1_000))
        monkeypatch.setattr(sequencer, "failpoint", fail)
        with pytest.raises(KeyboardInterrupt):
            door.commit_batch(groups)
    monkeypatch.undo()
    assert types(platform) == []
    assert inbox(platform) == {"refund": ("parked", "payment:tip", None)}
    platform.given(TIP)
    assert types(platform) == ["tip.sent.v1", "refund.recorded.v1"]


@pytest.mark.parametrize(("point", "seen"), [("after_copy", 0), ("after_commit", 2)])
def test_a_process_killed_in_between_has_applied_all_or_nothing(
    platform: Platform, point: str, seen: int
) -> None:
    first = platform.send(refunded(400))
    platform.close()
    killed = subprocess.run(
        [sys.executable, "-c", SENDS_A_TIP, platform.fresh.service_url, platform.book.name],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "TOKENLEDGER_FAILPOINT": f"{point}:SIGKILL"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(types(platform)) == seen
    assert platform.send(TIP).status == 201
    assert platform.send(refunded(400)).body == first.body
    assert types(platform) == ["tip.sent.v1", "refund.recorded.v1"]


def test_another_process_applies_what_one_had_kept(platform: Platform) -> None:
    one, other = platform.writer, platform.another_writer()
    platform.send(disputed(1_000, payment_ref="tip"), one)
    platform.send(lost(), other)
    assert platform.send(TIP, one).status == 201
    assert types(platform) == ["tip.sent.v1", "dispute.opened.v1", "dispute.lost.v1"]
    assert {state for state, _, _ in inbox(platform).values()} == {"applied"}


def test_a_restart_forgets_nothing(platform: Platform) -> None:
    platform.send(lost())
    platform.restart()
    platform.send(disputed(1_000, payment_ref="tip"))
    platform.restart()
    platform.send(TIP)
    platform.restart()
    assert types(platform) == ["tip.sent.v1", "dispute.opened.v1", "dispute.lost.v1"]
    assert platform.balance("disputed") == 0
    assert differences(platform) == []


def test_notices_wait_in_one_batch_with_what_they_speak_of(platform: Platform) -> None:
    sent = [lost(), refunded(300), disputed(700, payment_ref="tip"), TIP, tip(1)]
    answers = platform.writer.write([platform.request(one) for one in sent])
    assert [answer.status for answer in answers] == [202, 202, 202, 201, 402]
    assert platform.balance("disputed") == 0
    assert platform.balance("psp.stripe") == 1_000 - 300 - 700 - 1_500
    platform.close()
    audit(platform, [*zip(sent, answers, strict=True)][:-1])
    assert differences(platform) == []


def test_a_suspended_notice_waits_for_a_person(platform: Platform) -> None:
    wrong = purchase("small", price=998, ref="wrong")
    first = platform.send(wrong)
    assert (first.status, first.code) == (202, "PRICE_MISMATCH")
    assert inbox(platform)["wrong"][:2] == ("suspended", None)
    platform.given(release("wrong", "RETURN"))
    assert inbox(platform)["wrong"] == ("applied", None, 4)
    assert platform.balance("suspense") == 0
    assert platform.send(wrong).body == first.body


def test_a_suspended_notice_is_applied_once_nothing_contradicts(platform: Platform) -> None:
    first = platform.send(purchase("large", price=1_998, ref="large"))
    assert (first.status, first.code) == (202, "UNKNOWN_PACKAGE")
    assert platform.send(release("large", "APPLY")).code == "INVALID_TRANSITION"
    assert inbox(platform)["large"][0] == "suspended"
    large = {**MICRO_UNLOCK, "packages": {"large": {"tokens": 2_000, "price": 1_998}}}
    proposal, approval = policy(large)
    platform.given(proposal, approval.but(version=2))
    platform.given(release("large", "APPLY"))
    assert platform.balance(f"w.{FAN}.free", f"{platform.book.name}.PAID") == -2_000
    assert inbox(platform)["large"][0] == "applied"
    assert platform.send(purchase("large", price=1_998, ref="large")).body == first.body


def test_what_had_waited_may_contradict_when_its_time_comes(platform: Platform) -> None:
    first = platform.send(refunded(1_001))
    platform.given(TIP)
    assert types(platform) == ["tip.sent.v1", "refund.recorded.v1", "payment.suspended.v1"]
    assert inbox(platform) == {"refund": ("suspended", None, 5)}
    assert platform.send(refunded(1_001)).body == first.body
    platform.given(release("refund", "RETURN"))
    assert inbox(platform) == {"refund": ("applied", None, 6)}
    platform.close()
    assert differences(platform) == []


def test_what_is_refunded_beyond_a_sale_is_in_suspense_once(platform: Platform) -> None:
    platform.given(TIP)
    for cumulative, ref, waiting in ((1_002, "a", 2), (1_001, "b", 2), (1_005, "c", 5)):
        assert platform.send(refunded(cumulative, ref)).code == "INVALID_TRANSITION"
        assert platform.balance("suspense") == waiting
    assert platform.send(release("c", "APPLY")).code == "INVALID_TRANSITION"
    for ref, waiting in (("c", 2), ("b", 2), ("a", 0)):
        platform.given(release(ref, "RETURN"))
        assert platform.balance("suspense") == waiting
    platform.close()
    assert differences(platform) == []


def test_what_waits_for_a_suspended_payment_goes_on_waiting(platform: Platform) -> None:
    platform.send(disputed(999, payment_ref="later"))
    platform.send(purchase("small", price=998, ref="later"))
    assert inbox(platform)["dispute"][:2] == ("parked", "payment:later")
    platform.given(release("later", "RETURN"))
    assert inbox(platform)["dispute"][:2] == ("parked", "payment:later")


def test_a_bug_in_applying_leaves_the_notice_waiting(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.send(refunded(400))
    apply = batch.Batch._decide

    def broken(self: batch.Batch, request: Any) -> Any:
        if request.command.name == "record-refund":
            raise RuntimeError("a bug")
        return apply(self, request)

    monkeypatch.setattr(batch.Batch, "_decide", broken)
    platform.given(TIP)
    assert types(platform) == ["tip.sent.v1"]
    assert inbox(platform)["refund"][:2] == ("parked", "payment:tip")
