"""Tie-outs are zero after whatever happened, and tell what does not tie out."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from domain.accounts import Assets
from ledger.postgres.database import Connection, Database
from projections.tie_outs import MODEL_SUMS, consistency, tie_outs
from tests.ledger.history_machine import Histories
from tests.projections.following import follow
from tests.scenarios.write_path import WritePath
from tests.support.examples import examples


def test_a_busy_day_ties_out(stage: WritePath, busy: Connection, assets: Assets) -> None:
    found = tie_outs(busy, assets)
    assert {(each.name, each.asset) for each in found if not each.ok} == set()
    assert {each.position for each in found} == {len(stage.rows())}
    named = {each.name for each in found}
    assert named >= {each.name for model in MODEL_SUMS for each in model.sums}
    assert named >= {"accounts.debits_and_credits", "classes.debits_and_credits"}
    counted = consistency(busy, assets)
    assert (counted.wallets_differing, counted.negative_wallets) == (0, 0)
    assert counted.creators_differing == 0


def test_everything_that_can_happen_ties_out(lived: WritePath, reader: Connection) -> None:
    counted = consistency(reader, Assets.of(lived.book.name, lived.book.currency))
    assert [each for each in counted.tie_outs if not each.ok] == []
    assert counted.wallets_differing == counted.creators_differing == 0


def test_before_there_are_read_models_nothing_ties_out(stage: WritePath, assets: Assets) -> None:
    with stage.fresh.connect(autocommit=True) as connection:
        assert tie_outs(connection, assets) == []


@pytest.mark.parametrize(
    ("damage", "name", "difference"),
    [
        ("UPDATE wallets SET free_paid = free_paid + 7 WHERE user_id = 'ben'", "wallets.free", 7),
        ("UPDATE wallets SET held_promo = 2 WHERE user_id = 'cid'", "wallets.held", 2),
        ("UPDATE wallets SET free_promo = free_promo - 1, held_promo = held_promo + 2"
         " WHERE user_id = 'cid'", "tokens.outstanding", 1),
        ("UPDATE creators SET available = available - 3 WHERE creator = 'cora'",
         "creators.available", -3),
        ("UPDATE creators SET reserved = 4 WHERE creator = 'carl'", "creators.reserved", 4),
        ("UPDATE revenue SET margin = margin + 5 WHERE key = '' AND product = 'tip'",
         "revenue.margin", 5),
        ("UPDATE accounts SET balance = balance + 6 WHERE account = 'deferred'",
         "accounts.debits_and_credits", 6),
        ("UPDATE account_classes SET balance = balance - 8 WHERE class = 'deferred'",
         None, 0),
    ],
)  # fmt: skip
def test_damage_is_told(
    busy: Connection, assets: Assets, damage: str, name: str | None, difference: int
) -> None:
    assert busy.execute(damage).rowcount == 1
    told = {each.name: each.difference for each in tie_outs(busy, assets) if not each.ok}
    assert told.get(name, 0) == difference


def test_rows_that_differ_are_counted(busy: Connection, assets: Assets) -> None:
    busy.execute("UPDATE wallets SET free_paid = free_paid + 7 WHERE user_id = 'ben'")
    busy.execute("UPDATE wallets SET free_promo = free_promo - 7 WHERE user_id = 'cid'")
    busy.execute("INSERT INTO wallets VALUES ('nobody', 1, 0, 0, 0, 0, 0, 0, 0, 0)")
    busy.execute("UPDATE wallets SET held_paid = -1 WHERE user_id = 'cid'")
    busy.execute("UPDATE creators SET pending = 1 WHERE creator = 'cora'")
    counted = consistency(busy, assets)
    assert counted.wallets_differing == 3
    assert counted.negative_wallets == 1
    assert counted.creators_differing == 1


class TiedHistories(Histories):
    """Random histories, after which everything ties out."""

    def teardown(self) -> None:
        self.stage.close()
        book = self.stage.book
        follow(self.stage.fresh)
        with self.stage.fresh.connect(autocommit=True) as connection:
            counted = consistency(connection, Assets.of(book.name, book.currency))
        assert [each for each in counted.tie_outs if not each.ok] == []
        assert counted.wallets_differing == counted.creators_differing == 0
        assert counted.negative_wallets == 0
        assert counted.position == len(self.stage.rows())


def test_random_histories_tie_out(database: Database) -> None:
    class Here(TiedHistories):
        pass

    Here.database = database
    run_state_machine_as_test(Here, settings=examples(15, stateful_step_count=12))
