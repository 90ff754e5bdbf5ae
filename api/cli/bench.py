"""`tokenledger bench`: starts the benchmarks, which live outside the installed packages."""

import subprocess
import sys
from importlib.util import find_spec

import typer

from api.cli.terminal import fail


def bench(context: typer.Context) -> None:
    """Run the benchmarks, all or those named, and print ratios.

    A run of all writes bench/results.json.
    """
    if find_spec("bench") is None:
        raise fail("there are no benchmarks here; run this in a checkout of the sources")
    ended = subprocess.run([sys.executable, "-m", "bench", *context.args], check=False)
    raise typer.Exit(ended.returncode)
