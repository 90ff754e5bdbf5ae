"""Policy documents: what has no silent default is refused where it is missing."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import domain
from domain.accounts import Assets
from domain.catalogue import InvalidRequest, read_command
from domain.controls.policy_changes import PolicyProposed, PolicyPublished
from domain.policy import Policy
from tests.domain.in_memory_book import NOW, InMemoryBook, code
from tests.scenarios.policies import LIVE_CALL, MICRO_UNLOCK

MANDATORY = (
    "profile",
    "currency",
    "time_zone",
    "funding",
    "revenue_share",
    "products_enabled",
    "payout_minimum",
    "dispute_bearer",
)
PROFILES = sorted((Path(domain.__file__).parent / "profiles").glob("*.json"))
SINCE = "1970-01-01T00:00:00Z"


def problems(document: dict[str, Any]) -> list[str]:
    """Where the document is wrong."""
    try:
        read_command("propose-policy", {"body": document, "effective_from": SINCE})
    except InvalidRequest as refused:
        return sorted(problem.pointer for problem in refused.problems)
    return []


def changed(**keys: Any) -> dict[str, Any]:
    """The document of platform A with other keys."""
    return {**MICRO_UNLOCK, **keys}


def without(key: str) -> dict[str, Any]:
    """The document of platform A without a key."""
    return {name: value for name, value in MICRO_UNLOCK.items() if name != key}


@pytest.mark.parametrize(
    ("granularity", "end", "ends"),
    [
        (None, "2026-11-20T12:00:00+00:00", "2026-11-20T12:00:00+00:00"),
        ("DAY", "2026-11-20T12:00:00+00:00", "2026-11-20T23:00:00+00:00"),
        ("DAY", "2026-11-20T23:00:00+00:00", "2026-11-20T23:00:00+00:00"),
        ("DAY", "2026-11-20T23:00:00.000001+00:00", "2026-11-21T23:00:00+00:00"),
        ("WEEK", "2026-11-20T12:00:00+00:00", "2026-11-22T23:00:00+00:00"),
        ("WEEK", "2026-11-22T23:00:00+00:00", "2026-11-22T23:00:00+00:00"),
        ("MONTH", "2026-11-20T12:00:00+00:00", "2026-11-30T23:00:00+00:00"),
        ("MONTH", "2026-12-31T12:00:00+00:00", "2026-12-31T23:00:00+00:00"),
        ("MONTH", "2026-07-20T12:00:00+00:00", "2026-07-31T22:00:00+00:00"),
        ("MONTH", "9999-12-31T12:00:00+00:00", "9999-12-31T12:00:00+00:00"),
    ],
)
def test_a_grant_ends_with_the_period_of_its_end_in_the_policys_zone(
    granularity: str | None, end: str, ends: str
) -> None:
    body = changed(promo_expiry_granularity=granularity, time_zone="Europe/Berlin")
    policy = Policy.model_validate(body)
    assert policy.granted_until(datetime.fromisoformat(end)) == datetime.fromisoformat(ends)
    assert policy.granted_until(policy.granted_until(datetime.fromisoformat(end))) == (
        datetime.fromisoformat(ends)
    )


def test_a_granularity_needs_a_time_zone_that_there_is() -> None:
    assert problems(changed(time_zone="Moon/Sea")) == []
    named = changed(time_zone="Moon/Sea", promo_expiry_granularity="DAY")
    assert problems(named) == ["/body/time_zone"]


@pytest.mark.parametrize("document", [MICRO_UNLOCK, LIVE_CALL])
def test_the_documents_of_the_scenarios_are_whole(document: dict[str, Any]) -> None:
    assert problems(document) == []


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_a_document_that_is_accepted(path: Path) -> None:
    document = json.loads(path.read_text())
    assert document["profile"] == path.stem
    assert problems(document) == []
    assert propose(document, document["currency"]) == ""


def test_the_profiles_say_what_the_platforms_say() -> None:
    documents = {path.stem: json.loads(path.read_text()) for path in PROFILES}
    micro = documents["micro-unlock"]
    assert micro["revenue_share"]["default"] == 8000
    assert micro["price_bounds"]["unlock"] == {"min": 99, "max": 9999}
    assert (micro["payout_minimum"], micro["instant_fee_bps"]) == (5000, 250)
    assert "subscription" not in micro["products_enabled"]
    live = documents["live-call"]
    assert (live["revenue_share"]["default"], live["unit_value"]) == (10_000, 5)
    assert (live["funding"], live["block_seconds"]) == (["TOKEN"], 30)
    assert live["dispute_bearer"] == "PLATFORM"
    assert "NO_SHOW" in documents["session-booking"]["refund_reasons"]


@pytest.mark.parametrize("key", MANDATORY)
def test_a_mandatory_key_is_never_guessed(key: str) -> None:
    assert problems(without(key)) == [f"/body/{key}"]


def test_a_share_needs_its_default() -> None:
    assert problems(changed(revenue_share={"tip": 8000})) == ["/body/revenue_share/default"]


def test_a_tip_minimum_is_mandatory_where_a_tip_is_shared() -> None:
    assert problems(without("tip_minimum")) == ["/body/tip_minimum"]
    whole = without("tip_minimum") | {"revenue_share": {"default": 8000, "tip": 10_000}}
    assert problems(whole) == []
    no_tips = without("tip_minimum") | {"products_enabled": ["unlock"]}
    assert problems(no_tips) == []


def test_a_unit_value_is_mandatory_where_tokens_pay_creators() -> None:
    assert problems(without("unit_value")) == ["/body/unit_value"]
    by_card = {"funding": ["CARD"], "products_enabled": ["unlock", "tip"], "packages": {}}
    assert problems(without("unit_value") | by_card) == []
    for product in ("unlock", "message", "ticket", "tip", "call"):
        whole = without("unit_value") | {"products_enabled": ["hold", product], "packages": {}}
        assert problems(whole) == ["/body/unit_value"]


def test_holds_need_no_unit_value_unless_a_refund_would_deduct_a_bonus() -> None:
    holds = without("unit_value") | {"products_enabled": ["hold"]}
    for bonus, bonus_class, expected in (
        (0, "PROMO", []),
        (100, "PAID", []),
        (100, "PROMO", ["/body/unit_value"]),
    ):
        packages = {"p": {"tokens": 1000, "bonus": bonus, "price": 999}}
        assert problems(holds | {"packages": packages, "bonus_class": bonus_class}) == expected


@pytest.mark.parametrize(
    ("keys", "pointer"),
    [
        ({"colour": "red"}, "/body/colour"),
        ({"revenue_share": {"default": 10_001}}, "/body/revenue_share/default"),
        ({"revenue_share": {"default": 0.8}}, "/body/revenue_share/default"),
        ({"price_bounds": {"unlock": {"min": 5, "max": 4}}}, "/body/price_bounds/unlock"),
        ({"dispute_bearer": "NOBODY"}, "/body/dispute_bearer"),
        ({"default_country": "DE"}, "/body/default_country"),
        ({"tier_ladder": [{"tier": "A", "min": 1}, {"tier": "B", "min": 2}]}, "/body/tier_ladder"),
        ({"packages": {"p": {"tokens": 0, "price": 1}}}, "/body/packages/p/tokens"),
    ],
)
def test_a_wrong_key_is_pointed_at(keys: dict[str, Any], pointer: str) -> None:
    assert problems(changed(**keys)) == [pointer]


CARD_ONLY = {"funding": ["CARD"], "products_enabled": ["tip"], "packages": {}}
PACKAGES = {"small": {"tokens": 1, "price": 1}}


@pytest.mark.parametrize(
    ("keys", "pointers"),
    [
        ({}, []),
        ({"products_enabled": ["tip", "hold"]}, ["/body/products_enabled/1"]),
        ({"products_enabled": ["call"]}, ["/body/products_enabled/0"]),
        ({"packages": PACKAGES}, ["/body/packages"]),
        ({"promo_expiry_days": 3}, ["/body/promo_expiry_days"]),
        ({"breakage_months": 12}, ["/body/breakage_months"]),
        (
            {"products_enabled": ["hold"], "packages": PACKAGES},
            ["/body/packages", "/body/products_enabled/0"],
        ),
    ],
)
def test_6_23_a_policy_that_cannot_work_is_refused_when_it_is_proposed(
    keys: dict[str, Any], pointers: list[str]
) -> None:
    assert problems(changed(**{**CARD_ONLY, **keys})) == pointers
    both = {"funding": ["CARD", "TOKEN"], "unit_value": 1}
    assert problems(changed(**{**CARD_ONLY, **keys, **both})) == []


def test_6_23_a_policy_that_was_published_stays_in_force() -> None:
    place = InMemoryBook()
    body = changed(**CARD_ONLY, promo_expiry_days=3)
    stated = {"version": 1, "body": body, "proposer": "ann", "effective_from": NOW}
    place.record(PolicyProposed(**stated), PolicyPublished(**stated, approver="bob"))
    charged = {"processor": "stripe", "processor_ref": "p", "funding": "CARD", "amount": 500}
    place.happens("send-tip", user="ann", creator="carl", **charged)


@pytest.mark.parametrize(
    ("keys", "pointer"),
    [
        ({"vat_elsewhere": 0, "default_country": "DE"}, None),
        ({"vat_elsewhere": 2_000}, None),
        ({"vat_elsewhere": -1}, "/body/vat_elsewhere"),
        ({"vat_elsewhere": 10_001}, "/body/vat_elsewhere"),
        ({"vat": {"FR": 2_000}, "default_country": "DE"}, "/body/default_country"),
    ],
)
def test_6_22_a_rate_elsewhere_is_a_rate_of_the_default_country_too(
    keys: dict[str, Any], pointer: str | None
) -> None:
    assert problems(changed(**keys)) == ([] if pointer is None else [pointer])


@pytest.mark.parametrize(
    "limits",
    [
        {"payments": "ten\0"},
        {"\0": 10},
        {"payments": 2**63},
        {"payments": {"per_minute": 1e300}},
        {"payments": ["\u0001"]},
    ],
)
def test_nothing_in_a_document_can_poison_the_log(limits: dict[str, Any]) -> None:
    (pointer,) = problems(changed(limits=limits))
    assert pointer.startswith("/body/limits/")


def test_limits_as_platforms_state_them_are_fine() -> None:
    assert problems(changed(limits={"payments": {"count": 10, "seconds": 60}})) == []


def propose(document: dict[str, Any], currency: str = "USD") -> str:
    """Why a proposal is refused; '' if it is not."""
    world = InMemoryBook(assets=Assets.of("demo", currency))
    return code(world.decide("propose-policy", body=document, effective_from=SINCE))


def test_a_policy_is_in_the_books_currency() -> None:
    assert propose(changed(currency="EUR")) == "CURRENCY_MISMATCH"


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ({"tokens": 1000, "bonus": 248, "price": 999}, ""),  # 1248 × 80% = 998.4, so 998
        ({"tokens": 1000, "bonus": 250, "price": 999}, "NEGATIVE_MARGIN"),  # 1000
        ({"tokens": 1000, "price": 800}, ""),
        ({"tokens": 1000, "price": 799}, "NEGATIVE_MARGIN"),
    ],
)
def test_a_package_covers_the_share_of_all_its_tokens(
    package: dict[str, int], expected: str
) -> None:
    assert propose(changed(packages={"p": package})) == expected


def test_the_margin_is_what_vat_leaves() -> None:
    package = {"p": {"tokens": 1000, "price": 800}}
    taxed = changed(packages=package, vat={"DE": 1900}, default_country="DE")
    assert propose(taxed) == "NEGATIVE_MARGIN"


def test_the_margin_is_reckoned_with_the_highest_share_any_product_gets() -> None:
    package = {"p": {"tokens": 1000, "price": 800}}
    document = changed(packages=package, revenue_share={"default": 8000, "ticket": 9000})
    assert propose(document) == "NEGATIVE_MARGIN"


def test_nobody_approves_their_own_proposal() -> None:
    world = InMemoryBook()
    world.happens("propose-policy", "alice", body=MICRO_UNLOCK, effective_from=SINCE)
    assert code(world.decide("approve-policy", "alice", version=1)) == "SELF_APPROVAL_FORBIDDEN"
    assert code(world.decide("approve-policy", "bob", version=2)) == "UNKNOWN_POLICY"
    world.happens("approve-policy", "bob", version=1)
    assert code(world.decide("approve-policy", "bob", version=1)) == "INVALID_TRANSITION"


def test_the_policy_published_last_of_those_begun_is_in_force() -> None:
    world = InMemoryBook(MICRO_UNLOCK)
    world.publish(changed(tip_minimum=50), since="2026-11-20T13:00:00Z")
    tip = {"user": "u", "creator": "c", "funding": "CARD", "amount": 49}
    card = {"processor": "stripe", "processor_ref": "r"}
    assert code(world.decide("send-tip", **tip, **card)) == ""
    world.later(hours=1)
    assert code(world.decide("send-tip", **tip, **card)) == "PRICE_OUT_OF_RANGE"


def test_a_purchase_is_decided_under_the_policy_at_the_processors_time() -> None:
    world = InMemoryBook(MICRO_UNLOCK)
    dearer = {"small": {"tokens": 1000, "bonus": 100, "price": 1099}}
    world.publish(changed(packages=dearer), since="2026-11-20T13:00:00Z")
    world.later(hours=2)
    bought = {"user": "u", "package": "small", "price": 999, "processor": "p", "processor_ref": "r"}
    assert code(world.decide("record-purchase", **bought)) == "PRICE_MISMATCH"
    late = {**bought, "occurred_at": "2026-11-20T12:59:59Z"}
    assert code(world.decide("record-purchase", **late)) == ""
