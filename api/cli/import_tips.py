"""`tokenledger import`: another system's records into a book, with a report of every row.

Writes in-process, past no HTTP, through the same admission and the same sequencer as every
other edge; a service may run on the book meanwhile.
"""

import time
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.cli.terminal import CommandFailed, books_of, err, fail, opened, out, settings
from api.imports.tips import (
    ImportInterrupted,
    Report,
    TipImport,
    policy_in_force,
    policy_misfits,
)
from api.imports.tips_csv import UnreadableTipsFile, read_tips
from ledger.log.reading import head
from ledger.postgres.database import Database, connect
from ledger.settings import Settings
from ledger.write.writer import Writer

#: Some rows are not in the ledger.
_NOT_ALL = 1


class Format(StrEnum):
    """What can be imported."""

    TIPS = "tips"


def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV file, also gzipped (.csv.gz).")
    ],
    book: Annotated[str, typer.Option(help="The book to import into.")],
    format: Annotated[  # noqa: A002  (the option is called so)
        Format, typer.Option(help="tips: tip_ref, occurred_at, sender, recipient, units.")
    ] = Format.TIPS,
) -> None:
    """Import a file of tips. Importing it again changes nothing; after a break, run it again."""
    assert format is Format.TIPS
    found = settings()
    with opened(found, supervise=True) as where:
        run, writer = _prepared(where, found, book)
        writer.start()
        try:
            trouble, elapsed_s = _run(run, file)
        finally:
            writer.stop()
    if run.report.read.rows:
        _show(run.report, elapsed_s)
    if trouble:
        raise fail(f"not finished: {trouble}", _NOT_ALL)
    if not run.report.clean:
        raise typer.Exit(_NOT_ALL)


def _prepared(where: Database, found: Settings, name: str) -> tuple[TipImport, Writer]:
    (book,) = books_of(where, name)
    with connect(where.service_url, book.schema, autocommit=True) as connection:
        misfits = policy_misfits(policy_in_force(connection, datetime.now(UTC)))
        start = head(connection)
    if misfits:
        reasons = "\n  - ".join(misfits)
        raise CommandFailed(f"the policy of {name} does not fit a file of tips:\n  - {reasons}")
    writer = Writer(
        book,
        partial(connect, where.service_url, book.schema, autocommit=True),
        queue_commands_max=found.queue_commands_max,
        cache_entities=found.cache_entities_max,
    )
    return TipImport(writer, start=start), writer


def _run(run: TipImport, file: Path) -> tuple[str | None, float]:
    """What ended the import before the end of the file, if anything did, and its seconds."""
    started = time.monotonic()
    trouble = None
    columns = (
        TextColumn(f"importing {file.name}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as progress:
        total = file.stat().st_size if file.is_file() else None
        task = progress.add_task("", total=total, rows=0)

        def on_bytes(read: int) -> None:
            if not run.report.read.rows % 256:
                progress.update(task, completed=read, rows=run.report.read.rows)

        try:
            run.run(read_tips(file, on_bytes=on_bytes))
            progress.update(task, completed=total, rows=run.report.read.rows)
        except (UnreadableTipsFile, ImportInterrupted) as error:
            trouble = str(error)
        except KeyboardInterrupt:
            trouble = "interrupted; import the same file again to go on"
    return trouble, time.monotonic() - started


def _show(report: Report, elapsed_s: float) -> None:
    for complaint in sorted(report.complaints, key=attrgetter("line")):
        err.print(str(complaint), style="yellow", highlight=False, soft_wrap=True)
    if report.failed > len(report.complaints):
        err.print(f"… and {report.failed - len(report.complaints):,} more", style="yellow")
    table = Table("", "rows", "units", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, tally in report.tallies():
        table.add_row(name, f"{tally.rows:,}", f"{tally.units:,}")
    for code, rows in report.refused.most_common():
        table.add_row(f"[yellow]not imported: {code}[/]", f"{rows:,}", "")
    out.print(table)
    if elapsed_s >= 0.1:
        out.print(f"{elapsed_s:.1f} s, {report.read.rows / elapsed_s:,.0f} rows/s")
