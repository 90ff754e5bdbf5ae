"""The book that a copy is kept in: made out of what its topic says, if it is not there yet."""

import threading
from contextlib import suppress
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition

from consumers.kafka import topics
from ledger import logs
from ledger.books import Book, BookExists, UnknownBook, create_book, get_book
from ledger.log.entry import decode
from ledger.postgres.database import Database, connect
from ledger.postgres.migrations import migrate
from ledger.settings import Settings

LOOK_MS = 500
PROPOSED = "policy.proposed.v1"

log = logs.get_logger(__name__)


def replica_book(
    settings: Settings, database: Database, name: str, stop: threading.Event
) -> Book | None:
    """The book in this database, empty if it has just been made; None if told to stop before.

    Currency and time zone are those of its first policy, which is among the first events.
    """
    migrate(database.admin_url)
    with connect(database.service_url, autocommit=True) as connection:
        try:
            return get_book(connection, name)
        except UnknownBook:
            log.info("making a copy of a book", book=name)
    policy = _first_policy(settings, name, stop)
    if policy is None:
        return None
    with suppress(BookExists):  # another member was faster
        create_book(
            database.admin_url, name, currency=policy["currency"], time_zone=policy["time_zone"]
        )
    with connect(database.service_url, autocommit=True) as connection:
        return get_book(connection, name)


def _first_policy(settings: Settings, name: str, stop: threading.Event) -> dict[str, Any] | None:
    topic = topics.topic_name(name, topics.EVENTS)
    consumer = KafkaConsumer(
        **topics.client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        while not stop.is_set():
            numbers = consumer.partitions_for_topic(topic) or ()
            places = [TopicPartition(topic, number) for number in numbers]
            if places and set(places) != consumer.assignment():
                consumer.assign(places)
            for records in (consumer.poll(LOOK_MS) if places else {}).values():
                for record in records:
                    if ("ce_type", PROPOSED.encode()) in record.headers:
                        body = msgspec.json.decode(decode(record.value).body)
                        found: dict[str, Any] = body["body"]
                        return found
            stop.wait(LOOK_MS / 1_000 if not places else 0)
    finally:
        consumer.close()
    return None
