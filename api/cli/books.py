"""`tokenledger book`: books are created with a first policy, which two people answer for."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from api.cli.terminal import CommandFailed, fail, opened, out
from api.provisioning import Provisioning, provision_book
from domain.catalogue import InvalidRequest
from ledger.api_keys import Role, create_key
from ledger.books import list_books
from ledger.postgres.database import connect

books = typer.Typer(no_args_is_help=True, help="Create and list books.")

_PROFILES = files("domain").joinpath("profiles")
_BEGINNING = "1970-01-01T00:00:00Z"


def profiles() -> list[str]:
    """The names of the ready-made policies."""
    names = (entry.name for entry in _PROFILES.iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


@books.command()
def create(
    name: Annotated[str, typer.Argument(help="The book's name: 1 to 40 letters, digits, _ or -.")],
    *,
    profile: Annotated[
        str | None, typer.Option(help=f"Start from a ready-made policy: {', '.join(profiles())}.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Start from your own policy document (JSON)."),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(help="Currency code, ISO 4217. Default: the policy's.", metavar="CODE"),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Time zone of the business day. Default: the policy's.")
    ] = None,
    effective_from: Annotated[
        str, typer.Option(help="When the first policy takes effect.", metavar="TIME")
    ] = _BEGINNING,
    proposer: Annotated[str, typer.Option(help="Who proposes the policy.")] = "book-proposer",
    approver: Annotated[
        str, typer.Option(help="Who approves it; not the proposer.")
    ] = "book-approver",
    keys: Annotated[
        str | None,
        typer.Option(help="Also create a key for each of these roles.", metavar="ROLE,…"),
    ] = None,
) -> None:
    """Create a book with its first policy in force, and API keys for the roles named by --keys.

    Each key is printed only now: the database keeps its hash. Its actor is named like its role.
    """
    roles = _roles(keys)
    with opened() as where:
        document = _document(profile, policy)
        document |= {"currency": currency} if currency else {}
        document |= {"time_zone": time_zone} if time_zone else {}
        provisioning = Provisioning(document, effective_from, proposer, approver)
        try:
            book = provision_book(where, name, provisioning)
        except InvalidRequest as error:
            wrong = "; ".join(f"{p.pointer}: {p.message}" for p in error.problems)
            raise CommandFailed(f"the policy is wrong: {wrong}") from None
        typer.echo(
            f"book {book.name} is open: {book.currency}, {book.time_zone}, policy 1 in force"
        )
        if roles:
            with connect(where.admin_url) as admin:
                for role in roles:
                    typer.echo(f"{role} {create_key(admin, name, role=role, actor=role).key}")


@books.command("list")
def show() -> None:
    """List the books of this database."""
    with opened() as where, connect(where.service_url, autocommit=True) as connection:
        found = list_books(connection)
    table = Table("book", "currency", "time zone")
    for book in found:
        table.add_row(book.name, book.currency, book.time_zone)
    out.print(table)


def _roles(keys: str | None) -> list[Role]:
    """The roles of a list like `service,finance`, each once."""
    names = dict.fromkeys(keys.split(",") if keys is not None else ())
    try:
        return [Role(name.strip()) for name in names]
    except ValueError:
        raise fail(f"{keys!r} are not all roles; there are: {', '.join(Role)}") from None


def profile_document(name: str) -> dict[str, Any]:
    """The policy document of a profile; raises `CommandFailed`."""
    if name not in profiles():
        raise CommandFailed(f"there is no profile {name!r}; there are: {', '.join(profiles())}")
    return _parsed(_PROFILES.joinpath(f"{name}.json").read_bytes(), name)


def _document(profile: str | None, policy: Path | None) -> dict[str, Any]:
    if profile is not None and policy is None:
        return profile_document(profile)
    if policy is None or profile is not None:
        raise CommandFailed(f"give --policy FILE or --profile, one of: {', '.join(profiles())}")
    try:
        return _parsed(policy.read_bytes(), str(policy))
    except OSError as error:
        raise CommandFailed(f"{policy} cannot be read: {error.strerror}") from None


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise CommandFailed(f"{where} is no JSON object: {error}") from None
