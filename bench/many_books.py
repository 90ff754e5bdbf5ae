"""`books_1000`: single commands in 50 busy of 1,000 books, over those in one busy book.

A whole service: writers, read models and scheduler. As many clients send in both segments, so that
the ratio shows what many books cost, and not what many clients do.
"""

import asyncio
import itertools
import json
import statistics
import time

import uvloop

from api.simulation.http_client import Address, Wire
from bench.stage import Served, Stage
from ledger.books import Book
from ledger.postgres.database import Connection, connect
from projections.catalogue import all_projections

BOOKS = 1_000
BUSY = 50
CLIENTS = 8
ROUNDS = 5
REQUESTS_PER_ROUND = 1_500
INSTALLED_WITHIN_S = 1_800.0
_number = itertools.count()


def measure(stage: Stage) -> dict[str, float]:
    """The 99th percentiles, their ratio, and the most connections that there were."""
    busy = [stage.book(f"busy{number}") for number in range(BUSY)]
    books = [*busy, *(stage.book(f"idle{n}", policy=None) for n in range(BOOKS - BUSY))]
    keys = {book.name: stage.key(book) for book in busy}
    alone, many, longest, connections = [], [], [], 0
    with (
        stage.served() as served,
        connect(stage.database.admin_url, autocommit=True, application="bench") as admin,
    ):
        _until_installed(admin, books)
        for round_no in range(ROUNDS + 1):
            one = uvloop.run(_segment(served, {busy[0].name: keys[busy[0].name]}))
            fifty = uvloop.run(_segment(served, keys))
            connections = max(connections, _connections(admin))
            if round_no:  # the first one warms up
                alone.append(_p99(one))
                many.append(_p99(fifty))
                longest.append(max(fifty))
    ratios = [fifty / one for fifty, one in zip(many, alone, strict=True)]
    return {
        "books_1000": statistics.median(ratios),
        "books_1000_connections": connections,
        "books_1000_p99_ms": statistics.median(many) * 1_000,
        "books_1_p99_ms": statistics.median(alone) * 1_000,
        "books_1000_longest_s": max(longest),
    }


def _until_installed(admin: Connection, books: list[Book]) -> None:
    """Wait until every book has its read models, and they have read what there is."""
    models = [projection.checkpoint for projection in all_projections()]
    schemas = [book.schema for book in books]
    give_up_at = time.monotonic() + INSTALLED_WITHIN_S
    while True:
        row = admin.execute(
            "SELECT count(*) FROM tokenledger.books_behind(%s, %s)", (schemas, models)
        ).fetchone()
        if row == (0,):
            return
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{row} books have no read models yet")
        time.sleep(0.5)


def _connections(admin: Connection) -> int:
    row = admin.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tokenledger%'"
    ).fetchone()
    assert row is not None
    return int(row[0])


async def _segment(served: Served, keys: dict[str, str]) -> list[float]:
    """Seconds that each command of a segment took."""
    numbers = iter(range(REQUESTS_PER_ROUND))
    took: list[float] = []

    async def client(books: list[str]) -> None:
        address = Address("127.0.0.1", served.port)
        wires = {b: Wire(address, {"Authorization": f"Bearer {keys[b]}"}) for b in books}
        for _, book in zip(numbers, itertools.cycle(books), strict=False):
            number, began = next(_number), time.perf_counter()
            reply = await wires[book].post(
                f"/v1/books/{book}/commands/grant-promo",
                _grant(number),
                content_type="application/json",
                key=f"grant-{number}",
            )
            took.append(time.perf_counter() - began)
            assert reply.status == 201, reply.body
        for wire in wires.values():
            wire.close()

    names = list(keys)
    await asyncio.gather(*(client(names[nth::CLIENTS] or names) for nth in range(CLIENTS)))
    return took


def _grant(number: int) -> bytes:
    fields = {"user": f"user{number % 1_000}", "tokens": 1, "reason_code": "BENCH"}
    return json.dumps(fields).encode()


def _p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98]
