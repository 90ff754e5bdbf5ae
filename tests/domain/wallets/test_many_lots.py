"""As many lots as a wallet may hold: all of them are spent at once, and come back exactly."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.event import Event
from domain.refunds.refund import RefundRecorded
from domain.sales.sale import Sale
from domain.wallets.wallet import JOIN_FROM, LOTS_MAX
from ledger.log.entry import ENTRY_BYTES_MAX, canonical
from tests.domain.calls.fan_calls import Calls, ended
from tests.domain.in_memory_book import ASSETS, InMemoryBook, code
from tests.domain.token_purchases import bought, credits, in_order, tipped, wallet
from tests.support.examples import examples

#: The fields of an entry beside body and postings, and tags and labels at their longest.
ENVELOPE_BYTES = 6_000


def entry_bytes(event: Event) -> int:
    """About what an entry comes to, in bytes."""
    return len(canonical(event)) + len(canonical(event.postings(ASSETS))) + ENVELOPE_BYTES


def full(**policy: Any) -> InMemoryBook:
    """A wallet with as many lots as it may hold, each with an end of its own."""
    place = credits("PLATFORM", 7, 900, 3, promo_expiry_days=30, breakage_months=12, **policy)
    for nth in range(LOTS_MAX // 2):
        place.later(seconds=1)
        bought(place, "p", 900, f"p{nth}")
    assert len(wallet(place).lots) == LOTS_MAX
    return place


def refund_of(place: InMemoryBook, sale: Sale, tokens: int | None = None) -> RefundRecorded:
    amount = sale.tokens_paid + sale.tokens_promo if tokens is None else tokens
    event, *_ = place.happens("refund", sale=sale.sale_id, reason_code="X", amount=amount)
    assert isinstance(event, RefundRecorded)
    return event


def test_everything_is_spent_and_returned_by_one_event_each() -> None:
    place = full()
    tokens = wallet(place).spendable(place.now)
    for _ in range(3):  # what was returned has longer names, and is spent and returned again
        sale = tipped(place, tokens)
        assert len(sale.lots) == LOTS_MAX
        assert entry_bytes(sale) <= ENTRY_BYTES_MAX
        assert wallet(place).lots == ()
        in_order(place)
        back = refund_of(place, sale)
        assert entry_bytes(back) <= ENTRY_BYTES_MAX
        assert wallet(place).spendable(place.now) == tokens
        in_order(place)


def test_everything_is_held_used_and_released_by_one_event_each() -> None:
    place = full(products_enabled=["tip", "hold"])
    refund_of(place, tipped(place, wallet(place).spendable(place.now)))
    tokens = wallet(place).spendable(place.now)
    for ends in ("settle-batch", "release-hold"):
        (held,) = place.happens("hold-credits", user="ann", tokens=tokens)
        hold: str = held.hold_id  # type: ignore[attr-defined]
        if ends == "release-hold":
            (done,) = place.happens(ends, hold=hold)
        else:
            (done,) = place.happens(ends, hold=hold, batch_no=1, used=tokens // 2)
            (rest,) = place.happens("release-hold", hold=hold)
            assert entry_bytes(rest) <= ENTRY_BYTES_MAX
        assert max(entry_bytes(held), entry_bytes(done)) <= ENTRY_BYTES_MAX
        in_order(place)
        tokens = wallet(place).spendable(place.now)


def test_a_purchase_more_waits_in_suspense() -> None:
    place = full()
    paid = {"package": "p", "price": 900, "processor": "stripe", "processor_ref": "more"}
    assert code(place.decide("record-purchase", user="ann", **paid)) == "LIMIT_REACHED"
    tipped(place, 10)
    assert code(place.decide("record-purchase", user="ann", **paid)) == ""


@pytest.mark.parametrize("bearer", ["PLATFORM", "CREATOR_PROPORTIONAL"])
@given(st.data())
@examples(40)
def test_returned_tokens_that_join_a_lot_release_exactly_its_price(
    bearer: str, data: st.DataObject
) -> None:
    place = credits(bearer, 7, 901, 3)
    for nth in range(JOIN_FROM // 2 + 4):
        bought(place, "p", 901, f"p{nth}")
    sales = []
    for _ in range(12):
        if sales and data.draw(st.booleans()):
            sale = data.draw(st.sampled_from(sales))
            record = place.states[f"sale:{sale.sale_id}"]
            left = record.paid - record.refunded  # type: ignore[attr-defined]
            if left:
                refund_of(place, sale, data.draw(st.integers(1, left)))
        else:
            left = wallet(place).spendable(place.now)
            sales.append(tipped(place, data.draw(st.integers(1, min(40, left)))))
        in_order(place)
        assert len(wallet(place).lots) <= 4 * (JOIN_FROM // 2 + 4)
    dispute = {"processor": "stripe", "processor_ref": "d1", "payment_ref": "p3", "fee": 0}
    place.happens("open-dispute", amount=901, **dispute)
    in_order(place)
    outcome = data.draw(st.sampled_from(("WON", "LOST")))
    end = {"dispute": "d1", "processor": "stripe", "processor_ref": "e1"}
    place.happens("close-dispute", outcome=outcome, **end)
    in_order(place)


def test_many_refunded_tips_are_few_lots() -> None:
    place = credits("PLATFORM", 1_000, 999)
    for nth in range(JOIN_FROM):
        bought(place, "p", 999, f"p{nth}")
    for _ in range(500):
        refund_of(place, tipped(place, 7))
        assert len(wallet(place).lots) <= JOIN_FROM + 2
    in_order(place)


def test_what_joins_a_lot_pays_for_no_block_before_it() -> None:
    """A block is paid from what was there at its end, however late it is metered."""
    for joins in (False, True):
        book = Calls(0)
        for nth in range(40 if joins else 2):
            tokens = 1 if joins else 20
            end = (book.now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
            same = {"expires_at": end} if nth == 0 else {}
            book.happens("grant-promo", user="ann", tokens=tokens, reason_code="X", **same)
        book.start(rate=60)
        book.at(70).happens("grant-promo", user="ann", tokens=500, reason_code="X")
        events = book.at(71).meter()
        assert ended(events) == ("INSUFFICIENT_FUNDS", 60.0)
        assert len(book.blocks) == 1
