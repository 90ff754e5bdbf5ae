"""Maturity and escrow: watermarks, and where the earnings of one sale stand at each moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import balanced
from domain.creators.creator import AVAILABLE, PENDING, RESERVED, Creator
from domain.creators.maturity import EarningsMatured, EscrowReleased
from domain.sales.sale import Sale
from tests.domain.in_memory_book import ASSETS, NOW, InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK


def world(**policy: Any) -> InMemoryBook:
    return InMemoryBook({**MICRO_UNLOCK, "maturity_days": 7, **policy})


def tip(place: InMemoryBook, amount: int, **more: Any) -> Sale:
    fields = {"user": "ann", "creator": "carl", "funding": "CARD", "amount": amount, **more}
    paid = {"processor": "stripe", "processor_ref": f"r{len(place.history)}"}
    (event,) = place.happens("send-tip", **fields, **paid)
    assert isinstance(event, Sale)
    return event


def carl(place: InMemoryBook) -> Creator:
    creator = place.states["creator:carl"]
    assert isinstance(creator, Creator)
    return creator


def buckets(place: InMemoryBook) -> tuple[int, int, int]:
    return carl(place).pending, carl(place).available, carl(place).reserved


def where(place: InMemoryBook, sale: Sale) -> str:
    return carl(place).bucket(sale.escrowed_at, sale.mature_at)


def freeze(place: InMemoryBook, command: str = "freeze", scope: str = "EARN") -> None:
    fields = {"subject": "carl", "kind": "creator", "scope": scope, "reason_code": "REVIEW"}
    place.happens(command, **fields)


def test_earnings_are_pending_until_they_mature() -> None:
    place = world()
    sale = tip(place, 1_000)
    assert buckets(place) == (800, 0, 0)
    place.later(days=7, minutes=-1)
    assert place.decide("mature-earnings", creator="carl") == ()
    place.later(minutes=1)
    (event,) = place.happens("mature-earnings", creator="carl")
    assert isinstance(event, EarningsMatured)
    assert event.postings(ASSETS) == (
        ("cr.carl.pending", "USD", 800),
        ("cr.carl.available", "USD", -800),
    )
    assert buckets(place) == (0, 800, 0)
    assert where(place, sale) == AVAILABLE
    assert place.decide("mature-earnings", creator="carl") == ()


def test_only_what_is_due_moves() -> None:
    place = world()
    early = tip(place, 1_000)
    place.later(days=1)
    late = tip(place, 500)
    place.later(days=6)
    place.happens("mature-earnings", creator="carl")
    assert buckets(place) == (400, 800, 0)
    assert (where(place, early), where(place, late)) == (AVAILABLE, PENDING)


def test_a_late_fact_that_is_mature_already_is_available_at_once() -> None:
    place = world()
    sale = tip(place, 1_000, occurred_at="2026-11-01T00:00:00Z")
    assert sale.mature_at is None
    assert (buckets(place), where(place, sale)) == ((0, 800, 0), AVAILABLE)
    assert tip(place, 1_000, occurred_at="2026-11-19T00:00:00Z").mature_at is not None


@pytest.mark.parametrize(
    ("days", "mature_at"),
    [(31, datetime(2026, 12, 21, 13, tzinfo=UTC)), (32, datetime(2026, 12, 23, tzinfo=UTC))],
)
def test_earnings_mature_on_the_hour_and_after_a_month_on_the_day(
    days: int, mature_at: datetime
) -> None:
    place = world(maturity_days=days)
    place.later(minutes=1)
    assert tip(place, 100).mature_at == mature_at


def test_maturity_continues_during_a_freeze() -> None:
    place = world()
    tip(place, 1_000)
    freeze(place)
    freeze(place, scope="PAYOUT")
    place.later(days=8)
    assert code(place.decide("mature-earnings", creator="carl")) == ""


def test_escrow_waits_for_the_end_of_the_freeze() -> None:
    place = world(frozen_creator_rule="ESCROW")
    before = tip(place, 1_000)
    freeze(place)
    during = tip(place, 500)
    assert buckets(place) == (800, 0, 400)
    assert (where(place, before), where(place, during)) == (PENDING, RESERVED)
    assert code(place.decide("release-escrow", creator="carl")) == "CREATOR_FROZEN"
    freeze(place, "unfreeze")
    place.later(seconds=1)
    (event,) = place.happens("release-escrow", creator="carl")
    assert isinstance(event, EscrowReleased)
    assert balanced(event.postings(ASSETS)) == (
        ("cr.carl.reserved", "USD", 400),
        ("cr.carl.pending", "USD", -400),
    )
    assert buckets(place) == (1_200, 0, 0)
    assert where(place, during) == PENDING
    assert place.decide("release-escrow", creator="carl") == ()


def test_a_release_of_escrow_leaves_what_disputes_hold_back() -> None:
    creator = Creator().earned(300, AVAILABLE).earned(200, RESERVED)
    creator = creator.held_back(100, AVAILABLE).held_back(50, RESERVED)
    assert (creator.available, creator.reserved, creator.escrowed) == (200, 300, 150)
    released = EscrowReleased(creator="c", through=NOW, amount=150).in_creator(creator, "c")
    assert (released.available, released.reserved, released.escrowed) == (350, 150, 0)
    won = released.held_back(-50, AVAILABLE)
    assert (won.available, won.reserved) == (400, 100)
    lost = won.forfeited(100)
    assert (lost.available, lost.reserved) == (400, 0)


def test_a_dispute_won_after_maturity_is_due_again() -> None:
    hour = NOW + timedelta(hours=1)
    creator = Creator().earned(300, PENDING, hour).held_back(300, PENDING, hour)
    assert (creator.pending, creator.reserved) == (0, 300)
    won = creator.held_back(-300, PENDING, hour)
    assert (won.due(hour), won.reserved) == (300, 0)


HOURS = st.integers(0, 200).map(
    lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
)


@pytest.mark.slow
@given(
    sales=st.lists(st.tuples(HOURS, st.integers(1, 10**9)), max_size=20),
    looks=st.lists(HOURS, min_size=1, max_size=5).map(sorted),
)
def test_a_watermark_moves_each_cent_once(
    sales: list[tuple[datetime, int]], looks: list[datetime]
) -> None:
    creator = Creator()
    for at, amount in sales:
        creator = creator.earned(amount, PENDING, at)
    for now in looks:
        due = creator.due(now)
        creator = EarningsMatured(creator="c", through=now, amount=due).in_creator(creator, "c")
        assert creator.available == sum(amount for at, amount in sales if at <= now)
        assert creator.pending == sum(amount for at, amount in sales if at > now)
        for at, _ in sales:
            assert creator.bucket(None, at) == (AVAILABLE if at <= now else PENDING)
