"""Snapshots ahead of a release whose folds are new, while the release before it still serves."""

from collections.abc import Iterator

from domain.entity import KINDS, kind_of
from ledger.postgres.database import Connection
from ledger.write.state_cache import EVICTED_TAIL_MIN, snapshot
from ledger.write.state_loading import (
    LOADED_MAX,
    PAGE,
    SQL,
    folded,
    named,
    reading_the_log,
    shorten,
    write,
)

ENTITIES = 500


def write_snapshots(connection: Connection) -> Iterator[int]:
    """Give every entity of a book that is kept in memory a snapshot of this release's fold.

    Answers after every page how many entities were looked at. May be stopped and begun again at
    any time, and needs no lock.
    """
    after, seen = "", 0
    while True:
        tags = [tag for (tag,) in connection.execute(SQL["entities"], (after, ENTITIES))]
        if not tags:
            break
        keys = [tag for tag in tags if (kind := kind_of(tag)) is not None and kind.CACHED]
        for key in _write_short(connection, keys):
            while shorten(connection, key):
                pass
        after, seen = tags[-1], seen + len(keys)
        yield seen
    versions = list(KINDS), [kind.FOLD_VERSION for kind in KINDS.values()]
    connection.execute(SQL["old_snapshots"], versions)


def _write_short(connection: Connection, keys: list[str]) -> list[str]:
    """Write the snapshots that are due at once; answers the entities whose tails are too long."""
    limits = PAGE, LOADED_MAX
    rows = connection.execute(SQL["states"], (*named(keys), *limits), binary=True).fetchall()
    if len(rows) == LOADED_MAX:
        return keys
    with reading_the_log():
        states = list(folded(keys, rows))
    due = [snapshot(key, held) for key, held in states if held.tail >= EVICTED_TAIL_MIN]
    write(connection, due)
    return [key for key, held in states if held.tail == PAGE]
