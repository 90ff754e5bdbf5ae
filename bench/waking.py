"""What `NOTIFY` in every commit would cost the writers, measured with many busy books at once.

`python -m bench.waking` prints the figures on which docs/adr/0013 rests. PostgreSQL lets one
transaction at a time of a whole database commit with a notification, so the cost shows only where
many books write into one database. Rounds of the two ways alternate; each figure is a median.
"""

import multiprocessing
import select
import sys
import threading
import time
from multiprocessing.connection import Connection as Pipe
from statistics import median
from typing import Any

from bench.load import Load, requests
from bench.stage import Stage, stage
from ledger.books import Book
from ledger.postgres.database import connect
from ledger.write import sequencer
from ledger.write.writer import Writer

BOOKS = 50
PROCESSES = 2
WALLETS = 200
ROUNDS = 9
#: Commands in a commit, and commits of each book in a round.
SIZES = {1: 60, 100: 5}
QUIET, TOLD = "without NOTIFY", "with NOTIFY"

_PLAIN = sequencer.SQL["count_commit"]
#: In the statement that is sent in any case, so that the notification costs no round trip.
_TELLING = _PLAIN + b", pg_notify('tokenledger_' || current_schema(), '')"


def measure(place: Stage) -> dict[str, float]:
    """Commands per second of all books together, by size of commit and way."""
    books = [place.book(f"waking{number}") for number in range(BOOKS)]
    spawn = multiprocessing.get_context("spawn")
    pipes: list[Pipe] = []
    workers = []
    for number in range(PROCESSES):
        pipe, end = spawn.Pipe()
        share = books[number::PROCESSES]
        workers.append(
            spawn.Process(target=_work, args=(place.database.service_url, share, end, number))
        )
        workers[-1].start()
        pipes.append(pipe)
    _ask(pipes, ("warm", 0, 0))
    figures: dict[str, float] = {}
    for size, commits in SIZES.items():
        rates: dict[str, list[float]] = {QUIET: [], TOLD: []}
        for nth in range(ROUNDS):
            for way in (QUIET, TOLD) if nth % 2 else (TOLD, QUIET):
                with _Listeners(place, books if way == TOLD else []):
                    _ask(pipes, ("make", size, commits))
                    began = time.monotonic()
                    _ask(pipes, (way, size, commits))
                    elapsed = time.monotonic() - began
                rates[way].append(BOOKS * size * commits / elapsed)
                sys.stderr.write(f"{size} {way}: {rates[way][-1]:,.0f}\n")
        for way, found in rates.items():
            figures[f"commits of {size}, {way}, commands/s"] = median(found)
        pairs = zip(rates[TOLD], rates[QUIET], strict=True)
        figures[f"commits of {size}, with / without"] = median(a / b for a, b in pairs)
    for pipe in pipes:
        pipe.send(None)
    for worker in workers:
        worker.join(60)
    return figures


class _Listeners:
    """A listening connection for every book, as its projections would have; one thread reads."""

    def __init__(self, place: Stage, books: list[Book]) -> None:
        self._connections = [place.connect(book) for book in books]
        for connection, book in zip(self._connections, books, strict=True):
            connection.execute(f'LISTEN "tokenledger_{book.schema}"')
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def _read(self) -> None:
        while not self._over.is_set():
            for ready in select.select(self._connections, [], [], 0.05)[0]:
                ready.pgconn.consume_input()
                while ready.pgconn.notifies():
                    pass


def _ask(pipes: list[Pipe], what: tuple[str, int, int]) -> None:
    """Have every process do something at once; until all have done it."""
    for pipe in pipes:
        pipe.send(what)
    for pipe in pipes:
        assert pipe.recv() == "done"


def _work(url: str, books: list[Book], pipe: Pipe, number: int) -> None:
    """One process: a writer for each of its books, and a thread that waits for every answer."""
    writers = [_writer(url, book) for book in books]
    load = Load(seed=number, wallets=WALLETS)
    ready: list[list[list[Any]]] = []
    while (asked := pipe.recv()) is not None:
        what, size, commits = asked
        if what == "warm":
            ready = [[requests(load.purchases(0, WALLETS))] for _ in writers]
            what = QUIET
            _round(writers, ready)
        elif what == "make":
            ready = [[requests(load.mixed(size)) for _ in range(commits)] for _ in writers]
        else:
            sequencer.SQL["count_commit"] = _TELLING if what == TOLD else _PLAIN
            _round(writers, ready)
        pipe.send("done")
    for writer in writers:
        writer.stop()


def _writer(url: str, book: Book) -> Writer:
    return Writer(book, lambda: connect(url, book.schema, autocommit=True)).start()


def _round(writers: list[Writer], batches: list[list[list[Any]]]) -> None:
    def send(writer: Writer, mine: list[list[Any]]) -> None:
        for batch in mine:
            assert all(answer.accepted for answer in writer.write(batch))

    threads = [
        threading.Thread(target=send, args=pair) for pair in zip(writers, batches, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    with stage() as place:
        for name, value in measure(place).items():
            sys.stdout.write(f"{name:48} {value:12,.3f}\n")
