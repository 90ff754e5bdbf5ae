"""`calls_vs_copy`: 10,000 active calls metered in one tick, as the scheduler does it.

A tick is everything between "a block is complete" and "it is paid": reading the agenda, making the
commands, the sequencer, settling the agenda. Its yardstick is raw COPY of the rows that it wrote.
"""

import statistics
import time
from collections.abc import Iterator

from bench import raw
from bench.bulk import drive
from bench.load import BATCH, POLICY, Load
from bench.stage import Stage
from ledger.postgres.database import Connection
from ledger.scheduling.scheduler import Scheduler

CALLS = 10_000
ROUNDS = 8
#: Longer than it takes to start all calls and to meter them, so that a tick finds exactly one
#: complete block of every call.
BLOCK_S = 5


def measure(stage: Stage) -> dict[str, float]:
    """Ticks and raw COPY in turn, so that a noisy machine hits both."""
    book = stage.book("calls", policy=POLICY | {"block_seconds": BLOCK_S})
    twin = stage.book("calls_twin", policy=None)
    ratios, tick_s, copy_s = [], 0.0, 0.0
    with (
        stage.writer(book) as writer,
        stage.connect(book) as source,
        stage.connect_unchecked(twin) as sink,
    ):
        drive(writer, _prepared())
        drive(writer, _started())
        started_at = time.monotonic()
        scheduler = Scheduler(stage.database, lambda _: writer, books=[book.name])
        for round_no in range(ROUNDS + 1):
            _wait_for_blocks(started_at)
            before = stage.head(source)
            tick = _tick(scheduler)
            copy = raw.write(sink, _written(source, before, stage.head(source)))
            if round_no:  # the first one warms up
                ratios.append(copy / tick)
                tick_s, copy_s = tick_s + tick, copy_s + copy
        scheduler.close()
    return {
        "calls_vs_copy": statistics.median(ratios),
        "blocks_per_s": ROUNDS * CALLS / tick_s,
        "copy_blocks_per_s": ROUNDS * CALLS / copy_s,
    }


def _prepared() -> Iterator[list[bytes]]:
    """Verified creators, and fans with tokens."""
    load = Load(seed=8, wallets=CALLS)
    yield load.verified()
    for first in range(0, CALLS, BATCH):
        yield load.purchases(first, BATCH)


def _started() -> Iterator[list[bytes]]:
    """A call of every fan."""
    load = Load(seed=8)
    for first in range(0, CALLS, BATCH):
        yield load.calls(first, BATCH)


def _wait_for_blocks(started_at: float) -> None:
    """Until the next block of every call is complete, the last one's a moment ago."""
    time.sleep(BLOCK_S - (time.monotonic() - started_at) % BLOCK_S)


def _tick(scheduler: Scheduler) -> float:
    began = time.perf_counter()
    sent = scheduler.turn()
    took = time.perf_counter() - began
    assert sent == CALLS, sent
    return took


def _written(source: Connection, before: int, until: int) -> list[raw.Rows]:
    """The tick's rows, in batches as everywhere here; each call had one block."""
    assert until - before == CALLS, until - before
    return [raw.read(source, at, min(at + BATCH, until)) for at in range(before, until, BATCH)]
