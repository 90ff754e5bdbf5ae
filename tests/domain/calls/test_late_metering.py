"""A block is paid from tokens that were there at its end, however late it is metered."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.wallets.wallet import Lot
from tests.domain.calls.fan_calls import SEND, Calls, ended, names
from tests.domain.in_memory_book import NOW, code
from tests.support.examples import examples


def granted(place: Calls, tokens: int, ends: float | None = None) -> None:
    """Tokens for Ann, which end so many seconds after the call began."""
    fields: dict[str, Any] = {"user": "ann", "tokens": tokens, **SEND}
    if ends is not None:
        fields["expires_at"] = f"{NOW + timedelta(seconds=ends):%Y-%m-%dT%H:%M:%S.%fZ}"
    place.happens("grant-promo", **fields)


def test_a_lot_tells_since_when_it_is_there() -> None:
    place = Calls(0)
    granted(place.at(61.000007), 5)
    (lot,) = place.wallet.lots
    assert lot.since == NOW + timedelta(seconds=61, microseconds=7)
    back = "01937a3c-1234-7001-8000-000000000001_01937a3c-1235-7002-8000-000000000002_0"
    assert Lot(back, "p", "PAID", 1, 1).since != Lot(back[:36], "p", "PAID", 1, 1).since
    assert Lot("old", "old", "PAID", 1, 1).since is None


@pytest.mark.parametrize(
    ("tokens", "rate", "blocks", "over"),
    [(30, 60, 1, 60), (60, 60, 2, 90), (31, 62, 1, 60), (13, 25, 1, 60)],
)
def test_6_19_what_came_later_pays_for_no_earlier_block(
    tokens: int, rate: int, blocks: int, over: int
) -> None:
    place = Calls(tokens)
    place.start(rate=rate)
    granted(place.at(over + 1), 1_000)
    events = place.at(over + 100).meter()
    assert ended(events) == ("INSUFFICIENT_FUNDS", over)
    assert len(place.blocks) == blocks
    assert place.wallet.spendable(place.now) == 1_000 + tokens - blocks * -(-rate // 2)


def test_6_19_what_came_at_the_very_end_of_a_block_pays_for_it() -> None:
    for seconds, blocks in ((60, 3), (60.000001, 1)):
        place = Calls(30)
        place.start()
        granted(place.at(seconds), 60)
        place.at(91).meter()
        assert len(place.blocks) == blocks


@pytest.mark.parametrize(
    ("ends", "blocks"), [(29, 0), (30, 0), (31, 1), (60, 1), (61, 2), (90.000001, 3)]
)
def test_6_19_tokens_that_expired_since_pay_for_blocks_before(ends: float, blocks: int) -> None:
    for posted in (False, True):
        place = Calls(0)
        granted(place, 300, ends)
        place.start()
        place.at(200)
        if posted:
            place.happens("expire-promo", user="ann")
        else:
            place.meter()
        over = 30 * (blocks + 1)
        assert len(place.blocks) == blocks
        if not posted or over <= ends:
            last = place.history[-1 - posted]
            assert ended((last,)) == ("INSUFFICIENT_FUNDS", over)
        place.meter()
        assert len(place.blocks) == blocks
        assert place.wallet.spendable(place.now) == 0


def test_6_19_before_tokens_end_the_call_is_metered_up_to_that_instant() -> None:
    place = Calls(0)
    granted(place, 100, 65)
    granted(place, 100)
    place.start()
    events = place.at(200).happens("expire-promo", user="ann")
    assert names(events) == ["call_block.charged.v1"] * 2 + ["promo_tokens.expired.v1"]
    assert place.wallet.call == "c1"
    assert len(place.meter()) == 4
    assert [sum(use.tokens for use in block.lots) for block in place.blocks] == [30] * 5
    assert ended(tuple(place.history)) == ("INSUFFICIENT_FUNDS", 180)


def test_6_19_tokens_that_lapse_have_paid_for_the_call_too() -> None:
    place = Calls(0, breakage_months=1)
    paid = {"package": "hundred", "price": 999, "processor": "stripe", "processor_ref": "r"}
    bought = "2026-10-20T12:01:05Z"  # they lapse 65 seconds after the call began
    place.happens("record-purchase", user="ann", occurred_at=bought, **paid)
    place.start()
    events = place.at(200).happens("lapse-tokens", user="ann")
    assert names(events) == ["call_block.charged.v1"] * 2 + ["tokens.lapsed.v1"]
    assert ended(place.meter()) == ("INSUFFICIENT_FUNDS", 90)


def test_6_19_of_very_many_blocks_some_at_a_time_and_their_tokens_wait() -> None:
    place = Calls(0, block_seconds=1)
    granted(place, 10_000, 500)
    place.start()
    place.at(600)
    assert names(place.happens("expire-promo", user="ann")) == ["call_block.charged.v1"] * 480
    events = place.happens("expire-promo", user="ann")
    assert ended(events[:-1]) == ("INSUFFICIENT_FUNDS", 500)
    assert names(events[-1:]) == ["promo_tokens.expired.v1"]
    assert len(place.blocks) == 499


def test_6_19_what_was_spent_since_is_gone() -> None:
    place = Calls(100)
    place.start()
    tip = {"user": "ann", "creator": "carl", "funding": "TOKEN", "amount": 80}
    place.at(95).happens("send-tip", **tip)
    assert ended(place.meter()) == ("INSUFFICIENT_FUNDS", 30)
    assert code(place.decide("send-tip", **{**tip, "amount": 20})) == ""


SECONDS = st.integers(0, 400)


@examples(200)
@given(
    lots=st.lists(st.tuples(SECONDS, st.integers(1, 200), SECONDS), min_size=1, max_size=5),
    meters=st.lists(SECONDS, max_size=6).map(sorted),
    expiries=st.lists(SECONDS, max_size=3).map(sorted),
)
def test_6_19_late_metering_charges_what_metering_in_time_would(
    lots: list[tuple[int, int, int]], meters: list[int], expiries: list[int]
) -> None:
    """As long as nothing else is spent, only the tokens and their times matter."""
    found = []
    for looks, ends in (([*range(30, 401, 30)], []), (meters, expiries)):
        place = Calls(30)
        place.start()
        grants = [(at, 1, (tokens, life)) for at, tokens, life in lots]
        steps = grants + [(at, 2, None) for at in ends] + [(at, 3, None) for at in looks]
        for at, what, more in sorted(steps, key=lambda step: step[:2]):
            place.at(at)
            if what == 1:
                assert more is not None
                granted(place, more[0], at + 1 + more[1])
            elif what == 2:
                place.happens("expire-promo", user="ann")
            elif place.wallet.call is not None:
                place.meter()
        place.at(420).happens("meter-call", call="c1")
        found.append(
            [
                (block.active_to, [(use.tokens, use.expires_at) for use in block.lots])
                for block in place.blocks
            ]
        )
    assert found[0] == found[1]
