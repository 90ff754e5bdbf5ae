"""Taxes by country: where nobody says what the rate is, nothing is sold untaxed in silence."""

from typing import Any

import pytest

from tests.scenarios.policies import MICRO_UNLOCK, SESSION_BOOKING
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    FAN,
    Sent,
    accepted,
    card_tip,
    card_unlock,
    credit,
    policy,
    purchase,
    rejected,
    suspended,
    suspense,
    tip,
)
from tests.scenarios.write_path import WritePath

RATES = {"DE": 1900, "FR": 2000}
TAXED: dict[str, Any] = {
    **MICRO_UNLOCK,
    "products_enabled": [*MICRO_UNLOCK["products_enabled"], "subscription"],
    "packages": {"small": {"tokens": 1_000, "bonus": 100, "price": 1_999}},
    "vat": RATES,
}
PERIOD = {"period_start": "2026-01-01T00:00:00Z", "period_end": "2026-02-01T00:00:00Z"}
PLACES = [({"country": "US"}), ({})]


def open_with(stage: Stage, **keys: Any) -> None:
    """The policy of platform A with these taxes, and subscriptions."""
    stage.given(policy({**TAXED, **keys}))


def charged(stage: Stage, price: int, **country: str) -> Sent:
    """A period of a subscription that there is."""
    begun = {"subscription": "s", "user": FAN, "creator": "carl", "price": price}
    stage.given(Sent("start-subscription", begun))
    paid = {"subscription": "s", **PERIOD, "price": price, "processor": "stripe"}
    return Sent("charge-period", {**paid, "processor_ref": "period", **country})


@plays_on(Pure, WritePath)
@pytest.mark.parametrize("country", PLACES)
def test_6_22_a_notice_from_a_country_without_a_rate_is_suspended(
    stage: Stage, country: dict[str, str]
) -> None:
    open_with(stage)
    stage.when(
        card_tip(1_190, **country),
        card_unlock(399, **country),
        purchase("small", price=1_999).but(**country),
        charged(stage, 500, **country),
    )
    stage.then(suspended("UNKNOWN_TAX_COUNTRY", 4), credit(suspense, 1_190 + 399 + 1_999 + 500))
    stage.then(credit("vat.DE", 0), credit("deferred", 0))


@plays_on(Pure)
@pytest.mark.parametrize(
    ("price", "rate", "tax"), [(1_190, 1900, 190), (999, 700, 65), (399, 2500, 80), (5_001, 0, 0)]
)
def test_6_22_with_a_rate_elsewhere_every_country_has_one(
    stage: Stage, price: int, rate: int, tax: int
) -> None:
    open_with(stage, vat_elsewhere=rate)
    stage.when(card_tip(price, country="US"), card_tip(price))
    stage.then(accepted(2), credit("vat.US", tax), credit("vat.XX", tax))
    assert [outcome.json["events"][0]["body"]["country"] for outcome in stage.outcomes] == [
        "US",
        "XX",
    ]
    stage.when(card_tip(price, country="DE"), card_tip(price, country="FR"))
    stage.then(accepted(2), credit("vat.XX", tax))


@plays_on(Pure)
def test_6_22_a_default_country_is_where_the_unknown_are_taxed(stage: Stage) -> None:
    open_with(stage, default_country="DE")
    stage.when(card_tip(1_190), card_tip(1_190, country="US"))
    stage.then(accepted(1), suspended("UNKNOWN_TAX_COUNTRY"), credit("vat.DE", 190))


@plays_on(Pure)
def test_6_22_without_any_rate_nobody_is_taxed(stage: Stage) -> None:
    open_with(stage, vat={})
    stage.when(card_tip(1_190), card_tip(1_190, country="US")).then(accepted(2))


@plays_on(Pure)
def test_6_22_what_costs_a_card_nothing_and_what_tokens_pay_needs_no_rate(stage: Stage) -> None:
    open_with(stage)
    stage.given(Sent("grant-promo", {"user": FAN, "tokens": 10, "reason_code": "R"}))
    stage.when(card_unlock(500, discount=500), tip(5)).then(accepted(2))


@plays_on(Pure, WritePath)
def test_6_22_an_authorisation_is_refused_without_a_rate(stage: Stage) -> None:
    stage.given(policy({**SESSION_BOOKING, "vat": RATES}))
    session = {"session": "s", "user": FAN, "payee": "carl", "tier": "STANDARD", "amount": 10_000}
    held = Sent("authorize", {**session, "processor": "stripe", "processor_ref": "a1"})
    stage.when(held, held.but(country="US"), held.but(country="FR"))
    stage.then(rejected("UNKNOWN_TAX_COUNTRY", 2, status=422), accepted(1))
    assert stage.outcomes[1].json["details"] == {"country": "US"}


@plays_on(Pure, WritePath)
@pytest.mark.parametrize(("price", "tax"), [(1_190, 190), (999, 160), (12_345, 1_971)])
def test_6_22_a_suspended_payment_is_applied_once_there_is_a_rate(
    stage: Stage, price: int, tax: int
) -> None:
    open_with(stage)
    stage.when(card_tip(price, processor_ref="p:1", country="US"))
    apply = Sent("release-payment", {"payment_ref": "p:1", "resolution": "APPLY"}, "finance", "f")
    stage.when(apply).then(rejected("INVALID_TRANSITION"))
    proposal, approval = policy({**TAXED, "vat_elsewhere": 1900})
    stage.given(proposal, approval.but(version=2))
    stage.when(apply).then(accepted(), credit("vat.US", tax), credit(suspense, 0))


@plays_on(Pure)
@pytest.mark.parametrize(("amount", "low"), [(1, 2), (98, 99), (400, 1_000)])
def test_6_24_a_refusal_names_the_fields_of_its_command(
    stage: Stage, amount: int, low: int
) -> None:
    stage.given(policy({**MICRO_UNLOCK, "tip_minimum": low}))
    stage.given(purchase("small", price=999))
    stage.when(tip(amount))
    high = 10**12
    stage.then(rejected("PRICE_OUT_OF_RANGE", product="tip", amount=amount, min=low, max=high))
    told = stage.outcomes[0].json
    assert "price" not in told["details"]
    assert told["detail"] == f"tip at {amount} is outside {low} to {high}"


@plays_on(Pure)
def test_6_24_times_in_refusals_are_rfc_3339_in_utc(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK), purchase("small", price=999))
    past = "2026-01-02T03:04:05.678Z"
    offer = {"user": FAN, "creator": "carl", "item": "i", "funding": "TOKEN", "price": 399}
    stage.when(Sent("unlock", {**offer, "offer_expires_at": past}))
    told = stage.outcomes[0].json
    assert told["details"]["expired_at"] == "2026-01-02T03:04:05.678000Z"
    assert told["detail"] == "the offer ended at 2026-01-02T03:04:05.678000Z"
