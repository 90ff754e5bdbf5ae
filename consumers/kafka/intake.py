"""An intake: takes a topic of one book through the sequencer, as a member of a consumer group.

PostgreSQL alone knows how far a partition is taken: it commits with the effect, and whoever begins
with a partition begins where PostgreSQL says. Offsets committed to Kafka show people the lag and
prove that this member still belongs to its group; nothing is read from them.

Memory is bounded: what waits beyond a limit pauses fetching, and so does a database that is slow or
away, while the group is still told that this member lives.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import psycopg
from kafka import (
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    TopicPartition,
)
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from consumers import books
from consumers.kafka import topics
from consumers.kafka.inbound import Item, Reader
from consumers.kafka.membership import IDLE_MS, Reassigned, TopicMadeAnew, group_consumer, poll
from consumers.kafka.partition_work import Flight, PartitionWork
from consumers.kafka.released import Desk, Released
from consumers.kafka.replies import Replies, answer_producer
from consumers.kafka.sources import IntakeSource
from ledger import logs
from ledger.books import Book
from ledger.failpoints import failpoint
from ledger.postgres.database import Connection, Database, connect
from ledger.settings import Settings
from ledger.streams import consumed, parked
from ledger.streams.consumed import Claim, Fenced
from ledger.write.answer import Answer
from ledger.write.submission import Outcome
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer

QUEUED_MAX = 4_000
QUEUED_BYTES_MAX = 33_554_432
UNANSWERED_MAX = 20_000
POLL_RECORDS_MAX = 1_000
TEND_EVERY_S = 1.0
RETRY_S = 0.5
STOP_WITHIN_S = 10.0

log = logs.get_logger(__name__)


class Intake:
    """Takes one source of one book until `stop` is set; blocks, survives database and broker."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        book: Book,
        source: IntakeSource,
        stop: threading.Event,
    ) -> None:
        self._settings = settings
        self._database = database
        self._book = book
        self._source = source
        self._stop = stop
        self._topic = topics.topic_name(book.name, source.stream)
        self._log = log.bind(book=book.name, consumer=source.name)

    def run(self) -> None:
        """Begin anew after whatever interrupts."""
        writer = Writer(
            self._book,
            lambda: self._connect("consume"),
            cache_entities=self._settings.cache_entities_max,
        ).start()
        try:
            while not self._stop.is_set():
                try:
                    with self._session(writer) as session:
                        session.work()
                except (KafkaError, TopicMadeAnew, psycopg.OperationalError) as error:
                    self._log.warning("consumer interrupted", error=repr(error))
                except Exception:  # noqa: BLE001 -- told with its trace; the next session may do
                    self._log.exception("consumer interrupted")
                self._stop.wait(RETRY_S)
        finally:
            writer.stop()

    @contextmanager
    def _session(self, writer: Writer) -> Iterator["_Session"]:
        options = topics.client_options(self._settings)
        with self._connect("consumer", answer_s=books.ANSWER_S) as connection:
            admin = KafkaAdminClient(**options)
            topics.ensure(admin, self._settings, self._book.name)
            producer = answer_producer(self._settings)
            consumer = group_consumer(
                self._settings, f"{self._topic}.ledger", records_max=POLL_RECORDS_MAX
            )
            reader = Reader(
                self._book.name, self._source.read, bytes_max=self._settings.body_bytes_max
            )
            replies = Replies(producer, self._source.name, self._book.name)
            try:
                desk = Desk(self._topic, self._source, reader, replies, writer, connection)
                yield _Session(desk, consumer, admin, self._stop)
            finally:
                consumer.close()
                _drop(producer)
                admin.close()

    def _connect(self, what: str, *, answer_s: float | None = None) -> Connection:
        return connect(
            self._database.service_url,
            self._book.schema,
            autocommit=True,
            application=f"tokenledger-{what}",
            answer_s=answer_s,
        )


def _drop(producer: KafkaProducer) -> None:
    """End a producer without waiting for what it may never deliver: that is sent anew."""
    producer._sender.force_close()  # noqa: SLF001 -- close() would leave its thread alive


class _Session:
    """One stay in the group, over one connection to each side."""

    def __init__(
        self, desk: Desk, consumer: KafkaConsumer, admin: KafkaAdminClient, stop: threading.Event
    ) -> None:
        self._topic = desk.topic
        self._source = desk.source
        self._reader = desk.reader
        self._replies = desk.replies
        self._writer = desk.writer
        self._connection = desk.connection
        self._consumer = consumer
        self._admin = admin
        self._stop = stop
        self._listener = Reassigned()
        self._parts: dict[TopicPartition, PartitionWork] = {}
        self._landed: SimpleQueue[tuple[PartitionWork, Flight, Outcome]] = SimpleQueue()
        self._tend_at = 0.0
        self._topic_id = topics.topic_id(admin, desk.topic)
        self._released = Released(desk)
        self._paused: set[TopicPartition] = set()

    def work(self) -> None:
        """Fetch, decide, answer, until told to stop; raises what ends the session."""
        # Whoever leads the group divides what it knows of: let it know the topic before it joins.
        self._consumer.partitions_for_topic(self._topic)
        self._consumer.subscribe([self._topic], listener=self._listener)
        while not self._stop.is_set():
            self._fetch()
            self._fly()
            self._land(wait_s=0.0)
            self._settle()
            self._tend()
        self._finish()

    def _fetch(self) -> None:
        busy = any(not part.idle for part in self._parts.values())
        polled = poll(self._consumer, 5 if busy else IDLE_MS)
        self._keep_assignment()
        for place, records in polled.items():
            part = self._parts.get(place)
            if part is None or part.lost:
                continue
            for item in self._reader.items(self._connection, self._topic, records):
                part.take(item)
        self._balance()

    def _keep_assignment(self) -> None:
        """Claim what came, leave what went. What was polled from a place that Kafka chose is
        skipped by the partition or fetched again from where it is to begin."""
        fresh, self._listener.fresh = self._listener.fresh, set()
        assigned = self._consumer.assignment()
        for place in [place for place, part in self._parts.items() if place not in assigned]:
            del self._parts[place]
            self._paused.discard(place)
        for place in assigned:
            part = self._parts.get(place)
            if part is None or part.lost:
                part = self._claimed(place)
                if part is None:
                    continue
                self._parts[place] = part
                fresh.add(place)
            if place in fresh:
                self._paused.discard(place)
                self._consumer.seek(place, part.expected)

    def _claimed(self, place: TopicPartition) -> PartitionWork | None:
        """Take a partition over, where PostgreSQL says that it stands; None if it is not ours."""
        group = self._consumer.group_metadata()
        if self._topic_id is None:
            raise TopicMadeAnew(self._topic)
        wanted = Claim(
            self._source.name,
            self._topic,
            place.partition,
            self._topic_id,
            group.generation_id,
            group.member_id,
        )
        claim = consumed.claim(self._connection, wanted)
        if claim is None:
            # Group generations begin anew when Kafka forgets a group: let it say who we are.
            self._consumer.commit({place: OffsetAndMetadata(0, "", -1)}, timeout_ms=5_000)
            claim = consumed.claim(self._connection, wanted, proven=True)
        if claim is None:
            return None
        failpoint("after_claim")
        self._connection.execute(parked.SQL["try_awaiting"], claim.values)
        return PartitionWork(
            claim,
            early=self._source.early,
            held=parked.held(self._connection, claim.values),
            dropped=parked.dropped(self._connection, claim.values),
        )

    def _balance(self) -> None:
        """Pause partitions while too much waits, here or for the broker; go on at half of it."""
        waiting = sum(part.queued for part in self._parts.values())
        size = sum(part.queued_bytes for part in self._parts.values())
        unanswered = sum(part.settling.waiting for part in self._parts.values())
        if waiting > QUEUED_MAX or size > QUEUED_BYTES_MAX or unanswered > UNANSWERED_MAX:
            more = set(self._parts) - self._paused
            if more:
                log.info("fetching pauses", topic=self._topic, waiting=waiting, bytes=size)
                self._consumer.pause(*more)
                self._paused |= more
        elif self._paused and waiting < QUEUED_MAX // 2 and size < QUEUED_BYTES_MAX // 2:
            log.info("fetching goes on", topic=self._topic, waiting=waiting)
            self._consumer.resume(*self._paused)
            self._paused = set()

    def _fly(self) -> None:
        for part in self._parts.values():
            if part.settling.waiting > UNANSWERED_MAX or part.lost:
                continue
            self._learn_revisions(part)
            flight = part.next_flight()
            if flight is not None:
                self._submit(part, flight)

    def _submit(self, part: PartitionWork, flight: Flight) -> None:
        def deliver(outcome: Outcome) -> None:
            self._landed.put((part, flight, outcome))

        try:
            self._writer.submit(part.group(flight), deliver)
        except Unavailable as away:
            deliver(away)

    def _learn_revisions(self, part: PartitionWork) -> None:
        subjects = part.subjects()
        if subjects:
            known = parked.revisions(self._connection, self._source.name, sorted(subjects))
            part.revisions.update({subject: known.get(subject, -1) for subject in subjects})

    def _land(self, *, wait_s: float) -> None:
        """Answer what came back from the writer."""
        while True:
            try:
                part, flight, outcome = self._landed.get(timeout=wait_s) if wait_s else (
                    self._landed.get_nowait()
                )  # fmt: skip
            except Empty:
                return
            answers = part.landed(flight, outcome)
            if part.held_back and not part.flying:
                self._tend_at = 0.0
            if answers is None:
                self._log_return(outcome)
                continue
            failpoint("before_answer")
            place = TopicPartition(self._topic, part.claim.partition)
            if self._parts.get(place) is not part:
                continue  # whoever has it now answers it again from its receipts
            self._answer(part, flight, answers)
            failpoint("after_answer")

    def _answer(self, part: PartitionWork, flight: Flight, answers: list[Answer]) -> None:
        decided = iter(answers)
        sent = []
        going = set(map(id, flight.going))
        applied: set[bytes] = set()
        for item in flight.items:
            if id(item) in going:
                answer = next(decided)
                sent += self._source.tell(self._replies, part.claim, item, answer)
                if item.key is not None and item.key in part.awaited:
                    applied.add(item.key)
            elif item.dead is not None:
                sent.append(self._bury(part, item, *item.dead))
            elif item.direct is not None:
                sent.append(self._replies.answer(item, *item.direct))
        part.settling.add(flight.until, sent)
        if applied:
            values = part.claim.values | {"keys": sorted(applied)}
            self._connection.execute(parked.SQL["arrived"], values)
            self._tend_at = 0.0

    def _bury(self, part: PartitionWork, item: Item, reason: str, detail: str) -> object:
        return self._replies.bury(self._topic, part.claim.partition, item, reason, detail)

    def _settle(self) -> None:
        for part in self._parts.values():
            part.settling.look()

    def _tend(self) -> None:
        """Every now and then: save how far answers are, show the lag, look at what was released."""
        if time.monotonic() < self._tend_at:
            return
        self._tend_at = time.monotonic() + TEND_EVERY_S
        if topics.topic_id(self._admin, self._topic) != self._topic_id:
            raise TopicMadeAnew(self._topic)
        for part in self._parts.values():
            self._save(part)
            part.held_back = not part.lost and self._released.due(part)
            if part.held_back and not part.flying:
                self._released.try_again(part)
                part.held_back = False
        shown = {
            TopicPartition(self._topic, part.claim.partition): OffsetAndMetadata(
                part.settling.settled, "", -1
            )
            for part in self._parts.values()
        }
        if shown:
            self._consumer.commit_async(shown)

    def _save(self, part: PartitionWork) -> None:
        settled = part.settling.settled
        if settled == part.settling.saved or part.lost:
            return
        try:
            consumed.advance(self._connection, part.claim, first=0, until=0, settled=settled)
        except Fenced:
            part.lost = True
        else:
            part.settling.saved = settled

    def _finish(self) -> None:
        """Let what flies land, what was answered arrive, and say how far that is."""
        give_up_at = time.monotonic() + STOP_WITHIN_S
        while any(part.flying for part in self._parts.values()) and time.monotonic() < give_up_at:
            self._land(wait_s=0.1)
        self._replies.flush(STOP_WITHIN_S)
        self._settle()
        for part in self._parts.values():
            self._save(part)

    def _log_return(self, outcome: Outcome) -> None:
        log.warning("a group comes back", topic=self._topic, error=str(outcome))
