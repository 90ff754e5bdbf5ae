"""PostgreSQL is killed, its sessions are ended, and connections are lost during COMMIT."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from ledger.postgres import embedded
from ledger.postgres.database import SERVICE_ROLE
from tests.conftest import FreshBook
from tests.faults.conftest import SOON_S, Pair, until
from tests.faults.cutting import CuttingDoor

END_SESSIONS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE usename = 'tokenledger_app' AND pid <> pg_backend_pid()
"""


def test_the_postmaster_is_killed(pair: Pair, own_server: embedded.Server) -> None:
    pair.a.start()
    pair.b.start()
    for _ in range(2):
        pair.go_on()
        pid = own_server.postmaster_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: own_server.postmaster_pid() is None, timeout_s=5, what="its end")
        own_server.start()
        pair.go_on(within_s=SOON_S)
    pair.stop()
    pair.examine()


def test_sessions_are_ended_under_way(pair: Pair) -> None:
    pair.a.start()
    pair.b.start()
    pair.go_on()
    with pair.fresh.connect_admin(autocommit=True) as admin:
        for _ in range(10):
            admin.execute(END_SESSIONS)
            pair.go_on(within_s=SOON_S)
    pair.stop()
    pair.examine()


@pytest.fixture
def door(own_server: embedded.Server) -> Iterator[CuttingDoor]:
    """A door that breaks at every fifth COMMIT; its path is short, as sockets want it."""
    with (
        TemporaryDirectory() as directory,
        CuttingDoor(Path(directory) / "d", own_server.socket_dir, every=5) as cutting,
    ):
        yield cutting


def test_connections_are_cut_during_commit(
    own_book: FreshBook, door: CuttingDoor, tmp_path: Path
) -> None:
    through_door = f"postgresql://{SERVICE_ROLE}@/tokenledger?host={quote(str(door.directory))}"
    pair = Pair(own_book, tmp_path, (through_door, own_book.service_url))
    pair.a.start()
    pair.b.start()
    try:
        until(lambda: door.cuts >= 10, timeout_s=20, what="cuts")
        pair.go_on(within_s=SOON_S)
        pair.stop()
    finally:
        pair.a.kill()
        pair.b.kill()
    pair.examine()
