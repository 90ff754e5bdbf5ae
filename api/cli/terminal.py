"""What every command of the command line shares: where it writes, and how it fails.

Results go to standard output, everything else to standard error. A failure is one sentence that
says what to do, never a traceback: status 2 where the usage or the configuration is wrong.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import typer
from psycopg_pool import PoolTimeout
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from api.provisioning import CannotProvision
from ledger import logs
from ledger.api_keys import InvalidKeyRequest
from ledger.books import Book, BookRefused, UnknownBook, get_book, list_books
from ledger.postgres.database import SERVICE_ROLE, Connection, Database, connect, database
from ledger.postgres.embedded import EmbeddedServerFailed
from ledger.postgres.embedded_host import EmbeddedHostFailed
from ledger.postgres.migrations import MigrationRefused
from ledger.settings import Settings, load
from ledger.write.unavailable import Unavailable

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_CONFIGURATION = 2


class CommandFailed(Exception):
    """A command cannot do what it was asked; the message is for people."""


def fail(message: str, status: int = _CONFIGURATION) -> typer.Exit:
    """Say what went wrong; to be raised."""
    err.print(f"[red]Error:[/] {escape(message)}", soft_wrap=True)
    return typer.Exit(status)


@contextmanager
def explained() -> Iterator[None]:
    """Turn what can be expected to go wrong into a sentence and status 2."""
    try:
        yield
    except UnknownBook as error:
        raise fail(f"{error}; `tokenledger book list` shows which there are") from None
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise fail("the database is not migrated; run `tokenledger migrate`") from None
    except psycopg.errors.InsufficientPrivilege as error:
        reason = str(error).splitlines()[0]
        raise fail(
            f"the database refuses this role: {reason}; "
            "set TOKENLEDGER_ADMIN_DATABASE_URL to a role that may"
        ) from None
    except (psycopg.OperationalError, PoolTimeout) as error:
        reason = str(error).strip().splitlines()[-1]
        if f'role "{SERVICE_ROLE}" does not exist' in reason:  # migrations make it
            raise fail("the database is not migrated; run `tokenledger migrate`") from None
        raise fail(
            f"the database cannot be reached: {reason}; is it running, "
            "and is TOKENLEDGER_DATABASE_URL right?"
        ) from None
    except (
        CommandFailed,
        CannotProvision,
        BookRefused,
        InvalidKeyRequest,
        MigrationRefused,
        EmbeddedServerFailed,
        EmbeddedHostFailed,
        Unavailable,
    ) as error:
        raise fail(str(error)) from None


def settings(**overrides: object) -> Settings:
    """The environment's settings, with what the command line says instead; configures logs."""
    try:
        found = load()
        given = {name: value for name, value in overrides.items() if value is not None}
        found = Settings.model_validate(found.model_dump() | given)
    except ValidationError as error:
        wrong = "; ".join(
            f"TOKENLEDGER_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}"
            for e in error.errors(include_url=False)
        )
        raise fail(f"the settings are wrong: {wrong}") from None
    logs.configure(found.log_level, found.log_format)
    return found


@contextmanager
def opened(found: Settings | None = None, *, supervise: bool = False) -> Iterator[Database]:
    """The database that the settings say, as long as the block; failures are explained.

    `supervise` starts an embedded server again whenever it dies.
    """
    with explained(), database(found or settings(), supervise=supervise) as where:
        yield where


def chosen_books(connection: Connection, name: str | None) -> list[Book]:
    """The book called `name`, or all; raises `UnknownBook`."""
    return [get_book(connection, name)] if name is not None else list_books(connection)


def books_of(where: Database, name: str | None) -> list[Book]:
    """As `chosen_books`, over a connection of its own."""
    with connect(where.service_url, autocommit=True) as connection:
        return chosen_books(connection, name)


def progress_bar() -> Progress:
    """A bar on standard error, with a description, a share, the time, and an estimate."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
    )
