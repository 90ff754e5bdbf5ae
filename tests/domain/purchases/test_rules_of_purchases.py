"""Rules 6.1, 6.2, 6.17 and 6.18 of purchases, with figures that anybody can reckon."""

from typing import Any

import pytest

from domain.command import Ignored, Suspended
from domain.holds.hold import CreditsHeld
from domain.refunds.purchases import TokenPurchaseRefunded
from domain.rejections import Rejection
from domain.sales.sale import Sale
from tests.domain.in_memory_book import InMemoryBook, code
from tests.domain.token_purchases import bought, credits, in_order, live, money, tipped, wallet

CREATORS, PLATFORM = "CREATOR_PROPORTIONAL", "PLATFORM"
STRIPE = {"processor": "stripe"}


def lost(place: InMemoryBook, amount: int, ref: str = "d1", payment: str = "p1") -> None:
    """A final dispute."""
    fields = {"payment_ref": payment, "amount": amount, "fee": 0, "final": True, **STRIPE}
    place.happens("open-dispute", **fields, processor_ref=ref)
    in_order(place)


def won(place: InMemoryBook, ref: str = "d1") -> None:
    fields = {"dispute": ref, "outcome": "WON", **STRIPE, "processor_ref": f"won-{ref}"}
    place.happens("close-dispute", **fields)
    in_order(place)


def refunded(place: InMemoryBook, purchase: str) -> int:
    """What a refund of the purchase pays; 0 where it is rejected."""
    decision = place.decide("refund-purchase", purchase=purchase, reason_code="ASKED")
    if isinstance(decision, Rejection):
        assert decision.details["remaining"] == 0
        assert code(decision) == "REFUND_EXCEEDS_REMAINING"
        return 0
    assert isinstance(decision, tuple)
    place.record(*decision)
    in_order(place)
    (event,) = (one for one in decision if isinstance(one, TokenPurchaseRefunded))
    return event.amount


def returned(place: InMemoryBook, sale: Sale, tokens: int) -> None:
    place.happens("refund", sale=sale.sale_id, amount=tokens, reason_code="ASKED")
    in_order(place)


def taken(place: InMemoryBook, ref: str = "r1", **fields: Any) -> Any:
    """The processor refunded the purchase."""
    decision = place.decide(
        "record-refund", payment_ref="p1", **fields, **STRIPE, processor_ref=ref
    )
    events = decision.events if isinstance(decision, Suspended) else decision
    if not isinstance(events, Ignored):
        assert isinstance(events, tuple), decision
        place.record(*events)
        in_order(place)
    return decision


def bounced(place: InMemoryBook, ref: str = "b1", **fields: Any) -> None:
    place.happens("fail-payment", **fields, **STRIPE, processor_ref=ref, reason_code="RETURNED")
    in_order(place)


@pytest.mark.parametrize("bearer", [CREATORS, PLATFORM])
@pytest.mark.parametrize(("part", "left"), [(47, 952), (1, 998), (500, 499), (998, 1)])
def test_6_1_a_refund_settles_what_the_buyer_owes_then_pays(
    bearer: str, part: int, left: int
) -> None:
    place = live(bearer)
    purchase = bought(place, "hundred", 999)
    lost(place, part)
    assert refunded(place, purchase) == left
    assert money(place) == {}
    won(place)
    assert refunded(place, purchase) == part
    assert (money(place), wallet(place).lots) == ({}, ())


@pytest.mark.parametrize("bearer", [CREATORS, PLATFORM])
@pytest.mark.parametrize("spent", [0, 1, 60, 100])
def test_6_1_nothing_is_refundable_after_a_full_loss(bearer: str, spent: int) -> None:
    place = live(bearer)
    purchase = bought(place, "hundred", 999)
    sale = tipped(place, spent) if spent else None
    lost(place, 999)
    assert refunded(place, purchase) == 0
    if sale is not None:
        returned(place, sale, spent)
    assert refunded(place, purchase) == 0
    assert money(place) == {}


def prepaid(tokens: int, price: int) -> InMemoryBook:
    return credits(PLATFORM, tokens, price, products_enabled=["hold", "tip"])


@pytest.mark.parametrize(
    ("tokens", "price", "held", "used"),
    [(1000, 8900, 900, 500), (100, 999, 60, 37), (7, 1000, 7, 1), (1000, 8900, 1, 0)],
)
def test_6_1_held_tokens_are_owed_and_those_released_are_cancelled(
    tokens: int, price: int, held: int, used: int
) -> None:
    place = prepaid(tokens, price)
    bought(place, "p", price)
    (hold,) = place.happens("hold-credits", user="ann", tokens=held)
    assert isinstance(hold, CreditsHeld)
    lost(place, price)
    unspent = price * (tokens - held) // tokens
    assert money(place) == {"fan_debt.ann": price - unspent, "deferred": unspent - price}
    if used:
        place.happens("settle-batch", hold=hold.hold_id, batch_no=1, used=used)
    usage = -money(place).get("rev.usage", 0)
    place.happens("release-hold", hold=hold.hold_id)
    in_order(place)
    assert wallet(place).lots == ()
    left = {"fan_debt.ann": usage, "rev.usage": -usage} if usage else {}
    assert money(place) == left
    if (tokens, used) == (1000, 500):
        assert usage == 4450


@pytest.mark.parametrize("bearer", [CREATORS, PLATFORM])
@pytest.mark.parametrize("spent", [60, 1, 33, 100])
def test_6_1_a_tip_that_comes_back_after_the_loss_ends_the_debt(bearer: str, spent: int) -> None:
    place = live(bearer)
    bought(place, "hundred", 999)
    sale = tipped(place, spent)
    lost(place, 999)
    if bearer == PLATFORM:
        assert money(place)["fan_debt.ann"] == sale.released
        assert money(place)["cr.carl.available"] == -5 * spent
    returned(place, sale, spent)
    assert (money(place), wallet(place).lots) == ({}, ())
    won(place)
    assert money(place) == {"psp.stripe": 999, "deferred": -999}
    assert wallet(place).spendable(place.now) == 100


@pytest.mark.parametrize("bearer", [CREATORS, PLATFORM])
@pytest.mark.parametrize("part", [47, 500, 998, 3])
def test_6_1_of_a_part_so_many_are_cancelled_as_if_they_had_come_back_first(
    bearer: str, part: int
) -> None:
    ends = []
    for loss_first in (True, False):
        place = live(bearer)
        bought(place, "hundred", 999)
        first, second = tipped(place, 41), tipped(place, 23)
        if loss_first:
            lost(place, part)
        returned(place, second, 11)
        returned(place, first, 29)
        returned(place, second, 5)
        if not loss_first:
            lost(place, part)
        ends.append(money(place))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("spent", "first", "second"), [(600, 400, 599), (60, 939, 60), (100, 899, 100), (1100, 0, 999)]
)
def test_6_1_what_was_deducted_for_a_bonus_is_given_back_with_it(
    spent: int, first: int, second: int
) -> None:
    place = credits(CREATORS, 1000, 999, bonus=100)
    purchase = bought(place, "p", 999)
    sale = tipped(place, spent)
    returned(place, sale, spent)
    assert refunded(place, purchase) == 999
    assert money(place) == {}
    place = credits(CREATORS, 1000, 999, bonus=100)
    purchase = bought(place, "p", 999)
    sale = tipped(place, spent)
    assert refunded(place, purchase) == first
    returned(place, sale, spent)
    assert refunded(place, purchase) == second
    assert money(place) == {}


@pytest.mark.parametrize(("spent", "back"), [(400, 299), (100, 0), (0, 0), (1100, 999)])
def test_6_2_the_processor_takes_a_purchase_back(spent: int, back: int) -> None:
    place = credits(CREATORS, 1000, 999, bonus=100)
    purchase = bought(place, "p", 999)
    if spent:
        tipped(place, spent)
    before = money(place)
    free = wallet(place).spendable(place.now)
    assert free == 1100 - spent
    taken(place, cumulative=999)
    found = money(place)
    assert wallet(place).lots == ()
    assert "psp.stripe" not in found
    assert "fan_debt.ann" not in found
    earned = -sum(before.get(one, 0) for one in ("cr.carl.available", "rev.margin"))
    kept = -sum(found.get(one, 0) for one in ("cr.carl.available", "rev.margin"))
    assert earned - kept == back
    assert wallet(place).frozen == ()
    assert refunded(place, purchase) == 0


@pytest.mark.parametrize(("spent", "amount"), [(60, 999), (60, 500), (100, 1), (1, 998)])
def test_6_2_spending_is_frozen_where_a_debt_remains_and_as_long(spent: int, amount: int) -> None:
    place = live(PLATFORM)
    bought(place, "hundred", 999)
    sale = tipped(place, spent)
    taken(place, amount=amount)
    assert wallet(place).debt > 0
    assert wallet(place).frozen == ("SPEND",)
    returned(place, sale, spent)
    rounding = amount - 999 * (100 * amount // 999) // 100
    assert wallet(place).debt == rounding
    assert wallet(place).frozen == (("SPEND",) if rounding else ())
    failed = {"refund": "r1", "reason_code": "CLOSED", **STRIPE, "processor_ref": "f1"}
    place.happens("fail-refund", **failed)
    in_order(place)
    assert (wallet(place).frozen, wallet(place).debt) == ((), 0)
    assert money(place) == {"psp.stripe": 999, "deferred": -999}


def test_6_2_a_freeze_by_a_person_stays_and_one_by_a_dispute_ends_by_a_win() -> None:
    place = live(PLATFORM)
    bought(place, "hundred", 999)
    sale = tipped(place, 60)
    lost(place, 500)
    taken(place, amount=100)
    won(place)
    assert wallet(place).frozen == ("SPEND",)
    returned(place, sale, 60)
    assert wallet(place).debt == 1  # 10 tokens of 999 are worth 99
    frozen = {"subject": "ann", "kind": "wallet", "scope": "SPEND", "reason_code": "CHECK"}
    place.happens("freeze", **frozen)
    place.happens("fail-refund", refund="r1", reason_code="X", **STRIPE, processor_ref="f1")
    assert wallet(place).frozen == ("SPEND",)
    place.happens("unfreeze", **frozen)
    assert (wallet(place).frozen, wallet(place).frozen_for, wallet(place).debt) == ((), (), 0)


@pytest.mark.parametrize("before", [0, 1, 400, 999])
@pytest.mark.parametrize("name", ["purchase", "payment_ref"])
def test_6_2_a_payment_that_fails_takes_what_has_not_gone_back_yet(before: int, name: str) -> None:
    place = live(PLATFORM)
    purchase = bought(place, "hundred", 999)
    tipped(place, 60)
    if before:
        lost(place, before)
    about = {"purchase": purchase, "payment_ref": "p1"}[name]
    bounced(place, **{name: about})
    assert money(place)["fan_debt.ann"] == 599
    assert "psp.stripe" not in money(place)
    bounced(place, "b2", **{name: about})
    assert money(place)["fan_debt.ann"] == 599
    assert refunded(place, purchase) == 0
    taken(place, amount=999 - before or 1)
    assert money(place).get("psp.stripe", 0) == (0 if before < 999 else -1)


def test_6_2_a_figure_counts_what_was_sent_back_by_command_and_once() -> None:
    place = live(PLATFORM)
    purchase = bought(place, "hundred", 999)
    tipped(place, 60)
    assert refunded(place, purchase) == 400
    assert isinstance(taken(place, cumulative=400), Ignored)
    taken(place, "r2", cumulative=600)
    assert money(place)["fan_debt.ann"] == 200
    assert isinstance(taken(place, "r3", cumulative=600), Ignored)
    decision = taken(place, "r4", cumulative=1100)
    assert isinstance(decision, Suspended)
    assert (money(place)["suspense"], money(place)["psp.stripe"]) == (101, -101)
    assert money(place)["fan_debt.ann"] == 599


def test_6_2_a_refund_beyond_the_price_that_fails_gives_back_what_the_purchase_bore() -> None:
    place = live(PLATFORM)
    bought(place, "hundred", 999)
    assert isinstance(taken(place, amount=1100), Suspended)
    failed = {"refund": "r1", "reason_code": "CLOSED", **STRIPE, "processor_ref": "f1"}
    place.happens("fail-refund", **failed)
    in_order(place)
    assert money(place) == {"psp.stripe": 898, "deferred": -999, "suspense": 101}


@pytest.mark.parametrize("spent", range(1, 40, 3))
@pytest.mark.parametrize("part", [1, 2, 47])
def test_the_lots_of_a_refund_release_together_what_it_releases(spent: int, part: int) -> None:
    place = credits(PLATFORM, 1100, 999)
    purchase = bought(place, "p", 999)
    tipped(place, spent)
    taken(place, amount=part)
    refund = place.happens("refund-purchase", purchase=purchase, reason_code="ASKED")[0]
    assert isinstance(refund, TokenPurchaseRefunded)
    told = sum(one.released for one in (*refund.lots, *refund.cancelled))
    assert told == refund.released


@pytest.mark.parametrize("bearer", [CREATORS, PLATFORM])
@pytest.mark.parametrize(("part", "reversed_"), [(1000, 700), (500, 500), (100, 100), (999, 700)])
def test_6_17_breakage_is_reversed_before_the_buyer_owes(
    bearer: str, part: int, reversed_: int
) -> None:
    place = credits(bearer, 100, 1000, breakage_months=1)
    bought(place, "p", 1000)
    tipped(place, 30)
    place.later(days=40)
    place.happens("lapse-tokens", user="ann")
    lost(place, part)
    found = money(place)
    if bearer == PLATFORM:
        assert -found.get("rev.breakage", 0) == 700 - reversed_
        assert found.get("fan_debt.ann", 0) == part - reversed_
    else:
        assert "fan_debt.ann" not in found
    won(place)
    assert money(place)["rev.breakage"] == -700


@pytest.mark.parametrize(
    ("part", "tokens", "worth"), [(47, 4, 39), (10, 1, 9), (999, 100, 999), (500, 50, 499)]
)
def test_6_18_whole_tokens_win(part: int, tokens: int, worth: int) -> None:
    for bearer, account in ((PLATFORM, "fan_debt.ann"), (CREATORS, "rev.margin")):
        place = live(bearer)
        bought(place, "hundred", 999)
        lost(place, part)
        assert wallet(place).spendable(place.now) == 100 - tokens
        assert -money(place).get("deferred", 0) == 999 - worth
        assert money(place).get(account, 0) == part - worth
        won(place)
        assert money(place) == {"psp.stripe": 999, "deferred": -999}
