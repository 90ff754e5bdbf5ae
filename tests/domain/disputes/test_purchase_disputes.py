"""Disputes and refunds of token purchases: unspent tokens first, then whoever bears the rest."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.agenda import AGENDA, AgendaEvent
from domain.disputes.dispute import DisputeLost, DisputeOpened, DisputeWon
from domain.purchases.purchase import TokensPurchased
from domain.refunds.purchases import TokenPurchaseRefunded
from domain.reversals.purchase_loss import SALES_PER_PART
from domain.sales.sale import Sale
from domain.wallets.wallet import Wallet
from tests.domain.books import balances
from tests.domain.card_sales import closed
from tests.domain.in_memory_book import InMemoryBook, code
from tests.domain.token_purchases import (
    BEARERS,
    bought,
    credits,
    in_order,
    live,
    money,
    opened,
    tipped,
    wallet,
)


def test_b7_under_platform_the_buyer_owes_what_was_spent() -> None:
    place = live("PLATFORM")
    bought(place, "hundred", 999)
    tipped(place, 60)
    (held,) = place.happens("open-dispute", **opened(999))
    assert isinstance(held, DisputeOpened)
    found = balances(place.history)
    assert (found["w.ann.held", "demo.PAID"], found["w.ann.free", "demo.PAID"]) == (-40, 0)
    assert code(
        place.decide("send-tip", user="ann", creator="carl", funding="TOKEN", amount=1)
    ) == ("INSUFFICIENT_TOKENS")
    lost, frozen = place.happens("close-dispute", **closed("LOST"))
    assert isinstance(lost, DisputeLost)
    assert (lost.released, lost.debt, lost.creators_part) == (400, 599, 0)
    assert frozen.type == "account.frozen.v1"
    assert money(place) == {"fan_debt.ann": 599, "cr.carl.available": -300, "rev.margin": -299}
    assert wallet(place).lots == ()
    in_order(place)


def test_b7_under_creator_proportional_the_sales_are_undone() -> None:
    place = live("CREATOR_PROPORTIONAL")
    bought(place, "hundred", 999)
    tipped(place, 60)
    place.happens("open-dispute", **opened(999))
    place.happens("close-dispute", **closed("LOST"))
    assert money(place) == {}
    in_order(place)


@pytest.mark.parametrize("bearer", BEARERS)
def test_won_after_lost_restores_tokens_and_shares(bearer: str) -> None:
    place = live(bearer)
    bought(place, "hundred", 999)
    tipped(place, 60)
    before = money(place)
    place.happens("open-dispute", **opened(999))
    place.happens("close-dispute", **closed("LOST"))
    won = place.happens("close-dispute", **closed("WON"))[0]
    assert isinstance(won, DisputeWon)
    assert money(place) == before
    assert wallet(place).spendable(place.now) == 40
    assert wallet(place).frozen == ()
    assert tipped(place, 40).released == 400
    in_order(place)


@pytest.mark.parametrize("taken", [0, 1, 400])
@pytest.mark.parametrize("failed", [False, True])
def test_a_win_clears_a_purchase_only_where_nothing_else_took_any_of_it(
    taken: int, failed: bool
) -> None:
    place = live("CREATOR_PROPORTIONAL")
    bought(place, "hundred", 999)
    tipped(place, 60)
    by = {"payment_ref": "p1", "processor": "stripe"}
    if taken:
        place.happens("record-refund", amount=taken, **by, processor_ref="r1")
    if failed:
        place.happens("fail-payment", reason_code="RETURNED", **by, processor_ref="f1")
    place.happens("open-dispute", **opened(500))
    place.happens("close-dispute", **closed("LOST"))
    won = place.happens("close-dispute", **closed("WON"))[0]
    assert isinstance(won, DisputeWon)
    assert won.cleared == (not taken and not failed)
    in_order(place)


def test_won_frees_what_was_held() -> None:
    place = live("PLATFORM")
    bought(place, "hundred", 999)
    tipped(place, 60)
    before = wallet(place)
    place.happens("open-dispute", **opened(999, fee=1500))
    place.happens("close-dispute", **closed("WON"))
    assert (wallet(place).lots, wallet(place).frozen) == (before.lots, ())
    assert money(place)["exp.dispute"] == 1500


def test_bonus_is_cancelled_and_what_was_spent_of_it_stays_the_platforms_cost() -> None:
    place = credits("CREATOR_PROPORTIONAL", 1000, 999, bonus=100)
    bought(place, "p", 999)
    sale = tipped(place, 399)  # 100 promotional tokens, 299 paid
    place.happens("open-dispute", **opened(999))
    place.happens("close-dispute", **closed("LOST"))
    assert sale.creator_share == 319
    assert money(place) == {"cr.carl.available": -80, "exp.promo": 80}
    in_order(place)


def test_tokens_of_a_charged_back_purchase_are_cancelled_as_they_come_back() -> None:
    place = live("CREATOR_PROPORTIONAL")
    bought(place, "hundred", 999)
    first = tipped(place, 60)
    asked: dict[str, Any] = {"sale": first.sale_id, "amount": 1, "reason_code": "ASKED"}
    place.happens("open-dispute", **opened(999))
    assert code(place.decide("refund", **asked)) == "DISPUTE_OPEN"
    place.happens("close-dispute", **closed("LOST"))
    place.happens("refund", **{**asked, "amount": 60})
    assert (money(place), wallet(place).lots) == ({}, ())
    place.happens("close-dispute", **closed("WON"))
    assert money(place) == {"psp.stripe": 999, "deferred": -999}
    assert wallet(place).spendable(place.now) == 100
    in_order(place)


def test_a_sale_paid_by_two_purchases_is_undone_only_in_its_part() -> None:
    place = live("CREATOR_PROPORTIONAL")
    bought(place, "fifty", 500)
    bought(place, "hundred", 999, ref="p2")
    sale = tipped(place, 80)  # 50 of the first, 30 of the second
    place.happens("open-dispute", **opened(500))
    place.happens("close-dispute", **closed("LOST"))
    assert money(place)["cr.carl.available"] == -150
    assert balances(place.history)["w.ann.free", "demo.PAID"] == -70
    asked: dict[str, Any] = {"sale": sale.sale_id, "reason_code": "ASKED"}
    place.happens("refund", amount=30, **asked)
    assert "cr.carl.available" not in money(place)
    assert money(place) == {"psp.stripe": 999, "deferred": -999}
    place.happens("refund", amount=50, **asked)
    assert money(place) == {"psp.stripe": 999, "deferred": -999}
    assert wallet(place).spendable(place.now) == 100
    in_order(place)


def test_many_sales_are_lost_in_parts_that_balance_each() -> None:
    count = 2 * SALES_PER_PART + 1
    place = credits("CREATOR_PROPORTIONAL", count, 10 * count, unit_value=5)
    bought(place, "p", 10 * count)
    for nth in range(count):
        tipped(place, 1, creator=f"c{nth % 7}")
    place.happens("open-dispute", **opened(10 * count))
    events = place.happens("close-dispute", **closed("LOST"))
    parts = [event for event in events if isinstance(event, DisputeLost)]
    assert [(one.part, one.parts) for one in parts] == [(1, 3), (2, 3), (3, 3)]
    assert sum(one.amount for one in parts) == 10 * count
    assert money(place) == {}
    in_order(place)
    before_win = len(place.history)
    won = place.happens("close-dispute", **closed("WON"))
    assert [event.type for event in won] == [*["dispute.won.v1"] * 3, "account.unfrozen.v1"]
    assert len(place.history) == before_win + 4
    assert money(place)["rev.margin"] == -(10 - 4) * count


def test_vat_goes_back_and_a_credit_note_says_so() -> None:
    place = credits("PLATFORM", 100, 1200, vat={"DE": 2000})
    bought(place, "p", 1200, country="DE")
    tipped(place, 25)
    place.happens("open-dispute", **opened(1200))
    lost, _, note = place.happens("close-dispute", **closed("LOST"))
    assert isinstance(lost, DisputeLost)
    assert (lost.tax, lost.released, lost.debt) == (200, 750, 250)
    assert (note.vat, note.net) == (200, 1000)  # type: ignore[attr-defined]


def test_6_17_what_lapsed_is_undone_before_the_buyer_owes_anything() -> None:
    place = credits("CREATOR_PROPORTIONAL", 100, 1000, breakage_months=1)
    bought(place, "p", 1000)
    tipped(place, 30)
    place.later(days=40)
    place.happens("lapse-tokens", user="ann")
    for nth, amount in enumerate((333, 333, 334)):
        place.happens("open-dispute", **opened(amount, f"d{nth}"))
        place.happens("close-dispute", **closed("LOST", f"d{nth}"))
        in_order(place)
    assert money(place) == {}


def test_tokens_that_come_back_after_their_end_are_told_to_the_agenda() -> None:
    place = credits("PLATFORM", 100, 1000, breakage_months=1)
    bought(place, "p", 1000)
    sale = tipped(place, 30)
    place.happens("open-dispute", **opened(1000))
    place.later(days=40)
    won = place.happens("close-dispute", **closed("WON"))[0]
    refund: dict[str, Any] = {"sale": sale.sale_id, "amount": 30, "reason_code": "ASKED"}
    back = place.happens("refund", **refund)[0]
    for event in (won, back):
        assert isinstance(event, AgendaEvent)
        ((_, due),) = event.agenda_items()
        assert due is not None
        assert due.command == "lapse-tokens"
        assert AGENDA in event.tags()
    place.happens("lapse-tokens", user="ann")
    assert wallet(place).lots == ()
    assert money(place)["rev.breakage"] == -1000


def refund_of(place: InMemoryBook, purchase: str) -> Any:
    return place.decide("refund-purchase", purchase=purchase, reason_code="ASKED")


def test_an_unspent_purchase_is_refunded_whole_and_its_bonus_cancelled() -> None:
    place = credits("PLATFORM", 1000, 1200, bonus=100, vat={"DE": 2000})
    purchase = bought(place, "p", 1200, country="DE")
    event, note = place.happens("refund-purchase", purchase=purchase, reason_code="ASKED")
    assert isinstance(event, TokenPurchaseRefunded)
    assert (event.amount, event.tokens, event.bonus_cancelled, event.tax) == (1200, 1000, 100, 200)
    assert note.type == "credit_note.issued.v1"
    assert (money(place), wallet(place)) == ({}, Wallet())
    assert refund_of(place, purchase).details["remaining"] == 0
    assert code(refund_of(place, "none")) == "UNKNOWN_PURCHASE"


def test_bonus_that_was_spent_is_deducted_at_its_worth() -> None:
    place = credits("PLATFORM", 1000, 1200, bonus=100)
    purchase = bought(place, "p", 1200)
    tipped(place, 60)
    (event,) = place.happens("refund-purchase", purchase=purchase, reason_code="ASKED")
    assert isinstance(event, TokenPurchaseRefunded)
    assert (event.amount, event.deducted, event.bonus_cancelled) == (1140, 60, 40)
    assert money(place) == {
        "psp.stripe": 60,
        "exp.promo": 48 - 60,
        "cr.carl.available": -48,
    }


def test_only_what_is_unspent_is_refunded() -> None:
    place = live("PLATFORM")
    purchase = bought(place, "hundred", 999)
    tipped(place, 60)
    (event,) = place.happens("refund-purchase", purchase=purchase, reason_code="ASKED")
    assert isinstance(event, TokenPurchaseRefunded)
    assert (event.amount, event.tokens) == (400, 40)
    in_order(place)
    place.happens("open-dispute", **opened(999))
    place.happens("close-dispute", **closed("LOST"))
    assert money(place)["exp.baddebt"] == 400
    assert money(place)["fan_debt.ann"] == 599


def test_expired_bonus_counts_as_unspent() -> None:
    place = credits("PLATFORM", 1000, 1200, bonus=100, promo_expiry_days=1)
    purchase = bought(place, "p", 1200)
    tipped(place, 30)
    place.later(days=2)
    place.happens("expire-promo", user="ann")
    (event,) = place.happens("refund-purchase", purchase=purchase, reason_code="ASKED")
    assert isinstance(event, TokenPurchaseRefunded)
    assert (event.bonus_spent, event.deducted, event.amount) == (30, 30, 1170)


def test_no_refund_while_the_purchase_is_disputed() -> None:
    place = live("PLATFORM")
    purchase = bought(place, "hundred", 999)
    place.happens("open-dispute", **opened(500))
    assert code(refund_of(place, purchase)) == "DISPUTE_OPEN"


@given(
    bearer=st.sampled_from(BEARERS),
    tokens=st.integers(1, 400),
    unit=st.integers(1, 9),
    margin=st.integers(0, 10_000),
    bonus=st.integers(0, 50),
    vat=st.integers(0, 5_000),
    bps=st.integers(0, 10_000),
    spends=st.lists(st.tuples(st.integers(1, 90), st.integers(0, 2)), max_size=8),
    refunds=st.lists(st.tuples(st.integers(0, 7), st.integers(1, 90)), max_size=3),
    disputes=st.lists(
        st.tuples(st.integers(1, 10**9), st.sampled_from(["WON", "LOST", "BOTH"])), max_size=3
    ),
)
def test_whatever_is_spent_refunded_and_disputed_the_books_are_in_order(
    bearer: str,
    tokens: int,
    unit: int,
    margin: int,
    bonus: int,
    vat: int,
    bps: int,
    spends: list[tuple[int, int]],
    refunds: list[tuple[int, int]],
    disputes: list[tuple[int, str]],
) -> None:
    price = tokens * unit * 2 + bonus * unit * 2 + margin
    place = credits(
        bearer,
        tokens,
        price,
        bonus=bonus,
        unit_value=unit,
        vat={"DE": vat},
        revenue_share={"default": bps},
    )
    for ref in ("p1", "p2"):
        bought(place, "p", price, ref=ref, country="DE")
    sales: list[Sale] = []
    for amount, creator in spends:
        spent = min(amount, wallet(place).spendable(place.now))
        if spent:
            sales.append(tipped(place, spent, creator=f"c{creator}"))
    for nth, amount in refunds:
        if sales:
            sale = sales[nth % len(sales)]
            asked: dict[str, Any] = {"sale": sale.sale_id, "reason_code": "ASKED"}
            decision = place.decide("refund", amount=amount, **asked)
            if isinstance(decision, tuple):
                place.record(*decision)
    in_order(place)
    before = money(place)
    for nth, (number, outcome) in enumerate([*disputes, (price - 1, "LOST")]):
        ref = f"d{nth}"
        place.happens("open-dispute", **opened(1 + number % price, ref))
        in_order(place)
        for end in ("LOST", "WON") if outcome == "BOTH" else (outcome,):
            place.happens("close-dispute", **closed(end, ref))
            in_order(place)
    assert "disputed" not in money(place)
    lost = [one for one in disputes if one[1] == "LOST"]
    if not lost and bearer == "CREATOR_PROPORTIONAL":
        assert "fan_debt.ann" not in money(place)
        assert money(place)["psp.stripe"] == before["psp.stripe"] - price
    purchase = next(e.purchase_id for e in place.history if isinstance(e, TokensPurchased))
    assert not [lot for lot in wallet(place).lots if lot.purchase == purchase]
