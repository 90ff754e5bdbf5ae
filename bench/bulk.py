"""`bulk_vs_copy`: durable commands per second through the in-process bulk path."""

import statistics
import time
from collections import deque
from collections.abc import Iterable

from bench import raw
from bench.load import BATCH, WALLETS, Load, requests
from bench.stage import Stage
from ledger.write.writer import Writer

ROUNDS = 9
BATCHES = 25
IN_FLIGHT = 8


def drive(writer: Writer, batches: Iterable[list[bytes]]) -> float:
    """Take batches of lines through a writer, the next admitted meanwhile; seconds taken."""
    flying: deque[object] = deque()
    started = time.perf_counter()
    for lines in batches:
        flying.append(writer.write_soon(requests(lines)))
        if len(flying) > IN_FLIGHT:
            _land(flying)
    while flying:
        _land(flying)
    return time.perf_counter() - started


def _land(flying: deque[object]) -> None:
    answers = flying.popleft().result()  # type: ignore[attr-defined]
    assert {answer.status for answer in answers} == {201}


def measure(stage: Stage) -> dict[str, float]:
    """Segments of bulk and of raw COPY in turn, so that a noisy machine hits both."""
    book = stage.book("bulk")
    twin = stage.book("bulk_twin", policy=None)
    load = Load(seed=1)
    copied = 0
    with (
        stage.writer(book) as writer,
        stage.connect(book) as source,
        stage.connect_unchecked(twin) as sink,
    ):
        drive(writer, [load.purchases(n, BATCH) for n in range(0, WALLETS, BATCH)])
        ratios, bulk_s, copy_s, rows, commands, size = [], 0.0, 0.0, 0, 0, 0
        for round_no in range(ROUNDS + 1):
            before = stage.head(source)
            raw.write(sink, [raw.read(source, copied, before)])
            bulk = drive(writer, [load.mixed() for _ in range(BATCHES)])
            copied = stage.head(source)
            batches = [
                raw.read(source, at, min(at + BATCH, copied)) for at in range(before, copied, BATCH)
            ]
            copy = raw.write(sink, batches)
            if round_no:  # the first one warms up
                ratios.append(copy / bulk)
                bulk_s, copy_s = bulk_s + bulk, copy_s + copy
                rows += sum(batch.rows for batch in batches)
                size += sum(len(p) for batch in batches for p in batch.packed.values())
                commands += BATCHES * BATCH
    return {
        "bulk_vs_copy": statistics.median(ratios),
        "commands_per_s": commands / bulk_s,
        "copy_commands_per_s": commands / copy_s,
        "rows_per_command": rows / commands,
        "bytes_per_command": size / commands,
    }
