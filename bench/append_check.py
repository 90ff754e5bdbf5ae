"""`append_check`: what it costs that the database checks what is appended.

Two books, written by turns in one process with the same commands: one as it is made; in the other
nothing is checked, and the service indexes the tags and moves the head itself, as it did before
there was a check. Not a part of `make bench`: `python -m bench.append_check`.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from bench.load import WALLETS, Load, requests
from bench.stage import Stage, stage
from ledger import gc_tuning as collector
from ledger.postgres.database import connect
from ledger.write.batch import Batch
from ledger.write.request import Request
from ledger.write.sequencer import Sequencer
from ledger.write.writer import Writer

BATCH = 500
PAIRS = 400

OPEN = """
DROP TRIGGER append ON events;
GRANT INSERT ON event_tags TO tokenledger_app;
GRANT UPDATE ON head TO tokenledger_app;
"""
APPEND = b"""
COPY events (position, event_id, type, tags, occurred_at, recorded_at, data, leaf_hash)
FROM STDIN (FORMAT binary);
INSERT INTO event_tags (tag, position)
SELECT tag, position FROM events, unnest(tags) AS tag
WHERE position > %d AND position <= %d
ORDER BY tag, position;
COPY receipts (key, fingerprint, position, events, status, code, body)
FROM STDIN (FORMAT binary);
UPDATE head SET position = %d, recorded_at = '%s';
"""


def _send(self: Sequencer, batch: Batch) -> None:
    """As the sequencer sends rows, and then what the check does besides checking."""
    events, receipts = batch.take_rows()
    if events or receipts:
        after = batch.position - len(events)
        places = after, batch.position, batch.position, str(batch.recorded_at).encode()
        self._copies.send(APPEND % places, events, receipts)


@contextmanager
def _unchecked() -> Iterator[None]:
    checked = Sequencer._send  # noqa: SLF001 -- the one step that differs
    Sequencer._send = _send  # type: ignore[method-assign]  # noqa: SLF001
    try:
        yield
    finally:
        Sequencer._send = checked  # type: ignore[method-assign]  # noqa: SLF001


def measure(place: Stage) -> dict[str, float]:
    """Milliseconds of a batch in each book, by how much the check makes it longer, by pairs, and
    the processor time of PostgreSQL.
    """
    books = place.book("checked"), place.book("unchecked")
    with connect(place.database.admin_url, books[1].schema, autocommit=True) as admin:
        admin.execute(OPEN.encode())
    load = Load(seed=5)
    filling = [requests(load.purchases(first, BATCH)) for first in range(0, WALLETS, BATCH)]
    with place.writer(books[0]) as checked, place.writer(books[1]) as unchecked:
        for batch in filling:
            _drive(checked, batch)
            with _unchecked():
                _drive(unchecked, batch)
        took: dict[Writer, list[float]] = {checked: [], unchecked: []}
        busy: dict[Writer, float] = {checked: 0.0, unchecked: 0.0}
        sessions = _sessions(place)
        for pair in range(PAIRS):
            lines = load.mixed(BATCH)
            for writer in (checked, unchecked) if pair % 2 else (unchecked, checked):
                batch = requests(lines)
                with _unchecked() if writer is unchecked else nullcontext():
                    before = _processor_s(sessions)
                    took[writer].append(_drive(writer, batch))
                    busy[writer] += _processor_s(sessions) - before
    longer = [a / b - 1 for a, b in zip(took[checked], took[unchecked], strict=True)]
    first, middle, third = statistics.quantiles(longer)
    return {
        f"ms of a batch of {BATCH}, checked": statistics.median(took[checked]),
        f"ms of a batch of {BATCH}, unchecked": statistics.median(took[unchecked]),
        f"ms of a batch of {BATCH}, checked, fastest tenth": _tenth(took[checked]),
        f"ms of a batch of {BATCH}, unchecked, fastest tenth": _tenth(took[unchecked]),
        "longer by, median of pairs, %": middle * 100,
        "longer by, quartiles of pairs, % from": first * 100,
        "longer by, quartiles of pairs, % to": third * 100,
        "processor ms of all processes a batch, checked": busy[checked] / PAIRS * 1_000,
        "processor ms of all processes a batch, unchecked": busy[unchecked] / PAIRS * 1_000,
    }


def _drive(writer: Writer, batch: list[Request]) -> float:
    """Milliseconds that a batch takes."""
    began = time.perf_counter()
    assert all(answer.accepted for answer in writer.write(batch))
    return (time.perf_counter() - began) * 1_000


def _tenth(times: list[float]) -> float:
    return statistics.quantiles(times, n=10)[0]


def _sessions(place: Stage) -> list[int]:
    """The process ids of PostgreSQL's sessions that write."""
    with connect(place.database.admin_url, autocommit=True) as admin:
        query = "SELECT pid FROM pg_stat_activity WHERE usename = 'tokenledger_app'"
        return [pid for (pid,) in admin.execute(query)]


def _processor_s(sessions: list[int]) -> float:
    """Processor time so far of this process and of these."""
    times = (Path(f"/proc/{pid}/schedstat").read_text().split()[0] for pid in sessions)
    return time.process_time() + sum(map(int, times)) / 1e9


if __name__ == "__main__":
    collector.relax()
    with stage() as place:
        for name, figure in measure(place).items():
            print(f"{name}: {figure:.2f}")
