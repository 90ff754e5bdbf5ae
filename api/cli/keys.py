"""`tokenledger key …`: API keys are made, listed and revoked here."""

from typing import Annotated

import typer
from rich.table import Table

from api.cli.terminal import fail, opened, out
from ledger.api_keys import Role, create_key, list_keys, revoke_key
from ledger.books import get_book
from ledger.postgres.database import connect

keys = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")

_Book = Annotated[str, typer.Option(help="The book that the key opens.")]


@keys.command()
def create(
    *,
    book: _Book,
    role: Annotated[Role, typer.Option(help="What its holder may do.")],
    actor: Annotated[str, typer.Option(help="Who acts with it: named in every entry.")],
    client: Annotated[
        str | None,
        typer.Option(help="Keys of one client share their idempotency keys; by default the actor."),
    ] = None,
) -> None:
    """Make a key and print it. It is shown this once; only its hash is kept."""
    with opened() as where, connect(where.admin_url) as admin:
        made = create_key(admin, book, role=role, actor=actor, client=client)
    typer.echo(made.key)


@keys.command("list")
def show(*, book: _Book) -> None:
    """List a book's keys, without what opens the book."""
    with opened() as where, connect(where.service_url, autocommit=True) as connection:
        get_book(connection, book)
        found = list_keys(connection, book)
    table = Table("key id", "role", "actor", "client", "created", "revoked")
    for key in found:
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M:%S}" if key.revoked_at else ""
        created = f"{key.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(key.key_id, key.role, key.actor, key.client, created, revoked)
    out.print(table)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `key list` shows it: the part after tlk_.")],
) -> None:
    """End a key; services that remember it forget it within seconds."""
    with opened() as where, connect(where.admin_url) as admin:
        ended = revoke_key(admin, key_id)
    if not ended:
        raise fail(f"there is no good key {key_id!r}; `tokenledger key list` shows which there are")
    typer.echo(f"revoked {key_id}")
