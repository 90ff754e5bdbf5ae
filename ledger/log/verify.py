"""Checks a book's log against itself: everything beside an entry is recomputed from its bytes.

Hashes, postings, tags, columns, the tag index, receipts, snapshots and the head. What differs is
data, in the order in which it is found; nothing is repaired. Reads page by page and holds no
transaction, so it may run beside a writer: it looks at the log up to where the head was at first.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from domain.entity import KINDS, tag_of
from ledger.books import Book
from ledger.log import reading
from ledger.log.entry import Entry, decode, faults, leaf_hash
from ledger.postgres import sql_files
from ledger.postgres.database import Connection

SQL = sql_files.load("verify")

PAGE = 5_000
SNAPSHOTS_PAGE = 1_000
#: Rows listed of one kind of damage that is found by counting.
LISTED_MAX = 100

Progress = Callable[[int, int], None]


class Difference(msgspec.Struct, frozen=True):
    """Something that is not what the log makes of it. `position` is None where it has none."""

    position: int | None
    what: str
    expected: str
    found: str


Row = tuple[int, UUID, str, list[str], datetime, datetime, bytes, bytes]


def verify_log(
    connection: Connection, book: Book, *, progress: Progress = lambda _done, _total: None
) -> Iterator[Difference]:
    """Every difference in the log of `book`; `connection` in autocommit mode. Lazy."""
    head, recorded_at, last = _one(connection, "head")
    if last != head:
        yield Difference(head, "head position", f"{last}, the last event", str(head))
    yield from _Log(connection, book, progress).check(max(head, last), head, recorded_at)


class _Log:
    """One pass over the log, and what it counts on the way."""

    def __init__(self, connection: Connection, book: Book, progress: Progress) -> None:
        self._connection = connection
        self._book = book
        self._progress = progress
        self._tags = 0
        self._answered = 0
        self._recorded_at: datetime | None = None

    def check(self, last: int, head: int, head_recorded_at: datetime) -> Iterator[Difference]:
        for after in range(0, last, PAGE):
            upto = min(after + PAGE, last)
            with self._connection.cursor(binary=True) as cursor:
                page: list[Row] = cursor.execute(SQL["page"], (after, upto)).fetchall()
            yield from self._page(after, upto, page)
            self._progress(upto, last)
        if last == head and self._recorded_at not in (None, head_recorded_at):
            at = str(self._recorded_at)
            yield Difference(head, "head recorded_at", at, str(head_recorded_at))
        yield from self._index(last)
        yield from self._receipts(last)
        for position, what, name in self._connection.execute(SQL["beyond"], (LISTED_MAX,)):
            yield Difference(position, what, "nothing beyond the head", name)

    def _page(self, after: int, upto: int, page: list[Row]) -> Iterator[Difference]:
        entries: list[tuple[int, Entry]] = []
        expected = after + 1
        for row in page:
            while expected < row[0]:
                yield Difference(expected, "position", "an event", "none")
                expected += 1
            expected += 1
            yield from self._row(row, entries)
        for missing in range(expected, upto + 1):
            yield Difference(missing, "position", "an event", "none")
        yield from self._page_tags(entries)
        yield from self._page_receipts(entries)

    def _row(self, row: Row, entries: list[tuple[int, Entry]]) -> Iterator[Difference]:
        position, event_id, type_name, tags, occurred_at, recorded_at, data, leaf = row
        if leaf_hash(data) != leaf:
            yield Difference(position, "leaf hash", leaf_hash(data).hex(), leaf.hex())
        if self._recorded_at is not None and recorded_at <= self._recorded_at:
            after = f"later than {self._recorded_at}"
            yield Difference(position, "recorded_at", after, str(recorded_at))
        self._recorded_at = recorded_at
        try:
            for fault in faults(data):
                yield Difference(position, "entry", "an entry that agrees with itself", fault)
            entry = decode(data)
        except Exception as error:  # noqa: BLE001 -- damaged bytes may raise anything
            yield Difference(position, "entry", "an entry", repr(error))
            return
        entries.append((position, entry))
        for what, wanted, found in (
            ("event_id", entry.event_id, str(event_id)),
            ("type", entry.type, type_name),
            ("tags", list(entry.tags), list(tags)),
            ("occurred_at", entry.occurred_at, occurred_at),
            ("recorded_at", entry.recorded_at, recorded_at),
            ("book", self._book.name, entry.book),
            ("currency", self._book.currency, entry.currency),
        ):
            if wanted != found:
                yield Difference(position, what, str(wanted), str(found))

    def _page_tags(self, entries: list[tuple[int, Entry]]) -> Iterator[Difference]:
        tags = [(position, tag) for position, entry in entries for tag in dict.fromkeys(entry.tags)]
        self._tags += len(tags)
        columns = [position for position, _ in tags], [tag for _, tag in tags]
        for position, tag in self._connection.execute(SQL["missing_tags"], columns):
            yield Difference(position, "tag index", tag, "none")

    def _page_receipts(self, entries: list[tuple[int, Entry]]) -> Iterator[Difference]:
        """Each event's receipt covers its position and has its fingerprint.

        That of a notice that was parked is its first answer, given before there was an event.
        """
        keys = list({bytes.fromhex(entry.key) for _, entry in entries if entry.key})
        with self._connection.cursor(binary=True) as cursor:
            rows = cursor.execute(SQL["receipts"], (keys,)).fetchall()
        found = {key: rest for key, *rest in rows}
        for position, entry in entries:
            if not entry.key:  # a scheduler's: state makes it idempotent, and there is no receipt
                continue
            receipt = found.get(bytes.fromhex(entry.key))
            if receipt is None:
                yield Difference(position, "receipt", f"one of the key {entry.key}", "none")
                continue
            fingerprint, last, events, parked = receipt
            applied_since = parked and not events and last < position
            if not applied_since and not last - events < position <= last:
                claimed = f"positions {last - events + 1} to {last}"
                yield Difference(position, "receipt", f"one for position {position}", claimed)
                continue
            self._answered += not applied_since
            if fingerprint.hex() != entry.fingerprint:
                yield Difference(
                    position, "receipt fingerprint", entry.fingerprint, fingerprint.hex()
                )

    def _index(self, last: int) -> Iterator[Difference]:
        """Count the tag index: no row was missing, so another count means surplus rows."""
        (count,) = _one(self._connection, "count_tags", last)
        if count != self._tags:
            extra = self._connection.execute(SQL["extra_tags"], (last, LISTED_MAX))
            for position, tag in extra:
                yield Difference(position, "tag index", "none", tag)

    def _receipts(self, last: int) -> Iterator[Difference]:
        """Count the receipts likewise; look for those that claim more than they answered."""
        (claimed,) = _one(self._connection, "count_receipts", last)
        if claimed == self._answered:
            return
        after, listed = b"", 0
        with self._connection.cursor(binary=True) as cursor:
            while listed < LISTED_MAX:
                rows = cursor.execute(SQL["receipts_page"], (after, last, PAGE)).fetchall()
                if not rows:
                    return
                after = rows[-1][0]
                for difference in _claims(self._connection, rows):
                    listed += 1
                    yield difference


def _claims(connection: Connection, rows: list[Any]) -> Iterator[Difference]:
    """Receipts whose positions hold no event of theirs."""
    positions = [position - before for _, _, position, events in rows for before in range(events)]
    entries = reading.entries(connection, positions)
    for key, _, position, events in rows:
        for at in range(position - events + 1, position + 1):
            try:
                found = decode(entries[at]).key if at in entries else "no event"
            except msgspec.MsgspecError:
                found = "no entry"
            if found != key.hex():
                yield Difference(at, "receipt", f"an event of the key {key.hex()}", found)


def verify_snapshots(
    connection: Connection, *, progress: Progress = lambda _done, _total: None
) -> Iterator[Difference]:
    """Every snapshot that is not the fold of its entity's events; older folds' are not read."""
    (total,) = _one(connection, "count_snapshots")
    after, done = ("", 0), 0
    while True:
        with connection.cursor(binary=True) as cursor:
            page = cursor.execute(SQL["snapshots"], (*after, SNAPSHOTS_PAGE)).fetchall()
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
        yield Difference(position, "snapshot", f"{entity}: {state}", str(found))


def _one(connection: Connection, query: str, *parameters: object) -> Any:
    row = connection.execute(SQL[query], parameters).fetchone()
    assert row is not None
    return row
