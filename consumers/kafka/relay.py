"""The relay: follows a book's log and publishes every event, in the order of the log.

At least once, never lost, never out of order per key: a page is sent by an idempotent producer that
never gives up on a batch, and only once the broker has acknowledged all of it is the place saved in
PostgreSQL. Whoever crashes between the two publishes the page again, byte for byte.

Of two relays of a book one has the turn, the other stands by. One that is frozen loses its turn,
and finds out when it wakes up: its place is not saved any more. What it may still have in hand, the
next one has published before or is about to, so that of every key each event still comes for the
first time in order. No correctness rests on Kafka's transactions.

What is published cannot be taken back, so it must survive its server: only what is behind a commit
of the relay's own, confirmed by whatever standby PostgreSQL waits for, is sent.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import psycopg
from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from consumers import books
from consumers.kafka import topics
from consumers.kafka.event_messages import event_message
from ledger import logs
from ledger.books import Book
from ledger.failpoints import failpoint
from ledger.log import reading
from ledger.postgres.database import Connection, Database, connect
from ledger.settings import Settings
from ledger.streams import relay_place
from ledger.streams.relay_place import Turn, TurnLost, Unconfirmed

PAGE_EVENTS = 2_000
IDLE_S = 0.02
STAND_BY_S = 0.25
RETRY_FIRST_S = 0.25
RETRY_MAX_S = 5.0
LOOK_AT_TOPIC_EVERY_S = 2.0
FLUSH_S = 1.0
CLOSE_WITHIN_S = 5.0
NEVER_MS = 2**31 - 1

log = logs.get_logger(__name__)


class TopicChanged(Exception):
    """The topic is not the one that was published to: it was made again, or the broker was."""


class Relay:
    """Publishes one book until `stop` is set; blocks, and survives database and broker."""

    def __init__(
        self, settings: Settings, database: Database, book: Book, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._database = database
        self._book = book
        self._stop = stop
        self._topic = topics.topic_name(book.name, topics.EVENTS)
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._lease_s = settings.relay_lease_s

    def run(self) -> None:
        """Take turns with other relays until told to stop."""
        pause_s = RETRY_FIRST_S
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with connect(
                    self._database.service_url,
                    self._book.schema,
                    autocommit=True,
                    application="tokenledger-relay",
                    answer_s=books.ANSWER_S,
                ) as connection:
                    self._take_turns(connection)
            except TurnLost:
                log.warning("relay fenced: another one has taken over", book=self._book.name)
            except (
                KafkaError,
                TopicChanged,
                Unconfirmed,
                reading.EntriesMissing,
                psycopg.OperationalError,
            ) as error:
                log.warning("relay interrupted", book=self._book.name, error=repr(error))
            except Exception:
                log.exception("relay interrupted", book=self._book.name)
            pause_s = RETRY_FIRST_S if time.monotonic() - began > pause_s * 4 else pause_s * 2
            self._stop.wait(min(pause_s, RETRY_MAX_S))

    def _take_turns(self, connection: Connection) -> None:
        while not self._stop.is_set():
            turn = relay_place.take_turn(connection, self._holder, lease_s=self._lease_s)
            if turn is None:
                self._stop.wait(STAND_BY_S)
                continue
            try:
                self._publish(connection, turn)
            finally:
                if not connection.broken:
                    relay_place.give_turn_back(connection, turn)

    def _publish(self, connection: Connection, turn: Turn) -> None:
        """Publish page after page until told to stop.

        Raises TurnLost, TopicChanged, Unconfirmed, EntriesMissing, KafkaError.
        """
        with self._keeping(turn), self._admin() as admin, self._producer() as producer:
            topics.ensure(admin, self._settings, self._book.name, [topics.EVENTS])
            watch = _TopicWatch(admin, self._topic)
            position = turn.position
            if turn.topic_id not in (None, watch.topic_id):
                log.warning("a topic was made anew: all is published again", topic=self._topic)
                position = 0
            log.info("relay at work", book=self._book.name, position=position)
            safe = 0
            while not self._stop.is_set():
                watch.look()
                if position >= safe:
                    if reading.head(connection) <= position:
                        self._stop.wait(IDLE_S)
                        continue
                    safe = relay_place.keep_turn(connection, turn, lease_s=self._lease_s)
                until = min(safe, position + PAGE_EVENTS)
                entries = reading.whole_page(connection, position, until)
                if not self._send(producer, watch, entries):
                    return
                failpoint("after_produce")
                position = until
                safe = relay_place.save(
                    connection, turn, position, watch.topic_id, lease_s=self._lease_s
                )

    def _send(
        self, producer: KafkaProducer, watch: "_TopicWatch", entries: list[reading.Placed]
    ) -> bool:
        """Send a page and wait until all of it is acknowledged; False if told to stop before."""
        half = len(entries) // 2
        sent = []
        for number, (position, entry) in enumerate(entries):
            message = event_message(position, entry)
            sent.append(
                producer.send(
                    self._topic,
                    message.value,
                    message.key,
                    message.headers,
                    timestamp_ms=message.timestamp_ms,
                )
            )
            if number == half:
                failpoint("inside_produce")
        while True:
            try:
                producer.flush(timeout=FLUSH_S)
            except KafkaTimeoutError:
                watch.look()
                if self._stop.is_set():
                    return False
            else:
                break
        for future in sent:
            if future.failed():
                raise future.exception
        return True

    @contextmanager
    def _keeping(self, turn: Turn) -> Iterator[None]:
        """Keep the turn however long the broker takes, over a connection of its own.

        A process that is frozen keeps nothing; that the turn is lost shows when a place is saved.
        """
        done = threading.Event()

        def keep() -> None:
            while not done.wait(self._lease_s / 4):
                try:
                    with connect(
                        self._database.service_url,
                        self._book.schema,
                        autocommit=True,
                        answer_s=books.ANSWER_S,
                    ) as connection:
                        relay_place.keep_turn(connection, turn, lease_s=self._lease_s)
                except TurnLost:
                    return
                except (Unconfirmed, psycopg.Error) as error:
                    log.debug("the lease was not prolonged", error=repr(error))

        thread = threading.Thread(target=keep, name=f"lease-{self._book.name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    @contextmanager
    def _admin(self) -> Iterator[KafkaAdminClient]:
        admin = KafkaAdminClient(**topics.client_options(self._settings))
        try:
            yield admin
        finally:
            admin.close()

    @contextmanager
    def _producer(self) -> Iterator[KafkaProducer]:
        """A batch that expired could be overtaken by a later one of its partition: none expires."""
        producer = KafkaProducer(
            **topics.client_options(self._settings),
            enable_idempotence=True,
            acks="all",
            delivery_timeout_ms=NEVER_MS,
            max_block_ms=10_000,
            linger_ms=1,
            batch_size=262_144,
        )
        try:
            yield producer
        finally:
            # close() would first wait for batches that may never be acknowledged, and leave the
            # sending thread alive after that: it could publish them into a topic made anew.
            producer._sender.force_close()  # noqa: SLF001 -- there is no other way to drop them
            producer._sender.join(CLOSE_WITHIN_S)  # noqa: SLF001
            with suppress(KafkaTimeoutError):
                producer.close(timeout=0)


class _TopicWatch:
    """Notices when the topic is no longer the one that we began with."""

    def __init__(self, admin: KafkaAdminClient, topic: str) -> None:
        self._admin = admin
        self._topic = topic
        self._look_at = 0.0
        self.topic_id = self._asked()

    def look(self) -> None:
        """Every now and then; raises TopicChanged. A broker that is away has changed nothing."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_AT_TOPIC_EVERY_S
        try:
            found = self._asked()
        except KafkaError as error:
            log.debug("the topic could not be looked at", topic=self._topic, error=repr(error))
            return
        if found != self.topic_id:
            raise TopicChanged(self._topic)

    def _asked(self) -> UUID:
        found = topics.topic_id(self._admin, self._topic)
        if found is None:
            raise TopicChanged(self._topic)
        return found
