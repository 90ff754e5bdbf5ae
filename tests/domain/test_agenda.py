"""Tokens that come back free are ended by the agenda alone, whenever and from wherever they come.

The agenda here is a dictionary that is worked off, late or on time, as a scheduler does it.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.agenda import AGENDA, AgendaEvent, Due
from domain.command import Suspended
from domain.rejections import Rejection
from domain.wallets.wallet import Lot, Wallet
from tests.domain.in_memory_book import InMemoryBook
from tests.scenarios.policies import MICRO_UNLOCK
from tests.support.examples import examples

POLICY: dict[str, Any] = {
    **MICRO_UNLOCK,
    "products_enabled": ["tip", "hold"],
    "packages": {"small": {"tokens": 100, "bonus": 30, "price": 999}},
    "promo_expiry_days": 2,
    "breakage_months": 1,
}
DAY = 86_400


class Scheduled(InMemoryBook):
    """A book with a scheduler and one user."""

    def __init__(self) -> None:
        super().__init__(POLICY)
        self.items: dict[str, tuple[datetime, Due]] = {}
        self.seen = 0
        self.made: dict[str, list[str]] = {"hold": [], "sale": [], "dispute": []}

    def sends(self, name: str, **fields: Any) -> Any:
        """A command has its effect, if any, and says what it made."""
        decision = self.decide(name, **fields)
        happened = decision.events if isinstance(decision, Suspended) else decision
        for event in self.record(*(happened if isinstance(happened, tuple) else ())):
            for kind, ids in self.made.items():
                new = getattr(event, f"{kind}_id", None)
                if new is not None and new not in ids:
                    ids.append(new)
        return decision

    def turns(self) -> None:
        """A scheduler reads on and sends what is due, once."""
        for event in self.history[self.seen :]:
            if isinstance(event, AgendaEvent) and AGENDA in event.tags():
                for item, due in event.agenda_items():
                    self.items.pop(item, None)
                    if due is not None:
                        self.items[item] = (due.at, due)
        self.seen = len(self.history)
        for item, (at, due) in list(self.items.items()):
            if at > self.now:
                continue
            decision = self.sends(due.command, **due.fields)
            if isinstance(decision, Rejection) or due.once:
                del self.items[item]
            else:
                self.items[item] = (self.now + timedelta(seconds=due.every_s), due)

    def last(self, kind: str, nth: int) -> str:
        """One of the things of a kind that were made, the last ones first."""
        ids = self.made[kind]
        return ids[-1 - nth % len(ids)] if ids else "none"

    def overdue(self) -> list[Lot]:
        """Lots whose time is over, with something free in them."""
        wallet = self.states["wallet:ann"]
        assert isinstance(wallet, Wallet)
        ended = (lot for lot in wallet.lots if lot.expires_at and lot.expires_at <= self.now)
        return [lot for lot in ended if lot.free]


PAID = {"user": "ann", "package": "small", "price": 999, "processor": "stripe"}
HOLD = {"user": "ann", "tokens": 120}


@pytest.mark.parametrize("used", [0, 7, 35, 120])
@pytest.mark.parametrize("days", [None, 1, 3, 40])
@pytest.mark.parametrize("early", [True, False])
def test_what_a_hold_sets_free_ends_as_if_it_had_never_been_held(
    used: int, days: int | None, early: bool
) -> None:
    place = Scheduled()
    place.sends("record-purchase", **PAID, processor_ref="p1")
    ends = None if days is None else f"{place.now + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
    place.sends("hold-credits", **HOLD, **({"expires_at": ends} if ends else {}))
    hold = place.last("hold", 0)
    place.sends("settle-batch", hold=hold, batch_no=1, used=used)
    for day in range(60):
        place.later(days=1)
        place.turns()
        if day == (0 if early else 45):
            place.sends("release-hold", hold=hold)
            place.turns()
        assert not place.overdue()
    assert place.states["wallet:ann"] == Wallet()


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["buy", "hold", "hold", "settle", "release", "tip", "refund", "open", "close", "turn"]
        ),
        st.integers(1, 60),
        st.integers(0, 2),
        st.sampled_from([0, 0, 1, DAY, 2 * DAY, 35 * DAY]),
    ),
    min_size=12,
    max_size=25,
)


def does(place: Scheduled, what: str, number: int, nth: int) -> None:
    """One step, possible or not."""
    ref = {"processor": "stripe", "processor_ref": f"n{len(place.history)}"}
    match what:
        case "buy":
            place.sends("record-purchase", **{**PAID, **ref, "processor_ref": f"p{nth}"})
        case "hold":
            ends = place.now + timedelta(hours=number)
            until = {"expires_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}"} if nth else {}
            place.sends("hold-credits", user="ann", tokens=number, **until)
        case "settle":
            hold = place.last("hold", nth)
            place.sends("settle-batch", hold=hold, batch_no=len(place.history), used=number)
        case "release":
            place.sends("release-hold", hold=place.last("hold", nth))
        case "tip":
            place.sends("send-tip", user="ann", creator="c", funding="TOKEN", amount=number)
        case "refund":
            fields = {"amount": number, "reason_code": "X"}
            place.sends("refund", sale=place.last("sale", nth), **fields)
        case "open":
            place.sends("open-dispute", payment_ref=f"p{nth}", amount=15 * number, fee=0, **ref)
        case "close":
            outcome = "WON" if number % 2 else "LOST"
            place.sends("close-dispute", dispute=place.last("dispute", nth), outcome=outcome, **ref)
            place.sends("unfreeze", subject="ann", kind="wallet", scope="SPEND", reason_code="X")
        case "turn":
            place.turns()


@examples(1_000)
@given(steps=steps)
def test_nothing_stays_free_beyond_its_end_once_the_agenda_is_worked_off(
    steps: list[tuple[str, int, int, int]],
) -> None:
    place = Scheduled()
    place.sends("record-purchase", **PAID, processor_ref="p0")
    for what, number, nth, seconds in steps:
        does(place, what, number, nth)
        place.later(seconds=seconds, microseconds=1)
    place.turns()
    place.turns()
    assert not place.overdue()
