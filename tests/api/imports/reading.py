"""Files as an import reads them, without a book: rows, translated rows, and whole reports."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.currencies import Notation
from api.imports import csv_rows
from api.imports.csv_rows import BrokenLine, Dialect, Row, Rows
from api.imports.importer import dry_run
from api.imports.maps import Map, read_map
from api.imports.report import Report
from api.imports.settlement_lines import file_sha256
from api.imports.translation import Made, Taken, Translator
from api.imports.values import Reading

TIPS = read_map("tips")


def dialect_of(mapping: Map, *, last_line_complete: bool = False) -> Dialect:
    shape = mapping.file
    return Dialect(
        shape.delimiter,
        shape.quote,
        shape.encoding,
        shape.header_line,
        shape.multiline,
        last_line_complete,
    )


@contextmanager
def translated(
    path: Path, mapping: Map = TIPS, *, currency: str = "USD", last_line_complete: bool = False
) -> Iterator[tuple[Rows, Translator]]:
    dialect = dialect_of(mapping, last_line_complete=last_line_complete)
    numbers = mapping.numbers
    notation = Notation(numbers.decimal, numbers.thousands, numbers.negative)
    with csv_rows.opened(path, dialect, mapping.columns()) as rows:
        sha256 = file_sha256(path) if mapping.has_lines else ""
        reading = Reading(rows.columns, currency, notation, mapping.file.time_zone, sha256)
        yield rows, Translator(mapping, reading)


def tried(
    path: Path, mapping: Map = TIPS, *, currency: str = "USD", last_line_complete: bool = False
) -> tuple[Report, list[Made], list[BrokenLine]]:
    """A dry run: its report, the commands that it would send, and its complaints."""
    report, made, complaints = Report(mapping.noun), list[Made](), list[BrokenLine]()

    def show(_: Row, taken: Taken) -> None:
        made.extend(taken.commands)

    options = {"currency": currency, "last_line_complete": last_line_complete}
    with translated(path, mapping, **options) as (rows, translator):  # type: ignore[arg-type]
        dry_run(rows, translator, report, show=show, complain=complaints.append)
    assert report.lines_of_nobody == 0, report.lines()
    return report, made, complaints
