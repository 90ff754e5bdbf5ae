"""Snapshots: each is the fold of its entity's events, or else decisions go wrong from there on."""

from collections.abc import Iterator
from typing import Any

import msgspec

from domain.entity import KINDS, tag_of
from ledger.log import reading
from ledger.log.entry import decode
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.verification.difference import Difference, Progress, nobody_watches, shown
from ledger.verification.receipts import one

SQL = sql_files.load("verify")
PAGE = 1_000


def verify_snapshots(
    connection: Connection, *, progress: Progress = nobody_watches
) -> Iterator[Difference]:
    """Every snapshot that is not the fold of its entity's events; older folds' are not read."""
    (total,) = one(connection, "count_snapshots")
    after, done = ("", 0), 0
    while True:
        with connection.cursor(binary=True) as cursor:
            page = cursor.execute(SQL["snapshots"], (*after, PAGE)).fetchall()
        if not page:
            return
        for entity, position, fold_version, state in page:
            yield from _snapshot(connection, entity, position, fold_version, state)
        after, done = (page[-1][0], page[-1][2]), done + len(page)
        progress(min(done, total), total)


def _snapshot(connection: Connection, *row: Any) -> Iterator[Difference]:
    entity, position, fold_version, stored = row
    kind = KINDS.get(entity.partition(":")[0])
    if kind is None:
        yield Difference(position, "snapshot", "a kind of entity that is known", entity)
        return
    if fold_version != kind.FOLD_VERSION:
        return
    state = kind()
    try:
        found = msgspec.msgpack.decode(stored, type=kind)
        for _, data in reading.history(connection, tag_of(entity), until=position):
            state = state.apply(entity, decode(data).event())
    except Exception as error:  # noqa: BLE001 -- damaged bytes may raise anything
        yield Difference(position, "snapshot", f"a state of {entity}", repr(error))
        return
    if state != found:
        yield Difference(position, "snapshot", shown(f"{entity}: {state}"), shown(found))
