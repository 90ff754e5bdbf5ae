"""Rule 6.1, debts that people settled: none is left when its cause is undone, and no false credit.

What was written off as bad debt is recovered when the loss is undone, whoever undoes it; what was
paid is the buyer's credit. The figures can be reckoned by hand.
"""

from typing import Any

import msgspec
import pytest

from domain.disputes.dispute import DisputeWon
from domain.holds.hold import CreditsHeld
from domain.wallets.wallet import Wallet
from ledger.verification.invariants import state_faults
from tests.domain.in_memory_book import ASSETS, InMemoryBook
from tests.domain.token_purchases import (
    adjusted,
    bought,
    credits,
    in_order,
    live,
    money,
    tipped,
    wallet,
    written_off,
)

STRIPE = {"processor": "stripe"}
#: Tokens tipped of 100 that were bought for 999, and what their buyer owes once all is lost.
SPENT = [(60, 599), (1, 9), (33, 329), (100, 999)]


def lost(place: InMemoryBook, amount: int, ref: str = "d1", payment: str = "p1") -> None:
    fields = {"payment_ref": payment, "amount": amount, "fee": 0, "final": True}
    place.happens("open-dispute", **fields, **STRIPE, processor_ref=ref)
    in_order(place)


def won(place: InMemoryBook, ref: str = "d1") -> None:
    fields = {"dispute": ref, "outcome": "WON", **STRIPE}
    place.happens("close-dispute", **fields, processor_ref=f"won-{ref}")
    in_order(place)


def taken(place: InMemoryBook, amount: int, ref: str = "r1") -> None:
    fields = {"payment_ref": "p1", "amount": amount, **STRIPE}
    place.happens("record-refund", **fields, processor_ref=ref)
    in_order(place)


def given_back(place: InMemoryBook, ref: str = "r1") -> None:
    fields = {"refund": ref, "reason_code": "CLOSED", **STRIPE}
    place.happens("fail-refund", **fields, processor_ref=f"back-{ref}")
    in_order(place)


def owed(place: InMemoryBook) -> dict[str, int]:
    """What the buyer owes, and what of it is bad debt."""
    found = money(place)
    return {name: found[name] for name in ("fan_debt.ann", "exp.baddebt") if name in found}


@pytest.mark.parametrize(("spent", "debt"), SPENT)
def test_6_1_what_was_written_off_is_recovered_when_the_dispute_is_won(
    spent: int, debt: int
) -> None:
    place = live("PLATFORM")
    bought(place, "hundred", 999)
    tipped(place, spent)
    before = money(place)
    lost(place, 999)
    assert owed(place) == {"fan_debt.ann": debt}
    written_off(place, debt)
    assert owed(place) == {"exp.baddebt": debt}
    won(place)
    assert (owed(place), money(place)) == ({}, before)


@pytest.mark.parametrize(("spent", "debt"), SPENT)
def test_6_1_what_was_written_off_is_recovered_when_the_refund_fails(spent: int, debt: int) -> None:
    place = live("PLATFORM")
    bought(place, "hundred", 999)
    tipped(place, spent)
    before = money(place)
    taken(place, 999)
    written_off(place, debt)
    given_back(place)
    assert (owed(place), money(place)) == ({}, before)


@pytest.mark.parametrize(
    ("written", "first", "second"),
    [
        (100, {"fan_debt.ann": 252, "exp.baddebt": 100}, {}),
        (599, {"exp.baddebt": 352}, {}),
        (400, {"exp.baddebt": 352}, {}),
        (349, {"fan_debt.ann": 3, "exp.baddebt": 349}, {}),
    ],
)
def test_6_1_the_buyer_is_let_off_before_bad_debt_comes_back(
    written: int, first: dict[str, int], second: dict[str, int]
) -> None:
    """Of 999, 60 tokens are tipped; two refunds take 999, of which the one of 417 fails first."""
    place = live("PLATFORM")
    bought(place, "hundred", 999)
    tipped(place, 60)
    taken(place, 582)
    taken(place, 417, "r2")
    assert owed(place) == {"fan_debt.ann": 599}
    written_off(place, written)
    given_back(place, "r2")
    assert owed(place) == first
    given_back(place)
    assert owed(place) == second


@pytest.mark.parametrize(
    ("tokens", "price", "held", "used"),
    [(1000, 8900, 900, 500), (100, 999, 60, 37), (7, 1000, 7, 1), (1000, 8900, 2, 0)],
)
def test_6_1_tokens_that_come_back_recover_what_was_written_off(
    tokens: int, price: int, held: int, used: int
) -> None:
    place = credits("PLATFORM", tokens, price, products_enabled=["hold", "tip"])
    bought(place, "p", price)
    (hold,) = place.happens("hold-credits", user="ann", tokens=held)
    assert isinstance(hold, CreditsHeld)
    lost(place, price)
    debt = price - price * (tokens - held) // tokens
    written_off(place, debt)
    assert owed(place) == {"exp.baddebt": debt}
    if used:
        place.happens("settle-batch", hold=hold.hold_id, batch_no=1, used=used)
    place.happens("release-hold", hold=hold.hold_id)
    in_order(place)
    usage = -money(place).get("rev.usage", 0)
    assert owed(place) == ({"exp.baddebt": usage} if usage else {})
    if (tokens, used) == (1000, 500):
        assert usage == 4450


@pytest.mark.parametrize(("part", "debt"), [(47, 8), (1, 1), (500, 1), (998, 9)])
def test_6_1_a_refund_of_the_rest_recovers_what_was_written_off(part: int, debt: int) -> None:
    place = live("PLATFORM")
    purchase = bought(place, "hundred", 999)
    lost(place, part)
    assert owed(place) == {"fan_debt.ann": debt}
    written_off(place, debt)
    (refund,) = place.happens("refund-purchase", purchase=purchase, reason_code="ASKED")
    in_order(place)
    assert refund.amount == 999 - part  # type: ignore[attr-defined]
    assert money(place) == {}


@pytest.mark.parametrize(("spent", "debt"), SPENT)
def test_6_1_what_was_paid_is_the_buyers_credit(spent: int, debt: int) -> None:
    """The buyer sends all of it, and the bank gives the payment back after all."""
    place = live("PLATFORM")
    bought(place, "hundred", 999)
    tipped(place, spent)
    lost(place, 999)
    adjusted(place, ["bank", "USD", debt], ["fan_debt.ann", "USD", -debt])
    (event, *_) = place.happens(
        "close-dispute", dispute="d1", outcome="WON", **STRIPE, processor_ref="won"
    )
    assert owed(place) == {"fan_debt.ann": -debt}
    assert isinstance(event, DisputeWon)
    assert event.recovered == 0
    before, after = Wallet(), wallet(place)
    faults = [*state_faults([("wallet:ann", before, after)], (), ASSETS)]
    assert not [fault for fault in faults if fault[0] == "wallet"]


@pytest.mark.parametrize(("spent", "debt"), SPENT)
def test_6_1_what_people_wrote_off_and_take_back_is_owed_again(spent: int, debt: int) -> None:
    place = live("PLATFORM")
    bought(place, "hundred", 999)
    tipped(place, spent)
    lost(place, 999)
    written_off(place, debt)
    written_off(place, -debt)
    assert owed(place) == {"fan_debt.ann": debt}
    won(place)
    assert owed(place) == {}


@pytest.mark.parametrize(("spent", "debt"), SPENT)
def test_6_1_a_loss_after_a_win_of_the_same_purchase_is_written_off_as_before(
    spent: int, debt: int
) -> None:
    """In either order of the two notices the books are the same."""
    ends = []
    for order in ("won first", "lost first"):
        place = live("PLATFORM")
        bought(place, "hundred", 999)
        tipped(place, spent)
        lost(place, 999)
        written_off(place, debt)
        if order == "won first":
            won(place)
            lost(place, 999, "d2")
        else:
            lost(place, 999, "d2")
            won(place)
        ends.append(money(place))
    assert ends[0] == ends[1]
    assert ends[0]["exp.baddebt"] == debt


def test_6_1_of_two_purchases_what_is_written_off_is_of_the_older_one() -> None:
    place = live("PLATFORM")
    for ref in ("p1", "p2"):
        bought(place, "hundred", 999, ref)
    tipped(place, 200)
    for ref in ("p1", "p2"):
        lost(place, 999, f"of-{ref}", ref)
    written_off(place, 999)
    won(place, "of-p2")
    assert owed(place) == {"exp.baddebt": 999}
    won(place, "of-p1")
    assert owed(place) == {}


def test_what_was_stored_before_leaves_a_credit_that_people_take_back() -> None:
    """An event of the release before says nothing of what is recovered."""
    place = live("PLATFORM")
    bought(place, "hundred", 999)
    tipped(place, 60)
    lost(place, 999)
    written_off(place, 599)
    fields: dict[str, Any] = {"dispute": "d1", "outcome": "WON", **STRIPE, "processor_ref": "won"}
    decision = place.decide("close-dispute", **fields)
    assert isinstance(decision, tuple)
    stored, *others = decision
    place.record(msgspec.structs.replace(stored, recovered=0), *others)  # type: ignore[type-var]
    assert owed(place) == {"fan_debt.ann": -599, "exp.baddebt": 599}
    written_off(place, -599)
    assert owed(place) == {}
    lost(place, 999, "d2")
    assert owed(place) == {"fan_debt.ann": 599}
