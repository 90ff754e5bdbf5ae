"""Labels: what a sale was marked with is found on it and on all that undoes it."""

from typing import Any

import pytest

from ledger.log.entry import Entry
from tests.scenarios.policies import LIVE_CALL, MICRO_UNLOCK, SESSION_BOOKING
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import Sent, card_tip, freeze, grant, policy, purchase, tip
from tests.scenarios.steps_products import (
    at,
    authorize,
    call,
    capture,
    hold,
    meter,
    named,
    settle,
    turn,
    verified,
)
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)
SALE = {"stream": "s1", "campaign": "c7"}
WITH_VAT = {**MICRO_UNLOCK, "vat": {"DE": 1900}, "vat_elsewhere": 0}


@pytest.fixture(autouse=True)
def _open(stage: Stage) -> None:
    stage.given(policy(WITH_VAT))


def labels(stage: Stage, since: int = 2) -> list[tuple[str, dict[str, str] | None]]:
    """What happened after the policy, and by what it is found."""
    return [(entry.type, entry.event().labels) for entry in stage.entries()[since:]]


def notice(command: str, ref: str, **fields: Any) -> Sent:
    """What Stripe reports."""
    return Sent(command, {**fields, "processor": "stripe", "processor_ref": ref})


@pytest.mark.parametrize(
    ("own", "refunded"),
    [
        (None, SALE),
        ({"case": "x1"}, {**SALE, "case": "x1"}),
        ({"stream": "other", "case": "x1"}, {**SALE, "case": "x1"}),
        ({f"k{n}": "v" for n in range(8)}, {**SALE, **{f"k{n}": "v" for n in range(8)}}),
    ],
)
def test_6_13_a_refund_has_the_labels_of_its_sale_and_its_own_under_other_keys(
    stage: Stage, own: dict[str, str] | None, refunded: dict[str, str]
) -> None:
    extra = {} if own is None else {"labels": own}
    stage.given(card_tip(1_190, country="DE", processor_ref="p:1", labels=SALE))
    stage.given(notice("record-refund", "r:1", sale="p:1", cumulative=500, **extra))
    dispute = notice("open-dispute", "d:1", sale="p:1", amount=600, fee=0, **extra)
    stage.given(dispute, notice("close-dispute", "e:1", dispute="d:1", outcome="LOST"))
    assert labels(stage) == [
        ("tip.sent.v1", SALE),
        ("invoice.issued.v1", SALE),
        ("refund.recorded.v1", refunded),
        ("credit_note.issued.v1", refunded),
        ("dispute.opened.v1", refunded),
        ("dispute.lost.v1", SALE),
        ("credit_note.issued.v1", SALE),
    ]


def test_6_13_a_purchase_gives_its_labels_to_its_dispute_and_its_refund(stage: Stage) -> None:
    bought = purchase("small", price=999, ref="p:1").but(labels=SALE)
    stage.when(bought, tip(5).but(labels={"stream": "s2"}))
    purchase_id = stage.outcomes[0].json["events"][0]["body"]["purchase_id"]
    won = notice("close-dispute", "e:1", dispute="d:1", outcome="WON", labels={"case": "x"})
    stage.given(
        notice("open-dispute", "d:1", purchase=purchase_id, amount=999, fee=0),
        won,
        Sent("refund-purchase", {"purchase": purchase_id, "reason_code": "REQUESTED"}),
    )
    assert labels(stage) == [
        ("tokens.purchased.v1", SALE),
        ("tip.sent.v1", {"stream": "s2"}),
        ("dispute.opened.v1", SALE),
        ("dispute.won.v1", {**SALE, "case": "x"}),
        ("token_purchase.refunded.v1", SALE),
    ]


def test_6_13_a_token_refund_has_the_labels_of_its_tip(stage: Stage) -> None:
    stage.given(purchase("small", price=999))
    stage.when(tip(40).but(labels=SALE))
    back = {"sale": stage.outcomes[0].event["sale_id"], "amount": 10, "reason_code": "SORRY"}
    stage.given(Sent("refund", back))
    assert labels(stage)[1:] == [("tip.sent.v1", SALE), ("refund.recorded.v1", SALE)]


def test_6_13_labels_survive_suspense_and_waiting(stage: Stage) -> None:
    early = notice("record-refund", "r:1", sale="p:1", cumulative=10, labels={"case": "x"})
    wrong = purchase("large", price=500, ref="p:2").but(labels=SALE)
    stage.when(early, card_tip(500, processor_ref="p:1", labels=SALE), wrong)
    large = {**WITH_VAT, "packages": {"large": {"tokens": 500, "price": 500}}}
    proposal, approval = policy(large)
    released = {"payment_ref": "p:2", "resolution": "APPLY"}
    stage.given(proposal, approval.but(version=2))
    stage.given(Sent("release-payment", {**released, "labels": {"desk": "d"}}, "finance", "fay"))
    assert labels(stage)[1] == ("refund.recorded.v1", {**SALE, "case": "x"})
    assert labels(stage)[-2:] == [
        ("payment.released.v1", {"desk": "d"}),
        ("tokens.purchased.v1", SALE),
    ]


@pytest.mark.parametrize(
    ("own", "used"),
    [
        (None, SALE),
        ({"batch": "b1"}, {**SALE, "batch": "b1"}),
        ({"stream": "other"}, SALE),
        ({"campaign": "c8", "batch": "b1"}, {**SALE, "batch": "b1"}),
    ],
)
def test_6_13_a_batch_has_the_labels_of_its_hold(
    stage: Stage, own: dict[str, str] | None, used: dict[str, str]
) -> None:
    extra = {} if own is None else {"labels": own}
    proposal, approval = policy({**WITH_VAT, "products_enabled": ["hold"]})
    stage.given(proposal, approval.but(version=2), purchase("small", price=999))
    stage.given(hold(100).but(labels=SALE))
    name = named(stage, "hold_id")
    stage.given(settle(name, 1, 60).but(**extra), Sent("release-hold", {"hold": name}))
    assert labels(stage, -3) == [
        ("credits.held.v1", SALE),
        ("hold.settled.v1", used),
        ("hold.released.v1", SALE),
    ]


def test_6_13_an_entry_without_labels_says_nothing_of_them(stage: Stage) -> None:
    stage.given(card_tip(500, labels={}), card_tip(500, labels=SALE))
    for entry, expected in zip(stage.entries()[2:], (None, SALE), strict=True):
        assert b"labels" not in bytes(entry.body)
        if isinstance(entry, Entry):
            assert entry.labels == expected


@pytest.mark.parametrize(
    ("own", "found"),
    [
        (None, SALE),
        ({"desk": "d"}, {**SALE, "desk": "d"}),
        ({"stream": "other"}, SALE),
        ({f"k{n}": "v" for n in range(8)}, {**SALE, **{f"k{n}": "v" for n in range(8)}}),
    ],
)
def test_6_13_a_block_has_the_labels_of_its_call(
    stage: Stage, own: dict[str, str] | None, found: dict[str, str]
) -> None:
    proposal, approval = policy(LIVE_CALL)
    stage.given(proposal, approval.but(version=2), verified(), grant(100)).later(hours=1)
    extra = {} if own is None else {"labels": own}
    stage.given(call(25).but(labels=SALE))
    at(stage, 60).given(meter(**extra), turn("end"))
    assert labels(stage, -4) == [
        ("call.started.v1", SALE),
        ("call_block.charged.v1", found),
        ("call_block.charged.v1", found),
        ("call.ended.v1", None),
    ]


def test_6_13_a_block_that_a_freeze_charges_has_them_too(stage: Stage) -> None:
    proposal, approval = policy(LIVE_CALL)
    stage.given(proposal, approval.but(version=2), verified(), grant(100)).later(hours=1)
    stage.given(call(25).but(labels=SALE))
    at(stage, 30).given(freeze("creator", "creator", "EARN"))
    assert ("call_block.charged.v1", SALE) in labels(stage)


@pytest.mark.parametrize(
    ("own", "found"),
    [(None, SALE), ({"desk": "d"}, {**SALE, "desk": "d"}), ({"stream": "other"}, SALE)],
)
def test_6_13_a_capture_has_the_labels_of_its_authorisation(
    stage: Stage, own: dict[str, str] | None, found: dict[str, str]
) -> None:
    proposal, approval = policy({**SESSION_BOOKING, "vat": {"DE": 1900}, "vat_elsewhere": 0})
    stage.given(proposal, approval.but(version=2))
    stage.given(authorize(10_000, "STANDARD", "pi-1", country="DE", labels=SALE))
    payment = named(stage, "payment_id")
    extra = {} if own is None else {"labels": own}
    stage.given(capture(payment, 4_000).but(final=False), capture(payment, 6_000).but(**extra))
    stage.given(notice("record-refund", "r:1", payment_ref="pi-1", amount=500))
    assert labels(stage, -6) == [
        ("payment.captured.v1", SALE),
        ("invoice.issued.v1", SALE),
        ("payment.captured.v1", found),
        ("invoice.issued.v1", found),
        ("refund.recorded.v1", found),
        ("credit_note.issued.v1", found),
    ]


@pytest.mark.parametrize("inherited", [0, 1, 8])
def test_6_13_there_are_at_most_16_labels(stage: Stage, inherited: int) -> None:
    proposal, approval = policy(SESSION_BOOKING)
    stage.given(proposal, approval.but(version=2))
    first = {f"a{n}": "v" for n in range(inherited)}
    second, third = ({f"{name}{n}": "v" for n in range(8)} for name in "bc")
    stage.given(authorize(10_000, "STANDARD", "pi-1", labels=first))
    stage.given(capture(named(stage, "payment_id"), 10_000).but(labels=second))
    stage.given(notice("record-refund", "r:1", payment_ref="pi-1", amount=1, labels=third))
    left = 8 - inherited
    kept = {f"c{n}": "v" for n in range(left)}
    assert labels(stage)[-1] == ("refund.recorded.v1", {**first, **second, **kept})
