"""The runner: pages in, tables and checkpoint out, exactly once; what fails stops alone."""

from collections.abc import Sequence
from typing import Any

import pytest
from psycopg import Cursor, OperationalError

from projections.catalogue import all_projections
from projections.engine import runner
from projections.engine.entries import PlacedEntry
from projections.engine.install import install
from projections.engine.projection import Projection
from projections.engine.runner import Runner
from projections.models.earnings import Earnings
from projections.models.journal import Journal
from projections.models.wallets import Wallets
from projections.queries import status, wallet
from projections.verify import verify
from tests.conftest import FreshBook
from tests.projections.following import follow, written
from tests.scenarios.steps import tip
from tests.scenarios.write_path import WritePath
from tests.support.waiting import until

POISON = 7

INSERT_UNKNOWN = r"""
INSERT INTO events
SELECT position + 1, gen_random_uuid(), 'moon.landed.v1', tags, occurred_at, recorded_at + '1us',
       strange, sha256('\x00' || strange)
FROM events, convert_to(regexp_replace(convert_from(data, 'UTF8'),
       '"type":"[a-z_.0-9]+"', '"type":"moon.landed.v1"'), 'UTF8') AS strange
ORDER BY position DESC LIMIT 1
"""


class FoldsBadly(Wallets):
    """Cannot take in one event."""

    poison: int | None = POISON

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        super().fold(page)
        if any(recorded.position == self.poison for recorded in page):
            raise ValueError("poison")


class WritesBadly(Wallets):
    """Cannot write what one event did."""

    seen = 0

    def fold(self, page: Sequence[PlacedEntry]) -> None:
        super().fold(page)
        self.seen = max(self.seen, page[-1].position)

    def write(self, cursor: Cursor[Any]) -> None:
        super().write(cursor)
        if self.seen >= POISON:
            cursor.execute("SELECT 1 / 0")

    def forget(self) -> None:
        super().forget()
        self.seen = 0


def test_everything_is_folded_once_whatever_the_pages(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(stage)
    monkeypatch.setattr(runner, "READ_EVENTS", 2)
    monkeypatch.setattr(runner, "PAGE_EVENTS_MAX", 3)
    head = len(stage.rows())
    for followers in (follow(stage.fresh), follow(stage.fresh)):
        assert {follower.position for follower in followers} == {head}
    with stage.fresh.connect() as connection:
        assert wallet(connection, "ben")["free"] == {"paid": 927, "promo": 0}
        assert {model.lag_events for model in status(connection)} == {0}


def test_a_short_page_is_written_in_one_transaction(stage: WritePath) -> None:
    follow(written(stage).fresh)
    stage.given(tip(1, "ben", "cora"))
    with stage.fresh.connect(autocommit=True) as connection:
        moving = Runner(connection, all_projections())
        moving.take_over()
        assert moving.step() == 1
        by = connection.execute("SELECT count(DISTINCT xmin::text) FROM projections").fetchone()
        assert by == (1,)


def test_what_somebody_holds_is_left_for_later(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "HELD_S", 0.05)
    follow(written(stage).fresh)
    head = len(stage.given(tip(1, "ben", "cora")).rows())
    with (
        stage.fresh.connect(autocommit=True) as connection,
        stage.fresh.connect() as holder,
    ):
        holder.execute("SELECT FROM projections WHERE name = 'wallets' FOR UPDATE")
        moving = Runner(connection, [Wallets(), Earnings()])
        moving.take_over()
        moving.step()
        wallets, earnings = moving.followers
        assert (wallets.position, earnings.position) == (head - 1, head)
        holder.rollback()
        until(lambda: moving.step() and wallets.position == head, "the wallets")
        assert wallet(connection, "ben")["free"]["paid"] == 926


def test_models_at_different_places_share_one_reading(stage: WritePath) -> None:
    written(stage)
    follow(stage.fresh, [Wallets()])
    stage.given(tip(1, "ben", "cora"))
    follow(stage.fresh)
    with stage.fresh.connect() as connection:
        assert wallet(connection, "ben")["free"]["paid"] == 926
        positions = {model.position for model in status(connection)}
        assert positions == {len(stage.rows())}


@pytest.mark.parametrize("bad", [FoldsBadly, WritesBadly])
def test_a_failing_model_stops_alone_and_says_where(
    stage: WritePath, bad: type[Projection]
) -> None:
    written(stage)
    head = len(stage.rows())
    wallets, earnings = follow(stage.fresh, [bad(), Earnings()])
    assert (wallets.position, wallets.failed_at) == (POISON - 1, POISON)
    assert (earnings.position, earnings.failed_at) == (head, None)
    shown = _status(stage.fresh)["wallets"]
    assert (shown.position, shown.failed_at, shown.healthy) == (POISON - 1, POISON, False)
    assert shown.failure and ("poison" in shown.failure or "Division" in shown.failure)


def test_a_failed_model_goes_on_after_a_restart_with_the_fault_mended(stage: WritePath) -> None:
    written(stage)
    follow(stage.fresh, [FoldsBadly()])
    follow(stage.fresh, [Wallets()])
    shown = _status(stage.fresh)["wallets"]
    assert (shown.position, shown.failed_at, shown.failure) == (len(stage.rows()), None, None)
    with stage.fresh.connect() as connection:
        assert wallet(connection, "ben")["lifetime"]["spent"] == 173


def test_a_failed_model_is_tried_again_by_and_by(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(stage)
    monkeypatch.setattr(runner, "RETRY_FIRST_S", 0.05)
    failing = FoldsBadly()
    with stage.fresh.connect(autocommit=True) as connection:
        install(connection, [failing])
        moving = Runner(connection, [failing])
        moving.take_over()
        moving.step()
        (follower,) = moving.followers
        failed_at = follower.failed_at
        assert failed_at == POISON
        assert moving.step() == 0
        failing.poison = None
        until(moving.step, "another try")
        assert follower.failed_at is None
    assert _status(stage.fresh)["wallets"].healthy


def test_an_unknown_event_stops_every_model_at_its_position(stage: WritePath) -> None:
    written(stage)
    head = len(stage.rows())
    stage.close()
    with stage.fresh.connect(autocommit=True) as connection:
        connection.execute(INSERT_UNKNOWN)
    follow(stage.fresh)
    for shown in _status(stage.fresh).values():
        assert (shown.position, shown.failed_at) == (head, head + 1)
        assert shown.failure is not None
        assert "moon.landed.v1" in shown.failure


def test_one_runner_per_model_and_another_stands_by(stage: WritePath) -> None:
    written(stage)
    follow(stage.fresh, [Wallets()])
    first = stage.fresh.connect(autocommit=True)
    with stage.fresh.connect(autocommit=True) as second:
        holder, standing_by = Runner(first, [Wallets()]), Runner(second, [Wallets()])
        until(lambda: _takes_over(holder), "the lock")
        assert not _takes_over(standing_by)
        stage.given(tip(1, "ben", "cora"))
        assert (standing_by.step(), holder.step()) == (0, 1)
        with stage.fresh.connect_admin(autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", [first.info.backend_pid])
        until(lambda: _takes_over(standing_by), "the lock of the dead")
        stage.given(tip(1, "ben", "cora"))
        assert standing_by.step() == 1
        with pytest.raises(OperationalError):
            holder.step()
        assert wallet(second, "ben")["free"]["paid"] == 925
    first.close()


def test_a_holder_that_hangs_loses_its_session_and_doubles_nothing(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LEASE_S", 0.5)
    monkeypatch.setattr(runner, "LOOK_FOR_STALLED_EVERY_S", 0.1)
    written(stage)
    follow(stage.fresh)
    first = stage.fresh.connect(autocommit=True)
    with stage.fresh.connect(autocommit=True) as second:
        hanging, standing_by = Runner(first, [Journal()]), Runner(second, [Journal()])
        until(lambda: _takes_over(hanging), "the lock")
        stage.given(tip(1, "ben", "cora"))
        first.execute("BEGIN")  # and then its process is frozen
        first.execute("SELECT FROM projections WHERE name = 'journal' FOR UPDATE")
        until(lambda: _takes_over(standing_by), "the lock of one that hangs", timeout_s=10)
        assert standing_by.step() == 1
        with pytest.raises(OperationalError):
            hanging.step()
    first.close()
    assert verify(stage.fresh.service_url, stage.book).sound


def test_what_is_archived_is_not_passed_over(stage: WritePath) -> None:
    written(stage)
    with stage.fresh.connect_admin(autocommit=True) as admin:
        admin.execute("ALTER TABLE events DETACH PARTITION events_000000")
        (wallets,) = follow(stage.fresh, [Wallets()])
        assert (wallets.position, wallets.failed_at) == (0, 1)
        assert "does not hold position 1" in (wallets.failure or "")
        admin.execute(
            "ALTER TABLE events ATTACH PARTITION events_000000 FOR VALUES FROM (1) TO (1001)"
        )
    (wallets,) = follow(stage.fresh, [Wallets()])
    assert (wallets.position, wallets.failed_at) == (len(stage.rows()), None)


def test_a_holder_that_works_keeps_its_session(
    stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LEASE_S", 0.5)
    monkeypatch.setattr(runner, "LOOK_FOR_STALLED_EVERY_S", 0.0)
    follow(written(stage).fresh, [Wallets()])
    with (
        stage.fresh.connect(autocommit=True) as first,
        stage.fresh.connect(autocommit=True) as second,
    ):
        holder, standing_by = Runner(first, [Wallets()]), Runner(second, [Wallets()])
        until(lambda: _takes_over(holder), "the lock")
        for _ in range(10):
            first.execute("SELECT pg_sleep(0.1)")
            assert not _takes_over(standing_by)
        assert holder.step() == 0


def _takes_over(waiting: Runner) -> bool:
    waiting._take_over_at = 0.0
    waiting.take_over()
    return waiting.followers[0].held


def test_tables_of_another_version_are_left_to_others(stage: WritePath) -> None:
    written(stage)
    follow(stage.fresh, [Wallets()])

    class Newer(Wallets):
        version = Wallets.version + 1

    (newer,) = follow(stage.fresh, [Newer()])
    assert (newer.held, newer.outdated) == (False, Wallets.version)
    (older,) = follow(stage.fresh, [Wallets()])
    assert older.held


def _status(fresh: FreshBook) -> dict[str, Any]:
    with fresh.connect() as connection:
        return {model.name: model for model in status(connection)}
