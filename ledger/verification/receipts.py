"""Receipts: each event has one that answers for it, and none claims what is not there."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from domain.payments.payment import PaymentSuspended
from ledger.log import reading
from ledger.log.entry import decode
from ledger.postgres import sql_files
from ledger.postgres.database import Connection
from ledger.verification.answers import with_events, without_events
from ledger.verification.decisions import Placed
from ledger.verification.difference import LISTED_MAX, Difference
from ledger.write.receipts import remembered

SQL = sql_files.load("verify")
PAGE = 5_000


class Receipts:
    """Compares receipts with the log: page by page, then those that no event has asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answered = 0

    def page(self, page: Sequence[Placed]) -> Iterator[Difference]:
        """Each event's receipt covers its position and has its fingerprint.

        That of a notice that was parked is its first answer, given before there was an event.
        """
        keys = list({bytes.fromhex(one.entry.key) for one in page if one.entry.key})
        with self._connection.cursor(binary=True) as cursor:
            rows = cursor.execute(SQL["receipts"], (keys,)).fetchall()
        found = {key: rest for key, *rest in rows}
        last_key = ""
        for position, entry, event in page:
            if not entry.key:  # a scheduler's: state makes it idempotent, and there is no receipt
                continue
            receipt = found.get(bytes.fromhex(entry.key))
            if receipt is None:
                yield Difference(position, "receipt", f"one of the key {entry.key}", "none")
                continue
            fingerprint, last, events, status, code, body, parked = receipt
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
            if applied_since:
                continue
            if isinstance(event, PaymentSuspended):
                own = event.code if event.command == entry.command else code
                if code not in (None, own):
                    yield Difference(position, "receipt code", own, code)
            if entry.key != last_key and status != (201 if code is None else 202):
                yield Difference(position, "receipt status", "201, or 202 with a code", f"{status}")
            if entry.key != last_key and body is not None:
                yield from self._kept_body(position, receipt)
            last_key = entry.key

    def _kept_body(self, at: int, receipt: Sequence[Any]) -> Iterator[Difference]:
        _, last, events, status, code, body, _ = receipt
        entries = reading.entries(self._connection, range(last - events + 1, last + 1))
        answer = remembered(last, status, code, None, sorted(entries.items()))
        wrong = with_events(answer, body)
        if wrong is not None:
            yield Difference(at, "receipt body", "the answer that its events make", wrong)

    def rest(self, last: int) -> Iterator[Difference]:
        """Count what receipts claim; look for those that claim more, or answer without events."""
        (claimed,) = one(self._connection, "count_receipts", last)
        if claimed != self._answered:
            yield from self._surplus(last)
        yield from self._without_events()
        for key, position in self._connection.execute(SQL["kept_nowhere"], (LISTED_MAX,)):
            yield Difference(position, "inbox", f"the notice of the receipt {key}", "none")

    def _surplus(self, last: int) -> Iterator[Difference]:
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

    def _without_events(self) -> Iterator[Difference]:
        after = b""
        with self._connection.cursor(binary=True) as cursor:
            while rows := cursor.execute(SQL["answers"], (after, PAGE)).fetchall():
                after = rows[-1][0]
                for key, position, status, code, body in rows:
                    wrong = without_events(position, status, code, body)
                    if wrong is not None:
                        expected = f"the answer {code or status} of the key {key.hex()}"
                        yield Difference(position, "receipt body", expected, wrong)


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


def one(connection: Connection, query: str, *parameters: object) -> Any:
    """The one row of a query of `verify.sql`."""
    row = connection.execute(SQL[query], parameters).fetchone()
    assert row is not None
    return row
