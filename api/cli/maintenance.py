"""`tokenledger rebuild`, `tokenledger verify` and `tokenledger snapshot`."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from api.cli.terminal import CommandFailed, books_of, fail, opened, out, progress_bar
from ledger import gc_tuning
from ledger.books import Book
from ledger.postgres.database import Database, connect
from ledger.write import new_folds
from projections.catalogue import PROJECTIONS
from projections.rebuild import AlreadyRebuilding, RebuildFailed, Rebuilt, rebuild
from projections.verify import Verification, verify

_WRONG = 1

_Book = Annotated[str | None, typer.Option(help="Only this book. Default: all books.")]


def rebuild_projections(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]…", help="Read models to rebuild. Default: all."),
    ] = None,
    *,
    book: _Book = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin anew what an earlier rebuild has left unfinished.")
    ] = False,
) -> None:
    """Rebuild read models from the log, beside the live ones, then swap them in.

    Queries are answered meanwhile. One that was killed is gone on with by the next; after a release
    whose fold is another under the same version, begin --anew. Exits with 1 if a live read model
    differed from the rebuilt one.
    """
    known = [kind.name for kind in PROJECTIONS]
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise fail(f"there is no projection {unknown[0]!r}; there are: {', '.join(known)}")
    clean = True
    with opened() as where, progress_bar() as bar:
        for each in books_of(where, book):
            for rebuilt in _rebuilt(where, each, names or None, bar, anew=anew):
                clean = _told(each, rebuilt) and clean
    if not clean:
        raise typer.Exit(_WRONG)


def verify_books(
    *,
    book: _Book = None,
    decide_after: Annotated[
        int, typer.Option(min=0, help="Decide again only what came after this position.")
    ] = 0,
) -> None:
    """Verify that the log is true, and everything that is derived from it or kept beside it.

    Recomputes what stands beside the entries, decides again what was decided, folds snapshots and
    read models, and compares tables and rights with those of a new book. Exits with 0 if everything
    is right, otherwise with 1 and the first difference of each book.
    """
    clean = True
    gc_tuning.relax()
    with opened() as where, progress_bar() as bar:
        for each in books_of(where, book):
            task = bar.add_task(f"verify {each.name}", total=None)
            report = verify(
                where.service_url,
                each,
                admin_url=where.admin_url,
                decide_after=decide_after,
                progress=_onto(bar, task),
            )
            clean = _reported(each, report) and clean
    if not clean:
        raise typer.Exit(_WRONG)


def write_snapshots(*, book: _Book = None) -> None:
    """Write snapshots of this release's folds, before it serves.

    For a release that raises a fold version: migrate, run this while the release before it still
    serves, then start the new one. Without it the new one folds long histories as they are needed,
    and answers 503 to their commands meanwhile. May be stopped and begun again.
    """
    with opened() as where, progress_bar() as bar:
        for each in books_of(where, book):
            task, seen = bar.add_task(f"snapshots {each.name}", total=None), 0
            with connect(where.service_url, each.schema, autocommit=True) as connection:
                for seen in new_folds.write_snapshots(connection):
                    bar.update(task, completed=seen)
            out.print(f"{each.name}: {seen:,} entities have snapshots", soft_wrap=True)


def _rebuilt(
    where: Database, book: Book, names: list[str] | None, bar: Progress, *, anew: bool
) -> list[Rebuilt]:
    task = bar.add_task(f"rebuild {book.name}", total=None)
    try:
        return rebuild(where, book, names, anew=anew, progress=_onto(bar, task))
    except AlreadyRebuilding as error:
        raise CommandFailed(f"{error}; wait until it has ended") from None
    except RebuildFailed as error:
        raise CommandFailed(f"{error}; what is live stays as it was") from None


def _onto(bar: Progress, task: TaskID) -> Callable[[int, int], None]:
    return lambda done, total: bar.update(task, completed=done, total=total)


def _told(book: Book, rebuilt: Rebuilt) -> bool:
    """Print what became of one read model; True if the live one had been right."""
    what = f"{book.name}: {rebuilt.name} v{rebuilt.version} at position {rebuilt.position}"
    if not rebuilt.compared:
        out.print(f"{what}, new")
    elif not rebuilt.differences:
        out.print(f"{what}, as before")
    else:
        out.print(f"[yellow]{what}, {len(rebuilt.differences)} rows were wrong[/]")
        first = rebuilt.differences[0]
        out.print(f"  {first.table}: was {first.found}, is {first.expected}", markup=False)
    return not rebuilt.differences


def _reported(book: Book, report: Verification) -> bool:
    """Print what one book's verification found; True if everything is right."""
    first = report.first
    if first is None:
        structure = ("tables and rights",) if report.structure else ()
        checked = ", ".join((*structure, "log", "snapshots", *report.projections))
        clean = f"{book.name}: [green]clean[/] up to position {report.head} ({checked})"
        out.print(clean, soft_wrap=True)
        return True
    kinds = len({difference.what for difference in report.differences})
    where = "" if first.position is None else f"position {first.position}, "
    out.print(
        f"{book.name}: [red]not clean[/], {len(report.differences)} differences of {kinds} kinds "
        "(at most the first hundred); the first:",
        soft_wrap=True,
    )
    out.print(f"  {where}{first.what}", markup=False, soft_wrap=True)
    out.print(f"  should be {first.expected}", markup=False, soft_wrap=True)
    out.print(f"  is        {first.found}", markup=False, soft_wrap=True)
    return False
