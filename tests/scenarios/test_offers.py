"""Offers are things: published, named by sales, counted, and over."""

from typing import Any

import pytest

from tests.scenarios.over_http import OverHttp
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    Sent,
    accepted,
    card_tip,
    card_unlock,
    credit,
    debit,
    grant,
    policy,
    promo_cost,
    purchase,
    rejected,
    suspended,
    suspense,
    tip,
    unlock,
    wallet,
)
from tests.scenarios.steps_money_back import payment_failed, stands_at
from tests.scenarios.steps_offers import SPRING, offer, tier_change, withdrawn
from tests.scenarios.steps_products import authorize, capture, named, period, subscribe
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure)
on_postgresql_too = plays_on(Pure, WritePath)
everywhere = plays_on(Pure, WritePath, OverHttp)

POLICY: dict[str, Any] = {
    **MICRO_UNLOCK,
    "price_bounds": {},
    "revenue_share": {"default": 8_000, "tiers": {"STANDARD": 7_000}},
    "products_enabled": ["unlock", "message", "ticket", "tip", "subscription", "session"],
}


@pytest.fixture(autouse=True)
def _open(stage: Stage) -> None:
    stage.given(policy(POLICY))


def by_offer(sent: Sent, name: str = SPRING, **more: Any) -> Sent:
    """The same, naming an offer."""
    return sent.but(offer=name, **more)


#: What the offer takes off, of which price; discount, what the platform pays, card, creator.
SETS = [
    ({"discount_bps": 2_000}, 1_000, 200, 0, 800, 640),
    ({"discount_bps": 3_333}, 399, 133, 0, 266, 213),
    ({"discount_bps": 50}, 100, 1, 0, 99, 79),
    ({"discount_bps": 49}, 100, 0, 0, 100, 80),
    ({"discount": 150}, 399, 150, 0, 249, 199),
    ({"discount": 500}, 399, 399, 0, 0, 0),
    ({"platform_discount": 100}, 399, 0, 100, 299, 319),
    ({"platform_discount": 500}, 399, 0, 398, 1, 319),
    ({"discount_bps": 1_000, "platform_discount": 90}, 1_000, 100, 90, 810, 720),
]
every_set = pytest.mark.parametrize(("terms", "price", "discount", "ours", "card", "creator"), SETS)


@on_postgresql_too
@every_set
def test_6_26_the_discount_follows_from_the_offer(
    stage: Stage,
    terms: dict[str, int],
    price: int,
    discount: int,
    ours: int,
    card: int,
    creator: int,
) -> None:
    stage.given(offer(**terms))
    stage.when(by_offer(card_unlock(price)))
    sale = stage.outcomes[0].event
    assert (sale["gross"], sale["discount"]) == (price, discount)
    assert (sale.get("platform_discount", 0), sale["offer_id"]) == (ours, SPRING)
    stage.then(debit("psp.stripe", card), debit(promo_cost, ours))
    stage.then(*stands_at(creator=creator, commission=price - discount - creator))


@on_postgresql_too
@pytest.mark.parametrize(
    ("terms", "price", "tokens"),
    [
        ({"discount_bps": 2_000}, 1_000, 800),
        ({"discount_bps": 3_333}, 399, 266),
        ({"discount": 150}, 399, 249),
        ({"discount": 500}, 399, 0),
    ],
)
def test_6_26_tokens_too_are_saved(
    stage: Stage, terms: dict[str, int], price: int, tokens: int
) -> None:
    stage.given(purchase("small", 999), offer(**terms))
    stage.given(by_offer(unlock(price))).then(wallet(1_100 - tokens))


def test_6_26_what_an_offer_cannot_say(stage: Stage) -> None:
    stage.when(
        offer(),
        offer(discount=1, discount_bps=1),
        offer(discount_bps=10_001),
        offer(discount=1, starts_at="2096-01-01T00:00:00Z"),
        offer(discount=1, products=["call"]),
        offer(discount=1, products=["tip", "tip"]),
        offer(discount=1, max_uses=0),
        offer(discount=1, eligible={"users": []}),
    )
    stage.then(rejected("INVALID_REQUEST", times=8))


@on_postgresql_too
@pytest.mark.parametrize(
    ("spend", "tier"), [(2_000, "REGULAR"), (49_999, "REGULAR"), (50_000, "VIP")]
)
def test_6_26_an_offer_is_for_tiers(stage: Stage, spend: int, tier: str) -> None:
    ladder = [{"tier": "VIP", "min": 50_000}, {"tier": "REGULAR", "min": 2_000}]
    second = {"body": {**POLICY, "tier_ladder": ladder}, "effective_from": "1970-01-01T00:00:00Z"}
    stage.given(Sent("propose-policy", second, "admin", "alice"))
    stage.given(Sent("approve-policy", {"version": 2}, "approver", "bob"))
    for name in ("NEW", "REGULAR", "VIP"):
        stage.given(offer(name, discount=100, eligible={"tiers": [name]}))
    stage.given(grant(10_000), by_offer(unlock(399), "NEW")).then(wallet(10_000 - 299))
    stage.when(by_offer(unlock(399), tier)).then(rejected("OFFER_NOT_ELIGIBLE", reason="TIER"))
    stage.given(tier_change(spend, position=4))
    stage.when(*(by_offer(unlock(399), name) for name in ("NEW", "REGULAR", "VIP")))
    stage.then(accepted(), rejected("OFFER_NOT_ELIGIBLE", times=2, reason="TIER"))
    stage.when(by_offer(card_unlock(399), "NEW"))
    stage.then(suspended("OFFER_NOT_ELIGIBLE"))
    stage.given(by_offer(card_unlock(399), tier), tier_change(1_999, position=5))
    stage.given(by_offer(unlock(399), "NEW"))
    stage.when(by_offer(unlock(399), tier)).then(rejected("OFFER_NOT_ELIGIBLE", reason="TIER"))


def test_6_26_an_offer_for_a_tier_that_there_is_not(stage: Stage) -> None:
    stage.when(offer(discount=1, eligible={"tiers": ["VIP"]}))
    stage.then(rejected("UNKNOWN_TIER", status=404, tier="VIP"))
    stage.when(offer(discount=1, eligible={"tiers": []})).then(rejected("INVALID_REQUEST"))


@everywhere
def test_6_26_nobody_but_the_scheduler_changes_a_tier(stage: Stage) -> None:
    for role in ("service", "finance", "admin", "fan"):
        stage.when(tier_change(2_000, position=4).by(role, "somebody"))
        stage.then(rejected("ROLE_FORBIDDEN", status=403))


def test_6_26_a_sale_with_an_offer_names_no_discount(stage: Stage) -> None:
    stage.given(offer(discount=10))
    stage.when(
        by_offer(card_unlock(399, discount=1)), by_offer(card_unlock(399, platform_discount=1))
    )
    stage.then(rejected("INVALID_REQUEST", times=2, status=400))
    stage.when(card_unlock(399, discount=1)).then(accepted())


@on_postgresql_too
def test_6_26_an_offer_is_published_once_and_withdrawn_once(stage: Stage) -> None:
    stage.when(withdrawn()).then(rejected("UNKNOWN_OFFER", status=404))
    stage.when(offer(discount=1, ends_at="2020-02-01T00:00:00Z"))
    stage.then(rejected("OFFER_EXPIRED", status=422))
    stage.given(offer(discount=1))
    stage.when(offer(discount=2)).then(rejected("INVALID_TRANSITION", status=409))
    stage.given(withdrawn())
    stage.when(withdrawn(), offer(discount=1)).then(rejected("INVALID_TRANSITION", times=2))


@everywhere
def test_6_26_the_reasons_against_an_offer(stage: Stage) -> None:
    stage.given(
        grant(1_000),
        offer("over", discount=10),
        withdrawn("over"),
        offer("soon", discount=10, starts_at="2095-01-01T00:00:00Z"),
        offer("tips", discount=10, products=["tip"]),
        offer("ours", platform_discount=10),
        offer("bens", discount=10, eligible={"users": ["ben", "cid"]}),
    )
    stage.when(by_offer(unlock(100), "none")).then(rejected("UNKNOWN_OFFER", status=404))
    stage.when(by_offer(unlock(100), "over")).then(rejected("OFFER_EXPIRED", status=422))
    for name, reason in (
        ("soon", "NOT_STARTED"),
        ("tips", "PRODUCT"),
        ("ours", "FUNDING"),
        ("bens", "USER"),
    ):
        stage.when(by_offer(unlock(100), name))
        stage.then(rejected("OFFER_NOT_ELIGIBLE", status=422, offer=name, reason=reason))
    stage.when(by_offer(tip(100), "tips")).then(accepted())


@on_postgresql_too
def test_6_26_the_first_purchase_of_a_fan(stage: Stage) -> None:
    stage.given(offer(discount=10, eligible={"first_purchase": True}), purchase("small", 999))
    stage.given(unlock(0), by_offer(unlock(100)))  # what costs nothing is no purchase
    for first in (card_unlock(100, user="ben"), card_tip(100, user="cid"), tip(100, "ann")):
        user = first.fields["user"]
        stage.given(purchase("small", 999, user), first)
        stage.when(by_offer(unlock(100, user=user)))
        stage.then(rejected("OFFER_NOT_ELIGIBLE", reason="FIRST_PURCHASE"))
    stage.given(authorize(10_000, "STANDARD", "pi-1", user="dan", offer=SPRING))
    stage.when(by_offer(card_unlock(100, user="dan"))).then(suspended("OFFER_NOT_ELIGIBLE"))


@on_postgresql_too
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_6_26_an_offer_is_used_so_many_times(stage: Stage, limit: int) -> None:
    stage.given(offer(discount=10, max_uses=limit), grant(1_000), grant(1_000, "ann"))
    stage.given([by_offer(unlock(100, user=("ann", "fan")[n % 2])) for n in range(limit)])
    stage.when(by_offer(unlock(100, user="ann")))
    stage.then(rejected("OFFER_EXHAUSTED", status=409, uses=limit, limit=limit))
    stage.when(unlock(100, user="ann")).then(accepted())


@on_postgresql_too
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_6_26_a_fan_uses_it_so_many_times(stage: Stage, limit: int) -> None:
    stage.given(offer(discount=10, max_uses_per_user=limit), grant(1_000), grant(1_000, "ann"))
    stage.given([by_offer(unlock(100, user=user)) for user in ("ann", "fan") for _ in range(limit)])
    stage.when(by_offer(unlock(100, user="ann")))
    stage.then(rejected("OFFER_EXHAUSTED", uses=limit, limit=limit))


@plays_on(WritePath)
def test_6_26_of_many_at_once_only_so_many_have_it(stage: WritePath) -> None:
    stage.given(offer(discount=10, max_uses=3), [grant(100, f"fan-{n}") for n in range(12)])
    stage.when_at_once([by_offer(unlock(100, user=f"fan-{n}")) for n in range(12)])
    stage.then(accepted(3), rejected("OFFER_EXHAUSTED", times=9))


@everywhere
def test_6_26_a_card_that_may_not_have_it_is_suspended(stage: Stage) -> None:
    stage.given(
        offer("over", discount=10),
        withdrawn("over"),
        offer("few", platform_discount=20, max_uses=1),
        offer("bens", discount_bps=1_000, eligible={"users": ["ben"]}),
        by_offer(card_unlock(100), "few"),
    )
    held = 0
    for name, code, card in (
        ("over", "OFFER_EXPIRED", 90),
        ("few", "OFFER_EXHAUSTED", 80),
        ("bens", "OFFER_NOT_ELIGIBLE", 90),
    ):
        held += card
        stage.when(by_offer(card_unlock(100), name)).then(suspended(code))
        stage.then(credit(suspense, held))


@everywhere
def test_6_26_a_card_waits_for_an_offer_that_has_not_arrived(stage: Stage) -> None:
    stage.when(by_offer(card_unlock(1_000)))
    assert stage.outcomes[0].code == "AWAITING_REFERENT"
    stage.given(offer(discount_bps=2_000))
    stage.then(debit("psp.stripe", 800), *stands_at(creator=640, commission=160))


def test_6_26_a_card_is_judged_by_when_it_was_charged(stage: Stage) -> None:
    stage.given(offer(discount=10))
    before = stage.book.now.isoformat().replace("+00:00", "Z")  # type: ignore[attr-defined]
    stage.later(seconds=5).given(withdrawn())
    stage.when(by_offer(card_unlock(100), occurred_at=before)).then(accepted())
    stage.given(grant(100))
    stage.when(by_offer(unlock(100), occurred_at=before)).then(rejected("OFFER_EXPIRED"))


@on_postgresql_too
def test_6_26_an_authorisation_is_a_use_until_it_ends_without_a_capture(stage: Stage) -> None:
    stage.given(offer(discount_bps=1_000, platform_discount=500, max_uses=1))
    for end in (Sent("void", {"reason_code": "CANCELLED"}), payment_failed(payment="")):
        stage.given(authorize(10_000, "STANDARD", f"pi-{end.command}", offer=SPRING))
        payment = {"payment": named(stage, "payment_id")}
        stage.when(authorize(10_000, "STANDARD", "pi-second", offer=SPRING))
        stage.then(rejected("OFFER_EXHAUSTED", status=409))
        stage.given(end.but(**payment))
    stage.given(authorize(10_000, "STANDARD", "pi-1", offer=SPRING))
    payment_id = named(stage, "payment_id")
    stage.given(withdrawn())  # what it stands for stays
    stage.when(capture(payment_id, 8_501)).then(rejected("CAPTURE_EXCEEDS_HOLD", held=8_500))
    part = {"payment": payment_id, "amount": 4_250, "final": False}
    stage.given(Sent("capture", part)).then(debit("psp.stripe", 4_250), debit(promo_cost, 250))
    stage.given(Sent("void", {"payment": payment_id, "reason_code": "CANCELLED"}))
    stage.then(*stands_at(creator=3_150, commission=1_350))
    stage.when(authorize(10_000, "STANDARD", "pi-2", offer=SPRING)).then(rejected("OFFER_EXPIRED"))


def test_6_26_an_offer_leaves_an_authorisation_something_to_stand_for(stage: Stage) -> None:
    stage.given(offer(discount_bps=10_000))
    stage.when(authorize(10_000, "STANDARD", "pi-1", offer=SPRING))
    stage.then(rejected("OFFER_NOT_ELIGIBLE", reason="NOTHING_TO_PAY"))
    stage.when(authorize(10_000, "STANDARD", "pi-1", offer="none")).then(rejected("UNKNOWN_OFFER"))


@on_postgresql_too
def test_6_26_a_period_of_a_subscription(stage: Stage) -> None:
    stage.given(offer(discount_bps=5_000, max_uses_per_user=1), subscribe(1_000))
    stage.given(by_offer(period(1, 1_000))).then(debit("psp.stripe", 500))
    stage.when(by_offer(period(2, 1_000))).then(suspended("OFFER_EXHAUSTED"))
    stage.then(credit(suspense, 500), *stands_at(creator=400, commission=100))
    stage.given(period(2, 1_000, "other"))


def test_6_26_who_may_publish_and_withdraw(stage: Stage) -> None:
    for role in ("fan", "creator", "auditor", "moderator", "approver", "admin"):
        stage.when(offer(discount=1).by(role, "amy")).then(rejected("ROLE_FORBIDDEN", status=403))
    stage.given(offer(discount=1).by("finance", "fay"), withdrawn().by("service", "backend"))


def test_6_26_an_erased_user_is_not_named(stage: Stage) -> None:
    stage.given(Sent("erase-subject", {"subject": "gone", "kind": "wallet"}, "admin", "alice"))
    stage.when(offer(discount=1, eligible={"users": ["ann", "gone"]}))
    stage.then(rejected("SUBJECT_ERASED", status=409))
