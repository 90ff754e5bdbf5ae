"""What takes longer than a second shows how far it is, on a terminal and nowhere else."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.simulation.sample_tips import Shape, write_tips
from ledger.postgres.database import Database
from tests.api.conftest import Tenant, founded, fresh

ROOT = Path(__file__).parents[3]
BAR = re.compile(r"━+.*100%")


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The two ends of a terminal: the one that is read, and the one that is written to."""
    ends = pty.openpty()
    yield ends
    os.close(ends[0])


def shown(terminal: tuple[int, int], where: Database, *arguments: str) -> str:
    """What a command shows on a terminal that is its standard error."""
    reading, writing = terminal
    environment = os.environ | {
        "TOKENLEDGER_DATABASE_URL": where.service_url,
        "TOKENLEDGER_ADMIN_DATABASE_URL": where.admin_url,
        "TOKENLEDGER_LOG_LEVEL": "error",
        "TERM": "xterm",
    }
    command = [sys.executable, "-m", "api", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=writing
    ) as process:
        os.close(writing)
        text = b""
        while True:
            try:
                more = os.read(reading, 65_536)
            except OSError:  # a terminal that nobody writes to any more
                break
            if not more:
                break
            text += more
        assert process.stdout is not None
        assert not BAR.search(process.stdout.read().decode())
    assert process.returncode == 0, text.decode()
    return text.decode()


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_maintenance_shows_how_far_it_is(
    tenant: Tenant, terminal: tuple[int, int], command: str
) -> None:
    text = shown(terminal, tenant.where, command, "--book", tenant.book.name)
    assert BAR.search(text), text


def test_an_import_shows_how_far_it_is(
    database: Database, terminal: tuple[int, int], tmp_path: Path
) -> None:
    book, file = founded(database, fresh("Tips"), "tips"), tmp_path / "tips.csv"
    write_tips(file, Shape(rows=200), 1)
    text = shown(terminal, database, "import", "--book", book.name, "--format", "tips", str(file))
    assert BAR.search(text), text


def test_a_simulated_day_shows_how_far_it_is(
    database: Database, tenant: Tenant, terminal: tuple[int, int]
) -> None:
    day = Tenant(tenant.http, database, founded(database, fresh("Day")))
    key = day.caller().key
    assert key is not None
    doors = ["--book", day.book.name, "--key", key, "--url", str(tenant.http.base_url)]
    text = shown(terminal, database, "simulate", *doors, "--users", "20", "--commands", "100")
    assert BAR.search(text), text
