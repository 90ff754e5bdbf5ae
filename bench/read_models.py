"""Read models: the journal against a bare COPY, how soon a wallet shows a tip, and what rate lasts.

The lag is what a client sees: from the last byte of an answer to the first read of the wallet that
shows it. A rate lasts if the slowest read model is at most a second behind at the end of a minute
(99 of 100 looks), and no further behind than half a minute before.
"""

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Iterator

import uvloop

from api.simulation.http_client import Address, Wire
from bench.bulk import drive
from bench.http import touch
from bench.load import BATCH, CREATORS, Load, line
from bench.stage import Served, Stage
from ledger.books import Book
from ledger.postgres.database import Connection
from projections.catalogue import PROJECTIONS
from projections.engine.install import install
from projections.engine.runner import PAGE_EVENTS_MAX, Runner
from projections.models.journal import Journal
from projections.queries import status, wait_for

JOURNAL_WALLETS = 20_000
JOURNAL_PAGES = 12
LAG_RATE, LAG_S, LAG_WIRES = 1_000, 20, 32
#: One command in so many is looked for in the wallet.
LOOKED_FOR = 20
LAG_WALLETS = 2_000
SUSTAINED_S = 60
FIRST_RATE, RATE_STEP, RATE_MAX = 2_000, 1_000, 12_000
BODY_EVERY_S = 0.1
LAG_MAX_S = 1.0

_COPY = "COPY journal FROM STDIN (FORMAT binary)"


def measure(stage: Stage) -> dict[str, float]:
    """All of them."""
    return journal_vs_copy(stage) | lag(stage) | sustained(stage)


def journal_vs_copy(stage: Stage) -> dict[str, float]:
    """Events per second of the journal's projection, over COPY of the rows that it wrote.

    Into the same table of another book, with the same key, in the same transactions.
    """
    book, twin = stage.book("journal"), stage.book("journal_twin", policy=None)
    load = Load(seed=11, wallets=JOURNAL_WALLETS)
    with stage.writer(book) as writer:
        drive(writer, (load.purchases(n, BATCH) for n in range(0, load.wallets, BATCH)))
        drive(writer, (load.mixed() for _ in range(JOURNAL_PAGES * PAGE_EVENTS_MAX // BATCH)))
    ratios: list[float] = []
    rates: list[float] = []
    with stage.connect(book) as connection, stage.connect(twin) as sink:
        head = stage.head(connection)
        install(connection, [Journal()])
        install(sink, [Journal()])
        runner = Runner(connection, [Journal()])
        runner.take_over()
        for page in range(JOURNAL_PAGES):
            after = runner.followers[0].position
            until = min(head, after + PAGE_EVENTS_MAX)
            began = time.perf_counter()
            while runner.step(until):
                pass
            projected = time.perf_counter() - began
            copied = _copied(connection, sink, after, until)
            if page >= 2:  # the first are of new accounts, and warm up
                ratios.append(copied / projected)
                rates.append((until - after) / projected)
    return {
        "journal_vs_copy": statistics.median(ratios),
        "journal_events_per_s": statistics.median(rates),
    }


def _copied(connection: Connection, sink: Connection, after: int, until: int) -> float:
    """Seconds that a COPY of a page's rows takes, in the order in which they were written."""
    query = (
        "COPY (SELECT account_id, effective_on, position, amount, balance FROM journal "
        f"WHERE position > {after} AND position <= {until} ORDER BY account_id, position) "
        "TO STDOUT (FORMAT binary)"
    )
    with connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
        packed = b"".join(bytes(block) for block in copy)
    began = time.perf_counter()
    with sink.transaction(), sink.cursor() as cursor, cursor.copy(_COPY.encode()) as into:
        into.write(packed)
    return time.perf_counter() - began


def lag(stage: Stage) -> dict[str, float]:
    """How long after its answer a tip shows in the wallet, at a steady rate of commands."""
    book = stage.book("lag")
    key = stage.key(book)
    with stage.served() as served:
        load = Load(seed=12, wallets=LAG_WALLETS)
        touch(served, book.name, key, [load.purchases(0, LAG_WALLETS)])
        _follows(stage, book)
        lags = uvloop.run(_lags(served, book, key))
    return {"lag_p99_ms": statistics.quantiles(lags, n=100)[98] * 1_000}


def _follows(stage: Stage, book: Book) -> None:
    """Wait until the service's projector has found the book and is at its head."""
    with stage.connect(book) as connection:
        for model in PROJECTIONS:
            assert wait_for(connection, model.name, stage.head(connection), 60), model.name


async def _lags(served: Served, book: Book, key: str) -> list[float]:
    address = Address("127.0.0.1", served.port)
    headers = {"Authorization": f"Bearer {key}"}
    lags: list[float] = []
    began = time.perf_counter()
    numbers = itertools.count()

    async def client() -> None:
        sending = Wire(address, headers)
        asking = Wire(address, headers | {"Prefer": "wait=10"})
        while (n := next(numbers)) < LAG_RATE * LAG_S:
            await asyncio.sleep(began + n / LAG_RATE - time.perf_counter())
            user = f"user{n % LAG_WALLETS}"
            path = f"/v1/books/{book.name}"
            reply = await sending.post(
                f"{path}/commands/send-tip",
                line("", user=user, creator=f"creator{n % CREATORS}", funding="TOKEN", amount=1)
                .replace(b'"command": "", ', b""),
                content_type="application/json",
                key=f"lag-{n}",
            )  # fmt: skip
            answered = time.perf_counter()
            assert reply.status == 201, reply.body
            if n % LOOKED_FOR == 0:
                position = int(reply.body.partition(b'"position":')[2].partition(b",")[0])
                seen = await asking.get(f"{path}/wallets/{user}?min_position={position}")
                assert seen.status == 200, seen.body
                lags.append(time.perf_counter() - answered)
        sending.close()
        asking.close()

    await asyncio.gather(*(client() for _ in range(LAG_WIRES)))
    return lags[len(lags) // 10 :]  # the first tenth warms up


def sustained(stage: Stage) -> dict[str, float]:
    """The highest rate of commands, sent in bulk over HTTP, that all read models keep up with."""
    reached = 0
    with stage.served() as served:
        for rate in range(FIRST_RATE, RATE_MAX + 1, RATE_STEP):
            book = stage.book(f"sustained{rate}")
            key = stage.key(book)
            load = Load(seed=rate)
            first = [load.purchases(n, BATCH) for n in range(0, load.wallets, BATCH)]
            touch(served, book.name, key, first)
            _follows(stage, book)
            lags = uvloop.run(_offer(stage, served, book, key, load, rate=rate))
            if not _kept_up(lags):
                break
            reached = rate
    return {"sustained": float(reached)}


async def _offer(
    stage: Stage, served: Served, book: Book, key: str, load: Load, *, rate: int
) -> list[float]:
    """Offer `rate` commands per second for a minute; the slowest read model's lag, by the tenth of
    a second. Ends early once that is hopeless, or the service takes no more in time.
    """
    headers = {"Authorization": f"Bearer {key}"}
    wires = [Wire(Address("127.0.0.1", served.port), headers) for _ in range(8)]
    bodies = _bodies(load, int(rate * BODY_EVERY_S))
    lags: list[float] = []
    sending: set[asyncio.Task[object]] = set()
    free = asyncio.Queue[Wire]()
    for wire in wires:
        free.put_nowait(wire)

    async def send(body: bytes) -> None:
        wire = await free.get()
        path = f"/v1/books/{book.name}/commands"
        reply = await wire.post(path, body, content_type="application/x-ndjson")
        assert reply.status == 200, reply.body
        free.put_nowait(wire)

    with stage.connect(book) as connection:
        began = time.perf_counter()
        for n in range(int(SUSTAINED_S / BODY_EVERY_S)):
            body = next(bodies)
            await asyncio.sleep(began + n * BODY_EVERY_S - time.perf_counter())
            task = asyncio.ensure_future(send(body))
            sending.add(task)
            task.add_done_callback(sending.discard)
            waits = len(sending) * BODY_EVERY_S
            lags.append(max(waits, *(model.lag_s for model in status(connection))))
            if lags[-1] > 10 * LAG_MAX_S:
                break
        await asyncio.gather(*sending)
    for wire in wires:
        wire.close()
    print(f"{rate:,}/s: behind by {statistics.median(lags[-100:]):.2f} s", file=sys.stderr)
    return lags


def _bodies(load: Load, lines: int) -> Iterator[bytes]:
    while True:
        yield b"\n".join(load.mixed(lines))


def _kept_up(lags: list[float]) -> bool:
    half = len(lags) // 2
    ends, before = lags[-100:], lags[half : half + 100]
    full = len(lags) == int(SUSTAINED_S / BODY_EVERY_S)
    at_end = statistics.quantiles(ends, n=100)[98]
    return full and at_end <= LAG_MAX_S and statistics.mean(ends) <= statistics.mean(before) + 0.1
