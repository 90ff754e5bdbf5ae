"""`tokenledger parked`: messages that consumers have put aside."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.table import Table

from api.cli.terminal import fail, opened, out
from ledger.books import get_book
from ledger.postgres.database import Connection, connect
from ledger.streams import parked
from ledger.streams.parked import Place

LISTED_MAX = 1_000

messages = typer.Typer(
    no_args_is_help=True, help="Messages from Kafka that could not be applied: see, retry, drop."
)

_Book = Annotated[str, typer.Option(help="The book.")]
_Message = Annotated[str, typer.Argument(help="consumer:partition:offset, as `list` shows it.")]


@messages.command("list")
def show_all(*, book: _Book) -> None:
    """List what is put aside, in the order of each partition."""
    with _opened(book) as connection:
        found = parked.listed(connection, limit=LISTED_MAX)
    table = Table("message", "key", "reason", "detail", "tries", "sent", "again")
    for message in found:
        place = message.place
        key = "" if message.key is None else message.key.decode("utf-8", "replace")
        table.add_row(
            f"{place.consumer}:{place.partition}:{place.offset}",
            key,
            message.reason,
            message.detail[:80],
            str(message.tries),
            f"{message.sent_at:%Y-%m-%d %H:%M:%S}",
            "yes" if message.released else "",
        )
    out.print(table)


@messages.command()
def show(message: _Message, *, book: _Book) -> None:
    """Show one message with its headers and its value."""
    with _opened(book) as connection:
        found = parked.shown(connection, _place(book, message))
    if found is None:
        raise fail(f"no message {message} is put aside; `tokenledger parked list` shows which are")
    out.print(f"{found.reason}: {found.detail}", markup=False)
    for name, value in found.headers:
        out.print(f"{name}: {value.decode('utf-8', 'replace')}", markup=False)
    out.print((found.value or b"").decode("utf-8", "replace"), markup=False)


@messages.command()
def retry(message: _Message, *, book: _Book) -> None:
    """Let a message and the others of its key be tried again, in their order."""
    with _opened(book) as connection:
        count = parked.release(connection, _place(book, message))
    if not count:
        raise fail(f"no message {message} is put aside; `tokenledger parked list` shows which are")
    typer.echo(f"{count} to be tried again")


@messages.command()
def drop(message: _Message, *, book: _Book) -> None:
    """Give one message up for good; that it was is kept."""
    with _opened(book) as connection:
        dropped = parked.drop(connection, _place(book, message))
    if not dropped:
        raise fail(f"no message {message} is put aside; `tokenledger parked list` shows which are")
    typer.echo(f"dropped {message}")


@contextmanager
def _opened(book: str) -> Iterator[Connection]:
    with opened() as where:
        with connect(where.service_url, autocommit=True) as connection:
            schema = get_book(connection, book).schema
        with connect(where.service_url, schema, autocommit=True) as connection:
            yield connection


def _place(book: str, message: str) -> Place:
    consumer, _, numbers = message.partition(":")
    partition, _, offset = numbers.partition(":")
    if not (consumer and partition.isdecimal() and offset.isdecimal()):
        raise fail(f"{message!r} is not consumer:partition:offset")
    return Place(consumer, f"tokenledger.{book}.{consumer}", int(partition), int(offset))
