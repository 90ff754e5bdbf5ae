"""Disputes of sales by card: who bears them, in whatever order they are heard of."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.agenda import AGENDA
from domain.command import Parked, Suspended
from domain.disputes.dispute import DisputeLost, DisputeOpened, DisputeWon
from domain.sales.entitlement import Entitlement
from domain.sales.sale import Sale
from tests.domain.books import balances
from tests.domain.card_sales import CARD, closed, hear, opened, reported, sold, sums, world
from tests.domain.in_memory_book import ASSETS, code


def test_a7_a_lost_dispute_after_a_partial_refund() -> None:
    place = world()
    sold(place)
    place.happens("record-refund", **reported(200))
    place.happens("open-dispute", **opened())
    assert sums(place) == {
        "cr.carl.reserved": -159,
        "rev.commission": -40,
        "disputed": 399,
        "exp.dispute": 1500,
        "psp.stripe": 399 - 200 - 399 - 1500,
    }
    (lost,) = place.happens("close-dispute", **closed("LOST"))
    legs = {account: amount for account, _, amount in lost.postings(ASSETS) if amount}
    assert legs == {
        "cr.carl.reserved": 159,
        "rev.commission": 40,
        "exp.baddebt": 200,
        "disputed": -399,
    }
    assert place.decide("close-dispute", **closed("LOST")) == ()
    assert place.decide("open-dispute", **opened()) == ()


def test_a_won_dispute_gives_everything_back_and_the_fee_as_the_policy_says() -> None:
    for refundable, cost in ((False, 1500), (True, 0)):
        place = world(dispute_fee_refundable=refundable)
        sold(place)
        before = sums(place)
        place.happens("open-dispute", **opened())
        place.happens("close-dispute", **closed("WON"))
        psp = {"psp.stripe": 399 - cost}
        assert sums(place) == {**before, **psp, **({"exp.dispute": cost} if cost else {})}


def test_won_after_lost_reverses_the_loss() -> None:
    place = world(vat={"DE": 2000})
    sold(place, country="DE", price=400)
    before = sums(place)
    place.happens("open-dispute", **opened(amount=250, fee=0))
    place.happens("close-dispute", **closed("LOST"))
    assert place.states["entitlement:ann:photo"] != Entitlement()
    won, invoice = place.happens("close-dispute", **closed("WON"))
    assert isinstance(won, DisputeWon)
    assert invoice.type == "invoice.issued.v1"
    assert sums(place) == before
    assert place.states["entitlement:ann:photo"] != Entitlement()
    decision = place.decide("close-dispute", **closed("LOST"))
    assert isinstance(decision, Suspended)
    assert code(decision) == "INVALID_TRANSITION"
    assert not any(amount for event in decision.events for *_, amount in event.postings(ASSETS))


def test_under_platform_creators_keep_their_share() -> None:
    place = world("PLATFORM", vat={"DE": 2000})
    sale = sold(place, country="DE", price=400)
    place.happens("open-dispute", **opened(amount=400, fee=0))
    assert sums(place)["cr.carl.available"] == -sale.creator_share
    lost, note = place.happens("close-dispute", **closed("LOST"))
    assert isinstance(lost, DisputeLost)
    assert (lost.tax, lost.platform_share) == (sale.tax, sale.platform_share)
    assert lost.excess == sale.creator_share
    assert note.type == "credit_note.issued.v1"


def test_a_final_chargeback_is_opened_and_lost_at_once() -> None:
    place = world()
    sold(place)
    first, second = place.happens("open-dispute", **opened(final=True))
    assert isinstance(first, DisputeOpened)
    assert isinstance(second, DisputeLost)
    assert sums(place) == {"exp.dispute": 1500, "psp.stripe": -1500}


def test_no_refund_while_a_dispute_is_open_and_none_beyond_what_was_lost() -> None:
    place = world()
    sale = sold(place)
    asked: dict[str, Any] = {"sale": sale.sale_id, "amount": 100, "reason_code": "ASKED"}
    place.happens("open-dispute", **opened(amount=300))
    assert code(place.decide("refund", **asked)) == "DISPUTE_OPEN"
    place.happens("close-dispute", **closed("LOST"))
    assert code(place.decide("refund", **asked)) == "REFUND_EXCEEDS_REMAINING"
    assert code(place.decide("refund", **{**asked, "amount": 99})) == ""


def test_what_has_not_arrived_is_waited_for() -> None:
    place = world()
    assert place.decide("open-dispute", **opened()) == Parked("payment:r1")
    assert place.decide("open-dispute", **opened(sale="r1")) == Parked("payment:r1")
    assert place.decide("open-dispute", **opened(purchase="r1")) == Parked("payment:r1")
    assert place.decide("close-dispute", **closed("WON")) == Parked("dispute_notice:stripe:d1")


def test_what_contradicts_waits_in_suspense() -> None:
    place = world()
    sold(place)
    place.happens("open-dispute", **opened())
    place.happens("close-dispute", **closed("WON"))
    decision = place.decide("close-dispute", **closed("LOST"))
    assert code(decision) == "INVALID_TRANSITION"


def test_sales_in_tokens_are_never_disputed() -> None:
    place = world()
    place.happens("grant-promo", user="ann", tokens=100, reason_code="GIFT")
    (sale,) = place.happens("send-tip", user="ann", creator="carl", funding="TOKEN", amount=100)
    assert isinstance(sale, Sale)
    decision = place.decide("open-dispute", **opened(amount=1, sale=sale.sale_id))
    assert code(decision) == "INVALID_TRANSITION"


def test_a_dispute_reserves_from_where_the_earnings_are_and_returns_to_where_they_are_then() -> (
    None
):
    place = world(maturity_days=7)
    sold(place)
    place.happens("open-dispute", **opened(fee=0))
    assert sums(place)["cr.carl.reserved"] == -319
    place.later(days=8)
    assert place.decide("mature-earnings", creator="carl") == ()
    sold(place, item="film", processor_ref="r2", occurred_at="2026-11-20T12:00:00Z")
    place.happens("close-dispute", **closed("WON"))
    assert sums(place)["cr.carl.pending"] == -319
    place.happens("mature-earnings", creator="carl")
    assert sums(place)["cr.carl.available"] == -638


def test_earnings_that_go_back_after_they_were_due_are_told_to_the_agenda() -> None:
    place = world(maturity_days=7)
    sold(place)
    place.happens("open-dispute", **opened(fee=0))
    place.later(days=8)
    (won,) = place.happens("close-dispute", **closed("WON"))
    assert isinstance(won, DisputeWon)
    ((_, due),) = won.agenda_items()
    assert due is not None
    assert (due.command, due.fields) == ("mature-earnings", {"creator": "carl"})
    assert AGENDA in won.tags()


def test_a_dispute_of_escrowed_earnings_outlives_the_escrow() -> None:
    place = world(frozen_creator_rule="ESCROW")
    frozen = {"subject": "carl", "kind": "creator", "scope": "EARN", "reason_code": "X"}
    place.happens("freeze", **frozen)
    sold(place)
    sold(place, item="film", processor_ref="r2")
    place.happens("unfreeze", **frozen)
    place.happens("open-dispute", **opened(fee=0))
    place.happens("release-escrow", creator="carl")
    assert (sums(place)["cr.carl.reserved"], sums(place)["cr.carl.available"]) == (-319, -319)
    place.happens("close-dispute", **closed("WON"))
    assert sums(place)["cr.carl.available"] == -638
    assert "cr.carl.reserved" not in sums(place)


NOTICES: list[tuple[str, dict[str, Any]]] = [
    ("unlock", {"user": "ann", "creator": "carl", "item": "photo", "price": 399, **CARD}),
    ("record-refund", reported(200)),
    ("open-dispute", opened()),
    ("close-dispute", closed("LOST")),
]


@pytest.mark.parametrize("bearer", ["CREATOR_PROPORTIONAL", "PLATFORM"])
@pytest.mark.parametrize("last", [(), (("close-dispute", closed("WON")),)])
def test_notices_of_one_payment_end_in_the_same_balances_in_any_order(
    bearer: str, last: tuple[tuple[str, dict[str, Any]], ...]
) -> None:
    ends = set()
    for order in itertools.permutations([*NOTICES, *last]):
        place = world(bearer)
        hear(place, list(order))
        ends.add(tuple(sorted(sums(place).items())))
    assert len(ends) == 1


def test_what_waits_in_suspense_goes_back_the_way_it_came() -> None:
    place = world()
    place.happens("grant-promo", user="ann", tokens=100, reason_code="GIFT")
    (sale,) = place.happens("send-tip", user="ann", creator="carl", funding="TOKEN", amount=100)
    assert isinstance(sale, Sale)
    decision = place.decide("open-dispute", **opened(amount=400, sale=sale.sale_id))
    assert isinstance(decision, Suspended)
    (event,) = decision.events
    assert event.postings(ASSETS) == (("psp.stripe", "USD", -1900), ("suspense", "USD", 1900))
    before = sums(place)
    place.record(*decision.events)
    place.happens("release-payment", payment_ref="d1", resolution="RETURN")
    assert sums(place) == before


@given(
    price=st.integers(1, 10**6),
    vat=st.integers(0, 10_000),
    bps=st.integers(0, 10_000),
    bearer=st.sampled_from(["CREATOR_PROPORTIONAL", "PLATFORM"]),
    refunds=st.lists(st.integers(1, 10**6), max_size=3),
    disputes=st.lists(
        st.tuples(st.integers(1, 10**6), st.sampled_from(["", "WON", "LOST", "BOTH"])), max_size=3
    ),
    chance=st.randoms(use_true_random=False),
)
def test_refunds_and_disputes_in_any_order_and_of_any_size(
    price: int,
    vat: int,
    bps: int,
    bearer: str,
    refunds: list[int],
    disputes: list[tuple[int, str]],
    chance: Any,
) -> None:
    policy: dict[str, Any] = {
        "vat": {"DE": vat},
        "revenue_share": {"default": bps},
        "price_bounds": {},
    }
    notices: list[tuple[str, dict[str, Any]]] = [
        ("record-refund", reported(1 + amount % price)) for amount in refunds
    ]
    for nth, (amount, outcome) in enumerate(disputes):
        ref = f"d{nth}"
        notices.append(("open-dispute", opened(1 + amount % price, 7, ref)))
        ends_in = {"": (), "BOTH": ("LOST", "WON")}.get(outcome, (outcome,))
        notices += [("close-dispute", closed(end, ref)) for end in ends_in]
    ends = []
    for _ in range(2):
        place = world(bearer, **policy)
        sale = sold(place, price, country="DE")
        chance.shuffle(notices)
        for notice in notices:
            before = len(place.history)
            hear(place, [notice] if notice[0] != "close-dispute" else [])
            found = balances(place.history[:before])
            assert found["cr.carl.reserved", "USD"] <= 0
        hear(place, [one for one in notices if one[0] == "close-dispute"])
        found = balances(place.history)
        owed = -found["cr.carl.available", "USD"] - found["cr.carl.reserved", "USD"]
        assert 0 <= owed <= sale.creator_share
        assert -sale.platform_share <= found["rev.commission", "USD"] <= 0
        assert -sale.tax <= found["vat.DE", "USD"] <= 0
        assert found["exp.baddebt", "USD"] >= 0
        ends.append({key: amount for key, amount in found.items() if amount})
    assert ends[0] == ends[1]
