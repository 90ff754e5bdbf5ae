"""HTTP: single commands over 64 connections against an echo, and the bulk route against COPY."""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop

from api.simulation.http_client import Address, Reply, Wire
from bench import raw
from bench.load import BATCH, CREATORS, WALLETS, Load
from bench.stage import Served, Stage, running
from ledger.books import Book

CONNECTIONS = 64
ROUNDS = 6
REQUESTS_PER_ROUND = 6_000
BULK_IN_FLIGHT = 4
BULK_BATCHES = 12

Send = Callable[[Wire, int], Awaitable[Reply]]


def measure(stage: Stage) -> dict[str, float]:
    """Every figure over HTTP; segments of what is compared take turns."""
    book = stage.book("http")
    key = stage.key(book)
    echo = [sys.executable, "-m", "bench.echo"]
    with stage.served() as served, running(echo, dict(os.environ)) as echoing:
        paths = f"/v1/books/{book.name}/commands"
        headers = {"Authorization": f"Bearer {key}"}
        load = Load(seed=2)
        first = [load.purchases(n, BATCH) for n in range(0, WALLETS, BATCH)]
        uvloop.run(_bulk(served, paths, headers, first))
        figures = _single(served, echoing, paths, headers)
        figures |= _bulk_ratio(stage, book, served, load, paths=paths, headers=headers)
    return figures


def _single(
    served: Served, echoing: Served, paths: str, headers: dict[str, str]
) -> dict[str, float]:
    async def tip(wire: Wire, n: int) -> Reply:
        return await wire.post(
            f"{paths}/send-tip", _tip(n), content_type="application/json", key=f"single-{n}"
        )

    async def echo(wire: Wire, n: int) -> Reply:
        return await wire.post("/echo", _tip(n), content_type="application/json", key=f"single-{n}")

    ratios, rates, p99s = [], [], []
    for round_no in range(ROUNDS + 1):
        start = round_no * REQUESTS_PER_ROUND
        ours = uvloop.run(_rate(served, headers, tip, start))
        bare = uvloop.run(_rate(echoing, headers, echo, start))
        if round_no:  # the first one warms up
            ratios.append(ours[0] / bare[0])
            rates.append(ours[0])
            p99s.append(ours[1])
    return {
        "http_single_vs_echo": statistics.median(ratios),
        "http_commands_per_s": statistics.median(rates),
        "http_p99_ms": statistics.median(p99s),
    }


def _tip(n: int) -> bytes:
    fields = {
        "user": f"user{n % WALLETS}",
        "creator": f"creator{n % CREATORS}",
        "funding": "TOKEN",
        "amount": 1 + n % 20,
    }
    return json.dumps(fields).encode()


async def _rate(
    service: Served, headers: dict[str, str], send: Send, start: int
) -> tuple[float, float]:
    """(requests per second, 99th percentile in ms) of one segment."""
    wires = [Wire(Address("127.0.0.1", service.port), headers) for _ in range(CONNECTIONS)]
    numbers = iter(range(start, start + REQUESTS_PER_ROUND))
    latencies: list[float] = []

    async def client(wire: Wire) -> None:
        for n in numbers:
            sent_at = time.perf_counter()
            reply = await send(wire, n)
            latencies.append(time.perf_counter() - sent_at)
            assert reply.status == 201, reply.body

    began = time.perf_counter()
    await asyncio.gather(*(client(wire) for wire in wires))
    elapsed = time.perf_counter() - began
    for wire in wires:
        wire.close()
    return len(latencies) / elapsed, statistics.quantiles(latencies, n=100)[98] * 1_000


def _bulk_ratio(
    stage: Stage, book: Book, served: Served, load: Load, *, paths: str, headers: dict[str, str]
) -> dict[str, float]:
    twin = stage.book("http_twin", policy=None)
    ratios, copied = [], 0
    with stage.connect(book) as source, stage.connect_unchecked(twin) as sink:
        for round_no in range(ROUNDS + 1):
            before = stage.head(source)
            raw.write(sink, [raw.read(source, copied, before)])
            lines = [load.mixed() for _ in range(BULK_BATCHES)]
            bulk = uvloop.run(_bulk(served, paths, headers, lines))
            copied = stage.head(source)
            batches = [
                raw.read(source, at, min(at + BATCH, copied)) for at in range(before, copied, BATCH)
            ]
            copy = raw.write(sink, batches)
            if round_no:
                ratios.append(copy / bulk)
    return {"http_bulk_vs_copy": statistics.median(ratios)}


async def _bulk(
    served: Served, paths: str, headers: dict[str, str], batches: list[list[bytes]]
) -> float:
    """Send the batches over a few connections; seconds taken."""
    waiting = iter([b"\n".join(lines) for lines in batches])

    async def client(wire: Wire) -> None:
        for body in waiting:
            reply = await wire.post(paths, body, content_type="application/x-ndjson")
            assert reply.status == 200, reply.body
            assert reply.body.count(b'"outcome":"accepted"') == body.count(b"\n") + 1
        wire.close()

    began = time.perf_counter()
    address = Address("127.0.0.1", served.port)
    await asyncio.gather(*(client(Wire(address, headers)) for _ in range(BULK_IN_FLIGHT)))
    return time.perf_counter() - began


def touch(served: Served, book: str, key: str, batches: list[list[bytes]]) -> None:
    """Send batches through the bulk route, whatever they cost."""
    headers = {"Authorization": f"Bearer {key}"}
    uvloop.run(_bulk(served, f"/v1/books/{book}/commands", headers, batches))
