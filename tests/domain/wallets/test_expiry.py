"""Expiry and lapse: exclusive instants, right whether or not anybody has posted them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.controls.expiry import ENDED_MAX
from domain.fields import RFC3339_UTC
from domain.policy import Policy
from domain.purchases.purchase import TokensPurchased
from domain.wallets.expiry import PromoTokensExpired, TokensLapsed
from domain.wallets.promo_grants import PromoTokensGranted
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import ASSETS, NOW, InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK


def world(**policy: Any) -> InMemoryBook:
    return InMemoryBook({**MICRO_UNLOCK, **policy})


def stamp(at: datetime) -> str:
    text = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert RFC3339_UTC.match(text)
    return text


def grant(place: InMemoryBook, tokens: int, expires_at: datetime) -> None:
    fields: dict[str, Any] = {"user": "ann", "tokens": tokens, "reason_code": "WELCOME"}
    place.happens("grant-promo", **fields, expires_at=stamp(expires_at))


def buy(place: InMemoryBook) -> TokensPurchased:
    fields: dict[str, Any] = {
        "user": "ann",
        "package": "small",
        "price": 999,
        "processor": "stripe",
    }
    event, *_ = place.happens("record-purchase", **fields, processor_ref=f"p{len(place.history)}")
    assert isinstance(event, TokensPurchased)
    return event


def tip(place: InMemoryBook, tokens: int) -> Any:
    return place.decide("send-tip", user="ann", creator="carl", funding="TOKEN", amount=tokens)


def wallet(place: InMemoryBook) -> Wallet:
    state = place.states["wallet:ann"]
    assert isinstance(state, Wallet)
    return state


def test_promotional_tokens_end_at_their_instant() -> None:
    place = world()
    grant(place, 100, NOW + timedelta(hours=1))
    place.later(hours=1, microseconds=-1)
    assert code(tip(place, 100)) == ""
    assert place.decide("expire-promo", user="ann") == ()
    place.later(microseconds=1)
    assert code(tip(place, 1)) == "INSUFFICIENT_TOKENS"
    (event,) = place.happens("expire-promo", user="ann")
    assert isinstance(event, PromoTokensExpired)
    assert event.postings(ASSETS) == (
        ("w.ann.free", "demo.PROMO", 100),
        ("supply", "demo.PROMO", -100),
    )
    assert wallet(place).lots == ()
    assert place.decide("expire-promo", user="ann") == ()


def test_each_lot_ends_alone_and_only_what_is_left_of_it() -> None:
    place = world()
    grant(place, 100, NOW + timedelta(hours=1))
    grant(place, 50, NOW + timedelta(hours=2))
    place.record(*tip(place, 30))
    place.later(hours=1)
    (first,) = place.happens("expire-promo", user="ann")
    assert isinstance(first, PromoTokensExpired) and first.tokens == 70
    place.later(hours=1)
    (second,) = place.happens("expire-promo", user="ann")
    assert isinstance(second, PromoTokensExpired) and second.tokens == 50


def test_a_command_ends_a_bounded_number_of_lots() -> None:
    place = world()
    end = NOW + timedelta(hours=1)
    for nth in range(ENDED_MAX + 1):  # as releases have left them that knew no limit
        place.record(
            PromoTokensGranted(
                lot_id=f"l{nth}", user="ann", tokens=1, reason="WELCOME", expires_at=end
            )
        )
    place.later(hours=1)
    assert len(place.happens("expire-promo", user="ann")) == ENDED_MAX
    assert len(place.happens("expire-promo", user="ann")) == 1


def test_paid_tokens_lapse_as_breakage() -> None:
    place = world(breakage_months=12, packages={"small": {"tokens": 1000, "price": 999}})
    lot = buy(place)
    assert lot.lapses_at == NOW.replace(year=2027)
    place.record(*tip(place, 333))
    place.now = NOW.replace(year=2027)
    assert code(tip(place, 1)) == "INSUFFICIENT_TOKENS"
    (event,) = place.happens("lapse-tokens", user="ann")
    assert isinstance(event, TokensLapsed)
    assert (event.lot_id, event.tokens, event.released) == (lot.purchase_id, 667, 999 - 332)
    assert event.postings(ASSETS) == (
        ("w.ann.free", "demo.PAID", 667),
        ("supply", "demo.PAID", -667),
        ("deferred", "USD", 667),
        ("rev.breakage", "USD", -667),
    )
    assert place.decide("lapse-tokens", user="ann") == ()


def test_without_the_key_paid_tokens_never_lapse() -> None:
    place = world()
    assert buy(place).lapses_at is None
    place.later(days=10_000)
    assert place.decide("lapse-tokens", user="ann") == ()
    assert code(tip(place, 1_000)) == ""


@given(spent=st.integers(1, 1_000))
def test_spent_and_lapsed_parts_release_exactly_the_price(spent: int) -> None:
    place = world(breakage_months=1, packages={"small": {"tokens": 1000, "price": 999}})
    buy(place)
    (sale,) = place.record(*tip(place, spent))
    place.later(days=31)
    lapsed = place.happens("lapse-tokens", user="ann")
    released = sum(event.released for event in lapsed if isinstance(event, TokensLapsed))
    assert sale.released + released == 999  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("bought", "months", "lapses"),
    [
        ("2026-01-31T10:00:00Z", 1, "2026-02-28T10:00:00Z"),
        ("2027-12-31T23:59:59Z", 2, "2028-02-29T23:59:59Z"),
        ("2026-12-01T00:00:00Z", 1, "2027-01-01T00:00:00Z"),
        ("2026-11-20T12:00:00Z", 24, "2028-11-20T12:00:00Z"),
    ],
)
def test_months_are_those_of_the_calendar(bought: str, months: int, lapses: str) -> None:
    policy = Policy.model_validate({**MICRO_UNLOCK, "breakage_months": months})
    assert policy.lapse(datetime.fromisoformat(bought)) == datetime.fromisoformat(lapses)
