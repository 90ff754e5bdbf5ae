"""A replay builds what the live read models were when the log ended there."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg import errors, sql

from ledger.postgres.database import Database
from projections.catalogue import PROJECTIONS
from projections.engine import runner
from projections.replay import NoSuchMoment, drop_replay, replay
from projections.verify import verify
from tests.projections.following import follow, written
from tests.scenarios.steps import card_tip, purchase, tip
from tests.scenarios.write_path import WritePath

Tables = dict[str, list[tuple[Any, ...]]]


def tables(stage: WritePath, schema: str) -> Tables:
    """Every row of every read model in a schema."""
    with stage.fresh.connect() as connection:
        return {
            table.name: connection.execute(
                sql.SQL("SELECT * FROM {} ORDER BY {}").format(
                    sql.Identifier(schema, table.name),
                    sql.SQL(", ").join(map(sql.Identifier, table.key)),
                )
            ).fetchall()
            for kind in PROJECTIONS
            for table in kind.tables
        }


def live(stage: WritePath) -> Tables:
    return tables(stage, f"read_{stage.book.name}")


def later(stage: WritePath) -> None:
    """More happens, also to what was there before."""
    stage.given(
        [tip(5, "ben", "cora"), card_tip(300, "dee", "cora"), purchase("small", 999, "cid")]
    )
    follow(stage.fresh)


@pytest.mark.parametrize("by_time", [False, True])
def test_a_replay_is_what_the_live_ones_were(
    database: Database, stage: WritePath, monkeypatch: pytest.MonkeyPatch, *, by_time: bool
) -> None:
    written(stage)
    follow(stage.fresh)
    then, position = live(stage), len(stage.rows())
    recorded_at = stage.entries()[-1].recorded_at
    later(stage)
    now = live(stage)
    monkeypatch.setattr(runner, "PAGE_EVENTS_MAX", 7)
    until: int | datetime = recorded_at if by_time else position
    seen: list[tuple[int, int]] = []
    schema = replay(
        database, stage.book, until, progress=lambda done, total: seen.append((done, total))
    )
    assert schema == f"read_{stage.book.name}@{position}"
    assert tables(stage, schema) == then != now
    assert live(stage) == now
    assert seen == sorted(seen) and seen[-1] == (position, position)
    assert verify(database.service_url, stage.book, admin_url=database.admin_url).sound
    assert drop_replay(database, stage.book, until) == schema
    with pytest.raises(errors.UndefinedTable):
        tables(stage, schema)
    assert drop_replay(database, stage.book, until) is None


def test_a_replay_that_was_killed_is_gone_on_with(
    database: Database, stage: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(stage)
    follow(stage.fresh)
    then, position = live(stage), len(stage.rows())
    later(stage)
    monkeypatch.setattr(runner, "PAGE_EVENTS_MAX", 5)
    starts: list[int] = []
    advance = runner.Runner._advance

    def advancing(self: Any, due: Any, start: int, end: int) -> None:
        starts.append(start)
        if len(starts) == 3:
            raise KeyboardInterrupt
        advance(self, due, start, end)

    monkeypatch.setattr(runner.Runner, "_advance", advancing)
    with pytest.raises(KeyboardInterrupt):
        replay(database, stage.book, position)
    schema = replay(database, stage.book, position)
    assert starts[:4] == [0, 5, 10, 10]
    assert tables(stage, schema) == then


def test_no_moment_before_or_after_the_log(database: Database, stage: WritePath) -> None:
    written(stage)
    head, begins = len(stage.rows()), stage.entries()[0].recorded_at
    for until in (0, head + 1, begins - timedelta(days=1)):
        with pytest.raises(NoSuchMoment):
            replay(database, stage.book, until)
