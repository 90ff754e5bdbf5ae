"""`tokenledger relay` and `consume`: the Kafka edge, which runs in processes of its own.

The command line hands over to `python -m consumers`, so that this layer need not see that one.
"""

import os
import sys
from typing import NoReturn

import typer

#: Options, `--help` among them, are the other program's.
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def relay(context: typer.Context) -> None:
    """Publish every book's events to Kafka until SIGTERM or Ctrl-C."""
    become("relay", *context.args)


def consume(context: typer.Context) -> None:
    """Take commands or facts from Kafka into the log until SIGTERM or Ctrl-C."""
    become("consume", *context.args)


def become(*arguments: str) -> NoReturn:
    """Go on as `python -m consumers` with these arguments."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "consumers", *arguments])  # noqa: S606
