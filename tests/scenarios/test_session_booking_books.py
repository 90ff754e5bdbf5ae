"""Platform E, `session-booking`: VAT and its documents, adjustments, and what auditors check."""

import hashlib

import pytest

from ledger.log.entry import faults
from tests.scenarios.policies import SESSION_BOOKING
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    CREATOR,
    FAN,
    Sent,
    accepted,
    card_unlock,
    commission,
    creator_has,
    credit,
    events,
    policy,
    rejected,
)
from tests.scenarios.steps_finance import BOB, FAY, adjustment, approval, latest, refunded, says
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)


@pytest.fixture(autouse=True)
def _seventy_thirty_and_vat(stage: Stage) -> None:
    stage.given(policy({**SESSION_BOOKING, "vat": {"FR": 2_000}}))


def session(amount: int) -> Sent:
    """A card is authorised for a session with a standard trainer."""
    fields = {"session": "s1", "user": FAN, "payee": CREATOR, "tier": "STANDARD"}
    card = {"processor": "stripe", "processor_ref": "a1", "country": "FR"}
    return Sent("authorize", {**fields, **card, "amount": amount})


def test_e3_vat_comes_out_first_and_each_refund_has_its_credit_note(stage: Stage) -> None:
    stage.given(session(10_000))
    payment = latest(stage, "payment.authorized.v1")["payment_id"]
    stage.when(Sent("capture", {"payment": payment, "amount": 10_000})).then(accepted())
    stage.then(credit("vat.FR", 1_667), creator_has(5_833), credit(commission, 2_500))
    invoice = {"number": "FR-000001", "net": 8_333, "vat": 1_667, "rate": 2_000}
    stage.then(says("invoice.issued.v1", **invoice))

    sale = latest(stage, "invoice.issued.v1")["sale_id"]
    stage.given(refunded(sale, 3_333))
    stage.then(
        credit("vat.FR", 1_667 - 556),
        creator_has(5_833 - 1_944),
        credit(commission, 2_500 - 833),
        says("credit_note.issued.v1", number="FR-000002", net=2_777, vat=556),
    )
    stage.given(refunded(sale, 10_000))
    stage.then(
        credit("vat.FR", 0),
        creator_has(0),
        credit(commission, 0),
        says("credit_note.issued.v1", number="FR-000003", net=5_556, vat=1_111),
        events("invoice.issued.v1", 1),
        events("credit_note.issued.v1", 2),
    )


def test_e4_goodwill_needs_two_people(stage: Stage) -> None:
    stage.given(adjustment(2_500, evidence="The trainer waited in the rain."))
    stage.when(approval(stage, "approver", "fay"))
    stage.then(rejected("SELF_APPROVAL_FORBIDDEN", status=403), creator_has(0))
    stage.when(approval(stage, *BOB)).then(accepted(), creator_has(2_500))


@plays_on(WritePath)
def test_e4_altering_one_stored_amount_is_found_at_its_position(stage: WritePath) -> None:
    stage.given(adjustment(2_500))
    stage.given(approval(stage, *BOB))
    *_, (position, data) = stage.rows()
    assert not list(faults(data))
    altered = data.replace(b"2500", b"2501", 1)
    assert altered != data and list(faults(altered))
    with stage.fresh.connect() as connection:
        row = connection.execute("SELECT leaf_hash FROM events WHERE position = %s", [position])
        (leaf,) = row.fetchone() or (None,)
    assert leaf == hashlib.sha256(b"\0" + data).digest()
    assert leaf != hashlib.sha256(b"\0" + altered).digest()


@plays_on(WritePath)
def test_e4_erasing_a_subject_changes_no_balance_and_no_hash(stage: WritePath) -> None:
    stage.given(adjustment(2_500, evidence="The trainer waited in the rain."))
    stage.given(approval(stage, *BOB))
    back = adjustment(-2_500, evidence="She was paid in cash.")
    stage.given(back)
    erase = Sent("erase-subject", {"subject": CREATOR, "kind": "creator"}, "admin", "root")
    stage.when(erase).then(rejected("ACCOUNT_HAS_BALANCE", status=422))
    stage.given(approval(stage, *BOB))
    assert texts(stage) == ["She was paid in cash.", "The trainer waited in the rain."]

    before, balances = stage.rows(), stage.balances()
    stage.when(erase).then(accepted())
    assert texts(stage) == []
    assert stage.rows()[: len(before)] == before
    assert stage.balances() == balances


@plays_on(WritePath)
def test_e4_what_is_late_is_posted_to_the_open_period(stage: WritePath) -> None:
    closing = Sent("close-period", {"period": "2020-03"}, *FAY)
    stage.given(closing, card_unlock(500, country="FR").but(occurred_at="2020-03-31T23:59:59Z"))
    stage.given(card_unlock(500, country="FR").but(occurred_at="2020-04-02T00:00:00Z"))
    first, second = (e for e in stage.entries() if e.type == "content.unlocked.v1")
    assert (str(first.effective_on), str(second.effective_on)) == ("2020-04-01", "2020-04-02")
    stage.when(adjustment(1, effective_on="2020-03-31"))
    stage.then(rejected("PERIOD_CLOSED", status=409, first_open="2020-04-01"))
    stage.given(adjustment(1, effective_on="2020-05-05"))
    stage.given(approval(stage, *BOB))
    assert str(stage.entries()[-1].effective_on) == "2020-05-05"


def texts(stage: WritePath) -> list[str]:
    """What people wrote, as far as it is kept."""
    with stage.fresh.connect() as connection:
        return [text for (text,) in connection.execute("SELECT text FROM texts ORDER BY text")]
