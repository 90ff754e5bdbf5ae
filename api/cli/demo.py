"""`tokenledger demo`: the whole service at work on this machine, and the figures of its books.

Starts the real service as a process of its own, makes a new book with keys, sends a simulated day
through the HTTP API, shows the figures, verifies the log, and goes on serving to be looked at.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import uvloop
from rich.panel import Panel

from api.cli.books import profile_document
from api.cli.demo_kafka import kafka_edge, published
from api.cli.simulate import last_midnight, simulated_day
from api.cli.simulate_year import extent_of, with_progress
from api.cli.terminal import CommandFailed, err, opened, out, progress_bar, settings
from api.provisioning import Provisioning, provision_book
from api.simulation import report as demo_page
from api.simulation.day_plan import Size, UnfitPolicy
from api.simulation.driver import SimulationFailed, Tallies
from api.simulation.figures import Picture, picture
from api.simulation.http_client import Address, Wire
from ledger.api_keys import Role, create_key
from ledger.books import SIMULATED, Book
from ledger.postgres.database import Database, connect
from ledger.postgres.migrations import migrate
from projections.verify import verify

PROFILE = "micro-unlock"
MONTH_FANS = "100"
HOST = "127.0.0.1"
PORTS_TRIED = 100
START_WITHIN_S = 60.0
#: The read models may be this far behind when the day ends.
CATCH_UP_S = 60
_WRONG = 1


@dataclass(frozen=True, slots=True)
class _Stage:
    """The running service, and the book that the demo writes to."""

    where: Database
    book: Book
    key: str
    url: str
    log: Path


def demo(
    *,
    exit: Annotated[  # noqa: A002  (the option is called so)
        bool, typer.Option("--exit", help="Stop the service after the summary.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=1, max=65_435, help="Port to listen on; if taken, the next free one.")
    ] = 8080,
    users: Annotated[int, typer.Option(min=1, help="Users of the platform.")] = 3_000,
    creators: Annotated[int, typer.Option(min=1, help="Creators of the platform.")] = 300,
    commands: Annotated[int, typer.Option(min=1, help="Commands to send.")] = 40_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same day.")] = 1,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="With a local Kafka broker, relay and consumer.")
    ] = False,
) -> None:
    """Simulate a day of a platform, show its figures, then keep serving until Ctrl-C."""
    signal.signal(signal.SIGTERM, _leave)
    found = settings(log_level="warning")
    started = time.monotonic()
    with opened(found, supervise=True) as where:
        with err.status("starting PostgreSQL, making a book"):
            migrate(where.admin_url)
            book, key = _new_book(where)
        found.data_dir.mkdir(parents=True, exist_ok=True)
        log = found.data_dir / "demo.log"
        with ExitStack() as beside:
            if kafka:
                with err.status("starting Kafka"):
                    edge = kafka_edge(where, book, found.data_dir / "demo-kafka.log")
                    out.print(f"Kafka listens on {beside.enter_context(edge)}")
            month = _month(where, seed)
            url, process = beside.enter_context(_service(where, _free_port(port), log))
            stage = _Stage(where, book, key, url, log)
            clean = _play(stage, Size(users, creators, commands), seed)
            if kafka:
                out.print(published(where, book))
            out.print(month)
            out.print(f"[dim]all of it in {time.monotonic() - started:.0f} s[/]")
            if not exit:
                _keep_serving(stage, process)
    if not clean:
        raise typer.Exit(_WRONG)


def _play(stage: _Stage, size: Size, seed: int) -> bool:
    """Simulate the day and print its summary; True if the books are in order."""
    out.print(demo_page.opening(stage.book.name, stage.url, size))
    try:
        tallies, seen = uvloop.run(_day(stage, size, seed))
    except (SimulationFailed, UnfitPolicy, ConnectionError) as error:
        raise CommandFailed(f"{error}; the service's log is {stage.log}") from None
    with progress_bar() as bar:
        task = bar.add_task("verifying every entry and every read model", total=None)
        report = verify(
            stage.where.service_url,
            stage.book,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    out.print(demo_page.summary(tallies, seen, stage.book.currency, report))
    return report.first is None and seen.caught_up


async def _day(stage: _Stage, size: Size, seed: int) -> tuple[Tallies, Picture]:
    address = Address.of(stage.url)
    tallies = await simulated_day(
        address, stage.book.name, stage.key, size=size, seed=seed, midnight=last_midnight()
    )
    wire = Wire(address, {"Authorization": f"Bearer {stage.key}", "Prefer": f"wait={CATCH_UP_S}"})
    try:
        with err.status("waiting for the read models"):
            seen = await picture(
                wire, stage.book.name, stage.book.currency, position=tallies.position
            )
    finally:
        wire.close()
    return tallies, seen


def _month(where: Database, seed: int) -> str:
    """A month of a small platform, in a simulated book with a key of an auditor's."""
    name = f"{SIMULATED}month-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    extent = extent_of(MONTH_FANS, None, 1)
    book, tallies = with_progress(where, name, profile_document(PROFILE), extent, seed=seed)
    with connect(where.admin_url) as admin:
        made = create_key(admin, book.name, role=Role.AUDITOR, actor="demo-auditor")
    return (
        f"[bold]{book.name}[/] is a simulated month, with what processors, time and the office did "
        f"in it: {tallies.position:,} events. An auditor's key for it: {made.key}"
    )


def _new_book(where: Database) -> tuple[Book, str]:
    """A book of this run's own, and a key of a backend service for it."""
    policy = profile_document(PROFILE)
    provisioning = Provisioning(policy, "1970-01-01T00:00:00Z", "ada", "grace")
    book = provision_book(where, f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}", provisioning)
    with connect(where.admin_url) as admin:
        made = create_key(admin, book.name, role=Role.SERVICE, actor="demo-backend")
    return book, made.key


def _free_port(first: int) -> int:
    """The first port from `first` on that nobody listens on."""
    for port in range(first, first + PORTS_TRIED):
        with suppress(OSError), socket.create_server((HOST, port)):
            return port
    raise CommandFailed(f"no port from {first} to {first + PORTS_TRIED - 1} is free; give --port")


@contextmanager
def _service(
    where: Database, port: int, log: Path
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """`tokenledger serve` as a process of its own, ready when the block begins."""
    environment = os.environ | {
        "TOKENLEDGER_DATABASE_URL": where.service_url,
        "TOKENLEDGER_ADMIN_DATABASE_URL": where.admin_url,
    }
    arguments = [sys.executable, "-m", "api", "serve", "--host", HOST, "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C is for the demo, which then stops the service
        )
    try:
        with err.status("starting the service"):
            url = f"http://{HOST}:{port}"
            uvloop.run(_ready(url, process, log))
        yield url, process
    finally:
        process.terminate()
        process.wait()


async def _ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Ask until the service says that it is ready: nothing else tells it to strangers."""
    wire = Wire(Address.of(url), {})
    give_up_at = time.monotonic() + START_WITHIN_S
    pause = threading.Event()
    try:
        while process.poll() is None and time.monotonic() < give_up_at:
            with suppress(ConnectionError):
                if (await wire.get("/health/ready")).status == 200:
                    return
            pause.wait(0.05)
    finally:
        wire.close()
    raise CommandFailed(f"the service does not start; its log is {log}")


def _keep_serving(stage: _Stage, process: "subprocess.Popen[bytes]") -> None:
    out.print(Panel(demo_page.addresses(stage.url, stage.book.name, stage.key), expand=False))
    with suppress(KeyboardInterrupt):
        process.wait()


def _leave(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)
