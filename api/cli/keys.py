"""`tokenledger key`: create, list and revoke API keys."""

from typing import Annotated

import typer
from rich.table import Table

from api.cli.terminal import fail, opened, out
from ledger.api_keys import Kind, Role, create_key, list_keys, revoke_key
from ledger.books import get_book
from ledger.postgres.database import connect

keys = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")

_Book = Annotated[str, typer.Option(help="The book that the key gives access to.")]


@keys.command()
def create(
    *,
    book: _Book,
    role: Annotated[Role, typer.Option(help="What the key may do.")],
    actor: Annotated[str, typer.Option(help="Who acts with the key; every entry names them.")],
    client: Annotated[
        str | None,
        typer.Option(help="Keys of one client share idempotency keys. Default: the actor."),
    ] = None,
    kind: Annotated[
        Kind | None,
        typer.Option(
            help="Whose it is; only people approve. Default: a machine's for the role service, "
            "else a person's."
        ),
    ] = None,
) -> None:
    """Create a key and print it. It is shown only once; the database keeps its hash."""
    with opened() as where, connect(where.admin_url) as admin:
        made = create_key(admin, book, role=role, actor=actor, client=client, kind=kind)
    typer.echo(made.key)


@keys.command("list")
def show(*, book: _Book) -> None:
    """List a book's keys, without their secrets."""
    with opened() as where, connect(where.service_url, autocommit=True) as connection:
        get_book(connection, book)
        found = list_keys(connection, book)
    table = Table("key id", "role", "kind", "actor", "client", "created", "revoked")
    for key in found:
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M:%S}" if key.revoked_at else ""
        created = f"{key.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(key.key_id, key.role, key.kind or "", key.actor, key.client, created, revoked)
    out.print(table)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, from `tokenledger key list`.")],
) -> None:
    """Revoke a key. Running services stop accepting it within seconds."""
    with opened() as where, connect(where.admin_url) as admin:
        ended = revoke_key(admin, key_id)
    if not ended:
        raise fail(f"there is no good key {key_id!r}; `tokenledger key list` shows which there are")
    typer.echo(f"revoked {key_id}")
