"""Somebody with a superuser's rights who changes a book and leaves as few traces as can be.

What is forged agrees with itself: bytes, hash, postings, tags, columns, index and receipts.
Triggers stand afterwards as they stood before.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from domain.accounts import Assets, balanced
from domain.catalogue import event_class
from ledger.books import Book
from ledger.log.copy_rows import microseconds
from ledger.log.entry import Entry, canonical, decode, leaf_hash
from ledger.log.event_ids import event_ids
from ledger.postgres.database import Connection

GUARDED = """
SELECT t.tgrelid::regclass::text FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.tgname = 'append_only' AND n.nspname = current_schema()
"""

Change = Callable[[dict[str, Any]], object]


class Forger:
    """`connection`: a superuser's, autocommit, the book's schema first on its search path."""

    def __init__(self, connection: Connection, book: Book) -> None:
        self.connection = connection
        self.book = book
        self._assets = Assets.of(book.name, book.currency)
        self._new_id = event_ids()

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """The log's triggers are off, and on again as they were."""
        tables = [name for (name,) in self.connection.execute(GUARDED)]
        for table in tables:
            self.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only".encode())
        yield
        for table in tables:
            self.connection.execute(
                f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER append_only".encode()
            )

    def run(self, statement: str, *parameters: object) -> None:
        """A statement that changes something."""
        done = self.connection.execute(statement.encode(), parameters)
        assert done.rowcount, "nothing was changed"

    def head(self) -> int:
        """The last position."""
        row = self.connection.execute("SELECT position FROM head").fetchone()
        assert row is not None
        return int(row[0])

    def entry(self, position: int) -> Entry:
        """An entry of the log."""
        query = "SELECT data FROM events WHERE position = %s"
        row = self.connection.execute(query, [position]).fetchone()
        assert row is not None
        return decode(bytes(row[0]))

    def last(self, type_name: str, **fields: Any) -> int:
        """The position of the last event of a type whose body says this."""
        query = "SELECT position, data FROM events WHERE type = %s ORDER BY position DESC"
        for position, data in self.connection.execute(query, [type_name]):
            body = msgspec.json.decode(decode(bytes(data)).body)
            if fields.items() <= body.items():
                return int(position)
        raise LookupError(type_name, fields)

    def rewrite(self, position: int, change: Change = lambda _body: None, **envelope: Any) -> None:
        """Another event at a position: its body as `change` leaves it, and all that follows."""
        self.store(position, self.altered(self.entry(position), change, **envelope))

    def altered(self, entry: Entry, change: Change, **envelope: Any) -> Entry:
        """An entry with another body, whose postings and tags are that event's."""
        body = msgspec.json.decode(entry.body)
        change(body)
        event = msgspec.json.Decoder(event_class(entry.type)).decode(msgspec.json.encode(body))
        return msgspec.structs.replace(
            entry,
            body=msgspec.Raw(canonical(event)),
            tags=event.tags(),
            postings=balanced(event.postings(self._assets)),
            **envelope,
        )

    def store(self, position: int, entry: Entry) -> None:
        """Let an entry stand at a position, with its columns and in the index."""
        data = canonical(entry)
        self.run(
            "UPDATE events SET data = %s, leaf_hash = %s, event_id = %s, type = %s, tags = %s,"
            " occurred_at = %s, recorded_at = %s WHERE position = %s",
            data, leaf_hash(data), UUID(entry.event_id), entry.type, list(entry.tags),
            entry.occurred_at, entry.recorded_at, position,
        )  # fmt: skip
        self.connection.execute("DELETE FROM event_tags WHERE position = %s", [position])
        self._index(position, entry)

    def append(
        self, like: int, change: Change = lambda _body: None, *, key: str | None, **envelope: Any
    ) -> int:
        """One more event like that at a position, with an id and a receipt of its own.

        Without a `key` it has no receipt.
        """
        before, position = self.entry(like), self.head() + 1
        recorded_at = self.entry(position - 1).recorded_at + timedelta(milliseconds=5)
        new_id, _ = self._new_id(microseconds(recorded_at))
        renamed = bytes(before.body).replace(before.event_id.encode(), new_id.encode())
        copy = msgspec.structs.replace(
            before,
            body=msgspec.Raw(renamed),
            event_id=new_id,
            recorded_at=recorded_at,
            occurred_at=recorded_at,
            key=key or "",
            fingerprint=before.fingerprint if key else "",
        )
        entry = self.altered(copy, change, **envelope)
        data = canonical(entry)
        self.run(
            "INSERT INTO events (position, event_id, type, tags, occurred_at, recorded_at, data,"
            " leaf_hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            position, UUID(new_id), entry.type, list(entry.tags), entry.occurred_at,
            entry.recorded_at, data, leaf_hash(data),
        )  # fmt: skip
        if key:
            self.run(
                "INSERT INTO receipts (key, fingerprint, position, events, status)"
                " VALUES (%s, %s, %s, 1, 201)",
                bytes.fromhex(entry.key), bytes.fromhex(entry.fingerprint), position,
            )  # fmt: skip
        self.run(
            "UPDATE head SET position = %s, recorded_at = %s, commits = commits + 1",
            position, recorded_at,
        )  # fmt: skip
        return position

    def _index(self, position: int, entry: Entry) -> None:
        for tag in dict.fromkeys(entry.tags):
            self.run("INSERT INTO event_tags (tag, position) VALUES (%s, %s)", tag, position)
