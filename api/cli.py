"""The command line: every command in one list, each at home in a module of its own.

A new command is a function in a module `cli_…` and a line here.
"""

from importlib.metadata import version
from typing import Annotated

import typer

from api.cli_bench import bench
from api.cli_books import books
from api.cli_demo import demo
from api.cli_import import import_file
from api.cli_keys import keys
from api.cli_meter import meter
from api.cli_send import send
from api.cli_serve import migrate_database, project, serve
from api.cli_simulate import simulate
from api.cli_upkeep import rebuild_projections, verify_books

app = typer.Typer(
    name="tokenledger",
    help="The event-sourced book of record of a creator platform.",
    epilog="Settings are environment variables TOKENLEDGER_…; without TOKENLEDGER_DATABASE_URL "
    "an embedded PostgreSQL in .tokenledger/ serves.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
)

app.command()(serve)
app.command("migrate")(migrate_database)
app.add_typer(books, name="book")
app.add_typer(keys, name="key")
app.command()(demo)
app.command("import")(import_file)
app.command()(send)
app.command()(simulate)
app.command()(project)
app.command()(meter)
app.command("rebuild")(rebuild_projections)
app.command("verify")(verify_books)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(bench)


@app.callback(invoke_without_command=True)
def tokenledger(
    *, show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False
) -> None:
    """The event-sourced book of record of a creator platform."""
    if show_version:
        typer.echo(version("tokenledger"))
        raise typer.Exit
