"""`tokenledger clock`: what the database's clock says, and a person's word that it is right."""

from typing import Annotated

import typer

from api.cli.terminal import books_of, opened, out
from ledger import clock as clocks
from ledger.postgres.database import connect


def clock(
    *,
    book: Annotated[str | None, typer.Option(help="Only this book. Default: all books.")] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="The database's clock is right: write on with it.")
    ] = False,
) -> None:
    """Show the database's clock and each book's own time; accept the clock after a jump or a pause.

    A service does not write by a clock that runs ahead of the time that has passed. Look at a clock
    that you trust before you accept this one: a book's time never goes back.
    """
    with opened() as where:
        for each in books_of(where, book):
            with connect(where.admin_url, each.schema, autocommit=True) as admin:
                now, recorded_at = clocks.accept(admin) if accept else clocks.read(admin)
            told = "accepted" if accept else "the clock says"
            last = f"last event {recorded_at:%Y-%m-%d %H:%M:%S}"
            out.print(f"{each.name}: {told} {now:%Y-%m-%d %H:%M:%S} UTC, {last}", soft_wrap=True)
