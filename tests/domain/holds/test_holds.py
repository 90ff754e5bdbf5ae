"""Credits held for a campaign: used batch by batch, released, expired, and never used twice."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import balanced
from domain.holds.hold import HoldReleased, HoldSettled
from domain.rejections import Rejection
from domain.wallets.expiry import PromoTokensExpired
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import ASSETS, InMemoryBook, code
from tests.scenarios.policies import PREPAID_CREDITS

LATER = "2026-11-20T13:00:00Z"


class Holds(InMemoryBook):
    """A book with one tenant and 12,000 credits bought for 96,000 cents."""

    def __init__(self, **policy: Any) -> None:
        super().__init__({**PREPAID_CREDITS, **policy})
        self.buy("p1")

    def buy(self, ref: str) -> None:
        paid = {"package": "bulk", "price": 96_000, "processor": "stripe", "processor_ref": ref}
        self.happens("record-purchase", user="acme", **paid)

    def hold(self, tokens: int, **more: Any) -> str:
        held = self.happens("hold-credits", user="acme", tokens=tokens, **more)[0]
        found: str = held.hold_id  # type: ignore[attr-defined]
        return found

    def settle(self, hold: str, batch: int, used: int) -> Any:
        return self.happens("settle-batch", hold=hold, batch_no=batch, used=used)

    def refused(self, name: str, **fields: Any) -> tuple[str, dict[str, Any]]:
        decision = self.decide(name, **fields)
        assert isinstance(decision, Rejection), decision
        return decision.reason.code, decision.details

    @property
    def wallet(self) -> Wallet:
        found = self.states["wallet:acme"]
        assert isinstance(found, Wallet)
        return found

    @property
    def balances(self) -> dict[str, int]:
        sums: dict[str, int] = {}
        for event in self.history:
            for account, _, amount in balanced(event.postings(ASSETS)):
                sums[account] = sums.get(account, 0) - amount
        return sums


def test_a_campaign_uses_what_its_batches_say_and_gets_the_rest_back() -> None:
    place = Holds()
    hold = place.hold(11_500)
    released = [place.settle(hold, n, used)[0].released for n, used in ((1, 4990), (2, 5000))]
    assert place.settle(hold, 2, 5000) == ()
    released.append(place.settle(hold, 3, 1480)[0].released)
    assert released == [39_920, 40_000, 11_840]
    (rest,) = place.happens("release-hold", hold=hold)
    assert isinstance(rest, HoldReleased)
    assert (rest.tokens, rest.reason) == (30, "RELEASED")
    assert place.balances["deferred"] == 4_240
    assert place.balances["rev.usage"] == 91_760
    assert place.balances["w.acme.held"] == 0
    found = place.refused("hold-credits", user="acme", tokens=531)
    assert found == ("INSUFFICIENT_TOKENS", {"required": 531, "current": 530, "shortfall": 1})


def test_held_tokens_cannot_be_spent_or_held_again() -> None:
    place = Holds()
    place.hold(11_999)
    assert place.wallet.spendable(place.now) == 1
    assert place.refused("hold-credits", user="acme", tokens=2)[0] == "INSUFFICIENT_TOKENS"
    place.hold(1)
    assert place.wallet.spendable(place.now) == 0


def test_a_batch_reported_with_another_figure_changes_nothing() -> None:
    place = Holds()
    hold = place.hold(100)
    place.settle(hold, 1, 40)
    reused, details = place.refused("settle-batch", hold=hold, batch_no=1, used=41)
    assert reused == "INVALID_TRANSITION"
    assert details["state"] == "settled with 40"
    exceeds = place.refused("settle-batch", hold=hold, batch_no=2, used=61)
    assert exceeds == ("CAPTURE_EXCEEDS_HOLD", {"requested": 61, "held": 60})
    place.settle(hold, 2, 60)
    place.happens("release-hold", hold=hold)
    assert place.settle(hold, 2, 60) == ()  # a late retry of what was settled in time


def test_a_hold_that_is_over_is_not_open() -> None:
    place = Holds()
    hold = place.hold(100, expires_at=LATER)
    place.later(hours=1)
    place.settle(hold, 1, 10)  # its last instant is still inside
    place.later(microseconds=1)
    late = place.refused("settle-batch", hold=hold, batch_no=2, used=10)
    assert late == ("HOLD_NOT_OPEN", {"hold": hold, "state": "EXPIRED"})
    (released,) = place.happens("release-hold", hold=hold)
    assert isinstance(released, HoldReleased)
    assert (released.tokens, released.reason) == (90, "EXPIRED")
    for command in ({"name": "release-hold"}, {"name": "settle-batch", "batch_no": 3, "used": 1}):
        assert place.refused(hold=hold, **command)[0] == "HOLD_NOT_OPEN"
    assert place.wallet.spendable(place.now) == 11_990


def test_the_policy_says_how_long_a_hold_stands_if_nobody_does() -> None:
    place = Holds(hold_expiry_hours=2)
    hold = place.hold(100)
    place.later(hours=2)
    place.settle(hold, 1, 1)
    place.later(seconds=1)
    assert place.refused("settle-batch", hold=hold, batch_no=2, used=1)[0] == "HOLD_NOT_OPEN"


@pytest.mark.parametrize(
    ("policy", "fields", "expected"),
    [
        ({"products_enabled": ["unlock"]}, {}, "PRODUCT_DISABLED"),
        ({}, {"expires_at": "2026-11-20T12:00:00Z"}, "OFFER_EXPIRED"),
        ({}, {"tokens": 12_001}, "INSUFFICIENT_TOKENS"),
        ({}, {}, ""),
    ],
)
def test_what_stands_against_a_hold(
    policy: dict[str, Any], fields: dict[str, Any], expected: str
) -> None:
    place = Holds(**policy)
    asked = {"user": "acme", "tokens": 1, **fields}
    assert code(place.decide("hold-credits", **asked)) == expected
    place.happens("freeze", subject="acme", kind="wallet", scope="SPEND", reason_code="X")
    assert code(place.decide("hold-credits", **asked)) == "ACCOUNT_FROZEN"


def test_a_hold_nobody_made() -> None:
    place = Holds()
    assert place.refused("release-hold", hold="h") == ("UNKNOWN_HOLD", {"hold": "h"})
    assert place.refused("settle-batch", hold="h", batch_no=1, used=1)[0] == "UNKNOWN_HOLD"


def test_promotional_tokens_that_end_while_held_can_be_used_but_not_come_back() -> None:
    place = Holds()
    grant = {"user": "acme", "tokens": 50, "reason_code": "X", "expires_at": LATER}
    place.happens("grant-promo", **grant)
    hold = place.hold(60)
    place.later(hours=1)
    assert place.happens("expire-promo", user="acme") == ()
    (settled,) = place.settle(hold, 1, 20)
    assert isinstance(settled, HoldSettled)
    assert settled.released == 0
    released, expired = place.happens("release-hold", hold=hold)
    assert isinstance(expired, PromoTokensExpired)
    assert (expired.tokens, released.tokens) == (30, 40)  # type: ignore[attr-defined]
    assert place.wallet.spendable(place.now) == 12_000
    assert place.balances["w.acme.free"] == 12_000


@given(
    price=st.integers(1, 10**6),
    steps=st.lists(
        st.tuples(st.sampled_from(["hold", "settle", "release", "buy"]), st.integers(0, 900)),
        max_size=30,
    ),
)
def test_lots_release_exactly_their_price_whatever_is_held_meanwhile(
    price: int, steps: list[tuple[str, int]]
) -> None:
    place = Holds(
        packages={"bulk": {"tokens": 997, "price": 96_000}, "odd": {"tokens": 7, "price": price}}
    )
    left: dict[str, int] = {}
    used = 0
    for number, (what, tokens) in enumerate(steps):
        hold = next(iter(left), None)
        if what == "buy":
            paid = {"package": "odd", "price": price, "processor": "stripe"}
            place.happens("record-purchase", user="acme", processor_ref=f"r{number}", **paid)
        elif what == "hold" and 0 < tokens <= place.wallet.spendable(place.now):
            left[place.hold(tokens)] = tokens
        elif what == "settle" and hold is not None:
            amount = min(tokens, left[hold])
            place.settle(hold, number, amount)
            left[hold] -= amount
            used += amount
        elif what == "release" and hold is not None:
            place.happens("release-hold", hold=hold)
            del left[hold]
    balances = place.balances
    assert balances.get("w.acme.held", 0) == sum(left.values())
    assert balances.get("w.acme.free", 0) == place.wallet.spendable(place.now)
    unreleased = sum(
        lot.price - lot.price * lot.consumed // lot.tokens for lot in place.wallet.lots
    )
    assert balances["deferred"] == unreleased
    for hold in left:
        place.happens("release-hold", hold=hold)
    rest = place.wallet.spendable(place.now)
    if rest:
        place.settle(place.hold(rest), 0, rest)
    assert place.balances["deferred"] == 0
