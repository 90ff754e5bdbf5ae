"""`tokenledger serve`, `migrate` and `project`: the processes of a deployment.

`serve` is the whole service in one command: it migrates, answers HTTP, writes, and runs the
projections in a child process. Any number of them may serve the same database.
"""

import os
import signal
import sys
import threading
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Annotated, NoReturn

import typer

from api.cli.edges import become
from api.cli.projector_process import projector_process
from api.cli.terminal import CommandFailed, err, fail, opened, settings
from api.http import server
from api.http.app import create_app
from ledger import gc_tuning as collector
from ledger import logs
from ledger.postgres.database import Database
from ledger.postgres.migrations import migrate, pending
from projections import process as engine

log = logs.get_logger(__name__)


def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port to listen on. Default: 8000; 0: any free port."),
    ] = None,
    migrate: Annotated[bool, typer.Option(help="Migrate the database first.")] = True,
    project: Annotated[bool, typer.Option(help="Keep the read models up to date, too.")] = True,
    meter: Annotated[bool, typer.Option(help="Send scheduled commands, too (see `meter`).")] = True,
) -> None:
    """Serve the HTTP API and keep the read models up to date, until SIGTERM or Ctrl-C."""
    for number in server.STOP_SIGNALS:  # until the server runs, an order to stop just ends this
        signal.signal(number, _leave)
    found = settings(http_host=host, http_port=port)
    with ExitStack() as stack:
        where = stack.enter_context(opened(found, supervise=True))
        _bring_up_to_date(where, allowed=migrate)
        try:
            listening = stack.enter_context(server.listen(found.http_host, found.http_port))
        except server.CannotListen as error:
            raise fail(f"{error}; choose another --port") from None
        if project:
            stack.enter_context(projector_process(where))
        url = server.address(listening)
        err.print(f"serving on {url}, documentation on {url}/docs", soft_wrap=True)
        log.info("serving", url=url, pid=os.getpid())
        collector.relax()
        server.run(create_app(found, where, schedule=meter), listening)
        for number in server.STOP_SIGNALS:  # the rest of the way out is short: nobody hurries it
            signal.signal(number, signal.SIG_IGN)
    log.info("stopped")


def migrate_database() -> None:
    """Migrate the database and all its books to this version's schema."""
    with opened() as where:
        steps = migrate(where.admin_url)
        for step in steps:
            typer.echo(f"applied {step}")
        if not steps:
            typer.echo("everything is up to date")


def project(
    *,
    book: Annotated[list[str] | None, typer.Option(help="Only this book. Can be repeated.")] = None,
    from_kafka: Annotated[
        bool,
        typer.Option(
            "--from-kafka", help="Build one book's read models in this database from its topic."
        ),
    ] = False,
    with_parent: Annotated[
        int | None,
        typer.Option(
            hidden=True, help="Exit when standard input ends; tell this descriptor of life."
        ),
    ] = None,
) -> None:
    """Keep the read models of all books up to date, until SIGTERM or Ctrl-C.

    Several may run at once: if one dies, another takes over.
    """
    if from_kafka:
        if book is None or len(book) != 1:
            raise fail("--from-kafka needs one --book")
        become("project", "--book", book[0])
    found = settings()
    # Waited for by name below; blocked before any thread starts, so that only we receive them.
    signal.pthread_sigmask(signal.SIG_BLOCK, server.STOP_SIGNALS)
    with opened(found, supervise=True) as where:
        if with_parent is not None:
            os.set_blocking(with_parent, False)
            threading.Thread(target=_end_with_parent, daemon=True).start()
        collector.relax()
        stop = threading.Event()
        runner = threading.Thread(
            target=_run_engine,
            args=(where, stop, book, found.projection_connections_max, with_parent),
            name="projections",
        )
        runner.start()
        signal.sigwait(server.STOP_SIGNALS)
        died = not runner.is_alive()
        stop.set()
        runner.join()
    if died:
        raise typer.Exit(1)


def _run_engine(
    where: Database,
    stop: threading.Event,
    books: list[str] | None,
    connections_max: int,
    parent: int | None,
) -> None:
    def alive() -> None:
        if parent is not None:
            with suppress(OSError):  # a parent that does not listen is no reason to stop
                os.write(parent, b".")

    try:
        engine.run(where, stop, books=books or None, connections_max=connections_max, alive=alive)
    except Exception:
        log.exception("projections died")
        raise
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _bring_up_to_date(where: Database, *, allowed: bool) -> None:
    steps = pending(where.admin_url)
    if not steps:
        return
    if not allowed:
        raise CommandFailed(f"{len(steps)} migrations are missing; run `tokenledger migrate`")
    for step in migrate(where.admin_url):
        log.info("migrated", step=str(step))


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
