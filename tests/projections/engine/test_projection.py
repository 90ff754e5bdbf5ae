"""What every projection is made of: branches by class, bound queries, array literals."""

from collections.abc import Callable

import pytest

from domain.controls.policy_changes import PolicyPublished
from domain.event import Event
from domain.sales.items import ContentUnlocked, ItemSold
from domain.sales.sale import Sale
from domain.sales.tips import TipSent
from ledger.postgres.database import Connection
from projections.catalogue import PROJECTIONS, named
from projections.engine.dispatch import ByClass, Undecided
from projections.engine.projection import BESIDE, integers, texts
from tests.conftest import FreshBook


def test_the_nearest_branch_is_taken() -> None:
    names: ByClass[Callable[[], str]] = ByClass(
        lambda: "nothing", decides_about=(Sale,), nothing="tip.sent.v1"
    )
    assert names[TipSent]() == "nothing"
    assert names[PolicyPublished]() == "nothing"
    with pytest.raises(Undecided):
        names[ContentUnlocked]
    names.branch(Event)(lambda: "event")
    assert names[TipSent]() == "event"
    names.branch(ItemSold)(lambda: "item")
    assert (names[TipSent](), names[ContentUnlocked]()) == ("event", "item")
    with pytest.raises(ValueError, match="two branches for ItemSold"):
        names.branch(ItemSold)(lambda: "another")


@pytest.mark.parametrize(
    "values", [[], ["a"], ["a", "b,c", "{d}", ""], ['q"', "b\\"], ["a", None], ["null", "NULL"]]
)
def test_texts_arrive_as_they_are(fresh_book: FreshBook, values: list[str | None]) -> None:
    with fresh_book.connect() as connection:
        assert _back(connection, "SELECT %s::text[]", texts(values)) == values


def test_integers_arrive_as_they_are(fresh_book: FreshBook) -> None:
    with fresh_book.connect() as connection:
        for values in ([], [1], [-(2**63), 0, 2**63 - 1]):
            assert _back(connection, "SELECT %s::bigint[]", integers(values)) == values


def test_a_projection_can_be_bound_to_tables_beside_the_live_ones() -> None:
    for kind in PROJECTIONS:
        beside = named(kind.name, BESIDE)
        assert beside.checkpoint == f"{kind.name}{BESIDE}"
        for table in kind.tables:
            assert f'CREATE TABLE "{table.name}{BESIDE}"'.encode() in beside.sql["tables"]
    with pytest.raises(LookupError):
        named("nothing")


def _back(connection: Connection, query: str, value: object) -> object:
    row = connection.execute(query.encode(), (value,)).fetchone()
    assert row is not None
    return row[0]
