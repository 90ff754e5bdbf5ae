"""What a log of 1,000,000 events costs: growth, cold wallets, several writers, rebuilds, memory."""

import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from bench import http
from bench.bulk import drive
from bench.load import BATCH, Load, requests
from bench.stage import Stage
from ledger.books import Book
from ledger.write.writer import Writer
from projections.rebuild import rebuild

EVENTS = 1_000_000
EVENTS_PER_WALLET = 20
WALLETS = EVENTS // EVENTS_PER_WALLET
SMALL_EVENTS = 10_000
ROUNDS = 8
ROUND_BATCHES = 4
WARM_WALLETS = 500
COLD_BATCHES = 15
RIVAL_BATCHES = 25
TOUCHED_WALLETS = 1_000_000


def build(stage: Stage) -> Book:
    """The long log: ten partitions, about twenty events per wallet."""
    book = stage.book("long", partition_rows=EVENTS // 10)
    load = Load(seed=3, wallets=WALLETS)
    with stage.writer(book) as writer:
        fill(writer, load, EVENTS)
    return book


def fill(writer: Writer, load: Load, events: int) -> None:
    """A purchase for every wallet, then the mix."""
    drive(writer, (load.purchases(n, BATCH) for n in range(0, load.wallets, BATCH)))
    drive(writer, (load.mixed() for _ in range((events - load.wallets) // BATCH)))


def growth(stage: Stage, long: Book) -> dict[str, float]:
    """Cost of a command on warm wallets in the long log, over that in a short one."""
    short = stage.book("short")
    load = Load(seed=4, wallets=WARM_WALLETS)
    with stage.writer(short) as near, stage.writer(long) as far:
        fill(near, load, SMALL_EVENTS)
        drive(far, [load.mixed() for _ in range(ROUND_BATCHES)])
        ratios = []
        for _ in range(ROUNDS):
            far_s = drive(far, [load.mixed() for _ in range(ROUND_BATCHES)])
            near_s = drive(near, [load.mixed() for _ in range(ROUND_BATCHES)])
            ratios.append(far_s / near_s)
    return {"growth": statistics.median(ratios)}


def cold(stage: Stage, long: Book) -> dict[str, float]:
    """Rate when every command touches a wallet that is not in memory, over the warm rate."""
    load = Load(seed=5, wallets=WALLETS)
    touched = COLD_BATCHES * BATCH
    ratios = []
    for first in (0, touched, 2 * touched):
        wallets: Iterator[int] = itertools.count(first)
        once = [load.mixed(wallets=wallets) for _ in range(COLD_BATCHES)]
        wallets = itertools.count(first)
        again = [load.mixed(wallets=wallets) for _ in range(COLD_BATCHES)]
        with stage.writer(long) as writer:
            writer.write(requests(load.mixed(1)))
            ratios.append(1 / (drive(writer, once) / drive(writer, again)))
    return {"cold_vs_warm": statistics.median(ratios)}


def two_writers(stage: Stage) -> dict[str, float]:
    """Rate of two processes on one book together, over that of one."""
    book = stage.book("rivals")
    with stage.writer(book) as writer:
        load = Load(seed=6)
        drive(writer, (load.purchases(n, BATCH) for n in range(0, load.wallets, BATCH)))
    ratios = []
    for round_no in range(3):
        alone = _rivals(stage, book, [100 + round_no])
        together = _rivals(stage, book, [200 + round_no, 300 + round_no])
        ratios.append(together / alone)
    return {"two_writers": statistics.median(ratios)}


def _rivals(stage: Stage, book: Book, seeds: list[int]) -> float:
    """Commands per second of one process for each seed, from the common start to the last end."""
    url = stage.database.service_url
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.rival", url, book.name, book.schema, str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for seed in seeds
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    began = time.perf_counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
    elapsed = time.perf_counter() - began
    for process in processes:
        process.communicate(timeout=60)
    return len(seeds) * RIVAL_BATCHES * BATCH / elapsed


def projector(stage: Stage, long: Book, commands_per_s: float) -> dict[str, float]:
    """Rebuild rate of all projections together, over bulk commands per second."""
    with stage.connect(long) as connection:
        events = stage.head(connection)
    began = time.perf_counter()
    rebuild(stage.database, long)
    rate = events / (time.perf_counter() - began)
    return {"projector_vs_writer": rate / commands_per_s, "all_read_models_per_s": rate}


def memory(stage: Stage) -> dict[str, float]:
    """Proportional set size of the service after it touched 1,000,000 wallets."""
    book = stage.book("wide")
    key = stage.key(book)
    load = Load(seed=7, wallets=TOUCHED_WALLETS)
    with stage.served() as served:
        step = 50 * BATCH
        for first in range(0, TOUCHED_WALLETS, step):
            batches = [load.purchases(n, BATCH) for n in range(first, first + step, BATCH)]
            http.touch(served, book.name, key, batches)
        return {"rss_mb": served.pss_mb()}
