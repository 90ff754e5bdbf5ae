"""Verification from end to end: log, snapshots and read models, with the live runner going on."""

import threading

import pytest

from ledger.postgres.database import Database
from projections import process as engine
from projections.catalogue import PROJECTIONS
from projections.models.wallets import Wallets
from projections.queries import wait_for
from projections.verify import verify
from tests.ledger.verification.damage import damage
from tests.projections.following import follow, written
from tests.scenarios.steps import tip
from tests.scenarios.write_path import WritePath

NAMES = tuple(kind.name for kind in PROJECTIONS)

DAMAGE = [
    ("UPDATE wallets SET free_paid = free_paid + 1 WHERE user_id = 'ben'", "wallets"),
    ("DELETE FROM wallets WHERE user_id = 'ben'", "wallets"),
    ("INSERT INTO wallets VALUES ('eve', 1000000, 0, 0, 0, 0, 0, 0, 0, 0)", "wallets"),
    ("DELETE FROM wallet_freezes", "wallet_freezes"),
    ("UPDATE creators SET available = available + 1 WHERE creator = 'cora'", "creators"),
    ("UPDATE creator_sources SET tax = 1 WHERE creator = 'cora' AND source = 'tip'",
     "creator_sources"),
    ("UPDATE entitlements SET revoked = true WHERE item = 'photo'", "entitlements"),
    ("UPDATE journal SET amount = amount + 1 WHERE position = 3 AND account_id = 1", "journal"),
    ("UPDATE accounts SET balance = 0 WHERE account = 'deferred'", "accounts"),
    ("UPDATE account_days SET debit = 0 WHERE account_id = 1", "account_days"),
    ("UPDATE days SET payers = 99", "days"),
    ("UPDATE day_products SET count = 99 WHERE product = 'tip'", "day_products"),
    ("DELETE FROM day_payers WHERE user_id = 'ann'", "day_payers"),
]  # fmt: skip


def test_a_sound_book_is_sound(stage: WritePath) -> None:
    written(stage)
    report = verify(stage.fresh.service_url, stage.book)
    assert (report.sound, report.projections) == (True, ())
    follow(stage.fresh)
    stage.given(tip(1, "ben", "cora"))  # the read models are behind now
    seen: list[tuple[int, int]] = []
    report = verify(
        stage.fresh.service_url,
        stage.book,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (report.sound, report.first) == (True, None)
    assert (report.head, report.projections) == (len(stage.rows()), NAMES)
    assert seen[-1] == (1000, 1000)
    assert seen == sorted(seen)


@pytest.mark.parametrize(("statement", "table"), DAMAGE)
def test_an_altered_read_model_is_named(stage: WritePath, statement: str, table: str) -> None:
    written(stage)
    follow(stage.fresh)
    damage(stage.fresh, statement)
    report = verify(stage.fresh.service_url, stage.book)
    assert {difference.what for difference in report.differences} == {f"row of {table}"}
    assert report.first is not None
    assert report.first.expected != report.first.found


def test_damage_to_the_log_comes_first_and_shows_in_the_models(stage: WritePath) -> None:
    written(stage)
    follow(stage.fresh)
    stage.close()
    damage(
        stage.fresh,
        "UPDATE events SET data = convert_to(replace(convert_from(data, 'UTF8'),"
        " '\"free\"', '\"fee\"'), 'UTF8'), leaf_hash = sha256('x') WHERE position = 5",
    )
    report = verify(stage.fresh.service_url, stage.book)
    assert report.first is not None
    assert (report.first.position, report.first.what) == (5, "leaf hash")


def test_tables_of_another_version_are_named(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(stage)
    follow(stage.fresh)
    ours, theirs = Wallets.version + 1, Wallets.version
    monkeypatch.setattr(Wallets, "version", ours)
    (difference,) = verify(stage.fresh.service_url, stage.book).differences
    assert difference.what == "wallets version"
    assert (difference.expected, difference.found) == (str(ours), str(theirs))


def test_beside_a_writer_and_a_live_engine(database: Database, stage: WritePath) -> None:
    written(stage)
    stop = threading.Event()
    following = threading.Thread(
        target=engine.run,
        args=(database, stop),
        kwargs={"books": [stage.book.name]},
        daemon=True,
    )
    following.start()
    writing = threading.Thread(
        target=lambda: [stage.given(tip(1, "ben", "cora")) for _ in range(300)]
    )
    with stage.fresh.connect(autocommit=True) as connection:
        assert wait_for(connection, "journal", 1, 20)
        writing.start()
        while writing.is_alive():
            assert verify(stage.fresh.service_url, stage.book).differences == ()
    writing.join()
    stop.set()
    following.join()
