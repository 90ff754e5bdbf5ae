"""`tokenledger serve` as a process, for tests that talk to it or signal it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.postgres.database import Database

ROOT = Path(__file__).parents[3]


@contextmanager
def served(where: Database) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A serving process on a free port; yields it with its URL."""
    environment = os.environ | {
        "TOKENLEDGER_DATABASE_URL": where.service_url,
        "TOKENLEDGER_ADMIN_DATABASE_URL": where.admin_url,
        "TOKENLEDGER_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "api", "serve", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        found = re.search(r"http://\S+:\d+", process.stderr.readline())
        assert found is not None
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()
