"""Sales: decided as pure functions, one rule at a time, and for every number."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import balanced
from domain.command import Suspended
from domain.event import Event
from domain.rejections import REASONS, Rejection
from domain.sales.items import ContentUnlocked
from domain.sales.sale import Sale
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import ASSETS, InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

CARD = {"funding": "CARD", "processor": "stripe", "processor_ref": "r1"}
OFFER_OVER = "2026-11-20T11:59:59Z"


def tip(amount: int, **more: Any) -> dict[str, Any]:
    return {"user": "ann", "creator": "carl", "funding": "TOKEN", "amount": amount, **more}


def item(price: int, **more: Any) -> dict[str, Any]:
    photo = {"user": "ann", "creator": "carl", "item": "photo", "funding": "TOKEN"}
    return {**photo, "price": price, **more}


def world(**policy: Any) -> InMemoryBook:
    return InMemoryBook({**MICRO_UNLOCK, **policy})


def bought(into: InMemoryBook, user: str = "ann", ref: str = "p1") -> None:
    fields = {"package": "small", "price": 999, "processor": "stripe", "processor_ref": ref}
    into.happens("record-purchase", user=user, **fields)


def sale(events: tuple[Event, ...]) -> Sale:
    """The sale, which may be followed by its invoice."""
    (event,) = [event for event in events if isinstance(event, Sale)]
    return event


# Everything that can be wrong with an unlock, in the order in which it is told.
WRONGS = (
    "NO_POLICY",
    "ACCOUNT_FROZEN",
    "CREATOR_FROZEN",
    "PRODUCT_DISABLED",
    "SELF_DEALING",
    "INVALID_AMOUNT",
    "PRICE_OUT_OF_RANGE",
    "OFFER_EXPIRED",
    "ALREADY_ENTITLED",
    "INSUFFICIENT_TOKENS",
)


def unlock_with(wrongs: tuple[str, ...], **more: Any) -> str:
    """The answer to an unlock with which all of this is wrong at once."""
    products = ["tip"] if "PRODUCT_DISABLED" in wrongs else ["unlock"]
    place = InMemoryBook()
    if "NO_POLICY" not in wrongs:
        place = world(unit_value=5, revenue_share={"default": 1000}, products_enabled=products)
    if not {"NO_POLICY", "INSUFFICIENT_TOKENS"} & set(wrongs):
        bought(place)
    creator = "ann" if "SELF_DEALING" in wrongs else "carl"
    if "ACCOUNT_FROZEN" in wrongs:
        freeze(place, "ann", "wallet", "SPEND")
    if "CREATOR_FROZEN" in wrongs:
        freeze(place, creator, "creator", "EARN")
    if "ALREADY_ENTITLED" in wrongs:
        place.record(entitlement())
    price = 10 if "PRICE_OUT_OF_RANGE" in wrongs else 100
    price = 10**12 if "INVALID_AMOUNT" in wrongs else price
    offer = {"offer_expires_at": OFFER_OVER} if "OFFER_EXPIRED" in wrongs else {}
    return code(place.decide("unlock", **item(price, **{"creator": creator, **offer, **more})))


def freeze(into: InMemoryBook, subject: str, kind: str, scope: str) -> None:
    fields = {"subject": subject, "kind": kind, "scope": scope, "reason_code": "REVIEW"}
    into.happens("freeze", **fields)


def entitlement() -> ContentUnlocked:
    """Ann has the photo already."""
    (unlocked,) = world().happens("unlock", **{**item(99), **CARD})
    assert isinstance(unlocked, ContentUnlocked)
    return unlocked


@pytest.mark.parametrize("first", range(len(WRONGS)))
def test_of_several_reasons_the_first_in_order_is_told(first: int) -> None:
    assert unlock_with(WRONGS[first:]) == WRONGS[first]


def test_reasons_are_declared_in_the_order_in_which_they_are_told() -> None:
    declared = list(REASONS)
    assert sorted(WRONGS, key=declared.index) == list(WRONGS)


def test_with_nothing_wrong_it_is_sold() -> None:
    assert unlock_with(()) == ""


@pytest.mark.parametrize("wrong", WRONGS[:-1])
def test_a_card_that_was_charged_is_never_refused(wrong: str) -> None:
    if wrong == "INVALID_AMOUNT":  # cents need no conversion, so they cannot outgrow the limit
        return
    assert unlock_with((wrong,), **CARD) == wrong


def test_a_suspended_card_sale_keeps_what_was_paid() -> None:
    decision = world().decide("unlock", **{**item(10_000), "discount": 1, **CARD})
    assert isinstance(decision, Suspended)
    (event,) = decision.events
    assert event.postings(ASSETS) == (("psp.stripe", "USD", 9_999), ("suspense", "USD", -9_999))


def test_a_refusal_carries_the_numbers_a_fan_is_shown() -> None:
    decision = world().decide("send-tip", **tip(13))
    assert isinstance(decision, Rejection)
    assert decision.details == {"required": 13, "current": 0, "shortfall": 13}
    assert decision.detail == "the wallet holds 0 tokens; 13 are needed"


def test_bounds_hold_before_the_discount_and_for_the_money_tokens_stand_for() -> None:
    place = world(unit_value=5, revenue_share={"default": 0})
    bought(place)
    assert code(place.decide("unlock", **item(19))) == "PRICE_OUT_OF_RANGE"  # 95 cents
    assert code(place.decide("unlock", **item(20))) == ""
    assert code(place.decide("unlock", **item(20, discount=20))) == ""
    assert code(place.decide("unlock", **item(2_000))) == "PRICE_OUT_OF_RANGE"


def test_a_free_item_entitles_without_postings() -> None:
    place = world()
    free = sale(place.happens("unlock", **item(0)))
    assert balanced(free.postings(ASSETS)) == ()
    assert code(place.decide("unlock", **item(0))) == "ALREADY_ENTITLED"


def test_access_ends_exclusively() -> None:
    place = world()
    place.happens("unlock", **item(0, access_until="2026-11-20T13:00:00Z"))
    place.later(minutes=59)
    assert code(place.decide("unlock", **item(0))) == "ALREADY_ENTITLED"
    place.later(minutes=1)
    assert code(place.decide("unlock", **item(0))) == ""


def test_promotional_tokens_go_first_the_soonest_to_end_before_the_others() -> None:
    place = world()
    bought(place)
    grant = {"user": "ann", "reason_code": "X", "tokens": 10}
    place.happens("grant-promo", **grant, expires_at="2026-11-21T00:00:00Z")
    place.happens("grant-promo", **grant, expires_at="2026-11-20T13:00:00Z")
    uses = sale(place.happens("send-tip", **tip(125))).lots
    assert [(use.kind, use.tokens) for use in uses] == [
        ("PROMO", 10),
        ("PROMO", 10),
        ("PROMO", 100),
        ("PAID", 5),
    ]


def test_tokens_end_at_their_instant_exclusively() -> None:
    place = world()
    grant = {"user": "ann", "reason_code": "X", "tokens": 10}
    place.happens("grant-promo", **grant, expires_at="2026-11-20T13:00:00Z")
    place.later(minutes=59, seconds=59)
    assert code(place.decide("send-tip", **tip(10))) == ""
    place.later(seconds=1)
    assert code(place.decide("send-tip", **tip(1))) == "INSUFFICIENT_TOKENS"
    assert code(place.decide("grant-promo", **grant, expires_at=OFFER_OVER)) == "OFFER_EXPIRED"


def test_a_frozen_buyer_is_still_credited() -> None:
    place = world()
    freeze(place, "ann", "wallet", "SPEND")
    bought(place)
    assert code(place.decide("send-tip", **tip(1))) == "ACCOUNT_FROZEN"
    place.happens("unfreeze", subject="ann", kind="wallet", scope="SPEND", reason_code="CLEARED")
    assert code(place.decide("send-tip", **tip(1))) == ""


def test_a_frozen_creator_earns_into_escrow_where_the_policy_says_so() -> None:
    place = world(frozen_creator_rule="ESCROW")
    bought(place)
    freeze(place, "carl", "creator", "EARN")
    tipped = sale(place.happens("send-tip", **tip(10)))
    assert ("cr.carl.reserved", "USD", -8) in tipped.postings(ASSETS)


def test_earnings_wait_where_the_policy_says_so() -> None:
    place = world(maturity_days=7)
    tipped = sale(place.happens("send-tip", **{**tip(100), **CARD}))
    assert ("cr.carl.pending", "USD", -80) in tipped.postings(ASSETS)
    assert f"{tipped.mature_at:%Y-%m-%d}" == "2026-11-27"


def test_freezing_twice_is_nothing_to_do() -> None:
    place = world()
    frozen = {"subject": "ann", "kind": "wallet", "scope": "SPEND", "reason_code": "X"}
    assert place.decide("unfreeze", **frozen) == ()
    place.happens("freeze", **frozen)
    assert place.decide("freeze", **frozen) == ()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"package": "large"}, "UNKNOWN_PACKAGE"), ({"price": 998}, "PRICE_MISMATCH")],
)
def test_a_purchase_unlike_its_package_gives_no_tokens(
    fields: dict[str, Any], expected: str
) -> None:
    place = world()
    paid = {"package": "small", "price": 999, "processor": "stripe", "processor_ref": "p1"}
    decision = place.decide("record-purchase", user="ann", **{**paid, **fields})
    assert isinstance(decision, Suspended)
    assert decision.code == expected
    place.record(*decision.events)
    assert place.states["wallet:ann"] == Wallet()


@given(
    price=st.integers(1, 10**9),
    vat=st.integers(0, 5_000),
    bps=st.integers(0, 10_000),
)
def test_a_card_sale_is_divided_without_remainder(price: int, vat: int, bps: int) -> None:
    place = world(
        revenue_share={"default": bps},
        packages={},
        vat={"DE": vat},
        price_bounds={},
    )
    sold = sale(place.happens("send-tip", **{**tip(price), **CARD, "country": "DE"}))
    assert sold.tax + sold.creator_share + sold.platform_share == price
    assert min(sold.tax, sold.creator_share, sold.platform_share) >= 0
    balanced(sold.postings(ASSETS))


@given(
    price=st.integers(1, 10**6),
    bonus=st.integers(0, 300),
    tips=st.lists(st.integers(1, 500), min_size=1, max_size=25),
    unit_value=st.integers(1, 9),
)
def test_lots_release_exactly_their_price_whatever_is_spent_when(
    price: int, bonus: int, tips: list[int], unit_value: int
) -> None:
    package = {"tokens": 1000, "bonus": bonus, "price": price}
    place = world(packages={"small": package}, unit_value=unit_value, revenue_share={"default": 0})
    for ref in ("p1", "p2"):
        fields = {"package": "small", "price": price, "processor": "stripe"}
        place.happens("record-purchase", user="ann", processor_ref=ref, **fields)
    left = 2 * (1000 + bonus)
    released = 0
    for tokens in [*tips, left]:
        tokens = min(tokens, left)  # noqa: PLW2901 -- the last one takes what is left
        if tokens:
            event = sale(place.happens("send-tip", **tip(tokens)))
            balanced(event.postings(ASSETS))
            assert event.tokens_paid + event.tokens_promo == tokens
            left, released = left - tokens, released + event.released
    assert left == 0
    assert released == 2 * price
    assert place.states["wallet:ann"] == Wallet(has_bought=True)
