"""`neighbour_p99_ms`: how long others wait while a long history without a snapshot is prepared.

A creator of 1,000,000 sales has no snapshot and nothing is in memory, as after a release that
raises a fold version. Single commands to other creators, one after another, must not notice.
"""

import itertools
import time
from collections.abc import Iterator

from bench.bulk import drive
from bench.load import BATCH, Load, requests
from bench.stage import Stage
from ledger.write.unavailable import Unavailable
from ledger.write.writer import Writer

SALES = 1_000_000
WALLETS = 1_000
RETRY_S = 0.5
PREPARED_IN_S = 600.0
#: Users of their own: those who bought from the long one have long histories, too.
NEIGHBOURS = 100
_USERS = itertools.cycle(range(WALLETS, WALLETS + NEIGHBOURS))


def measure(stage: Stage, sales: int = SALES) -> dict[str, float]:
    """The 99th percentile of neighbours, and how long it took until the long one was written to."""
    book = stage.book("neighbours")
    long = Load(seed=8, wallets=WALLETS, creators=1)
    with stage.writer(book) as writer:
        drive(writer, (long.purchases(n, BATCH) for n in range(0, WALLETS, BATCH)))
        drive(writer, (long.mixed() for _ in range(sales * 10 // 9 // BATCH)))
    with stage.connect(book) as connection:
        connection.execute("DELETE FROM snapshots")
    others = Load(seed=9)
    with stage.writer(book) as writer:
        drive(writer, [others.purchases(WALLETS, NEIGHBOURS)])
        waits, began = [], time.perf_counter()
        while not _written(writer, long):
            again_at = time.perf_counter() + RETRY_S
            while time.perf_counter() < again_at:
                waits.append(_neighbour(writer, others))
            assert time.perf_counter() - began < PREPARED_IN_S
        prepared_s = time.perf_counter() - began
    waits.sort()
    return {
        "neighbour_p99_ms": waits[len(waits) * 99 // 100] * 1_000,
        "neighbour_max_ms": waits[-1] * 1_000,
        "prepared_s": prepared_s,
    }


def _written(writer: Writer, long: Load) -> bool:
    """Whether a sale of the long creator gets through now."""
    try:
        (answer,) = writer.write(requests([_sale(long)]))
    except Unavailable:
        return False
    assert answer.status == 201, answer.body
    return True


def _neighbour(writer: Writer, others: Load) -> float:
    """Seconds until a sale of another creator is answered."""
    (sale,) = requests([_sale(others, _USERS).replace(b': "creator', b': "neighbour')])
    began = time.perf_counter()
    (answer,) = writer.write([sale])
    assert answer.status == 201, answer.body
    return time.perf_counter() - began


def _sale(load: Load, users: Iterator[int] | None = None) -> bytes:
    while b"record-purchase" in (line := load.mixed(1, users)[0]):
        pass
    return line
