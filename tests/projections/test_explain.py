"""What explains a figure adds up to it, after whatever happened and however it is paged."""

from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from domain.accounts import Assets
from ledger.postgres.database import Connection, Database
from projections import explain as explanations
from projections.explain import WALLET_FIGURES, UnknownFigure, explain, figure, reached
from projections.queries import earnings, wallet
from tests.ledger.history_machine import Histories
from tests.projections.following import follow
from tests.scenarios.steps import card_tip
from tests.scenarios.write_path import WritePath
from tests.support.examples import examples


def explained(
    connection: Connection, name: str, assets: Assets, *, limit: int = 2
) -> list[tuple[int, str, int, int]]:
    """Position, type, amount and running sum of every part, page by page."""
    of = figure(name, assets)
    until, place, found = reached(connection, of), (0, 0), []
    while True:
        page = explain(connection, of, until=until, place=place, limit=limit)
        assert len(page.parts) <= limit
        found += [(part.position, entry.type, part.amount, part.running)
                  for part, entry in page.parts]  # fmt: skip
        assert page.sum == sum(amount for _, _, amount, _ in found)
        if page.place is None:
            return found
        place = page.place


def test_a_wallet_is_explained(busy: Connection, assets: Assets) -> None:
    found = explained(busy, "wallet:ben:free.paid", assets)
    assert [(kind, amount) for _, kind, amount, _ in found] == [
        ("tokens.purchased.v1", 1_000),
        ("ticket.sold.v1", -73),  # the bonus paid the tips before it, and 77 of it
    ]
    assert found[-1][3] == wallet(busy, "ben")["free"]["paid"] == 927
    spent = explained(busy, "wallet:ben:lifetime.spent", assets)
    assert [amount for _, _, amount, _ in spent] == [3, 20, 150]


def test_a_creators_money_is_explained(busy: Connection, assets: Assets) -> None:
    shown = earnings(busy, "cora", "USD")
    for bucket in ("pending", "available"):
        parts = explained(busy, f"earnings:cora:{bucket}", assets)
        assert sum(amount for _, _, amount, _ in parts) == shown[bucket]
    net = {each["source"]: each["net"] for each in shown["by_source"]}
    tips = explained(busy, "earnings:cora:tip.net", assets)
    assert [kind for _, kind, _, _ in tips] == ["tip.sent.v1"] * 3
    assert tips[-1][3] == net["tip"]
    everything = explained(busy, "earnings:cora:lifetime_earned", assets, limit=1)
    assert everything[-1][3] == shown["lifetime_earned"]


def test_a_balance_is_explained_by_the_accounts_lines(
    busy: Connection, stage: WritePath, assets: Assets
) -> None:
    found = explained(busy, "balance:deferred:USD", assets, limit=3)
    assert found[-1][3] == stage.balances()["deferred", "USD"]
    assert explained(busy, "balance:nobody-s:USD", assets) == []


def test_events_without_a_part_are_passed_a_bounded_way(
    stage: WritePath, busy: Connection, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.given(*[card_tip(5, "ben", "cora") for _ in range(7)])
    follow(stage.fresh)
    monkeypatch.setattr(explanations, "LOOKED_AT_MAX", 3)
    of = figure("wallet:ben:free.paid", assets)
    until, place, pages = reached(busy, of), (0, 0), []
    while True:
        page = explain(busy, of, until=until, place=place, limit=100)
        pages.append(len(page.parts))
        if page.place is None:
            break
        place = page.place
    assert sum(pages) == 2 and 0 in pages
    assert page.sum == 927


@pytest.mark.parametrize(
    "name",
    ["", "wallet", "wallet:ann", "wallet:ann:free", "creator:zoe:net", "earnings:zoe:tip.gross",
     "earnings:zoe:.net", "balance:deferred:", "earnings::available"],
)  # fmt: skip
def test_figures_that_do_not_exist(name: str, assets: Assets) -> None:
    with pytest.raises(UnknownFigure):
        figure(name, assets)


class ExplainedHistories(Histories):
    """Random histories, after which every figure is what its events add up to."""

    def teardown(self) -> None:
        self.stage.close()
        book = self.stage.book
        assets = Assets.of(book.name, book.currency)
        follow(self.stage.fresh)
        with self.stage.fresh.connect(autocommit=True) as connection:

            def told(name: str) -> int:
                parts = explained(connection, name, assets, limit=5)
                return parts[-1][3] if parts else 0

            for (user,) in connection.execute("SELECT user_id FROM wallets").fetchall():
                shown = wallet(connection, user, at=None)
                free, held = dict(shown["free"]), shown["held"]
                free["paid"] += shown["lapsing"]
                free["promo"] += shown["expired"]
                figures = {"free": free, "held": held, "lifetime": shown["lifetime"]}
                for name in WALLET_FIGURES:
                    part, _, which = name.partition(".")
                    assert told(f"wallet:{user}:{name}") == figures[part][which], (user, name)
            for (creator,) in connection.execute("SELECT creator FROM creators").fetchall():
                self.check_creator(creator, earnings(connection, creator, book.currency), told)

    def check_creator(self, creator: str, shown: dict[str, Any], told: Any) -> None:
        """Every figure of a creator's earnings."""
        for name in ("pending", "available", "reserved", "in_payout", "lifetime_earned"):
            assert told(f"earnings:{creator}:{name}") == shown[name], (creator, name)
        for each in shown["by_source"]:
            source = each["source"]
            assert told(f"earnings:{creator}:{source}.net") == each["net"], source


def test_random_histories_are_explained(database: Database) -> None:
    class Here(ExplainedHistories):
        pass

    Here.database = database
    run_state_machine_as_test(Here, settings=examples(8, stateful_step_count=12))
