"""Discounts that the platform pays: creators, tax and commission are those of the full price."""

from typing import Any

import pytest

from tests.scenarios.over_http import OverHttp
from tests.scenarios.policies import SESSION_BOOKING
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import Sent, accepted, card_tip, policy, rejected, suspended
from tests.scenarios.steps_disputes import asks_back, disputed, lost, won
from tests.scenarios.steps_money_back import (
    PAID,
    gave_back,
    has_access,
    payment_failed,
    refund_failed,
    sold,
    stands_at,
)
from tests.scenarios.steps_products import authorize, capture, named, period, subscribe
from tests.scenarios.steps_settlements import breaks, line, settled, settlement
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure)
on_postgresql_too = plays_on(Pure, WritePath)
everywhere = plays_on(Pure, WritePath, OverHttp)

POLICY: dict[str, Any] = {
    **SESSION_BOOKING,
    "price_bounds": {},
    "vat": {"DE": 2_000},
    "vat_elsewhere": 0,
    "tip_minimum": 1,
    "payout_minimum": 1,
    "products_enabled": ["session", "unlock", "message", "ticket", "tip", "subscription"],
}
LONG_AGO = "1970-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _open(stage: Stage) -> None:
    stage.given(policy(POLICY))


def books(stage: Stage, **accounts: int) -> None:
    """What stands; `promo` is what the platform paid of prices."""
    promo = accounts.pop("promo")
    stage.then(*stands_at(**accounts))
    assert stage.balance("exp.promo") == promo


#: Price, what the platform pays of it; card, creator, commission, VAT.
SETS = [
    (10_000, 1_500, 8_500, 7_000, 3_000, 0),
    (399, 99, 300, 279, 120, 0),
    (4_999, 4_998, 1, 3_499, 1_500, 0),
    (10_000, 2_500, 7_500, 5_833, 2_500, 1_667),
]
every_set = pytest.mark.parametrize(("price", "ours", "card", "creator", "commission", "vat"), SETS)


@on_postgresql_too
@every_set
def test_6_27_the_platform_pays_its_part_of_a_session(
    stage: Stage, price: int, ours: int, card: int, creator: int, commission: int, vat: int
) -> None:
    more = {"country": "DE"} if vat else {}
    stage.given(authorize(price, "STANDARD", "pi-1", platform_discount=ours, **more))
    stage.given(capture(named(stage, "payment_id"), card))
    books(stage, psp=card, creator=creator, commission=commission, promo=ours, **{"vat.DE": vat})


@every_set
def test_6_27_the_platform_pays_its_part_of_an_item(
    stage: Stage, price: int, ours: int, card: int, creator: int, commission: int, vat: int
) -> None:
    more = {"country": "DE"} if vat else {}
    sold(stage, price, platform_discount=ours, **more)
    found = {"psp": card, "creator": creator, "commission": commission, "vat.DE": vat}
    books(stage, promo=ours, **found)
    stage.when(gave_back(card)).then(accepted())
    assert not has_access(stage)
    books(stage, promo=0, psp=0, creator=0, commission=0, **{"vat.DE": 0})


#: Of 10000 with 1500 of the platform's: what the card has back; then what stands.
BACK = [
    (1, {"psp": 8_499, "creator": 6_999, "commission": 3_000, "promo": 1_500}),
    (2, {"psp": 8_498, "creator": 6_999, "commission": 2_999, "promo": 1_500}),
    (4_250, {"psp": 4_250, "creator": 3_500, "commission": 1_500, "promo": 750}),
    (8_499, {"psp": 1, "creator": 1, "commission": 1, "promo": 1}),
    (8_500, {"psp": 0, "creator": 0, "commission": 0, "promo": 0}),
]
every_part = pytest.mark.parametrize(("amount", "left"), BACK)


@every_part
def test_6_27_a_refund_undoes_so_much_of_the_full_price(
    stage: Stage, amount: int, left: dict[str, int]
) -> None:
    sold(stage, 10_000, platform_discount=1_500)
    stage.given(gave_back(amount))
    books(stage, **left)


@every_part
def test_6_27_refunds_in_parts_end_where_one_would(
    stage: Stage, amount: int, left: dict[str, int]
) -> None:
    sold(stage, 10_000, platform_discount=1_500)
    parts = (amount // 3, amount // 2, amount - amount // 3 - amount // 2)
    stage.given([gave_back(part) for part in parts if part])
    books(stage, **left)


@on_postgresql_too
@every_part
def test_6_27_a_lost_dispute_undoes_as_much_and_its_win_gives_it_back(
    stage: Stage, amount: int, left: dict[str, int]
) -> None:
    sold(stage, 10_000, platform_discount=1_500)
    stage.given(disputed(amount, payment_ref=PAID, fee=0), lost())
    books(stage, **left, bad_debt=0)
    assert has_access(stage) == (amount < 8_500)
    stage.given(won())
    books(stage, psp=8_500, creator=7_000, commission=3_000, promo=1_500)


@every_part
def test_6_27_where_the_platform_bears_disputes_the_creator_keeps_the_share(
    stage: Stage, amount: int, left: dict[str, int]
) -> None:
    terms = {"body": {**POLICY, "dispute_bearer": "PLATFORM"}, "effective_from": LONG_AGO}
    stage.given(
        Sent("propose-policy", terms, "admin", "alice"),
        Sent("approve-policy", {"version": 2}, "approver", "bob"),
    )
    sold(stage, 10_000, platform_discount=1_500)
    stage.given(disputed(amount, payment_ref=PAID, fee=0), lost())
    borne = 7_000 - left["creator"]
    books(stage, **{**left, "creator": 7_000}, bad_debt=borne)


def test_6_27_a_dispute_beyond_the_card_is_bad_debt(stage: Stage) -> None:
    sold(stage, 10_000, platform_discount=1_500)
    stage.given(disputed(8_600, payment_ref=PAID, fee=0, final=True))
    books(stage, psp=-100, creator=0, commission=0, promo=0, bad_debt=100)


@everywhere
def test_6_27_what_is_undone_and_comes_back(stage: Stage) -> None:
    sold(stage, 10_000, platform_discount=1_500)
    stage.given(gave_back(4_250, ref="half"), refund_failed("half"))
    books(stage, psp=8_500, creator=7_000, commission=3_000, promo=1_500)
    stage.given(gave_back(1_000), payment_failed())
    books(stage, psp=0, creator=0, commission=0, promo=0)


def test_6_27_no_more_is_refunded_than_the_card_paid(stage: Stage) -> None:
    sale = sold(stage, 10_000, platform_discount=1_500)
    stage.when(asks_back(sale, 8_501))
    stage.then(rejected("REFUND_EXCEEDS_REMAINING", remaining=8_500))
    stage.given(asks_back(sale, 8_500), gave_back(8_500))
    books(stage, psp=0, creator=0, commission=0, promo=0)
    stage.when(gave_back(100)).then(suspended("INVALID_TRANSITION"))


def test_6_27_the_vat_of_the_full_price_is_documented(stage: Stage) -> None:
    sold(stage, 10_000, platform_discount=2_500, country="DE")
    stage.given(gave_back(3_750), gave_back(3_750))
    told = [e.event() for e in stage.entries() if e.type.endswith("issued.v1")]
    nets = [(event.number, event.net, event.vat) for event in told]  # type: ignore[attr-defined]
    assert nets == [
        ("DE-000001", 8_333, 1_667),
        ("DE-000002", 4_167, 833),
        ("DE-000003", 4_166, 834),
    ]


@on_postgresql_too
@pytest.mark.parametrize("captures", [(8_500,), (1, 8_499), (4_250, 4_250), (3_333, 3_333, 1_834)])
def test_6_27_of_several_captures_each_brings_its_part(
    stage: Stage, captures: tuple[int, ...]
) -> None:
    stage.given(authorize(10_000, "STANDARD", "pi-1", platform_discount=1_500))
    payment, *parts = named(stage, "payment_id"), *captures[:-1]
    for part in parts:
        stage.given(Sent("capture", {"payment": payment, "amount": part, "final": False}))
    stage.when(capture(payment, captures[-1] + 1))
    stage.then(rejected("CAPTURE_EXCEEDS_HOLD", held=captures[-1]))
    stage.given(capture(payment, captures[-1]))
    assert stage.balance("psp.stripe") == 8_500
    assert stage.balance("exp.promo") == 1_500
    stage.given(gave_back(8_500, payment_ref="pi-1"))
    books(stage, psp=0, creator=0, commission=0, promo=0)


def test_6_27_a_capture_of_a_part_leaves_the_rest_of_the_discount(stage: Stage) -> None:
    stage.given(authorize(10_000, "STANDARD", "pi-1", platform_discount=1_500))
    stage.given(capture(named(stage, "payment_id"), 4_250))
    books(stage, psp=4_250, creator=3_500, commission=1_500, promo=750)


def test_6_27_of_a_tip_and_of_a_period_too(stage: Stage) -> None:
    stage.given(card_tip(1_000, platform_discount=150))
    books(stage, psp=850, creator=700, commission=300, promo=150)
    stage.given(subscribe(1_000), period(1, 1_000).but(platform_discount=150))
    books(stage, psp=1_700, creator=1_400, commission=600, promo=300)


@pytest.mark.parametrize("ours", [10_000, 10_001])
def test_6_27_the_card_pays_at_least_one(stage: Stage, ours: int) -> None:
    stage.when(
        authorize(10_000, "STANDARD", "pi-1", platform_discount=ours),
        card_tip(10_000, platform_discount=ours),
    )
    stage.then(rejected("INVALID_REQUEST", times=2, status=400))


def test_6_27_tokens_know_no_discount_of_the_platforms(stage: Stage) -> None:
    tokens = {"processor": None, "processor_ref": None, "funding": "TOKEN"}
    stage.when(card_tip(100).but(platform_discount=1, **tokens))
    stage.then(rejected("INVALID_REQUEST", status=400))


@on_postgresql_too
def test_6_27_settlement_files_know_what_the_card_paid(stage: Stage) -> None:
    sold(stage, 10_000, platform_discount=1_500)
    stage.given(gave_back(4_250, ref="half"))
    lines = line("PAYMENT", 8_500, PAID), line("REFUND", -4_250, "half")
    stage.given(settlement("june", *lines, payout=4_250)).then(breaks(), settled(bank=4_250))


def test_6_27_in_suspense_stands_what_the_card_paid(stage: Stage) -> None:
    stage.when(card_tip(100, user="same", creator="same", platform_discount=15))
    stage.then(suspended("SELF_DEALING"), *stands_at(suspense=85, psp=85))
