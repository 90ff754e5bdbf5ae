"""A day of a platform on the oldest PostgreSQL that is supported, where this machine has one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.postgres import embedded, embedded_host
from ledger.postgres.database import SERVICE_ROLE, connect
from ledger.postgres.migrations import migrate

OLDEST = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[embedded.Server]:
    monkeypatch.setattr(embedded_host, "binaries", lambda: OLDEST)
    with embedded.server(tmp_path / "server") as server:
        yield server


@pytest.mark.skipif(not OLDEST.exists(), reason="PostgreSQL 15 is not installed here")
def test_a_day_on_a_server_of_ones_own(oldest: embedded.Server) -> None:
    migrate(oldest.url())
    with connect(oldest.url()) as connection:
        version = connection.execute("SHOW server_version_num").fetchone()
    assert version is not None and version[0].startswith("15")
    day = [sys.executable, "-m", "api", "demo", "--exit"]
    ended = subprocess.run(
        [*day, "--users", "100", "--creators", "10", "--commands", "1000"],
        env={
            **os.environ,
            "TOKENLEDGER_DATABASE_URL": oldest.url(user=SERVICE_ROLE),
            "TOKENLEDGER_ADMIN_DATABASE_URL": oldest.url(),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("✔") == 4 and "✘" not in ended.stdout
