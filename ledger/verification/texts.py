"""Texts beside the log: each is what its event's salted hash says, and none is missing unerased."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from domain.command import COMMANDS
from domain.controls.erasure import SubjectErased
from domain.texts import sealed
from ledger.log import reading
from ledger.log.entry import decode
from ledger.log.event_ids import time_of
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.verification.decisions import Placed
from ledger.verification.difference import LISTED_MAX, Difference

SQL = sql_files.load("verify_beside")
PAGE = 1_000
NO_ID = UUID(int=0)


class TextsCheck:
    """Compares texts with the hashes in the log, and counts those that events speak of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._found = 0
        self._last: UUID | None = None

    def page(self, page: Sequence[Placed]) -> Iterator[Difference]:
        """What is wrong with the texts of these entries."""
        hashes = list(_hashes(page))
        if page:
            self._last = UUID(page[-1].entry.event_id)
        if not hashes:
            return
        ids = [UUID(placed.entry.event_id) for placed, _, _ in hashes]
        rows = self._connection.execute(SQL["texts"], (ids,)).fetchall()
        kept = {(str(event_id), field): rest for event_id, field, *rest in rows}
        for placed, field, stored in hashes:
            text = kept.get((placed.entry.event_id, field))
            if text is None:
                if not self._erased(placed):
                    yield Difference(placed.position, "text", f"the text of {field}", "none")
                continue
            self._found += 1
            yield from _compared(placed, field, stored, text)

    def rest(self) -> Iterator[Difference]:
        """Texts that no event speaks of: listed where their number is another than was found."""
        if self._last is None:
            return
        row = self._connection.execute(SQL["count_texts"], (self._last,)).fetchone()
        if row is None or row[0] == self._found:
            return
        after, listed = (NO_ID, ""), 0
        while listed < LISTED_MAX:
            rows = self._connection.execute(
                SQL["texts_page"], (*after, self._last, PAGE)
            ).fetchall()
            if not rows:
                return
            after = rows[-1]
            for event_id, field in rows:
                if not self._is_spoken_of(event_id, field):
                    listed += 1
                    yield Difference(None, "text", f"an event {event_id} with {field}", "none")

    def _is_spoken_of(self, event_id: UUID, field: str) -> bool:
        at = reading.position_at(self._connection, time_of(event_id))
        data = reading.entries(self._connection, [at]).get(at)
        if data is None:
            return False
        entry = decode(data)
        spoken_of = _hashes([Placed(at, entry, entry.event())])
        return entry.event_id == str(event_id) and field in {name for _, name, _ in spoken_of}

    def _erased(self, placed: Placed) -> bool:
        """Whether anybody whom the text was about was erased since."""
        items: list[reading.QueryItem] = [
            {"types": [SubjectErased.type], "tags": [tag]} for tag in placed.entry.tags
        ]
        after, end = placed.position, reading.POSITION_MAX
        return bool(reading.matching(self._connection, items, after=after, until=end, limit=1))


def _hashes(page: Sequence[Placed]) -> Iterator[tuple[Placed, str, str]]:
    """(entry, field, hash) of every text that these entries speak of."""
    for placed in page:
        kind = COMMANDS.get(placed.entry.command)
        for field in () if kind is None else kind.text_fields:
            stored = getattr(placed.event, field, None)
            if stored is not None:
                yield placed, field, stored


def _compared(placed: Placed, field: str, stored: str, text: Sequence[Any]) -> Iterator[Difference]:
    salt, words, subjects = text
    if sealed(salt, words) != stored:
        yield Difference(placed.position, "text", f"{field} of hash {stored}", "another text")
    if not set(subjects) >= set(placed.entry.tags):
        expected = f"{field} about {', '.join(placed.entry.tags)}"
        yield Difference(placed.position, "text", expected, f"about {', '.join(subjects)}")
