"""A creator frozen in mid-call: the call ends at the freeze, and nobody pays for what follows."""

import pytest

from domain.accounts import balanced
from domain.calls.call import CallBlockCharged, CallEnded, CallStarted
from domain.event import Event
from tests.domain.calls.fan_calls import SEND, Calls, ended, names, start
from tests.domain.in_memory_book import ASSETS, code

FREEZE = {"subject": "carl", "kind": "creator", "scope": "EARN", **SEND}


@pytest.mark.parametrize("late", [0, 1, 60, 900, 5 * 3600])
@pytest.mark.parametrize(
    ("rate", "metered", "frozen", "blocks", "cost"),
    [(60, 30, 70, 2, 30), (62, 0, 89, 2, 31), (1, 0, 29, 0, 1), (600, 90, 90, 3, 300)],
)
def test_6_15_the_call_ends_at_the_freeze(
    rate: int, metered: int, frozen: int, blocks: int, cost: int, late: int
) -> None:
    place = Calls()
    place.start(rate=rate)
    if metered:
        place.at(metered).meter()
    before = len(place.blocks)
    events = place.at(frozen).happens("freeze", **FREEZE)
    assert ended(events) == ("CREATOR_FROZEN", frozen)
    assert place.wallet.call is None
    decision = place.at(frozen + late).decide("meter-call", call="c1")
    assert code(decision) == ("CALL_NOT_ACTIVE" if late > 900 else "")
    assert decision == () or code(decision)
    assert len(place.blocks) == blocks
    assert place.wallet.spendable(place.now) == 1_000 - blocks * cost
    assert place.creator.available == before * cost * 5
    assert place.creator.reserved == (blocks - before) * cost * 5


def test_6_15_lifting_the_freeze_brings_nothing_back() -> None:
    place = Calls()
    place.start()
    place.at(65).happens("freeze", **FREEZE)
    place.at(66).happens("unfreeze", **FREEZE)
    assert place.at(300).meter() == ()
    assert (len(place.blocks), place.creator.reserved, place.creator.calls) == (2, 300, ())
    place.happens("release-escrow", creator="carl")
    assert (place.creator.available, place.creator.reserved) == (300, 0)


def test_6_15_every_call_of_the_creator_ends_each_by_itself() -> None:
    place = Calls()
    for fan, call in (("ann", "c1"), ("ben", "c2"), ("cid", "c3"), ("dan", "c4")):
        place.happens("grant-promo", user=fan, tokens=95, **SEND)
        place.start(call=call, user=fan)
    place.at(40).do("pause", "c2")
    place.at(45).do("end", "c4")
    events = place.at(130).happens("freeze", **FREEZE)
    charged = [event for event in events if isinstance(event, CallBlockCharged)]
    assert [event.call_id for event in charged] == ["c1"] * 4 + ["c2"] + ["c3"] * 3
    assert len({event.sale_id for event in charged}) == len(charged)
    over = [event for event in events if isinstance(event, CallEnded)]
    assert [(event.call_id, event.reason) for event in over] == [
        ("c1", "CREATOR_FROZEN"),
        ("c2", "CREATOR_FROZEN"),
        ("c3", "INSUFFICIENT_FUNDS"),
    ]
    assert place.creator.calls == ()
    assert place.creator.reserved == 8 * 30 * 5
    assert len(place.meter("c4")) == 1  # what was delivered before is metered as ever


def test_6_15_so_many_blocks_at_once_and_the_rest_as_of_any_ended_call() -> None:
    place = Calls(100_000, block_seconds=1)
    place.start()
    events = place.at(600).happens("freeze", **FREEZE)
    assert names(events)[1:481] == ["call_block.charged.v1"] * 480
    assert ended(events) == ("CREATOR_FROZEN", 600)
    assert len(place.at(700).meter()) == 120
    assert len(place.blocks) == 600


def test_6_15_other_freezes_end_no_call_and_a_second_one_nothing() -> None:
    place = Calls()
    place.start()
    for scope in ("PAYOUT", "SPEND"):
        assert len(place.at(70).happens("freeze", **{**FREEZE, "scope": scope})) == 1
    assert place.wallet.call == "c1"
    assert len(place.happens("freeze", **FREEZE)) == 4
    assert place.happens("freeze", **FREEZE) == ()


def test_6_15_a_call_that_had_been_idle_ends_then() -> None:
    place = Calls(100_000)
    place.start()
    events = place.at(5 * 3600).happens("freeze", **FREEZE)
    assert ended(events[:482]) == ("IDLE", 4 * 3600)
    assert len(place.blocks) == 480


def test_6_15_a_call_of_before_ends_when_it_is_metered() -> None:
    """Its events do not name the creator, and stay as they were written."""
    place = Calls()
    old = CallStarted(
        call_id="c1",
        fan="ann",
        creator="carl",
        rate=60,
        block_seconds=30,
        at=place.now,
        block_tokens=30,
        unit_value=5,
        share_bps=10_000,
        final_block="FREE",
    )
    assert old.tags() == ("call:c1", "agenda:book", "wallet:ann")
    place.record(old)
    assert len(place.at(70).happens("freeze", **FREEZE)) == 1
    events: tuple[Event, ...] = place.at(75).meter()
    assert ended(events) == ("CREATOR_FROZEN", 75)
    assert "creator:carl" not in events[-1].tags()


def test_6_15_everything_balances_and_the_fan_may_call_somebody_else() -> None:
    place = Calls()
    place.start()
    for event in place.at(70).happens("freeze", **FREEZE):
        balanced(event.postings(ASSETS))
    assert code(place.decide("start-call", **start(call="c2"))) == "CREATOR_FROZEN"
    place.happens("verify-creator", creator="cora", verified=True)
    assert code(place.decide("start-call", **start(call="c2", creator="cora"))) == ""
