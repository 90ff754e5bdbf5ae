"""The bonus of a refunded purchase: what was used of it is deducted, by whatever it was used.

Whether the bonus has ended since, and whether that was posted, makes no difference to what was
used of it before.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.refunds.purchases import TokenPurchaseRefunded
from tests.domain.card_sales import closed
from tests.domain.in_memory_book import InMemoryBook
from tests.domain.token_purchases import bought, credits, in_order, opened, tipped

ENABLED = ["tip", "hold"]


def place_with_bonus(days: int | None = 1) -> tuple[InMemoryBook, str]:
    """Ann has 1000 tokens and a bonus of 100, which ends after `days`."""
    policy = {"promo_expiry_days": days, "products_enabled": ENABLED}
    place = credits("PLATFORM", 1000, 1200, bonus=100, **policy)
    return place, bought(place, "p", 1200)


def held(place: InMemoryBook, tokens: int) -> dict[str, Any]:
    """Ann's tokens are set aside."""
    (event,) = place.happens("hold-credits", user="ann", tokens=tokens)
    return {"hold": event.hold_id}  # type: ignore[attr-defined]


def settled(place: InMemoryBook, hold: dict[str, Any], used: int, batch: int = 1) -> None:
    """A batch used so many of them."""
    place.happens("settle-batch", **hold, batch_no=batch, used=used)


def moved(place: InMemoryBook, tokens: int) -> None:
    """A person takes promotional tokens of Ann's away."""
    legs = [["w.ann.free", "demo.PROMO", tokens], ["supply", "demo.PROMO", -tokens]]
    (proposed,) = place.happens("propose-adjustment", "fay", postings=legs, reason_code="WRONG")
    adjustment = proposed.adjustment_id  # type: ignore[attr-defined]
    place.happens("approve-adjustment", "bob", adjustment=adjustment)


def ends(place: InMemoryBook, *, posted: bool) -> None:
    """The time of the bonus is over."""
    place.later(days=2)
    if posted:
        place.happens("expire-promo", user="ann")


def refunded(place: InMemoryBook, purchase: str) -> TokenPurchaseRefunded:
    """The purchase is refunded."""
    event = place.happens("refund-purchase", purchase=purchase, reason_code="ASKED")[0]
    assert isinstance(event, TokenPurchaseRefunded)
    in_order(place)
    return event


@pytest.mark.parametrize("end", ["", "unposted", "posted"])
@pytest.mark.parametrize("used_by", ["sale", "hold", "hold to its end", "correction"])
def test_what_was_used_of_a_bonus_is_deducted_however_and_whenever(used_by: str, end: str) -> None:
    place, purchase = place_with_bonus()
    if used_by == "sale":
        tipped(place, 60)
    elif used_by == "hold":
        hold = held(place, 90)
        settled(place, hold, 60)
        place.happens("release-hold", **hold)
    elif used_by == "hold to its end":
        settled(place, held(place, 60), 60)
    else:
        moved(place, 60)
    if end:
        ends(place, posted=end == "posted")
    event = refunded(place, purchase)
    assert (event.bonus_spent, event.deducted, event.amount) == (60, 60, 1140)


def test_a_bonus_that_was_used_by_a_hold_after_its_end_is_deducted() -> None:
    place, purchase = place_with_bonus()
    hold = held(place, 80)
    ends(place, posted=True)
    settled(place, hold, 50)
    place.happens("release-hold", **hold)
    event = refunded(place, purchase)
    assert (event.bonus_spent, event.bonus_cancelled, event.amount) == (50, 0, 1150)


@pytest.mark.parametrize("used", [70, 1, 99, 100])
def test_another_refund_does_not_deduct_it_again(used: int) -> None:
    place, purchase = place_with_bonus()
    spent = held(place, 600)
    settled(place, spent, used)
    first = refunded(place, purchase)
    assert (first.bonus_spent, first.amount) == (100, 500)
    place.happens("release-hold", **spent)
    ends(place, posted=False)
    second = refunded(place, purchase)
    assert (second.bonus_spent, second.amount) == (used - 100, 700 - used)


@given(
    uses=st.lists(
        st.tuples(st.sampled_from(["tip", "hold", "move"]), st.integers(1, 45)), max_size=8
    ),
    returned=st.integers(0, 40),
    dispute=st.sampled_from(["", "WON", "LOST"]),
)
def test_what_is_deducted_does_not_depend_on_the_end_of_the_bonus(
    uses: list[tuple[str, int]], returned: int, dispute: str
) -> None:
    found = []
    for end in (False, True):
        place, purchase = place_with_bonus()
        left, sale = 100, None
        for how, tokens in uses:
            if how == "move" and tokens > left:
                continue
            if how == "tip":
                sale = tipped(place, tokens)
            elif how == "hold":
                settled(place, held(place, tokens + 5), tokens)
            else:
                moved(place, tokens)
            left = max(0, left - tokens - (5 if how == "hold" else 0))
        if sale is not None and 0 < returned <= sale.tokens_paid + sale.tokens_promo:
            back = {"sale": sale.sale_id, "amount": returned, "reason_code": "ASKED"}
            place.happens("refund", **back)
        if dispute:
            place.happens("open-dispute", **opened(400))
            place.happens("close-dispute", **closed(dispute))
        if end:
            ends(place, posted=False)
        decision: Any = place.decide("refund-purchase", purchase=purchase, reason_code="ASKED")
        found.append(decision[0].bonus_spent if isinstance(decision, tuple) else None)
    assert found[0] == found[1]
