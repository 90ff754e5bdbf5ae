"""`tokenledger replay`: the read models of a moment, beside the live ones."""

from datetime import datetime
from typing import Annotated

import typer

from api.cli.terminal import CommandFailed, fail, opened, out, progress_bar
from ledger.books import get_book
from ledger.postgres.database import connect
from projections.rebuild import AlreadyRebuilding, RebuildFailed
from projections.replay import NoSuchMoment, drop_replay, replay

_Book = Annotated[str, typer.Option(help="The book.", envvar="TOKENLEDGER_BOOK")]
_Until = Annotated[
    str,
    typer.Option(metavar="POSITION|TIME", help="A position of the log, or an instant with a zone."),
]


def replay_to(
    *,
    book: _Book,
    until: _Until,
    drop: Annotated[bool, typer.Option("--drop", help="Remove what was built for it.")] = False,
) -> None:
    """Build the read models as they were at a moment, in a schema beside the live ones.

    It is called read_BOOK@POSITION: to look at it, set the search path to the book's schema and
    that one. A replay that was killed is gone on with by the next. --drop removes what it built.
    """
    moment = _moment(until)
    with opened() as where:
        with connect(where.service_url, autocommit=True) as connection:
            found = get_book(connection, book)
        try:
            if drop:
                dropped = drop_replay(where, found, moment)
                what = f"{dropped} is gone" if dropped else "there was nothing to drop"
                out.print(f"{book}: {what}", soft_wrap=True)
                return
            with progress_bar() as bar:
                task = bar.add_task(f"replay {book}", total=None)
                schema = replay(
                    where,
                    found,
                    moment,
                    progress=lambda done, total: bar.update(task, completed=done, total=total),
                )
        except (NoSuchMoment, RebuildFailed) as error:
            raise CommandFailed(str(error)) from None
        except AlreadyRebuilding as error:
            raise CommandFailed(f"another process builds {error} at present") from None
    search_path = f'"{found.schema}","{schema}",tokenledger'
    out.print(f"{book}: the read models of then are in {schema}", soft_wrap=True)
    out.print(f"  SET search_path TO {search_path};", soft_wrap=True)


def _moment(text: str) -> int | datetime:
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise fail(f"--until {text} is neither a position nor a time") from None
    if moment.tzinfo is None:
        raise fail(f"--until {text} has no zone: write it with Z, or with an offset")
    return moment
