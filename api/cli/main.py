"""The command line: every command is a function in a module beside this one, and a line here."""

from importlib.metadata import version
from typing import Annotated

import typer

from api.cli.bench import bench
from api.cli.books import books
from api.cli.clock import clock
from api.cli.demo import demo
from api.cli.edges import PASSED_ON, consume, relay
from api.cli.import_file import import_file
from api.cli.import_maps import maps
from api.cli.keys import keys
from api.cli.maintenance import rebuild_projections, verify_books, write_snapshots
from api.cli.meter import meter
from api.cli.notices import notices
from api.cli.parked import messages
from api.cli.replay import replay_to
from api.cli.send import send
from api.cli.serve import migrate_database, project, serve
from api.cli.simulate import simulate

app = typer.Typer(
    name="tokenledger",
    help="The event-sourced book of record of a creator platform.",
    epilog="Settings are environment variables TOKENLEDGER_…; without TOKENLEDGER_DATABASE_URL, "
    "an embedded PostgreSQL in .tokenledger/ is used.",
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
app.add_typer(maps, name="map")
app.command()(send)
app.command()(simulate)
app.command()(project)
app.command()(meter)
app.command(context_settings=PASSED_ON)(relay)
app.command(context_settings=PASSED_ON)(consume)
app.add_typer(messages, name="parked")
app.add_typer(notices, name="notices")
app.command("rebuild")(rebuild_projections)
app.command("replay")(replay_to)
app.command("verify")(verify_books)
app.command("snapshot")(write_snapshots)
app.command()(clock)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(bench)


@app.callback(invoke_without_command=True)
def tokenledger(
    *, show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False
) -> None:
    """The event-sourced book of record of a creator platform."""
    if show_version:
        typer.echo(version("tokenledger"))
        raise typer.Exit
