"""`python -m consumers …`: the processes of the Kafka edge, as `tokenledger` starts them."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from consumers.books import ANSWER_S, known_books, serve_books
from consumers.kafka import local_broker
from consumers.kafka.intake import Intake
from consumers.kafka.relay import Relay
from consumers.kafka.replica import Replica
from consumers.kafka.replica_book import replica_book
from consumers.kafka.sources import SOURCES
from ledger import gc_tuning, logs
from ledger.books import Book, get_book
from ledger.postgres.database import Database, connect, database
from ledger.settings import Settings, load
from ledger.streams import relay_place

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Books = Annotated[
    list[str] | None, typer.Option("--book", help="Only this book; may be given several times.")
]


@app.command()
def relay(
    *,
    book: Books = None,
    start: Annotated[
        int | None, typer.Option("--from", min=1, help="Publish again from this position on.")
    ] = None,
) -> None:
    """Publish every book's events until SIGTERM or Ctrl-C."""
    with _at_work() as (settings, where, stop):
        if start is not None:
            for name in book or [found.name for found in known_books(where)]:
                _set_back(where, name, start - 1)

        def serve(found: Book) -> None:
            Relay(settings, where, found, stop).run()

        serve_books(where, stop, book, serve)


@app.command()
def consume(
    source: Annotated[str, typer.Argument(metavar="|".join(SOURCES))], *, book: Books = None
) -> None:
    """Take commands, or the facts of one kind, from every book's topic until SIGTERM or Ctrl-C."""
    if source not in SOURCES:
        raise typer.BadParameter(f"{source} is none of {', '.join(SOURCES)}")
    with _at_work() as (settings, where, stop):

        def serve(found: Book) -> None:
            Intake(settings, where, found, SOURCES[source], stop).run()

        serve_books(where, stop, book, serve)


@app.command()
def project(*, book: Annotated[str, typer.Option(help="The book.")]) -> None:
    """Build a book's read models in this database from its topic of events, as one member of a
    group, until SIGTERM or Ctrl-C. The book is made here if it is missing."""
    with _at_work() as (settings, where, stop):
        found = replica_book(settings, where, book, stop)
        if found is not None:
            Replica(settings, where, found, stop).run()


@app.command()
def broker(directory: Path) -> None:
    """Run a local broker in DIRECTORY until standard input ends; prints where it listens."""
    with local_broker.running(directory) as running:
        print(running.bootstrap, flush=True)  # noqa: T201 -- this is what the caller waits for
        sys.stdin.buffer.read()


def _set_back(where: Database, name: str, position: int) -> None:
    url = where.service_url
    with connect(url, autocommit=True, answer_s=ANSWER_S) as connection:
        found = get_book(connection, name)
    with connect(url, found.schema, autocommit=True, answer_s=ANSWER_S) as connection:
        relay_place.set_back(connection, position)


@contextmanager
def _at_work() -> Iterator[tuple[Settings, Database, threading.Event]]:
    """Settings, the database, and an event that an order to stop sets."""
    settings = load()
    logs.configure(settings.log_level, settings.log_format)
    stop = threading.Event()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    gc_tuning.relax()
    with database(settings, supervise=True) as where:
        yield settings, where, stop


if __name__ == "__main__":
    app()
