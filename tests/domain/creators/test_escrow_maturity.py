"""Escrow does not shorten maturity: what leaves it waits until it would have matured."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import balanced
from domain.command import Ignored
from domain.creators.creator import AVAILABLE, PENDING, RESERVED, Creator
from domain.creators.maturity import EscrowReleased
from domain.reversals.card_sales import reversed_so_far
from domain.sales.sale import Sale, SaleRecord
from tests.domain.books import balances
from tests.domain.in_memory_book import ASSETS, NOW, InMemoryBook
from tests.scenarios.policies import MICRO_UNLOCK
from tests.support.examples import examples

FREEZE = {"subject": "carl", "kind": "creator", "scope": "EARN", "reason_code": "X"}


class Escrow(InMemoryBook):
    """A book that keeps the earnings of frozen creators."""

    def __init__(self, days: int = 7) -> None:
        more = {"frozen_creator_rule": "ESCROW", "maturity_days": days}
        super().__init__({**MICRO_UNLOCK, **more})
        self.refs = 0

    def tip(self, amount: int) -> Sale:
        self.refs += 1
        fields = {"user": "ann", "creator": "carl", "funding": "CARD", "amount": amount}
        paid = {"processor": "stripe", "processor_ref": f"r{self.refs}"}
        (event,) = self.happens("send-tip", **fields, **paid)
        assert isinstance(event, Sale)
        return event

    def refunded(self, sale: Sale, cumulative: int) -> None:
        self.refs += 1
        paid = {"processor": "stripe", "processor_ref": f"r{self.refs}"}
        report = {"sale": sale.sale_id, "cumulative": cumulative, **paid}
        decision = self.decide("record-refund", **report)
        if isinstance(decision, Ignored):  # an older figure than the last one changes nothing
            assert decision.code == "STALE_FIGURE"
        else:
            self.happens("record-refund", **report)

    @property
    def carl(self) -> Creator:
        found = self.states["creator:carl"]
        assert isinstance(found, Creator)
        return found

    def buckets(self) -> tuple[int, int, int]:
        """(pending, available, reserved), as the accounts and the state say."""
        sums = balances(self.history)
        posted = tuple(
            -sums[f"cr.carl.{bucket}", "USD"] for bucket in (PENDING, AVAILABLE, RESERVED)
        )
        carl = self.carl
        assert posted == (carl.pending, carl.available, carl.reserved)
        return carl.pending, carl.available, carl.reserved


@pytest.mark.parametrize(
    ("days", "early", "late", "pending", "available"),
    [(7, 1_000, 500, 400, 800), (1, 99, 1, 1, 79), (30, 5_851, 399, 319, 4_681), (2, 7, 7, 6, 6)],
)
def test_6_16_a_release_leaves_pending_what_has_not_matured(
    days: int, early: int, late: int, pending: int, available: int
) -> None:
    place = Escrow(days)
    place.happens("freeze", **FREEZE)
    first = place.tip(early)
    second = place.later(days=days) or place.tip(late)
    place.happens("unfreeze", **FREEZE)
    place.later(hours=1)
    (event,) = place.happens("release-escrow", creator="carl")
    assert isinstance(event, EscrowReleased)
    assert event.amount == pending + available
    assert place.buckets() == (pending, available, 0)
    carl = place.carl
    assert carl.bucket(first.escrowed_at, first.mature_at) == AVAILABLE
    assert carl.bucket(second.escrowed_at, second.mature_at) == PENDING
    place.later(days=days)
    place.happens("mature-earnings", creator="carl")
    assert place.buckets() == (0, pending + available, 0)
    assert carl.bucket(second.escrowed_at, second.mature_at) == PENDING
    assert place.carl.bucket(second.escrowed_at, second.mature_at) == AVAILABLE


def test_6_16_a_clawback_follows_the_sale_through_all_buckets() -> None:
    place = Escrow()
    place.happens("freeze", **FREEZE)
    sale = place.tip(1_000)
    place.refunded(sale, 100)
    assert place.buckets() == (0, 0, 720)
    place.happens("unfreeze", **FREEZE)
    place.later(hours=1)
    place.happens("release-escrow", creator="carl")
    assert place.buckets() == (720, 0, 0)
    place.refunded(sale, 200)
    assert place.buckets() == (640, 0, 0)
    place.later(days=8)
    place.happens("mature-earnings", creator="carl")
    place.refunded(sale, 300)
    assert place.buckets() == (0, 560, 0)


def test_6_16_without_maturity_all_of_it_is_available() -> None:
    place = Escrow(days=0)
    place.happens("freeze", **FREEZE)
    place.tip(1_000)
    place.happens("unfreeze", **FREEZE)
    place.happens("release-escrow", creator="carl")
    assert place.buckets() == (0, 800, 0)


def test_6_16_a_release_of_before_still_reads_as_it_was_meant() -> None:
    hour = NOW + timedelta(hours=5)
    creator = Creator().earned(300, RESERVED, hour).earned(200, RESERVED)
    old = EscrowReleased(creator="c", through=NOW, amount=500)
    assert old.postings(ASSETS)[:2] == (
        ("cr.c.reserved", "USD", 500),
        ("cr.c.available", "USD", -500),
    )
    assert old.tags() == ("creator:c",)
    after = old.in_creator(creator, "c")
    assert (after.pending, after.available, after.reserved) == (0, 500, 0)
    assert after.bucket(NOW, hour) == AVAILABLE
    later = NOW + timedelta(seconds=1)
    new = EscrowReleased(creator="c", through=later, amount=0, pending=())
    assert new.in_creator(after, "c").bucket(NOW, hour) == AVAILABLE
    assert new.in_creator(after, "c").bucket(later, hour) == PENDING


def test_6_16_what_waits_is_on_the_agenda() -> None:
    hour = datetime.fromisoformat("2026-11-27T13:00:00+00:00")
    event = EscrowReleased(creator="c", through=NOW, amount=5, pending=((hour, 5),))
    assert event.tags() == ("creator:c", "agenda:book")
    ((item, due),) = event.agenda_items()
    assert due is not None
    assert (item, due.at, due.command) == ("maturity:c:2026-11-27T13", hour, "mature-earnings")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["tip", "tip", "refund", "freeze", "unfreeze", "release", "mature"]),
        st.integers(0, 40),
        st.integers(1, 999),
    ),
    max_size=30,
)


@examples(150)
@given(steps=STEPS, days=st.integers(0, 2))
def test_6_16_every_cent_is_where_its_sale_says(
    steps: list[tuple[str, int, int]], days: int
) -> None:
    place = Escrow(days)
    sales: list[Sale] = []
    for what, hours, amount in steps:
        place.later(hours=hours, microseconds=1)
        if what == "tip":
            sales.append(place.tip(amount))
        elif what == "refund" and sales:
            sale = sales[amount % len(sales)]
            place.refunded(sale, min(amount, sale.gross))
        elif what in ("freeze", "unfreeze"):
            place.happens(what, **FREEZE)
        else:
            command = {"release": "release-escrow", "mature": "mature-earnings"}.get(what)
            decision = place.decide(command or "mature-earnings", creator="carl")
            if isinstance(decision, tuple):
                place.record(*decision)
        place.buckets()
        expected: dict[Any, int] = {PENDING: 0, AVAILABLE: 0, RESERVED: 0}
        for sale in sales:
            record = place.states[f"sale:{sale.sale_id}"]
            assert isinstance(record, SaleRecord)
            left = sale.creator_share - sum(reversed_so_far(record).clawed)
            expected[place.carl.bucket(sale.escrowed_at, sale.mature_at)] += left
        assert tuple(expected.values()) == place.buckets()
    for event in place.history:
        balanced(event.postings(ASSETS))
