"""Refunds of tokens: lots come back at their places and release exactly their price, once."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import balanced
from domain.money import portion
from domain.refunds.refund import RefundRecorded
from domain.sales.sale import Sale
from domain.wallets.wallet import Wallet
from tests.domain.books import balances, deferred_of_lots
from tests.domain.card_sales import creator, refund, world
from tests.domain.in_memory_book import ASSETS, InMemoryBook, code


def tipped(place: InMemoryBook, tokens: int) -> Sale:
    """Ann tips Carl tokens."""
    (sale,) = place.happens("send-tip", user="ann", creator="carl", funding="TOKEN", amount=tokens)
    assert isinstance(sale, Sale)
    return sale


def bought(place: InMemoryBook, ref: str = "p1", package: str = "small", price: int = 999) -> None:
    fields: dict[str, Any] = {
        "package": package,
        "price": price,
        "processor": "stripe",
        "processor_ref": ref,
    }
    place.happens("record-purchase", user="ann", **fields)


PACKAGE = {"small": {"tokens": 1000, "bonus": 100, "price": 999}}


def test_tokens_come_back_last_consumed_first_and_are_priced_as_they_were_released() -> None:
    place = world(packages=PACKAGE)
    bought(place)
    sale = tipped(place, 399)  # 100 promotional, 299 paid
    (event,) = place.happens("refund", sale=sale.sale_id, amount=299, reason_code="ASKED")
    assert isinstance(event, RefundRecorded)
    assert [(lot.kind, lot.tokens, lot.price) for lot in event.lots] == [("PAID", 299, 298)]
    assert (event.released, event.promo_part, event.creators_part) == (298, 0, 239)
    (event,) = place.happens("refund", sale=sale.sale_id, amount=100, reason_code="ASKED")
    assert isinstance(event, RefundRecorded)
    assert [(lot.kind, lot.tokens, lot.price) for lot in event.lots] == [("PROMO", 100, 0)]
    assert (event.released, event.promo_part, event.creators_part) == (0, 80, 80)
    assert not creator(place).owed
    assert balances(place.history)["deferred", "USD"] == -999


def test_returned_tokens_stand_where_their_lot_stood() -> None:
    place = world(packages={"small": {"tokens": 10, "price": 10}}, revenue_share={"default": 0})
    bought(place, "p1", "small", 10)
    first = tipped(place, 10)
    bought(place, "p2", "small", 10)
    place.happens("refund", sale=first.sale_id, amount=10, reason_code="ASKED")
    wallet = place.states["wallet:ann"]
    assert isinstance(wallet, Wallet)
    back, later = wallet.lots
    assert back.purchase == first.lots[0].purchase != later.purchase


def test_expired_promotional_tokens_are_not_revived() -> None:
    place = world(packages={}, revenue_share={"default": 8000})
    place.happens(
        "grant-promo", user="ann", tokens=100, reason_code="GIFT", expires_at="2026-11-21T00:00:00Z"
    )
    sale = tipped(place, 100)
    place.later(days=1)
    (event,) = place.happens("refund", sale=sale.sale_id, amount=100, reason_code="ASKED")
    assert isinstance(event, RefundRecorded)
    assert place.states["wallet:ann"] == Wallet(has_bought=True)
    assert balances(place.history)["exp.promo", "USD"] == 0
    assert balances(place.history)["supply", "demo.PROMO"] == 0


@given(
    price=st.integers(1000, 10**6),
    bonus=st.integers(0, 300),
    bps=st.integers(0, 10_000),
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 900)), min_size=1, max_size=20),
)
def test_whatever_is_spent_and_refunded_lots_release_exactly_their_price(
    price: int, bonus: int, bps: int, steps: list[tuple[bool, int]]
) -> None:
    place = world(
        packages={"small": {"tokens": 700, "bonus": bonus, "price": price}},
        revenue_share={"default": bps},
    )
    bought(place, "p1", price=price)
    bought(place, "p2", price=price)
    sales: list[tuple[Sale, int]] = []
    for spend, number in steps:
        wallet = place.states["wallet:ann"]
        assert isinstance(wallet, Wallet)
        free = wallet.spendable(place.now)
        if spend or not sales:
            if free:
                tokens = min(number, free)
                sales.append((tipped(place, tokens), tokens))
        else:
            sale, left = sales.pop(number % len(sales))
            amount = min(left, 1 + number // 2)
            (event,) = place.happens("refund", sale=sale.sale_id, amount=amount, reason_code="X")
            balanced(event.postings(ASSETS))
            assert code(refund(place, sale, left - amount + 1)) == "REFUND_EXCEEDS_REMAINING"
            if left > amount:
                sales.append((sale, left - amount))
        sums = balances(place.history)
        assert sums["deferred", "USD"] == -deferred_of_lots(place)
        assert creator(place).available >= 0
    for sale, left in sales:
        place.happens("refund", sale=sale.sale_id, amount=left, reason_code="X")
    sums = balances(place.history)
    assert not creator(place).owed
    assert sums["deferred", "USD"] == -2 * price
    assert (sums["rev.margin", "USD"], sums["exp.promo", "USD"]) == (0, 0)


def test_portions_of_a_portion_add_up() -> None:
    assert sum(portion(298, n + 1, 299) - portion(298, n, 299) for n in range(299)) == 298
