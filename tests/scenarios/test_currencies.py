"""A figure has a unit: what is told in another currency waits in suspense, in its own."""

from typing import Any

import pytest

from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    FAN,
    Sent,
    accepted,
    card_tip,
    card_unlock,
    credit,
    debit,
    events,
    policy,
    purchase,
    suspended,
    suspense,
)
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)
PERIOD = {"period_start": "2026-01-01T00:00:00Z", "period_end": "2026-02-01T00:00:00Z"}
SUBSCRIPTION = {"subscription": "s", "user": FAN, "creator": "carl", "price": 999}
MISMATCH = "CURRENCY_MISMATCH"
FIGURES = [1_000, 399, 9_999, 1_231]


@pytest.fixture(autouse=True)
def _open(stage: Stage) -> None:
    products = [*MICRO_UNLOCK["products_enabled"], "subscription"]
    stage.given(policy({**MICRO_UNLOCK, "products_enabled": products}))


def notice(command: str, ref: str, **fields: Any) -> Sent:
    """What Stripe reports."""
    return Sent(command, {**fields, "processor": "stripe", "processor_ref": ref})


def released(ref: str, resolution: str = "RETURN") -> Sent:
    """A person decides."""
    fields = {"payment_ref": ref, "resolution": resolution}
    return Sent("release-payment", fields, "finance", "fay")


def euros(stage: Stage) -> tuple[int, int]:
    """What the processor holds in euros, and what waits in suspense of them."""
    return stage.balance("psp.stripe", "EUR"), -stage.balance(suspense, "EUR")


@pytest.mark.parametrize("price", FIGURES)
def test_6_8_a_payment_in_another_currency_waits_in_it_and_can_only_go_back(
    stage: Stage, price: int
) -> None:
    stage.given(Sent("start-subscription", SUBSCRIPTION))
    charged = {"subscription": "s", **PERIOD, "price": price, "currency": "EUR"}
    stage.when(
        card_tip(price, processor_ref="p:1", currency="EUR"),
        card_unlock(price, currency="EUR"),
        purchase("small", price=price).but(currency="EUR"),
        notice("charge-period", "c:1", **charged),
    )
    stage.then(suspended(MISMATCH, 4), credit(suspense, 0), debit("psp.stripe", 0))
    assert euros(stage) == (4 * price, 4 * price)
    assert stage.send(released("p:1", "APPLY")).code == "INVALID_TRANSITION"
    stage.given(released("p:1"))
    assert euros(stage) == (3 * price, 3 * price)


@pytest.mark.parametrize("currency", ["USD", None])
def test_6_8_the_books_own_currency_changes_nothing(stage: Stage, currency: str | None) -> None:
    named = {} if currency is None else {"currency": currency}
    stage.given(purchase("small", price=999).but(**named))
    stage.given(card_tip(1_000, processor_ref="p:1", **named))
    stage.given(notice("record-refund", "r:1", sale="p:1", cumulative=400, **named))
    stage.given(notice("open-dispute", "d:1", sale="p:1", amount=600, fee=0, **named))
    stage.given(notice("close-dispute", "e:1", dispute="d:1", outcome="WON", **named))
    stage.then(debit("psp.stripe", 1_599), credit(suspense, 0))


@pytest.mark.parametrize("price", FIGURES)
def test_6_8_a_notice_about_it_needs_no_currency(stage: Stage, price: int) -> None:
    part = price // 3
    stage.when(
        card_tip(price, processor_ref="p:1", currency="EUR"),
        notice("record-refund", "r:1", payment_ref="p:1", amount=part),
        notice("record-refund", "r:2", payment_ref="p:1", amount=1, currency="EUR"),
        notice("open-dispute", "d:1", payment_ref="p:1", amount=part, fee=0),
    )
    stage.then(suspended(MISMATCH), accepted(3))
    assert euros(stage) == (price - 2 * part - 1, price - 2 * part - 1)
    stage.given(notice("close-dispute", "e:1", dispute="d:1", outcome="WON"))
    assert euros(stage) == (price - part - 1, price - part - 1)
    stage.given(released("p:1"))
    assert euros(stage) == (0, 0)
    stage.then(debit("psp.stripe", 0), credit(suspense, 0), credit("exp.baddebt", 0))


@pytest.mark.parametrize("price", FIGURES)
def test_6_8_a_refund_in_another_currency_is_not_taken_from_the_sale(
    stage: Stage, price: int
) -> None:
    half = price // 2
    refund = notice("record-refund", "r:1", sale="p:1", cumulative=half, currency="EUR")
    stage.when(
        card_tip(price, processor_ref="p:1"),
        refund,
        notice("record-refund", "r:2", sale="p:1", cumulative=price, currency="EUR"),
        notice("record-refund", "r:3", sale="p:1", cumulative=half, currency="EUR"),
        notice("record-refund", "r:4", sale="p:1", amount=7, currency="CHF"),
    )
    stage.then(suspended(MISMATCH, 3), events("refund.recorded.v1", 0))
    assert stage.outcomes[3].json["outcome"] == "ignored"
    assert euros(stage) == (-price, -price)
    assert stage.balance(suspense, "CHF") == 7
    stage.then(debit("psp.stripe", price), credit(suspense, 0))
    stage.given(notice("record-refund", "r:5", sale="p:1", cumulative=price))
    stage.then(debit("psp.stripe", 0), events("refund.recorded.v1", 1))
    stage.given(released("r:1"))
    assert euros(stage) == (-price + half, -price + half)


@pytest.mark.parametrize("failed_first", [True, False])
@pytest.mark.parametrize("price", FIGURES)
def test_6_8_a_refund_in_another_currency_that_fails_comes_back_in_it(
    stage: Stage, price: int, failed_first: bool
) -> None:
    stage.given(card_tip(price, processor_ref="p:1"))
    refund = notice("record-refund", "r:1", sale="p:1", amount=7, currency="EUR")
    failure = notice("fail-refund", "f:1", refund="r:1", reason_code="CLOSED")
    stage.when(*((failure, refund) if failed_first else (refund, failure)))
    assert euros(stage) == (0, 0)
    again = notice("fail-refund", "f:2", refund="r:1", reason_code="CLOSED", currency="EUR")
    stage.when(again).then(accepted(1))
    assert euros(stage) == (0, 0)
    assert stage.send(released("r:1")).code == "INVALID_TRANSITION"
    stage.when(notice("record-refund", "r:2", sale="p:1", cumulative=5, currency="EUR"))
    assert euros(stage) == (-5, -5)


def test_6_8_a_failed_refund_that_a_person_has_settled_moves_nothing(stage: Stage) -> None:
    stage.given(card_tip(1_000, processor_ref="p:1"))
    stage.when(notice("record-refund", "r:1", sale="p:1", amount=7, currency="EUR"))
    other = notice("fail-refund", "f:1", refund="r:1", reason_code="CLOSED", currency="USD")
    stage.when(other).then(suspended(MISMATCH))
    stage.given(released("r:1"))
    stage.given(notice("fail-refund", "f:2", refund="r:1", reason_code="CLOSED"))
    assert euros(stage) == (0, 0)


def test_6_8_what_else_is_told_in_another_currency_posts_only_its_own(stage: Stage) -> None:
    stage.given(Sent("start-subscription", SUBSCRIPTION), card_tip(1_000, processor_ref="p:1"))
    stage.given(notice("open-dispute", "d:1", sale="p:1", amount=300, fee=0))
    start = PERIOD["period_start"]
    stage.when(
        notice("open-dispute", "d:2", sale="p:1", amount=500, fee=20, currency="EUR"),
        notice("close-dispute", "e:1", dispute="d:1", outcome="LOST", currency="EUR"),
        notice("fail-payment", "f:1", sale="p:1", reason_code="B", currency="EUR"),
        notice("fail-period", "f:2", subscription="s", period_start=start, currency="EUR"),
    )
    stage.then(suspended(MISMATCH, 4), debit("psp.stripe", 700), debit("disputed", 300))
    assert euros(stage) == (-520, -520)


def test_6_8_the_books_own_currency_is_another_for_a_payment_in_euros(stage: Stage) -> None:
    stage.when(
        card_tip(1_000, processor_ref="p:1", currency="EUR"),
        notice("record-refund", "r:1", payment_ref="p:1", amount=300, currency="USD"),
    )
    stage.then(suspended(MISMATCH, 2), credit(suspense, -300), debit("psp.stripe", -300))
    assert euros(stage) == (1_000, 1_000)


def test_6_8_a_sale_in_tokens_has_no_currency(stage: Stage) -> None:
    tipped = {"user": FAN, "creator": "carl", "funding": "TOKEN", "amount": 5, "currency": "USD"}
    outcome = stage.send(Sent("send-tip", tipped))
    assert (outcome.status, outcome.json["errors"][0]["pointer"]) == (400, "/currency")
