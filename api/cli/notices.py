"""`tokenledger notices`: notices that were kept, and what resolves those that wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import psycopg
import typer
from rich.table import Table

from api.cli.terminal import fail, opened, out
from ledger import logs
from ledger.books import get_book
from ledger.log import reading
from ledger.postgres.database import Connection, connect
from ledger.write import dropped_notices
from projections import queries
from projections.queries import STATUSES, NoticeFilter

LISTED_MAX = 1_000

log = logs.get_logger(__name__)

notices = typer.Typer(
    no_args_is_help=True,
    help="Notices that were parked, suspended or ignored: see, drop.",
)

_Book = Annotated[str, typer.Option(help="The book.")]
_Notice = Annotated[str, typer.Argument(help="processor:command:reference, as `list` shows it.")]
_Status = Annotated[
    list[str] | None,
    typer.Option(help="parked, suspended, ignored or applied; repeatable. By default, what waits."),
]


@notices.command("list")
def show_all(
    *,
    book: _Book,
    status: _Status = None,
    processor: Annotated[str | None, typer.Option(help="Of this processor alone.")] = None,
    code: Annotated[str | None, typer.Option(help="Kept for this reason alone.")] = None,
    older_than_hours: Annotated[int, typer.Option(min=0, help="Only what waited so long.")] = 0,
) -> None:
    """List notices, newest first, with their reason, their amount and who has to do something."""
    wanted = tuple(each.upper() for each in status or ("parked", "suspended"))
    if not set(wanted) <= set(STATUSES):
        raise fail(f"a status is one of {', '.join(STATUSES).lower()}")
    with _opened(book) as connection:
        until = reading.latest_time(connection)
        if older_than_hours:
            until = min(until, datetime.now(UTC) - timedelta(hours=older_than_hours))
        found, _ = queries.notices(
            connection, NoticeFilter(wanted, code, processor), until=until, limit=LISTED_MAX
        )
    table = Table("notice", "status", "reason", "amount", "in suspense", "owner", "since", "awaits")
    for item in found:
        table.add_row(
            item["id"],
            item["status"],
            item["code"],
            "" if item["amount"] is None else f"{item['amount']:,}",
            f"{item['in_suspense']:,}",
            item["owner"],
            f"{item['received_at']:%Y-%m-%d %H:%M:%S}",
            item["awaits"],
        )
    out.print(table)


@notices.command()
def show(notice: _Notice, *, book: _Book) -> None:
    """Show one notice with what it said, what happened to its money, and what resolves it."""
    processor, _, rest = notice.partition(":")
    command, _, processor_ref = rest.partition(":")
    with _opened(book) as connection:
        found = queries.notice(connection, processor, command, processor_ref)
    if "id" not in found:
        raise fail(f"no notice {notice} is kept; `tokenledger notices list` shows which are")
    out.print_json(msgspec.json.encode(found).decode())


@notices.command()
def drop(notice: _Notice, *, book: _Book) -> None:
    """Give up a parked notice whose payment, refund or dispute will never come; it stays listed.

    Nothing was posted for it. Should what it awaits come after all, it is not applied any more.
    """
    processor, _, rest = notice.partition(":")
    command, _, processor_ref = rest.partition(":")
    with _opened(book) as connection:
        try:
            awaited = dropped_notices.drop(connection, processor, command, processor_ref)
        except psycopg.errors.LockNotAvailable:
            raise fail(f"the book {book} is being written to; try again") from None
    if awaited is None:
        raise fail(f"no notice {notice} is parked; `tokenledger notices list` shows which are")
    log.warning("a parked notice was given up", book=book, notice=notice, awaited=awaited)
    typer.echo(f"dropped {notice}, which awaited {awaited}")


@contextmanager
def _opened(book: str) -> Iterator[Connection]:
    with opened() as where:
        with connect(where.service_url, autocommit=True) as connection:
            schema = get_book(connection, book).schema
        with connect(where.service_url, schema, read_models=True, autocommit=True) as connection:
            try:
                yield connection
            except psycopg.errors.UndefinedTable:
                raise fail("the read models are not there yet: does the projector run?") from None
