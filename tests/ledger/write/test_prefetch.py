"""Commands say ahead what they will need: on the hot path no decision has to wait for a state."""

from collections.abc import Callable

import pytest

from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.steps import (
    CREATOR,
    FAN,
    Sent,
    card_tip,
    policy,
    purchase,
    ticket,
    tip,
    unlock,
)
from tests.scenarios.steps_disputes import asks_back, disputed
from tests.scenarios.steps_finance import refunded
from tests.scenarios.steps_products import call, hold, meter, release, settle, turn, verified
from tests.scenarios.write_path import WritePath

EVERYTHING = {
    **MICRO_UNLOCK,
    "products_enabled": ["unlock", "message", "ticket", "tip", "call", "hold"],
    "vat": {"DE": 1000},
    "vat_elsewhere": 0,
}
MESSAGE = {
    "user": FAN,
    "creator": CREATOR,
    "item": "message-1",
    "funding": "TOKEN",
    "price": 99,
}


def abroad(sent: Sent) -> Sent:
    """The same, with VAT to pay: an invoice is issued."""
    return sent.but(country="DE")


def last(stage: WritePath, field: str) -> str:
    """What the latest event that has such a field says in it."""
    events = [entry.event() for entry in stage.entries()]
    found = [getattr(event, field) for event in events if hasattr(event, field)]
    assert isinstance(found[-1], str)
    return found[-1]


HOT: dict[str, Callable[[WritePath], Sent]] = {
    "send-tip": lambda _: tip(5),
    "unlock": lambda _: unlock(99),
    "unlock-message": lambda _: Sent("unlock-message", MESSAGE),
    "buy-ticket": lambda _: ticket(99),
    "record-purchase": lambda _: purchase("small", price=999),
    "record-purchase, with VAT": lambda _: abroad(purchase("small", price=999)),
    "send-tip, by card": lambda _: abroad(card_tip(500)),
    "meter-call": lambda _: meter(),
    "end-call": lambda _: turn("end"),
    "settle-batch": lambda at: settle(last(at, "hold_id"), 1, 10),
    "release-hold": lambda at: release(last(at, "hold_id")),
    "refund": lambda at: asks_back(last(at, "sale_id"), 5),
    "refund-purchase": lambda at: Sent(
        "refund-purchase", {"purchase": last(at, "purchase_id"), "reason_code": "SORRY"}
    ),
}


@pytest.fixture(autouse=True)
def _open(stage: WritePath) -> None:
    stage.given(policy(EVERYTHING), purchase("small", price=999), verified())
    stage.given(call(rate=10), hold(50), unlock(99)).later(seconds=150)


@pytest.mark.parametrize("name", HOT)
def test_a_hot_command_misses_no_state_even_if_nothing_is_in_memory(
    stage: WritePath, name: str
) -> None:
    sent = HOT[name](stage)
    stage.restart()
    stage.given(sent)
    assert stage.writer.missing_states == 0


def test_what_processors_report_of_a_card_misses_no_state_either(stage: WritePath) -> None:
    stage.given(abroad(card_tip(500, processor_ref="paid")))
    for notice in (refunded("paid", 100), disputed(100, sale="paid")):
        stage.restart()
        stage.given(notice)
        assert stage.writer.missing_states == 0


def test_a_state_that_no_field_leads_to_is_loaded_all_the_same_and_counted(
    stage: WritePath,
) -> None:
    """The policy's default country is not known before the policy is."""
    proposed, approved = policy({**EVERYTHING, "default_country": "DE"})
    stage.given(proposed, approved.but(version=2))
    stage.restart()
    stage.given(purchase("small", price=999)).given(purchase("small", price=999))
    assert stage.writer.missing_states == 1
