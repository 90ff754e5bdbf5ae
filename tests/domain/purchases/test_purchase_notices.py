"""Notices of one purchase of tokens: whatever their order, they end in the same balances."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.wallets.wallet import Wallet
from tests.domain.books import balances
from tests.domain.card_sales import closed, hear, opened, world
from tests.domain.in_memory_book import InMemoryBook
from tests.domain.token_purchases import BEARERS, bought, credits, in_order, tipped

Notice = tuple[str, dict[str, Any]]

PURCHASED: dict[str, Any] = {
    "user": "ann",
    "package": "small",
    "price": 1001,
    "processor": "stripe",
    "processor_ref": "r1",
    "country": "DE",
}


def ends_of(place: InMemoryBook) -> dict[tuple[str, str], int]:
    """Every balance that is not zero."""
    return {key: amount for key, amount in balances(place.history).items() if amount}


@pytest.mark.parametrize("bearer", ["CREATOR_PROPORTIONAL", "PLATFORM"])
@pytest.mark.parametrize("first", [(), ("WON",), ("LOST",), ("LOST", "WON")])
def test_notices_of_one_purchase_end_in_the_same_balances_in_any_order(
    bearer: str, first: tuple[str, ...]
) -> None:
    package = {"tokens": 1000, "bonus": 37, "price": 1001}
    policy: dict[str, Any] = {
        "packages": {"small": package},
        "vat": {"DE": 700},
        "revenue_share": {"default": 100},
    }
    notices: list[tuple[str, dict[str, Any]]] = [
        ("record-purchase", PURCHASED),
        ("open-dispute", opened(600)),
        *(("close-dispute", closed(outcome)) for outcome in first),
        ("open-dispute", opened(401, ref="d2")),
    ]
    ends = set()
    for order in itertools.permutations(notices):
        place = world(bearer, **policy)
        hear(place, list(order))
        hear(place, [("close-dispute", closed("LOST", "d2"))])
        found = balances(place.history)
        ends.add(tuple(sorted((key, amount) for key, amount in found.items() if amount)))
    assert len(ends) == 1


@given(
    bearer=st.sampled_from(BEARERS),
    tokens=st.integers(1, 300),
    bonus=st.integers(0, 40),
    price=st.integers(1, 10**5),
    vat=st.integers(0, 3_000),
    bps=st.integers(0, 10_000),
    spends=st.lists(st.tuples(st.integers(1, 90), st.integers(0, 2)), max_size=6),
    disputes=st.lists(
        st.tuples(st.integers(0, 10**5), st.sampled_from(["", "WON", "LOST", "BOTH"])),
        min_size=1,
        max_size=4,
    ),
    chance=st.randoms(use_true_random=False),
)
def test_disputes_of_a_purchase_in_any_order_and_of_any_size(
    bearer: str,
    tokens: int,
    bonus: int,
    price: int,
    vat: int,
    bps: int,
    spends: list[tuple[int, int]],
    disputes: list[tuple[int, str]],
    chance: Any,
) -> None:
    price += tokens + bonus + (tokens + bonus) * vat // 10_000 + 1
    notices: list[Notice] = []
    for nth, (amount, outcome) in enumerate(disputes):
        ref = f"d{nth}"
        dispute = opened(1 + amount % price, 7, ref, payment_ref="p1")
        notices.append(("open-dispute", dispute))
        ends_in = {"": (), "BOTH": ("LOST", "WON")}.get(outcome, (outcome,))
        notices += [("close-dispute", closed(end, ref)) for end in ends_in]
    ends = []
    for _ in range(2):
        policy: dict[str, Any] = {"vat": {"DE": vat}, "revenue_share": {"default": bps}}
        place = credits(bearer, tokens, price, bonus, **policy)
        bought(place, "p", price, ref="p1", country="DE")
        bought(place, "p", price, ref="p2", country="DE")
        for amount, creator in spends:
            wallet = place.states["wallet:ann"]
            assert isinstance(wallet, Wallet)
            if spent := min(amount, wallet.spendable(place.now)):
                tipped(place, spent, creator=f"c{creator}")
        chance.shuffle(notices)
        hear(place, notices)
        in_order(place)
        ends.append(ends_of(place))
    assert ends[0] == ends[1]
