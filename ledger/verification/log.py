"""Checks a book's log, and all that the ledger keeps beside it: columns, tags, receipts, decisions.

Everything beside an entry is recomputed from its bytes, and every entry is held against what the
log before it makes true. What differs is data, in the order in which it is found; nothing is
repaired. Reads page by page and holds no transaction, so it may run beside a writer: it looks at
the log up to where the head was at first.
"""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from ledger.books import Book
from ledger.log.entry import contradictions, decode, leaf_hash
from ledger.log.event_ids import time_of
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.verification.agenda import AgendaCheck
from ledger.verification.decisions import Placed
from ledger.verification.difference import LISTED_MAX, Difference, Progress, nobody_watches
from ledger.verification.fold import Fold
from ledger.verification.notices import verify_inbox
from ledger.verification.receipts import Receipts, one
from ledger.verification.texts import TextsCheck

SQL = sql_files.load("verify")

PAGE = 5_000

Row = tuple[int, UUID, str, list[str], datetime, datetime, bytes, bytes]


def verify_log(
    connection: Connection,
    book: Book,
    *,
    decide_after: int = 0,
    progress: Progress = nobody_watches,
) -> Iterator[Difference]:
    """Every difference in the log of `book`; `connection` in autocommit mode. Lazy.

    What commands decided is decided again after the position `decide_after`.
    """
    head, recorded_at, last = one(connection, "head")
    if last != head:
        yield Difference(head, "head position", f"{last}, the last event", str(head))
    pass_over = _Log(connection, book, decide_after, progress)
    yield from pass_over.check(max(head, last), head, recorded_at)


class _Log:
    """One pass over the log, and what it counts on the way."""

    def __init__(
        self, connection: Connection, book: Book, decide_after: int, progress: Progress
    ) -> None:
        self._connection = connection
        self._book = book
        self._progress = progress
        self._tags = 0
        self._recorded_at: datetime | None = None
        self._receipts = Receipts(connection)
        self._fold = Fold(connection, book, decide_after=decide_after)
        self._texts = TextsCheck(connection)
        self._agenda = AgendaCheck(connection)

    def check(self, last: int, head: int, head_recorded_at: datetime) -> Iterator[Difference]:
        for after in range(0, last, PAGE):
            upto = min(after + PAGE, last)
            with self._connection.cursor(binary=True) as cursor:
                page: list[Row] = cursor.execute(SQL["page"], (after, upto)).fetchall()
            yield from self._page(after, upto, page)
            self._progress(upto, last)
        yield from self._fold.end()
        if last == head and self._recorded_at not in (None, head_recorded_at):
            at = str(self._recorded_at)
            yield Difference(head, "head recorded_at", at, str(head_recorded_at))
        yield from self._index(last)
        yield from self._receipts.rest(last)
        for position, what, name in self._connection.execute(SQL["beyond"], (LISTED_MAX,)):
            yield Difference(position, what, "nothing beyond the head", name)
        for place, found in self._connection.execute(SQL["partitions"], (LISTED_MAX,)):
            yield Difference(None, "partition", f"{place}, attached and registered", found)
        yield from verify_inbox(self._connection)
        yield from self._texts.rest()
        yield from self._agenda.compare(last)

    def _page(self, after: int, upto: int, page: list[Row]) -> Iterator[Difference]:
        placed: list[Placed] = []
        expected = after + 1
        for row in page:
            while expected < row[0]:
                yield Difference(expected, "position", "an event", "none")
                expected += 1
            expected += 1
            yield from self._row(row, placed)
        for missing in range(expected, upto + 1):
            yield Difference(missing, "position", "an event", "none")
        yield from self._page_tags(placed)
        yield from self._receipts.page(placed)
        yield from self._texts.page(placed)
        self._agenda.page(placed)
        yield from self._fold.page(placed)

    def _row(self, row: Row, placed: list[Placed]) -> Iterator[Difference]:
        position, event_id, type_name, tags, occurred_at, recorded_at, data, leaf = row
        if leaf_hash(data) != leaf:
            yield Difference(position, "leaf hash", leaf_hash(data).hex(), leaf.hex())
        if self._recorded_at is not None and recorded_at <= self._recorded_at:
            after = f"later than {self._recorded_at}"
            yield Difference(position, "recorded_at", after, str(recorded_at))
        self._recorded_at = recorded_at
        try:
            entry = decode(data)
            event = entry.event()
            for fault in contradictions(data, entry, event):
                yield Difference(position, "entry", "an entry that agrees with itself", fault)
        except Exception as error:  # noqa: BLE001 -- damaged bytes may raise anything
            yield Difference(position, "entry", "an entry", repr(error))
            return
        placed.append(Placed(position, entry, event))
        if time_of(event_id) != recorded_at:
            # Ids tell the recorded time, which rises from entry to entry: so none stands twice.
            yield Difference(position, "event_id", f"one of {recorded_at}", str(event_id))
        if (
            entry.type == type_name
            and entry.recorded_at == recorded_at
            and entry.occurred_at == occurred_at
            and entry.event_id == str(event_id)
            and entry.tags == tuple(tags)
            and (entry.book, entry.currency) == (self._book.name, self._book.currency)
        ):
            return
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

    def _page_tags(self, placed: list[Placed]) -> Iterator[Difference]:
        tags = [(one.position, tag) for one in placed for tag in dict.fromkeys(one.entry.tags)]
        self._tags += len(tags)
        columns = f"{{{','.join(str(position) for position, _ in tags)}}}", _array(tags)
        for position, tag in self._connection.execute(SQL["missing_tags"], columns):
            yield Difference(position, "tag index", tag, "none")

    def _index(self, last: int) -> Iterator[Difference]:
        """Count the tag index: no row was missing, so another count means surplus rows."""
        (count,) = one(self._connection, "count_tags", last)
        if count != self._tags:
            extra = self._connection.execute(SQL["extra_tags"], (last, LISTED_MAX))
            for position, tag in extra:
                yield Difference(position, "tag index", "none", tag)


def _array(tags: list[tuple[int, str]]) -> str:
    """An array literal of the tags: many times faster than the driver's own for thousands."""
    quoted = '","'.join(tag for _, tag in tags)
    if "\\" in quoted or quoted.count('"') != 2 * (len(tags) - 1):
        quoted = '","'.join(tag.replace("\\", r"\\").replace('"', r"\"") for _, tag in tags)
    return f'{{"{quoted}"}}' if tags else "{}"
