"""Platform E, `session-booking`: VAT and its documents, adjustments, and what auditors check."""

import hashlib

import pytest

from ledger.log.entry import faults
from tests.scenarios.platform import Platform
from tests.scenarios.policies import SESSION_BOOKING
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


@pytest.fixture(autouse=True)
def _seventy_thirty_and_vat(platform: Platform) -> None:
    platform.given(policy({**SESSION_BOOKING, "vat": {"FR": 2_000}}))


def session(amount: int) -> Sent:
    """A card is authorised for a session with a standard trainer."""
    fields = {"session": "s1", "user": FAN, "payee": CREATOR, "tier": "STANDARD"}
    card = {"processor": "stripe", "processor_ref": "a1", "country": "FR"}
    return Sent("authorize", {**fields, **card, "amount": amount})


def test_e3_vat_comes_out_first_and_each_refund_has_its_credit_note(platform: Platform) -> None:
    platform.given(session(10_000))
    payment = latest(platform, "payment.authorized.v1")["payment_id"]
    platform.when(Sent("capture", {"payment": payment, "amount": 10_000})).then(accepted())
    platform.then(credit("vat.FR", 1_667), creator_has(5_833), credit(commission, 2_500))
    invoice = {"number": "FR-000001", "net": 8_333, "vat": 1_667, "rate": 2_000}
    platform.then(says("invoice.issued.v1", **invoice))

    sale = latest(platform, "invoice.issued.v1")["sale_id"]
    platform.given(refunded(sale, 3_333))
    platform.then(
        credit("vat.FR", 1_667 - 556),
        creator_has(5_833 - 1_944),
        credit(commission, 2_500 - 833),
        says("credit_note.issued.v1", number="FR-000002", net=2_777, vat=556),
    )
    platform.given(refunded(sale, 10_000))
    platform.then(
        credit("vat.FR", 0),
        creator_has(0),
        credit(commission, 0),
        says("credit_note.issued.v1", number="FR-000003", net=5_556, vat=1_111),
        events("invoice.issued.v1", 1),
        events("credit_note.issued.v1", 2),
    )


def test_e4_goodwill_needs_two_people(platform: Platform) -> None:
    platform.given(adjustment(2_500, evidence="The trainer waited in the rain."))
    platform.when(approval(platform, "approver", "fay"))
    platform.then(rejected("SELF_APPROVAL_FORBIDDEN", status=403), creator_has(0))
    platform.when(approval(platform, *BOB)).then(accepted(), creator_has(2_500))


def test_e4_altering_one_stored_amount_is_found_at_its_position(platform: Platform) -> None:
    platform.given(adjustment(2_500))
    platform.given(approval(platform, *BOB))
    *_, (position, data) = platform.rows()
    assert not list(faults(data))
    altered = data.replace(b"2500", b"2501", 1)
    assert altered != data and list(faults(altered))
    with platform.fresh.connect() as connection:
        row = connection.execute("SELECT leaf_hash FROM events WHERE position = %s", [position])
        (leaf,) = row.fetchone() or (None,)
    assert leaf == hashlib.sha256(b"\0" + data).digest()
    assert leaf != hashlib.sha256(b"\0" + altered).digest()


def test_e4_erasing_a_subject_changes_no_balance_and_no_hash(platform: Platform) -> None:
    platform.given(adjustment(2_500, evidence="The trainer waited in the rain."))
    platform.given(approval(platform, *BOB))
    back = adjustment(-2_500, evidence="She was paid in cash.")
    platform.given(back)
    erase = Sent("erase-subject", {"subject": CREATOR, "kind": "creator"}, "admin", "root")
    platform.when(erase).then(rejected("ACCOUNT_HAS_BALANCE", status=422))
    platform.given(approval(platform, *BOB))
    assert texts(platform) == ["She was paid in cash.", "The trainer waited in the rain."]

    before, balances = platform.rows(), platform.balances()
    platform.when(erase).then(accepted())
    assert texts(platform) == []
    assert platform.rows()[: len(before)] == before
    assert platform.balances() == balances


def test_e4_what_is_late_is_posted_to_the_open_period(platform: Platform) -> None:
    closing = Sent("close-period", {"period": "2020-03"}, *FAY)
    platform.given(closing, card_unlock(500).but(occurred_at="2020-03-31T23:59:59Z"))
    platform.given(card_unlock(500).but(occurred_at="2020-04-02T00:00:00Z"))
    first, second = (e for e in platform.entries() if e.type == "content.unlocked.v1")
    assert (str(first.effective_on), str(second.effective_on)) == ("2020-04-01", "2020-04-02")
    platform.when(adjustment(1, effective_on="2020-03-31"))
    platform.then(rejected("PERIOD_CLOSED", status=409, first_open="2020-04-01"))
    platform.given(adjustment(1, effective_on="2020-05-05"))
    platform.given(approval(platform, *BOB))
    assert str(platform.entries()[-1].effective_on) == "2020-05-05"


def texts(platform: Platform) -> list[str]:
    """What people wrote, as far as it is kept."""
    with platform.fresh.connect() as connection:
        return [text for (text,) in connection.execute("SELECT text FROM texts ORDER BY text")]
