"""Calls on a fixed clock: blocks are due by active time alone, whoever asks, when and how often."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import balanced
from domain.calls.call import CallBlockCharged, CallBlockWrittenOff, CallEnded
from domain.money import block_cost
from domain.rejections import Rejection
from tests.domain.calls.fan_calls import SEND, Calls, ended, names, start
from tests.domain.in_memory_book import ASSETS, NOW, code
from tests.scenarios.policies import LIVE_CALL


@pytest.mark.parametrize(("tokens", "expected"), [(12, "INSUFFICIENT_TOKENS"), (13, "")])
def test_the_wallet_must_cover_one_block(tokens: int, expected: str) -> None:
    place = Calls(tokens)
    decision = place.decide("start-call", **start())
    assert code(decision) == expected
    if isinstance(decision, Rejection):
        assert decision.details == {"required": 13, "current": 12, "shortfall": 1}


def test_blocks_run_until_the_wallet_does_not_cover_one() -> None:
    place = Calls(30)
    place.start(rate=25)
    assert names(place.at(30).meter()) == ["call_block.charged.v1"]
    assert names(place.at(60).meter()) == ["call_block.charged.v1"]
    assert ended(place.at(120).meter()) == ("INSUFFICIENT_FUNDS", 90)
    assert [block.tokens_promo for block in place.blocks] == [13, 13]
    assert place.wallet.spendable(place.now) == 4
    assert place.creator.available == 130
    assert place.wallet.call is None
    place.happens("grant-promo", user="ann", tokens=100, **SEND)
    assert place.meter() == ()  # what ended for want of funds is never charged later
    assert names(place.at(90 + 901).meter()) == ["call_block.written_off.v1"]


def test_a_pause_is_not_active_time() -> None:
    place = Calls()
    place.start()
    charged = []
    for second, turn in [(40, "pause"), (99, ""), (100, "resume"), (119, ""), (120, ""), (130, "")]:
        place.at(second)
        if second == 130:
            place.do("end")
            place.at(190)
        if turn:
            place.do(turn)
        else:
            place.meter()
            charged.append(len(place.blocks))
    assert charged == [1, 1, 2, 2]
    assert sum(block.tokens_promo for block in place.blocks) == 60
    spans = [(b.active_from - NOW, b.active_to - NOW) for b in place.blocks]
    seconds = [(a.total_seconds(), b.total_seconds()) for a, b in spans]
    assert seconds == [(0, 30), (30, 120)]


def test_missed_late_and_early_ticks_are_harmless() -> None:
    place = Calls()
    place.start()
    assert len(place.at(95).meter()) == 3
    assert place.meter() == ()
    assert place.meter(as_of="2026-11-20T11:00:00Z") == ()
    assert [block.block_no for block in place.blocks] == [1, 2, 3]
    assert len({block.sale_id for block in place.blocks}) == 3
    place.at(100).do("end")
    assert place.at(160).meter() == ()


def test_the_time_that_a_meter_names() -> None:
    place = Calls()
    place.start()
    place.at(95)
    assert len(place.meter(as_of="2026-11-20T12:00:59Z")) == 1
    assert len(place.meter(as_of="2026-11-20T12:01:30Z")) == 2
    hour = place.decide("meter-call", call="c1", as_of="2026-11-20T13:00:00Z")
    assert code(hour) == "CLOCK_SKEW"
    assert code(place.decide("meter-call", call="c1", as_of="2026-11-20T12:01:40Z")) == ""
    assert code(place.decide("meter-call", call="c1", as_of="2026-11-20T12:01:41Z")) == "CLOCK_SKEW"


def test_no_time_is_charged_that_has_not_passed() -> None:
    place = Calls()
    place.start()
    assert place.at(29).meter(as_of="2026-11-20T12:00:32Z") == ()


def test_calls_ignore_the_time_they_claim() -> None:
    place = Calls()
    started = place.start(occurred_at="2026-11-20T11:00:00Z")
    assert started.at == NOW
    (over,) = place.at(10).happens("end-call", call="c1", occurred_at="2026-11-20T12:00:01Z")
    assert isinstance(over, CallEnded)
    assert over.at == NOW + timedelta(seconds=10)


def test_after_its_end_a_call_is_metered_for_a_quarter_of_an_hour() -> None:
    place = Calls()
    place.start()
    place.at(95).do("end")
    assert len(place.at(95 + 900).meter()) == 3

    other = Calls()
    other.start()
    other.at(95).do("end")
    late = other.at(95 + 900.000001).meter()
    assert all(isinstance(event, CallBlockWrittenOff) for event in late)
    assert [(e.block_no, e.cost) for e in late] == [(1, 30), (2, 30), (3, 30)]
    assert all(event.postings(ASSETS) == () for event in late)
    assert code(other.decide("meter-call", call="c1")) == "CALL_NOT_ACTIVE"
    assert not other.blocks


def test_the_last_part_of_a_block_is_free_unless_the_policy_charges_it() -> None:
    for rule, expected in (("FREE", 3), ("CHARGED", 4)):
        place = Calls(final_block=rule)
        place.start()
        place.at(95).meter()
        assert len(place.blocks) == 3  # a running call has no last part
        place.at(100).do("end")
        place.at(130).meter()
        place.at(160).meter()
        assert len(place.blocks) == expected
    assert (place.blocks[-1].active_to - NOW).total_seconds() == 100


def test_a_creator_frozen_in_mid_call_ends_it_and_gets_what_was_delivered_in_reserve() -> None:
    place = Calls()
    place.start()
    place.at(30).meter()
    frozen = {"subject": "carl", "kind": "creator", "scope": "EARN", **SEND}
    events = place.at(70).happens("freeze", **frozen)
    assert names(events)[1:] == ["call_block.charged.v1", "call.ended.v1"]
    assert ended(events) == ("CREATOR_FROZEN", 70)
    assert (place.creator.available, place.creator.reserved) == (150, 150)
    assert ("cr.carl.reserved", "USD", -150) in events[1].postings(ASSETS)
    assert place.at(100).meter() == ()
    assert code(place.decide("start-call", **start(call="c2"))) == "CREATOR_FROZEN"


def test_a_frozen_fan_is_not_charged() -> None:
    place = Calls()
    place.start()
    place.happens("freeze", subject="ann", kind="wallet", scope="SPEND", **SEND)
    assert ended(place.at(70).meter()) == ("ACCOUNT_FROZEN", 70)
    assert place.meter() == ()
    place.happens("unfreeze", subject="ann", kind="wallet", scope="SPEND", **SEND)
    assert len(place.at(80).meter()) == 2


def test_one_call_at_a_time() -> None:
    place = Calls()
    place.start()
    refused = place.decide("start-call", **start(call="c2"))
    assert isinstance(refused, Rejection)
    assert refused.details == {"user": "ann", "call": "c1"}
    assert code(refused) == "CALL_ALREADY_ACTIVE"
    place.do("end")
    assert code(place.decide("start-call", **start())) == "INVALID_TRANSITION"
    assert code(place.decide("start-call", **start(call="c2"))) == ""


def test_every_turn_that_the_state_does_not_allow() -> None:
    place = Calls()
    refused = {
        turn: code(place.decide(f"{turn}-call", call="c1"))
        for turn in ("meter", "pause", "resume", "end")
    }
    assert set(refused.values()) == {"UNKNOWN_CALL"}
    place.start()
    assert code(place.decide("resume-call", call="c1")) == "INVALID_TRANSITION"
    place.do("pause")
    assert code(place.decide("pause-call", call="c1")) == "CALL_NOT_ACTIVE"
    place.do("resume")
    place.do("pause")
    place.do("end")
    for turn in ("pause", "resume", "end"):
        assert code(place.decide(f"{turn}-call", call="c1")) == "CALL_NOT_ACTIVE"


def test_only_participants_and_the_scheduler_act_on_a_call() -> None:
    place = Calls()
    place.start()
    for turn in ("meter", "pause", "end"):
        stranger = place.decide(f"{turn}-call", call="c1", on_behalf_of="eve")
        assert code(stranger) == "UNKNOWN_CALL"
        for somebody in ("ann", "carl"):
            assert code(place.decide(f"{turn}-call", call="c1", on_behalf_of=somebody)) == ""


WRONGS = (
    "ACCOUNT_FROZEN",
    "CREATOR_FROZEN",
    "PRODUCT_DISABLED",
    "SELF_DEALING",
    "PRICE_OUT_OF_RANGE",
    "CREATOR_NOT_VERIFIED",
    "CALL_ALREADY_ACTIVE",
    "INSUFFICIENT_TOKENS",
)


@pytest.mark.parametrize("first", range(len(WRONGS)))
def test_of_several_reasons_against_a_start_the_first_in_order_is_told(first: int) -> None:
    wrongs = WRONGS[first:]
    place = Calls(25)
    place.start(rate=50)
    if "CALL_ALREADY_ACTIVE" not in wrongs:
        place.do("end")
    if "CREATOR_NOT_VERIFIED" in wrongs:
        place.happens("verify-creator", creator="carl", verified=False)
    bounds = {"call": {"min": 500, "max": 1_000}} if "PRICE_OUT_OF_RANGE" in wrongs else {}
    products = ["tip"] if "PRODUCT_DISABLED" in wrongs else ["call"]
    place.publish({**LIVE_CALL, "price_bounds": bounds, "products_enabled": products})
    user = "carl" if "SELF_DEALING" in wrongs else "ann"
    if "ACCOUNT_FROZEN" in wrongs:
        place.happens("freeze", subject=user, kind="wallet", scope="SPEND", **SEND)
    if "CREATOR_FROZEN" in wrongs:
        place.happens("freeze", subject="carl", kind="creator", scope="EARN", **SEND)
    decision = place.decide("start-call", **start(call="c2", rate=60, user=user))
    assert code(decision) == WRONGS[first]


@given(
    rate=st.integers(1, 400),
    seconds=st.integers(1, 90),
    tokens=st.integers(0, 3_000),
    steps=st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from(["meter", "pause", "resume", "end"])),
        max_size=25,
    ),
)
def test_what_is_charged_follows_from_active_time_and_funds_alone(
    rate: int, seconds: int, tokens: int, steps: list[tuple[int, str]]
) -> None:
    """The same turns, metered at other times or only at the end, charge the same blocks."""
    cost = block_cost(rate, seconds)
    if tokens < cost:
        return
    first, second = (Calls(tokens, block_seconds=seconds) for _ in range(2))
    for place in (first, second):
        place.start(rate=rate)
    active, running, since, now, over = 0, True, 0, 0, False
    for wait, what in steps:
        now += wait
        active_now = active + (now - since if running else 0)
        if not over and what != "meter":
            allowed = {"pause": running, "resume": not running, "end": True}[what]
            if allowed and (active_now // seconds) * cost <= tokens:
                first.at(now).do(what)
                second.at(now).do(what)
                active, since = active_now, now
                running, over = what == "resume", what == "end"
        elif what == "meter":
            first.at(now)
            if code(first.decide("meter-call", call="c1")) == "":
                first.meter()
    if not over:
        active += now - since if running else 0
    for place in (first, second):
        place.at(now)
        while code(place.decide("meter-call", call="c1")) == "" and place.meter():
            pass
    if not over or now <= 900:
        assert len(second.blocks) == min(active // seconds, tokens // cost)
    if now <= 900:
        assert len(first.blocks) == len(second.blocks)
    assert first.wallet.spendable(first.now) == tokens - cost * len(first.blocks) >= 0
    for number, block in enumerate(first.blocks, 1):
        assert (block.block_no, block.tokens_promo) == (number, cost)
        balanced(block.postings(ASSETS))


def test_each_block_costs_what_integers_say() -> None:
    assert (block_cost(62, 30), block_cost(1, 30)) == (31, 1)
    for rate in range(1, 1_001):
        assert block_cost(rate, 30) == (rate + 1) // 2


def test_earnings_of_blocks_mature_as_the_policy_at_the_start_says() -> None:
    place = Calls(maturity_days=3)
    place.start()
    place.publish({**LIVE_CALL, "maturity_days": 0, "unit_value": 1, "block_seconds": 10})
    (block,) = place.at(31).meter()
    assert isinstance(block, CallBlockCharged)
    assert block.gross == 150
    assert block.mature_at == datetime.fromisoformat("2026-11-23T13:00:00+00:00")
