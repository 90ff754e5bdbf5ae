"""Rebuilds: beside the live tables, equal to them byte for byte, swapped without a gap."""

import itertools
import threading
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from ledger.books import create_book
from ledger.postgres.database import Database
from projections import rebuild as rebuilding
from projections.catalogue import PROJECTIONS
from projections.engine import runner
from projections.engine.install import install
from projections.models.journal import Journal
from projections.models.wallets import Wallets
from projections.queries import status, wallet
from projections.rebuild import RebuildFailed, rebuild
from projections.verify import verify
from tests.conftest import FreshBook
from tests.projections.following import busy_day, follow, written
from tests.scenarios.steps import Sent, card_tip, freeze, grant, purchase, tip, unlock
from tests.scenarios.write_path import WritePath

_numbers = itertools.count(1)

people = st.sampled_from(["ann", "ben", "cid"])
sent = st.one_of(
    st.builds(lambda user, tokens: tip(tokens, user, "cora"), people, st.integers(1, 400)),
    st.builds(lambda user, amount: card_tip(amount, user, "carl"), people, st.integers(1, 400)),
    st.builds(lambda user, item: unlock(99, item, user), people, st.sampled_from("abcd")),
    st.builds(lambda user: purchase("small", 999, user), people),
    st.builds(lambda user, tokens: grant(tokens, user), people, st.integers(1, 400)),
    st.builds(lambda user: freeze(user, "wallet", "SPEND"), people),
    st.builds(lambda user: Sent("unfreeze", freeze(user, "wallet", "SPEND").fields), people),
    st.builds(
        lambda user, day: tip(1, user, "cora").but(occurred_at=f"2026-0{day}-01T00:00:00Z"),
        people,
        st.integers(1, 9),
    ),
)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live pages that have nothing to do with a rebuild's."""
    monkeypatch.setattr(runner, "READ_EVENTS", 2)
    monkeypatch.setattr(runner, "PAGE_EVENTS_MAX", 5)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(histories=st.lists(st.lists(sent, max_size=12), min_size=1, max_size=3))
@pytest.mark.usefixtures("small_pages")
def test_rebuilt_equals_live_byte_for_byte(database: Database, histories: list[list[Sent]]) -> None:
    fresh = _another_book(database)
    stage = WritePath(fresh)
    stage.given(busy_day())
    for history in histories:
        stage.when(history)
        follow(fresh)
    stage.close()
    live = _tables(fresh)
    for found in rebuild(database, fresh.book):
        assert found.compared
        assert found.differences == ()
        assert found.position == len(stage.rows())
    assert _tables(fresh) == live
    assert any(rows for rows in live.values())


def test_a_rebuild_needs_nothing_to_be_there(database: Database, stage: WritePath) -> None:
    written(stage)
    seen: list[tuple[int, int]] = []
    rebuild(database, stage.book, progress=lambda done, total: seen.append((done, total)))
    head = len(stage.rows())
    work = head * len(PROJECTIONS)
    assert seen[-1] == (work, work)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    with stage.fresh.connect() as connection:
        assert {model.position for model in status(connection)} == {head}
        assert wallet(connection, "ben")["free"]["paid"] == 927


def test_what_was_wrong_is_told_and_mended(database: Database, stage: WritePath) -> None:
    written(stage)
    follow(stage.fresh)
    with stage.fresh.connect(autocommit=True) as connection:
        connection.execute("UPDATE wallets SET free_paid = 1 WHERE user_id = 'ben'")
        (found,) = rebuild(database, stage.book, ["wallets"])
        (difference,) = found.differences
        assert difference.table == "wallets"
        assert difference.found and difference.found["free_paid"] == 1
        assert difference.expected and difference.expected["free_paid"] == 927
        assert wallet(connection, "ben")["free"]["paid"] == 927


def test_a_new_version_takes_the_place_of_the_old(
    database: Database, stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(stage)
    follow(stage.fresh)
    newer = Wallets.version + 1
    monkeypatch.setattr(Wallets, "version", newer)
    (found,) = rebuild(database, stage.book, ["wallets"])
    assert (found.version, found.compared) == (newer, False)
    stage.given(tip(1, "ben", "cora"))
    (wallets,) = follow(stage.fresh, [Wallets()])
    assert wallets.held
    assert wallets.position == len(stage.rows())


def test_readers_and_the_live_runner_notice_nothing(database: Database, stage: WritePath) -> None:
    written(stage)
    follow(stage.fresh)
    stop, seen, failures = threading.Event(), set[int](), list[psycopg.Error]()

    def read() -> None:
        with stage.fresh.connect(autocommit=True) as connection:
            while not stop.is_set():
                try:
                    seen.add(wallet(connection, "cid")["free"]["promo"])
                except psycopg.Error as error:
                    failures.append(error)
                    return

    reader = threading.Thread(target=read)
    reader.start()
    with stage.fresh.connect(autocommit=True) as connection:
        live = runner.Runner(connection, [kind() for kind in PROJECTIONS])
        live.take_over()
        for _ in range(3):
            rebuild(database, stage.book, ["wallets", "journal"])
            stage.given(tip(1, "ben", "cora"))
            while live.step():
                pass
    stop.set()
    reader.join()
    assert (seen, failures) == ({400}, [])
    with stage.fresh.connect() as connection:
        assert wallet(connection, "ben")["free"]["paid"] == 924


def test_a_live_runner_forgets_what_a_rebuild_has_mended(
    database: Database, stage: WritePath
) -> None:
    written(stage)
    with stage.fresh.connect(autocommit=True) as connection:
        install(connection, [Journal()])
        live = runner.Runner(connection, [Journal()])
        live.take_over()
        live.step()
        connection.execute("UPDATE accounts SET balance = 1 WHERE account = 'deferred'")
        for account in live.followers[0].projection._young.values():  # type: ignore[attr-defined]
            account.balance += 1
        (found,) = rebuild(database, stage.book, ["journal"])
        assert [difference.table for difference in found.differences] == ["accounts"]
        stage.given(tip(1, "ben", "cora"))
        while live.step():
            pass
    assert verify(stage.fresh.service_url, stage.book).sound


def test_two_processes_share_a_long_log(
    database: Database, stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(stage)
    follow(stage.fresh)
    monkeypatch.setattr(rebuilding, "PROCESSES_FROM_EVENTS", 1)
    before = _tables(stage.fresh)
    assert all(found.compared for found in rebuild(database, stage.book))
    assert _tables(stage.fresh) == before


def test_read_models_are_shared_out_by_their_weight() -> None:
    names = [kind.name for kind in PROJECTIONS]
    assert rebuilding.shared_out(PROJECTIONS, 1) == [names]
    two, four = rebuilding.shared_out(PROJECTIONS, 2), rebuilding.shared_out(PROJECTIONS, 4)
    assert two[0] == four[0] == ["journal", "account_classes"]  # no bodies are decoded for these
    assert len(two) == 2 and len(four) == 4
    for groups in (two, four):
        assert sorted(name for group in groups for name in group) == sorted(names)
    weights = {kind.name: kind.weight for kind in PROJECTIONS}
    shares = [sum(weights[name] for name in group) for group in four[1:]]
    assert max(shares) <= min(shares) + max(weights[name] for group in four[1:] for name in group)
    assert rebuilding.shared_out([Journal], 4) == [["journal"]]


def test_a_rebuild_that_fails_leaves_what_is_live(
    database: Database, stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(stage)
    follow(stage.fresh)

    def fold(self: Any, page: Any) -> None:
        if page[-1].position >= 4:
            raise ValueError("poison")

    monkeypatch.setattr(Wallets, "fold", fold)
    with pytest.raises(RebuildFailed, match="wallets at position 4"):
        rebuild(database, stage.book, ["wallets"])
    with stage.fresh.connect() as connection:
        assert wallet(connection, "ben")["free"]["paid"] == 927


def _another_book(database: Database) -> FreshBook:
    book = create_book(
        database.admin_url, f"Random-{next(_numbers)}", currency="USD", time_zone="UTC"
    )
    return FreshBook(book, database.service_url, database.admin_url)


def _tables(fresh: FreshBook) -> dict[str, list[tuple[Any, ...]]]:
    with fresh.connect() as connection:
        return {
            table.name: connection.execute(
                sql.SQL("SELECT * FROM {} ORDER BY {}").format(
                    sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.key))
                )
            ).fetchall()
            for kind in PROJECTIONS
            for table in kind.tables
        }


class Killed(BaseException):
    """What ends a process in the middle."""


def test_a_rebuild_that_was_killed_is_gone_on_with(
    database: Database, stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(stage)
    follow(stage.fresh)
    before, head = _tables(stage.fresh), len(stage.rows())
    monkeypatch.setattr(runner, "PAGE_EVENTS_MAX", 5)
    passed: list[tuple[int, int]] = []
    advance = runner.Runner._advance

    def advancing(self: Any, due: Any, start: int, end: int) -> None:
        passed.append((start, end))
        if len(passed) == 3:
            raise Killed
        advance(self, due, start, end)

    monkeypatch.setattr(runner.Runner, "_advance", advancing)
    with pytest.raises(Killed):
        rebuild(database, stage.book, ["wallets"])
    rebuild(database, stage.book, ["wallets"])
    assert [start for start, _ in passed[:2]] == [0, 5]
    assert passed[2:4] == [(10, 15), (10, 15)]  # what was written is not folded again
    assert _tables(stage.fresh) == before
    passed[:] = [(0, 0)] * 5
    rebuild(database, stage.book, ["wallets"], anew=True)
    assert passed[5] == (0, 5) and passed[-1][1] == head


@pytest.mark.parametrize("part", ["_index", "_swap"])
def test_a_rebuild_that_was_killed_before_the_swap_ends(
    database: Database, stage: WritePath, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    written(stage)
    follow(stage.fresh)
    before = _tables(stage.fresh)
    done = getattr(rebuilding, part)

    def killed(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(rebuilding, part, killed)
    with pytest.raises(Killed):
        rebuild(database, stage.book)
    monkeypatch.setattr(rebuilding, part, done)
    stage.given(tip(1, "ben", "cora"))
    follow(stage.fresh)
    assert all(found.compared and not found.differences for found in rebuild(database, stage.book))
    assert _tables(stage.fresh) != before
    assert verify(database.service_url, stage.book, admin_url=database.admin_url).sound
