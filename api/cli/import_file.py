"""`tokenledger import`: another system's records into a book, with a report of every row.

Writes in-process, past no HTTP, through the same admission and the same sequencer as every
other edge; a service may run on the book meanwhile.
"""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.cli.terminal import CommandFailed, books_of, err, fail, opened, out, settings
from api.currencies import Notation, money
from api.imports import csv_rows
from api.imports.csv_rows import BrokenLine, Dialect, Row, Rows, UnreadableFile
from api.imports.importer import FileImport, ImportInterrupted, dry_run
from api.imports.maps import InvalidMap, Map, changed, read_map
from api.imports.policy_fit import policy_misfits
from api.imports.report import Report, Tally
from api.imports.settlement_lines import file_sha256
from api.imports.translation import Taken, Translator
from api.imports.values import Reading, zone_named
from ledger import gc_tuning
from ledger.books import Book
from ledger.log.policies import policy_in_force
from ledger.log.reading import head
from ledger.postgres.database import Database, connect
from ledger.settings import Settings
from ledger.write.writer import Writer

#: Some rows are not in the ledger.
_NOT_ALL = 1
_ROWS_SHOWN = 5
_ROWS_PER_NEWS = 256


class Format(StrEnum):
    """What can be imported by the name of its format."""

    TIPS = "tips"


@dataclass(frozen=True)
class _Source:
    """A file and how it is to be read."""

    file: Path
    mapping: Map
    dialect: Dialect

    def rows(self, progress: Progress | None = None) -> AbstractContextManager[Rows]:
        """The file's rows, with a bar that follows them."""
        columns = self.mapping.columns()
        if progress is None:
            return csv_rows.opened(self.file, self.dialect, columns)
        total = self.file.stat().st_size if self.file.is_file() else None
        task = progress.add_task("", total=total)
        follow = partial(progress.update, task)
        return csv_rows.opened(
            self.file, self.dialect, columns, on_bytes=lambda read: follow(completed=read)
        )

    def translator(self, rows: Rows, currency: str) -> Translator:
        """The map against the file's columns."""
        numbers = self.mapping.numbers
        notation = Notation(numbers.decimal, numbers.thousands, numbers.negative)
        zone = self.mapping.file.time_zone
        sha256 = file_sha256(self.file) if self.mapping.has_lines else ""
        reading = Reading(rows.columns, currency, notation, zone, sha256)
        return Translator(self.mapping, reading)


_File = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file, also gzipped (.csv.gz).")]
_Book = Annotated[str, typer.Option(help="The book to import into.")]
_MapName = Annotated[
    str | None, typer.Option("--map", metavar="MAP", help="A map's name or file; see `map list`.")
]
_Format = Annotated[
    Format | None, typer.Option(help="tips: the same as --map tips, which is the default.")
]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing: show the first commands, all complaints.")
]
_LastLine = Annotated[
    bool, typer.Option("--last-line-complete", help="Take a last line without an end of line, too.")
]
_Delimiter = Annotated[str | None, typer.Option(help="The sign between columns; `tab` for a tab.")]
_Encoding = Annotated[
    str | None, typer.Option(help="utf-8, utf-16, windows-1252, …", metavar="NAME")
]
_HeaderLine = Annotated[int | None, typer.Option(min=1, help="The line that names the columns.")]
_Decimal = Annotated[str | None, typer.Option(help="The sign before decimals.")]
_Thousands = Annotated[str | None, typer.Option(help="The sign that groups digits.")]
_TimeZone = Annotated[
    str | None, typer.Option(help="The zone of times that name none.", metavar="ZONE")
]
_Processor = Annotated[
    str | None, typer.Option(help="What the book calls the processor of settlement lines.")
]


def import_file(
    file: _File,
    *,
    book: _Book,
    map_name: _MapName = None,
    format: _Format = None,  # noqa: A002  (the option is called so)
    dry: _DryRun = False,
    last_line_complete: _LastLine = False,
    delimiter: _Delimiter = None,
    encoding: _Encoding = None,
    header_line: _HeaderLine = None,
    decimal: _Decimal = None,
    thousands: _Thousands = None,
    time_zone: _TimeZone = None,
    processor: _Processor = None,
) -> None:
    """Import a file's rows as a map says. Importing it again changes nothing; after a break,
    run it again."""
    shape = {
        "delimiter": "\t" if delimiter in {"tab", "\\t"} else delimiter,
        "encoding": encoding,
        "header_line": header_line,
        "time_zone": time_zone,
    }
    numbers = {"decimal": decimal, "thousands": thousands}
    if map_name is not None and format is not None:
        raise fail("say either --map or --format, which names a map that comes along")
    found = settings()
    with opened(found, supervise=True) as where:
        mapping = _mapping(
            map_name or (format or Format.TIPS).value,
            file=shape,
            numbers=numbers,
            processor=processor,
        )
        (target,) = books_of(where, book)
        _check_policy(where, target, mapping)
        source = _Source(file, mapping, _dialect(mapping, last_line_complete))
        report, trouble, elapsed_s = (
            _look(source, target) if dry else _write(source, where, target, found)
        )
    if report.read.rows:
        _show(report, mapping, target.currency, elapsed_s, dry=dry)
    if trouble:
        raise fail(f"not finished: {trouble}", _NOT_ALL)
    if not report.clean:
        raise typer.Exit(_NOT_ALL)


def _dialect(mapping: Map, complete: bool) -> Dialect:
    shape = mapping.file
    return Dialect(
        shape.delimiter, shape.quote, shape.encoding, shape.header_line, shape.multiline, complete
    )


def _mapping(name: str, **changes: object) -> Map:
    """The map, with what the command line says instead."""
    try:
        mapping = changed(read_map(name), **changes)
    except InvalidMap as error:
        raise CommandFailed(str(error)) from None
    if zone_named(mapping.file.time_zone) is None:
        raise CommandFailed(
            f"there is no time zone {mapping.file.time_zone!r}; --time-zone takes an IANA name "
            "like Europe/Berlin, or an offset like +01:00"
        )
    return mapping


def _check_policy(where: Database, book: Book, mapping: Map) -> None:
    if mapping.policy is None:
        return
    with connect(where.service_url, book.schema, autocommit=True) as connection:
        misfits = policy_misfits(policy_in_force(connection, datetime.now(UTC)))
    if misfits:
        reasons = "\n  - ".join(misfits)
        raise CommandFailed(
            f"the policy of {book.name} does not fit a file of {mapping.noun}:\n  - {reasons}"
        )


def _write(
    source: _Source, where: Database, book: Book, found: Settings
) -> tuple[Report, str | None, float]:
    """The report, what ended the import before the end of the file, if anything did, and its
    seconds."""
    with connect(where.service_url, book.schema, autocommit=True) as connection:
        start = head(connection)
    gc_tuning.relax()
    writer = Writer(
        book,
        partial(connect, where.service_url, book.schema, autocommit=True),
        queue_commands_max=found.queue_commands_max,
        cache_entities=found.cache_entities_max,
    ).start()
    run = FileImport(writer, start=start, noun=source.mapping.noun)
    started = time.monotonic()
    trouble = None
    try:
        with _bar(source.file) as progress, source.rows(progress) as rows:
            run.run(rows, source.translator(rows, book.currency))
    except (UnreadableFile, ImportInterrupted) as error:
        trouble = str(error)
    except KeyboardInterrupt:
        trouble = "interrupted; import the same file again to go on"
    finally:
        writer.stop()
    return run.report, trouble, time.monotonic() - started


def _look(source: _Source, book: Book) -> tuple[Report, str | None, float]:
    """What a run would do: the first rows as commands, and every complaint."""
    shown: list[Row] = []

    def show(row: Row, taken: Taken) -> None:
        if len(shown) < _ROWS_SHOWN:
            shown.append(row)
            for made in taken.commands:
                key = {} if made.key is None else {"idempotency_key": made.key}
                line = msgspec.json.encode({"command": made.command, **key, **made.fields}).decode()
                out.print(f"line {row.line}: {line}", markup=False, soft_wrap=True)

    report = Report(source.mapping.noun)
    try:
        with source.rows() as rows:
            translator = source.translator(rows, book.currency)
            dry_run(rows, translator, report, show=show, complain=_complain)
    except UnreadableFile as error:
        return report, str(error), 0.0
    return report, None, 0.0


def _bar(file: Path) -> Progress:
    return Progress(
        TextColumn(f"importing {file.name}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=err,
    )


def _complain(complaint: BrokenLine) -> None:
    err.print(str(complaint), style="yellow", highlight=False, markup=False, soft_wrap=True)


def _show(report: Report, mapping: Map, currency: str, elapsed_s: float, *, dry: bool) -> None:
    if not dry:
        for complaint in sorted(report.complaints, key=attrgetter("line")):
            _complain(complaint)
        if report.failed > len(report.complaints):
            err.print(f"… and {report.failed - len(report.complaints):,} more", style="yellow")
    summed, in_money = mapping.sum, mapping.sum is not None and mapping.sum.kind == "money"
    title = "" if summed is None else currency if in_money else summed.names()[0]
    table = Table("dry run: nothing written" if dry else "", "rows", title, box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"

    def added(tally: Tally) -> str:
        if summed is None:
            return ""
        return money(tally.units, currency) if in_money else f"{tally.units:,}"

    for name, tally in report.tallies():
        table.add_row(name, f"{tally.rows:,}", added(tally))
    for code, rows in report.kept.most_common():
        table.add_row(f"[yellow]waiting or in suspense: {code}[/]", f"{rows:,}", "")
    for code, rows in report.refused.most_common():
        table.add_row(f"[yellow]not imported: {code}[/]", f"{rows:,}", "")
    out.print(table)
    out.print(report.lines(), soft_wrap=True)
    if elapsed_s >= 0.1:
        out.print(f"{elapsed_s:.1f} s, {report.read.rows / elapsed_s:,.0f} rows/s")
