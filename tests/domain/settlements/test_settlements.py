"""Settlements: what the bank got against what the ledger expected, once, line by line."""

from collections import Counter
from typing import Any

import pytest

from domain.accounts import balanced
from domain.catalogue import InvalidRequest
from domain.command import Decision
from domain.settlements.settlement import BreakOpened
from tests.domain.in_memory_book import ASSETS, InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

FILE = "ab" * 32


def world(**paid: int) -> InMemoryBook:
    """Payments of these amounts were received, each by its reference."""
    place = InMemoryBook({**MICRO_UNLOCK, "price_bounds": {}})
    for ref, amount in paid.items():
        receive(place, ref, amount)
    return place


def receive(place: InMemoryBook, ref: str, amount: int) -> None:
    fields: dict[str, Any] = {"user": "ann", "creator": "carl", "funding": "CARD"}
    place.happens("send-tip", **fields, amount=amount, processor="stripe", processor_ref=ref)


def imported(place: InMemoryBook, lines: dict[str, int], file: str = FILE, **more: Any) -> Decision:
    rows = [{"payment_ref": ref, "amount": amount} for ref, amount in lines.items()]
    fields: dict[str, Any] = {"processor": "stripe", "file_sha256": file, "lines": rows, **more}
    decision = place.decide("import-settlement", "fay", **fields)
    if isinstance(decision, tuple):
        place.record(*decision)
    return decision


def books(place: InMemoryBook) -> Counter[str]:
    sums: Counter[str] = Counter()
    for event in place.history:
        for account, asset, amount in balanced(event.postings(ASSETS)):
            sums[account] += amount * (asset == "USD")
    return sums


def types(decision: Decision) -> list[str]:
    assert isinstance(decision, tuple)
    return [event.type for event in decision]


def resolve(place: InMemoryBook, ref: str, resolution: str) -> str:
    decision = place.decide("resolve-break", "fay", payment_ref=ref, resolution=resolution)
    if isinstance(decision, tuple):
        place.record(*decision)
    return code(decision)


LINES = {"a": 1_999, "b": 989, "x": 750}


def test_d3_a_file_of_every_kind_of_line() -> None:
    place = world(a=1_999, b=999, c=499)
    assert types(imported(place, LINES, fee=150)) == [
        "settlement.matched.v1",
        "break.opened.v1",
        "break.opened.v1",
        "settlement_fee.recorded.v1",
    ]
    breaks = [event for event in place.history if isinstance(event, BreakOpened)]
    assert [event.difference for event in breaks] == [-10, 750]
    sums = books(place)
    assert (sums["bank"], sums["suspense"], sums["psp.stripe"]) == (3_588, -750, 509)
    assert sums["exp.processor"] == 150


def test_d3_importing_again_changes_nothing() -> None:
    place = world(a=1_999, b=999)
    imported(place, LINES, fee=150)
    assert imported(place, LINES, fee=150) == ()


def test_a_file_comes_in_pieces_and_in_order() -> None:
    place = world(a=1, b=2, c=3)
    assert code(imported(place, {"b": 2}, first_line=2)) == "INVALID_TRANSITION"
    imported(place, {"a": 1, "b": 2})
    assert types(imported(place, {"b": 2, "c": 3}, first_line=2)) == ["settlement.matched.v1"]


def test_a_payment_is_settled_once() -> None:
    place = world(a=100)
    imported(place, {"a": 100})
    assert types(imported(place, {"a": 100}, file="cd" * 32)) == ["break.opened.v1"]
    assert books(place)["suspense"] == -100


def test_a_payment_of_another_processor_is_not_known_here() -> None:
    place = world(a=100)
    decision = imported(place, {"a": 100}, processor="paypal")
    assert types(decision) == ["break.opened.v1"]
    assert books(place)["suspense"] == -100


def test_a_payment_stands_once_in_a_piece() -> None:
    rows = [{"payment_ref": "a", "amount": 1}] * 2
    fields: dict[str, Any] = {"processor": "stripe", "file_sha256": FILE, "lines": rows}
    with pytest.raises(InvalidRequest):
        InMemoryBook().decide("import-settlement", "fay", **fields)


@pytest.mark.parametrize(("settled", "cost"), [(989, 10), (1_009, -10)])
def test_a_difference_is_written_off(settled: int, cost: int) -> None:
    place = world(b=999)
    imported(place, {"b": settled})
    assert resolve(place, "b", "MATCH") == "INVALID_TRANSITION"
    assert resolve(place, "b", "WRITE_OFF") == ""
    assert (books(place)["psp.stripe"], books(place)["exp.processor"]) == (0, cost)
    assert resolve(place, "b", "WRITE_OFF") == "INVALID_TRANSITION"


def test_money_that_came_before_its_payment_is_matched_with_it() -> None:
    place = world()
    imported(place, {"x": 750})
    assert resolve(place, "x", "MATCH") == "INVALID_TRANSITION"
    receive(place, "x", 750)
    assert resolve(place, "x", "MATCH") == ""
    sums = books(place)
    assert (sums["bank"], sums["psp.stripe"], sums["suspense"]) == (750, 0, 0)


def test_money_that_is_nobodys_is_returned() -> None:
    place = world()
    imported(place, {"x": 750})
    assert resolve(place, "x", "WRITE_OFF") == "INVALID_TRANSITION"
    assert resolve(place, "x", "RETURN") == ""
    assert (books(place)["bank"], books(place)["suspense"]) == (0, 0)


def test_breaks_that_are_none() -> None:
    place = world(a=1)
    assert resolve(place, "a", "DISMISS") == "UNKNOWN_BREAK"
    imported(place, {"a": 1})
    assert resolve(place, "a", "DISMISS") == "INVALID_TRANSITION"
