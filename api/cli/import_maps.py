"""`tokenledger map …`: the maps by which files are imported."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.terminal import fail, out
from api.imports.csv_rows import UnreadableFile
from api.imports.maps import InvalidMap, read_map, shipped, text_of
from api.imports.proposal import propose

maps = typer.Typer(no_args_is_help=True, help="Maps of other systems' files, for `import`.")


@maps.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to be imported.")],
) -> None:
    """Propose a map from a file's header and first rows, on standard output."""
    try:
        typer.echo(propose(file), nl=False)
    except UnreadableFile as error:
        raise fail(str(error)) from None


@maps.command("list")
def show_all() -> None:
    """List the maps that come along."""
    table = Table("map", "of")
    for name in shipped():
        table.add_row(name, read_map(name).about)
    out.print(table)


@maps.command()
def show(name: Annotated[str, typer.Argument(help="A map that comes along.")]) -> None:
    """Print a map, to be changed and used with `import --map FILE`."""
    try:
        typer.echo(text_of(name), nl=False)
    except InvalidMap as error:
        raise fail(str(error)) from None
