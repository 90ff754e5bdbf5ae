"""Read models in another database, out of the topic of events alone.

The members of a consumer group share the partitions. What a member fetched becomes one transaction:
the entries, what they add to the read models, and how far each partition is taken, under its claim.
An entry's position is a key, so that one which comes again, whatever the reason, changes nothing.

Wallets, earnings, entitlements and daily figures are sums, or look at one fan's events, which share
a key: any order between partitions adds up to the same. Running balances need the whole order. They
get it here: positions are dense, so the entries up to the first gap are the log as it was, and a
runner moves the journal along them, in whichever member leads.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from consumers import books
from consumers.kafka import topics
from consumers.kafka.membership import IDLE_MS, Reassigned, TopicMadeAnew, group_consumer, poll
from ledger import logs
from ledger.books import Book
from ledger.failpoints import failpoint
from ledger.log import reading
from ledger.log.copy_rows import HEADER, TRAILER, event_row, microseconds
from ledger.log.entry import decode, leaf_hash
from ledger.postgres import sql_files
from ledger.postgres.database import Connection, Database, connect
from ledger.postgres.migrations import locked
from ledger.settings import Settings
from ledger.streams import consumed
from ledger.streams.consumed import Claim, Fenced
from projections.catalogue import all_projections
from projections.engine.entries import PlacedEntry
from projections.engine.install import install
from projections.engine.projection import Projection
from projections.engine.runner import LEASE_S, LOOK_FOR_STALLED_EVERY_S, Runner

CONSUMER = "read-models"
PAGE_EVENTS = 5_000
DENSE_EVENTS = 20_000
GATHER_MS = 5
LEAD_EVERY_S = 0.1
RETRY_S = 0.5

SQL = sql_files.load("replica", "consumers")
log = logs.get_logger(__name__)

Message = tuple[int, bytes]


class Replica:
    """One member, for one book, until `stop` is set; blocks, survives database and broker."""

    def __init__(
        self, settings: Settings, database: Database, book: Book, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._url = database.service_url
        self._admin_url = database.admin_url
        self._book = book
        self._stop = stop
        self._topic = topics.topic_name(book.name, topics.EVENTS)

    def run(self) -> None:
        """Begin anew after whatever interrupts."""
        while not self._stop.is_set():
            try:
                self._prepare()
                break
            except psycopg.Error as error:
                log.warning("the copy cannot be prepared", book=self._book.name, error=repr(error))
                self._stop.wait(RETRY_S)
        leader = threading.Thread(target=self._lead, name=f"lead-{self._book.name}", daemon=True)
        leader.start()
        while not self._stop.is_set():
            try:
                with self._session() as session:
                    session.work()
            except (KafkaError, TopicMadeAnew, Fenced, psycopg.OperationalError) as error:
                log.warning("replica interrupted", book=self._book.name, error=repr(error))
            except Exception:
                log.exception("replica interrupted", book=self._book.name)
            self._stop.wait(RETRY_S)
        leader.join()

    def _prepare(self) -> None:
        """Make the read models, and make sure that nobody else writes here."""
        with (
            connect(self._admin_url, self._book.schema, autocommit=True) as admin,
            locked(admin),  # members that start together must not change one table together
        ):
            admin.execute(SQL["mark"])
        with self._connect() as connection:
            install(connection, all_projections())
            connection.execute(SQL["set_apart"], (_names(shared=True),))

    def _lead(self) -> None:
        """Move the head along the entries without a gap, and the journal along the head."""
        while not self._stop.is_set():
            try:
                with self._connect() as connection:
                    self._lead_while_it_is_ours(connection)
            except Exception as error:  # noqa: BLE001 -- another try, or another member
                log.warning("leading interrupted", book=self._book.name, error=repr(error))
            self._stop.wait(RETRY_S)

    def _lead_while_it_is_ours(self, connection: Connection) -> None:
        runner: Runner | None = None
        look_at = 0.0
        while not self._stop.is_set():
            if runner is None and connection.execute(SQL["lead"]).fetchone() == (True,):
                runner = Runner(connection, _projections(shared=False))
            elif runner is None and time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_FOR_STALLED_EVERY_S
                for (pid,) in connection.execute(SQL["end_stalled"], (LEASE_S,)):
                    log.warning("a leader hangs", book=self._book.name, backend=pid)
            moved = False
            if runner is not None:
                runner.take_over()
                moved = self._move_head(connection) or runner.step() > 0
            if not moved:
                self._stop.wait(LEAD_EVERY_S)

    def _move_head(self, connection: Connection) -> bool:
        before = reading.head(connection)
        values = {"entries_max": DENSE_EVENTS, "head": before, "names": _names(shared=True)}
        return connection.execute(SQL["move_head"], values).fetchone() is not None

    @contextmanager
    def _session(self) -> Iterator["_Membership"]:
        options = topics.client_options(self._settings)
        with self._connect() as connection:
            admin = KafkaAdminClient(**options)
            found = topics.topic_id(admin, self._topic)
            if found is None:
                admin.close()
                raise TopicMadeAnew(self._topic)
            row = connection.execute("SELECT current_database()").fetchone()
            group = f"{self._topic}.read-models.{row[0] if row else ''}"
            consumer = group_consumer(self._settings, group, records_max=PAGE_EVENTS)
            try:
                yield _Membership(self._topic, found, connection, consumer, self._stop)
            finally:
                consumer.close()
                admin.close()

    def _connect(self) -> Connection:
        connection = connect(
            self._url,
            self._book.schema,
            read_models=True,
            autocommit=True,
            application="tokenledger-replica",
            answer_s=books.PAGE_ANSWER_S,
        )
        # A commit lost in a crash takes its places along, and is fetched again.
        connection.execute(SQL["relaxed"])
        return connection


class _Membership:
    """One stay in the group: the claims, and the read models as folded by this member."""

    def __init__(
        self,
        topic: str,
        topic_id: UUID,
        connection: Connection,
        consumer: KafkaConsumer,
        stop: threading.Event,
    ) -> None:
        self._topic = topic
        self._topic_id = topic_id
        self._connection = connection
        self._consumer = consumer
        self._stop = stop
        self._listener = Reassigned()
        self._claims: dict[TopicPartition, Claim] = {}
        self._next: dict[TopicPartition, int] = {}
        self._models = _projections(shared=True)
        self._partitions_end = 0

    def work(self) -> None:
        """Fetch and write until told to stop; raises what ends the stay."""
        self._consumer.partitions_for_topic(self._topic)
        self._consumer.subscribe([self._topic], listener=self._listener)
        while not self._stop.is_set():
            page, reached = self._fetch()
            if page:
                self._write(sorted(page), reached)
                self._next |= reached
                self._consumer.commit_async(
                    {place: OffsetAndMetadata(at, "", -1) for place, at in reached.items()}
                )

    def _fetch(self) -> tuple[list[Message], dict[TopicPartition, int]]:
        """What there is, up to a page, and how far each partition is read with it."""
        page: list[Message] = []
        reached: dict[TopicPartition, int] = {}
        while len(page) < PAGE_EVENTS:
            polled = poll(self._consumer, GATHER_MS if page else IDLE_MS)
            if self._keep_assignment() and page:
                return [], {}  # what came before the group was divided anew comes again
            for place, records in polled.items():
                if place not in self._claims:
                    continue
                start = reached.get(place, self._next[place])
                fresh = [record for record in records if record.offset >= start]
                if fresh:
                    page += [(_position(record), record.value) for record in fresh]
                    reached[place] = fresh[-1].offset + 1
            if not polled:
                break
        return page, reached

    def _keep_assignment(self) -> bool:
        """Claim what came, to begin where this database says, and leave what went; whether any."""
        fresh, self._listener.fresh = self._listener.fresh, set()
        assigned = self._consumer.assignment()
        gone = set(self._claims) - set(assigned)
        for place in gone:
            del self._claims[place], self._next[place]
        changed = bool(fresh or gone)
        group = self._consumer.group_metadata()
        for place in assigned:
            if place not in self._claims:
                wanted = Claim(
                    CONSUMER,
                    self._topic,
                    place.partition,
                    self._topic_id,
                    group.generation_id,
                    group.member_id,
                )
                claim = consumed.claim(self._connection, wanted)
                if claim is None:
                    self._consumer.commit({place: OffsetAndMetadata(0, "", -1)}, timeout_ms=5_000)
                    claim = consumed.claim(self._connection, wanted, proven=True)
                    assert claim is not None
                self._claims[place], self._next[place] = claim, claim.next_offset
                fresh.add(place)
            if place in fresh:
                self._consumer.seek(place, self._next[place])
        return changed

    def _write(self, page: Sequence[Message], reached: dict[TopicPartition, int]) -> None:
        """Entries, read models and places, or nothing of it; raises Fenced."""
        self._make_room(page[-1][0])
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                for place, until in sorted(reached.items()):
                    claim, first = self._claims[place], self._next[place]
                    consumed.advance(self._connection, claim, first=first, until=until)
                fresh = self._unknown(cursor, page)
                if fresh:
                    entries = _stored(cursor, fresh)
                    for model in self._models:
                        model.fold(entries)
                        model.write(cursor)
                failpoint("before_commit")
        except BaseException:
            for model in self._models:
                model.forget()
            raise
        failpoint("after_commit")

    def _unknown(self, cursor: psycopg.Cursor[Any], page: Sequence[Message]) -> list[Message]:
        """What is not here yet, each once."""
        positions = [position for position, _ in page]
        known = {at for (at,) in cursor.execute(SQL["known"], (positions,))}
        return sorted({at: data for at, data in page if at not in known}.items())

    def _make_room(self, position: int) -> None:
        """Wait until the log reaches so far: partitions are made only so far ahead of the head."""
        while position > self._partitions_end and not self._stop.is_set():
            self._connection.execute(SQL["add_partitions"])
            row = self._connection.execute(SQL["partitions_end"]).fetchone()
            self._partitions_end = row[0] if row else 0
            if position > self._partitions_end:
                self._stop.wait(LEAD_EVERY_S)


def _position(record: Any) -> int:
    for name, value in record.headers:
        if name == "ce_sequence":
            return int(value)
    raise ValueError(f"the message at {record.partition}/{record.offset} is no event of ours")


def _stored(cursor: psycopg.Cursor[Any], page: Sequence[Message]) -> list[PlacedEntry]:
    """The entries, kept as the log has them, and as read models want them."""
    rows, tags, placed = [HEADER], [], []
    for position, data in page:
        entry = decode(data)
        tags += [f"{tag}\t{position}\n" for tag in entry.tags]
        rows.append(
            event_row(
                position,
                UUID(entry.event_id).bytes,
                entry.type.encode(),
                entry.tags,
                occurred_us=microseconds(entry.occurred_at),
                recorded_us=microseconds(entry.recorded_at),
                data=data,
                leaf_hash=leaf_hash(data),
            )
        )
        placed.append(
            PlacedEntry(
                type=entry.type,
                effective_on=entry.effective_on,
                occurred_at=entry.occurred_at,
                recorded_at=entry.recorded_at,
                postings=entry.postings,
                body=entry.body,
                position=position,
                event=entry.event(),
                labels=entry.labels,
            )
        )
    rows.append(TRAILER)
    with cursor.copy(SQL["copy_events"]) as copy:
        copy.write(b"".join(rows))
    with cursor.copy(SQL["copy_tags"]) as copy:
        copy.write("".join(sorted(tags)))
    return placed


def _projections(*, shared: bool) -> list[Projection]:
    return [model for model in all_projections() if model.ordered is not shared]


def _names(*, shared: bool) -> list[str]:
    return [model.name for model in _projections(shared=shared)]
