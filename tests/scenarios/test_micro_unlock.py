"""Platform A, `micro-unlock`: pay per item by card or credits, 80/20. Amounts in cents."""

import pytest

from tests.scenarios.over_http import OverHttp
from tests.scenarios.policies import MICRO_UNLOCK
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage, plays_on
from tests.scenarios.steps import (
    accepted,
    card_unlock,
    commission,
    creator_has,
    credit,
    debit,
    deferred,
    events,
    margin,
    policy,
    promo_cost,
    purchase,
    rejected,
    sold,
    split,
    suspended,
    suspense,
    unlock,
    wallet,
)
from tests.scenarios.write_path import WritePath

pytestmark = plays_on(Pure, WritePath)


@pytest.fixture(autouse=True)
def _eighty_twenty(stage: Stage) -> None:
    stage.given(policy(MICRO_UNLOCK))


def test_a1_card_unlocks_are_split_80_20(stage: Stage) -> None:
    stage.when(card_unlock(99)).then(split(79, 20))
    stage.when(card_unlock(399)).then(split(319, 80))
    stage.when(card_unlock(9999)).then(split(7999, 2000))
    stage.then(
        creator_has(79 + 319 + 7999),
        credit(commission, 20 + 80 + 2000),
        debit("psp.stripe", 99 + 399 + 9999),
    )


def test_a1_a_card_charged_out_of_bounds_waits_in_suspense(stage: Stage) -> None:
    stage.when(card_unlock(98), card_unlock(10_000))
    stage.then(suspended("PRICE_OUT_OF_RANGE", times=2), credit(suspense, 98 + 10_000))


def test_a1_credits_out_of_bounds_are_rejected(stage: Stage) -> None:
    stage.when(unlock(98), unlock(10_000))
    stage.then(rejected("PRICE_OUT_OF_RANGE", times=2, status=422, min=99, max=9999))


def test_a2_bonus_goes_first_and_a_lot_releases_exactly_its_price(stage: Stage) -> None:
    stage.given(purchase("small", price=999))
    stage.then(wallet(1100), credit(deferred, 999))

    stage.when(unlock(399)).then(sold(released=298, creator_share=319, platform_share=59))
    (payee,) = stage.outcomes[0].event["payees"]
    assert (payee["paid_part"], payee["promo_part"]) == (239, 80)

    stage.when(unlock(701)).then(sold(released=701, creator_share=561, platform_share=140))
    stage.then(
        wallet(0),
        credit(deferred, 0),
        creator_has(880),
        credit(margin, 199),
        debit(promo_cost, 80),
    )
    assert 880 + 199 - 80 == 999


@plays_on(WritePath, OverHttp)
def test_a3_twenty_concurrent_unlocks_are_one_sale(stage: WritePath) -> None:
    stage.given(purchase("small", price=999))
    clicks = [unlock(399, item="photo", key=f"click-{n}") for n in range(20)]

    stage.when_at_once(clicks)
    stage.then(accepted(1), rejected("ALREADY_ENTITLED", times=19, status=409))
    stage.then(events("content.unlocked.v1", 1), wallet(1100 - 399))

    (winner,) = [outcome for outcome in stage.outcomes if outcome.status == 201]
    stage.when(winner.sent, winner.sent)  # over HTTP each service is asked once
    for again in stage.outcomes:
        assert again.replayed
        assert (again.status, again.body) == (winner.status, winner.body)

    stage.when(winner.sent.but(price=400))
    stage.then(rejected("IDEMPOTENCY_KEY_REUSED", status=422))
    stage.then(events("content.unlocked.v1", 1), wallet(1100 - 399))


def test_a3_the_nineteen_name_the_sale_that_won(stage: Stage) -> None:
    stage.when(card_unlock(399, item="photo"))
    sale = stage.outcomes[0].event["sale_id"]
    stage.when(unlock(399, item="photo")).then(rejected("ALREADY_ENTITLED", sale_id=sale))
    stage.when(card_unlock(399, item="photo"))
    stage.then(suspended("ALREADY_ENTITLED"), credit(suspense, 399))


@plays_on(Pure, WritePath, OverHttp)
@pytest.mark.parametrize(
    ("price", "creator", "platform"), [(399, 319, 80), (99, 79, 20), (1_001, 801, 200)]
)
def test_where_credits_do_not_suffice_the_card_pays_once(
    stage: Stage, price: int, creator: int, platform: int
) -> None:
    by_credits = unlock(price, item="photo", key="click")
    by_card = card_unlock(price, item="photo", processor_ref="ch-photo")
    stage.when(by_credits)
    stage.then(rejected("INSUFFICIENT_TOKENS", status=402, required=price, current=0))
    stage.when(by_card).then(split(creator, platform))

    stage.given(purchase("small", price=999))  # credits enough, and too late
    stage.when(by_credits).then(rejected("INSUFFICIENT_TOKENS"))
    stage.when(by_card)
    assert stage.outcomes[0].replayed
    stage.when(unlock(price, item="photo", key="another-click")).then(rejected("ALREADY_ENTITLED"))
    stage.then(
        events("content.unlocked.v1", 1),
        creator_has(creator),
        credit(commission, platform),
        debit("psp.stripe", price + 999),
        wallet(1100),
    )
