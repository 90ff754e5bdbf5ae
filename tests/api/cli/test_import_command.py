"""`tokenledger import` as a command: what it prints and with which status it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.postgres.database import Database
from tests.api.conftest import founded, fresh
from tests.api.imports import tip_sums

DAY = "2025-01-01T00:00:00Z"
GOOD = [(f"t{n}", DAY, "u1", "u2", "5", "c", "1") for n in range(30)]
SELF_TIP = ("self", DAY, "u1", "u1", "5", "c", "1")
BROKEN = ("half", DAY, "u1", "u2", "0.5", "c", "1")


def imported(where: Database, book: str, file: Path) -> "subprocess.CompletedProcess[str]":
    urls = {
        "TOKENLEDGER_DATABASE_URL": where.service_url,
        "TOKENLEDGER_ADMIN_DATABASE_URL": where.admin_url,
    }
    return subprocess.run(
        [sys.executable, "-m", "api", "import", "--book", book, "--format", "tips", str(file)],
        env={**os.environ, **urls, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_row_is_accounted_for(database: Database, tmp_path: Path) -> None:
    book = founded(database, fresh("Tips"), "tips").name
    file = tip_sums.write(tmp_path / "tips.csv", [*GOOD, GOOD[3], SELF_TIP, BROKEN])
    done = imported(database, book, file)
    assert done.returncode == 1, done.stderr
    said = [line.split() for line in done.stdout.splitlines()]
    assert ["read", "33", "160"] in said
    assert ["new", "tips", "30", "150"] in said
    assert ["repeated", "in", "the", "file", "1", "5"] in said
    assert ["not", "imported:", "SELF_DEALING", "1"] in said
    assert ["not", "imported:", "BROKEN_LINE", "1"] in said
    assert "line 33: SELF_DEALING: u1 may not pay themselves" in done.stderr
    assert "line 34, column units: '0.5' is not a whole number" in done.stderr

    clean = imported(database, book, tip_sums.write(tmp_path / "good.csv", GOOD))
    assert clean.returncode == 0, clean.stderr
    assert ["known", "from", "before", "30", "150"] in [
        line.split() for line in clean.stdout.splitlines()
    ]


@pytest.mark.parametrize(
    ("book", "file", "status", "said"),
    [
        ("none", "tips.csv", 2, "there is no book named"),
        ("micro-unlock", "tips.csv", 2, "revenue_share of a tip must be 10000 bps"),
        ("tips", "none.csv", 1, "No such file"),
    ],
)
def test_what_cannot_begin_says_why(
    database: Database, tmp_path: Path, book: str, file: str, status: int, said: str
) -> None:
    name = "Nowhere" if book == "none" else founded(database, fresh("Tips"), book).name
    tip_sums.write(tmp_path / "tips.csv", GOOD)
    done = imported(database, name, tmp_path / file)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
