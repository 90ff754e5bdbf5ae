"""One of two processes on one book: says `ready`, waits for a line, writes, says `done`."""

import sys

from bench.bulk import drive
from bench.load import Load
from bench.long_log import RIVAL_BATCHES
from ledger import gc_tuning as collector
from ledger.books import Book
from ledger.postgres.database import connect
from ledger.write.writer import Writer


def main(url: str, name: str, schema: str, seed: str) -> None:
    """Write the rival's share."""
    collector.relax()
    book = Book(name, schema, "USD", "UTC")
    load = Load(seed=int(seed))
    writer = Writer(book, lambda: connect(url, schema, autocommit=True)).start()
    drive(writer, [load.mixed()])
    batches = [load.mixed() for _ in range(RIVAL_BATCHES)]
    print("ready", flush=True)
    sys.stdin.readline()
    drive(writer, batches)
    print("done", flush=True)
    writer.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
