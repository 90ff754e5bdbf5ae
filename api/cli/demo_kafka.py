"""The Kafka edge beside a demo: a local broker, the relay and a consumer of commands."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from api.cli.terminal import CommandFailed
from ledger.books import Book
from ledger.postgres.database import Database, connect
from ledger.streams import relay_place

STOP_WITHIN_S = 30.0
CAUGHT_UP_WITHIN_S = 60.0


@contextmanager
def kafka_edge(where: Database, book: Book, log: Path) -> Iterator[str]:
    """Broker, relay and consumer as long as the block; yields where the broker listens."""
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        directory = tempfile.mkdtemp(prefix="tokenledger-kafka-")
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        broker = stack.enter_context(_started(["broker", directory], {}, output.fileno()))
        assert broker.stdout is not None
        bootstrap = broker.stdout.readline().decode().strip()
        if not bootstrap:
            raise CommandFailed(f"no Kafka broker: `make kafka` installs one; its log is {log}")
        environment = {
            "TOKENLEDGER_DATABASE_URL": where.service_url,
            "TOKENLEDGER_ADMIN_DATABASE_URL": where.admin_url,
            "TOKENLEDGER_KAFKA_BOOTSTRAP": bootstrap,
        }
        for arguments in (["relay"], ["consume", "commands"]):
            stack.enter_context(
                _started([*arguments, "--book", book.name], environment, output.fileno())
            )
        yield bootstrap


def published(where: Database, book: Book) -> str:
    """A sentence about the relay, once it has caught up or had time enough for it."""
    give_up_at = time.monotonic() + CAUGHT_UP_WITHIN_S
    with connect(where.service_url, book.schema, autocommit=True) as connection:
        while True:
            status = relay_place.status(connection)
            if not status.lag_events or time.monotonic() > give_up_at:
                break
            time.sleep(0.1)
    topic = f"tokenledger.{book.name}.events"
    return f"{status.position:,} of {status.head:,} events are published to {topic}"


@contextmanager
def _started(
    arguments: list[str], environment: dict[str, str], output: int
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "consumers", *arguments],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if arguments[0] == "broker" else output,
        stderr=output,
        start_new_session=True,  # a Ctrl-C is for the demo, which then stops them
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        if arguments[0] != "broker":  # that one ends with its standard input
            process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
