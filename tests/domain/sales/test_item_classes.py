"""Classes of items: bounds of a class come before those of its product."""

from typing import Any

import pytest

from domain.command import Suspended
from domain.rejections import Rejection
from domain.sales.sale import Sale
from tests.domain.in_memory_book import InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

BOUNDS = {
    "unlock": {"min": 50, "max": 5_000},
    "unlock:micro": {"min": 99, "max": 399},
    "unlock:gallery": {"min": 99, "max": 9_999},
    "unlock:content": {"min": 0, "max": 9_999},
    "message:long": {"min": 500, "max": 700},
}
CARD = {"funding": "CARD", "processor": "stripe", "processor_ref": "r1"}


def world(**policy: Any) -> InMemoryBook:
    return InMemoryBook({**MICRO_UNLOCK, "price_bounds": BOUNDS, **policy})


def item(price: int, item_class: str | None, **more: Any) -> dict[str, Any]:
    fields = {"user": "ann", "creator": "carl", "item": "photo", "price": price, **CARD, **more}
    return fields if item_class is None else {**fields, "item_class": item_class}


@pytest.mark.parametrize(
    ("command", "item_class", "low", "high"),
    [
        ("unlock", "micro", 99, 399),
        ("unlock", "gallery", 99, 9_999),
        ("unlock", "content", 1, 9_999),
        ("unlock", None, 50, 5_000),
        ("unlock", "other", 50, 5_000),
        ("unlock-message", "long", 500, 700),
        ("unlock-message", "micro", 1, 10**12),
        ("buy-ticket", "micro", 1, 10**12),
    ],
)
def test_6_25_bounds_of_a_class(command: str, item_class: str | None, low: int, high: int) -> None:
    for price in (low, high):
        (event,) = world().happens(command, **item(price, item_class))
        assert isinstance(event, Sale)
        assert (event.gross, event.item_class) == (price, item_class)
    for price in (low - 1, high + 1):
        if 0 < price <= 10**12:
            decision = world().decide(command, **item(price, item_class))
            assert isinstance(decision, Suspended)
            assert decision.code == "PRICE_OUT_OF_RANGE"


def test_6_25_a_refusal_names_the_bounds_of_the_class() -> None:
    decision = world(unit_value=2, revenue_share={"default": 1_000}).decide(
        "unlock", **item(49, "micro", funding="TOKEN", **NONE)
    )
    assert isinstance(decision, Rejection)
    assert code(decision) == "PRICE_OUT_OF_RANGE"
    assert {name: decision.details[name] for name in ("price", "min", "max")} == {
        "price": 98,
        "min": 99,
        "max": 399,
    }


NONE: dict[str, None] = {"processor": None, "processor_ref": None}


def test_6_25_a_free_item_of_a_class_entitles_only() -> None:
    for item_class in ("micro", "content"):
        (event,) = world().happens("unlock", **item(0, item_class))
        assert isinstance(event, Sale)
        assert (event.gross, event.item_class) == (0, item_class)


@pytest.mark.parametrize("name", ["tip:micro", "unlock:", "unlock:a b", "photo:micro", "call:x"])
def test_6_25_what_has_no_classes_or_no_name(name: str) -> None:
    body = {**MICRO_UNLOCK, "price_bounds": {name: {"min": 1, "max": 2}}}
    with pytest.raises(ValueError, match="price_bounds"):
        InMemoryBook(body)


def test_6_25_of_a_class_too_the_least_is_not_above_the_most() -> None:
    body = {**MICRO_UNLOCK, "price_bounds": {"unlock:micro": {"min": 2, "max": 1}}}
    with pytest.raises(ValueError, match="/body/price_bounds/unlock:micro"):
        InMemoryBook(body)
