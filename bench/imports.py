"""`import_vs_bulk`: an import, from its file to the last answer, beside the bulk path on the very
same commands."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from api.cli.books import profile_document
from api.currencies import Notation
from api.imports import csv_rows
from api.imports.csv_rows import Dialect
from api.imports.importer import FileImport
from api.imports.maps import Map, read_map
from api.imports.translation import Translator
from api.imports.values import Reading
from api.simulation.sample_tips import Shape, write_tips
from bench.bulk import drive
from bench.load import BATCH
from bench.stage import Stage
from ledger.write.writer import Writer

ROUNDS = 5
#: Two commands each: a grant and a tip.
ROWS = 10_000


def measure(stage: Stage) -> dict[str, float]:
    """Files of tips and their commands as lines of NDJSON in turn, into two books."""
    mapping = read_map("tips")
    policy = profile_document("tips")
    imported, twin = stage.book("import", policy=policy), stage.book("import_twin", policy=policy)
    ratios, import_s, commands = [], 0.0, 0
    with (
        tempfile.TemporaryDirectory(prefix="tokenledger-bench-") as directory,
        stage.writer(imported) as writer,
        stage.writer(twin) as other,
        stage.connect(imported) as connection,
    ):
        for round_no in range(ROUNDS + 1):
            path = Path(directory) / f"tips-{round_no}.csv"
            write_tips(path, Shape(rows=ROWS, repeat_every=0), seed=round_no)
            batches = list(_batches(path, mapping))
            bulk = drive(other, batches)
            took = _import(writer, path, mapping, start=stage.head(connection))
            if round_no:  # the first one warms up
                ratios.append(bulk / took)
                import_s += took
                commands += 2 * ROWS
    return {
        "import_vs_bulk": statistics.median(ratios),
        "import_commands_per_s": commands / import_s,
    }


def _import(writer: Writer, path: Path, mapping: Map, *, start: int) -> float:
    started = time.perf_counter()
    with csv_rows.opened(path, Dialect(), mapping.columns()) as rows:
        report = FileImport(writer, start=start).run(rows, _translator(mapping, rows.columns))
    took = time.perf_counter() - started
    assert report.clean and report.new.rows == ROWS, report.lines()
    return took


def _batches(path: Path, mapping: Map) -> Iterator[list[bytes]]:
    """What the import sends, as a client of the bulk path would write it."""
    with csv_rows.opened(path, Dialect(), mapping.columns()) as rows:
        translator = _translator(mapping, rows.columns)
        lines = (
            msgspec.json.encode(
                {"command": made.command, "idempotency_key": made.key, **made.fields}
            )
            for row in rows
            if isinstance(row, csv_rows.Row)
            for made in translator.take(row).commands
        )
        while batch := list(islice(lines, BATCH)):
            yield batch


def _translator(mapping: Map, columns: list[str]) -> Translator:
    return Translator(mapping, Reading(columns, "USD", Notation(), "UTC"))
