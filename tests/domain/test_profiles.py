"""The five profiles: each is complete, and a day of its platform can be lived under it."""

import json
from collections import Counter
from importlib.resources import files
from typing import Any

import pytest

from domain.accounts import Assets, balanced
from domain.event import Event
from domain.policy import Policy
from tests.domain.in_memory_book import InMemoryBook

NAMES = ("micro-unlock", "live-call", "subscription", "prepaid-credits", "session-booking")


def profile(name: str) -> dict[str, Any]:
    text = files("domain").joinpath("profiles", f"{name}.json").read_text()
    document: dict[str, Any] = json.loads(text)
    return document


def platform(name: str) -> InMemoryBook:
    document = profile(name)
    return InMemoryBook(document, Assets.of("demo", document["currency"]))


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_stated(name: str) -> None:
    assert set(profile(name)) == set(Policy.model_fields)


class Day:
    """What happens on a platform; amounts are summed from the postings."""

    def __init__(self, name: str) -> None:
        self.world = platform(name)
        self.assets = self.world.assets
        self._refs = 0

    def __call__(self, command: str, actor: str = "backend", **fields: Any) -> Event:
        """A command takes effect; its first event."""
        self.world.later(seconds=1)
        event, *_ = self.world.happens(command, actor, **fields)
        return event

    def card(self, command: str, **fields: Any) -> Event:
        """A command that a processor's payment stands behind."""
        self._refs += 1
        return self(command, **fields, processor="stripe", processor_ref=f"ref-{self._refs}")

    def books(self) -> Counter[str]:
        """What stands on each account in money."""
        sums: Counter[str] = Counter()
        for event in self.world.history:
            for account, asset, amount in balanced(event.postings(self.assets)):
                sums[account] += amount * (asset == self.assets.currency)
        return sums

    def pays_out(self, creator: str, amount: int, **more: Any) -> None:
        """A payout from its request to the bank."""
        self("set-payout-account", creator=creator, payouts_enabled=True, country="DE")
        fields = more if "scheduled" in more else {"amount": amount, **more}
        *_, event = self.world.happens("request-payout", "fay", creator=creator, **fields)
        assert event.gross == amount  # type: ignore[attr-defined]
        payout = event.payout_id  # type: ignore[attr-defined]
        self("approve-payout", "bob", payout=payout)
        self("submit-payout", "fay", payout=payout, processor="bank", processor_ref="t1")
        self("confirm-payout", "fay", payout=payout)


def test_a_day_of_micro_unlock() -> None:
    day = Day("micro-unlock")
    sale = {"user": "ann", "creator": "carl"}
    day.card("record-purchase", user="ann", package="small", price=999)
    day("unlock", **sale, item="photo", funding="TOKEN", price=399)
    day("unlock-message", **sale, item="letter", funding="TOKEN", price=150)
    day("send-tip", **sale, funding="TOKEN", amount=51)
    day.card("unlock", **sale, item="film", funding="CARD", price=9_999)
    day.pays_out("carl", 5_000, instant=True)
    books = day.books()
    assert books["bank"] == -4_875 and books["rev.fee"] == -125
    assert books["cr.carl.available"] == -(319 + 120 + 41 + 7_999 - 5_000)


def test_a_day_of_live_call() -> None:
    day = Day("live-call")
    sale = {"user": "ann", "creator": "carl"}
    day.card("record-purchase", user="ann", package="large", price=9_999)
    day("send-tip", **sale, funding="TOKEN", amount=100)
    day("buy-ticket", **sale, item="stream", funding="TOKEN", price=50)
    day("verify-creator", creator="carl", verified=True)
    day("start-call", call="c1", **sale, rate=60)
    day.world.later(seconds=90)
    day("meter-call", call="c1")
    day("end-call", call="c1")
    day("send-tip", **sale, funding="TOKEN", amount=760)
    assert day.books()["cr.carl.available"] == -5 * (100 + 50 + 90 + 760)
    day.pays_out("carl", 5_000)
    assert day.books()["bank"] == -5_000


def test_a_day_of_subscription() -> None:
    day = Day("subscription")
    day("start-subscription", subscription="s1", user="ann", creator="carl", price=999)
    month = {"period_start": "2026-11-20T00:00:00Z", "period_end": "2026-12-20T00:00:00Z"}
    day.card("charge-period", subscription="s1", price=999, **month)
    sale = {"user": "ann", "creator": "carl", "funding": "CARD"}
    day.card("unlock-message", **sale, item="letter", price=500)
    day.card("send-tip", **sale, amount=1_000)
    assert day.books()["cr.carl.pending"] == -(799 + 400 + 900)
    day.world.later(days=8)
    day.pays_out("carl", 2_099, scheduled=True)
    assert day.books()["bank"] == -2_099


def test_a_day_of_prepaid_credits() -> None:
    day = Day("prepaid-credits")
    day.card("record-purchase", user="shop", package="campaign", price=96_000)
    hold = day("hold-credits", user="shop", tokens=11_500).hold_id  # type: ignore[attr-defined]
    for number, used in enumerate((4_990, 5_000, 1_480), 1):
        day("settle-batch", hold=hold, batch_no=number, used=used)
    day("release-hold", hold=hold)
    books = day.books()
    assert (books["rev.usage"], books["deferred"]) == (-(39_920 + 40_000 + 11_840), -4_240)


def test_a_day_of_session_booking() -> None:
    day = Day("session-booking")
    payment = day.card(
        "authorize",
        session="s1",
        user="ann",
        payee="tina",
        tier="STANDARD",
        amount=11_900,
        country="DE",
    ).payment_id  # type: ignore[attr-defined]
    day("capture", payment=payment, amount=11_900)
    books = day.books()
    assert (books["vat.DE"], books["cr.tina.pending"], books["rev.commission"]) == (
        -1_900,
        -7_000,
        -3_000,
    )
    assert [event.type for event in day.world.history[-2:]][-1] == "invoice.issued.v1"
    day.world.later(days=3)
    day.pays_out("tina", 7_000, scheduled=True)
    assert day.books()["bank"] == -7_000


def test_monthly_plans_of_session_booking() -> None:
    day = Day("session-booking")
    plan = {"subscription": "s1", "plan": "monthly"}
    day("start-subscription", **plan, user="cleo", creator="tina", price=4_900)
    month = {"period_start": "2026-11-01T00:00:00Z", "period_end": "2026-12-01T00:00:00Z"}
    day.card("charge-period", subscription="s1", price=4_900, **month)
    since = {"from_period": "2026-12-01T00:00:00Z"}
    day("change-subscription", **{**plan, "plan": "plus"}, price=5_900, **since)
    books = day.books()
    assert (books["psp.stripe"], books["vat.DE"]) == (4_900, -782)
    assert (books["cr.tina.pending"], books["rev.commission"]) == (-2_883, -1_235)


def test_a_referral_of_session_booking_is_the_platforms_to_pay() -> None:
    day = Day("session-booking")
    booked = {"session": "s1", "user": "cleo", "payee": "tina", "tier": "STANDARD"}
    first = {"first_purchase": True}
    times = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2027-01-01T00:00:00Z"}
    terms = {"products": ["session"], "platform_discount": 1_000, "eligible": first, **times}
    day("publish-offer", offer="friend", **terms)
    authorized = day.card("authorize", **booked, amount=5_950, offer="friend")
    day("capture", payment=authorized.payment_id, amount=4_950)  # type: ignore[attr-defined]
    books = day.books()
    assert (books["psp.stripe"], books["exp.promo"], books["vat.DE"]) == (4_950, 1_000, -950)
    assert (books["cr.tina.pending"], books["rev.commission"]) == (-3_500, -1_500)
