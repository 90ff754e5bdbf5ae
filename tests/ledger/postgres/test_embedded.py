"""The embedded PostgreSQL: shared by processes, gone with the last one, back after any death."""

import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ledger.postgres import embedded
from ledger.postgres.database import connect

USER = """
    import sys
    from ledger.postgres import embedded
    with embedded.server(sys.argv[1]) as server:
        print(server.postmaster_pid(), flush=True)
        sys.stdin.read()
"""


@contextmanager
def other_user(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that uses the server until its stdin closes, and the pid that it saw."""
    command = [sys.executable, "-c", textwrap.dedent(USER), str(data_dir)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        yield process, int(process.stdout.readline())


def kill_and_wait(pid: int) -> None:
    process = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    select.select([process], [], [], 10)
    os.close(process)


def test_it_is_durable_and_answers(server: embedded.Server) -> None:
    with connect(server.url()) as admin:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert admin.execute("SELECT current_setting(%s)", [setting]).fetchone() == ("on",)
        assert admin.execute("SHOW listen_addresses").fetchone() == ("",)


def test_the_last_user_stops_it(tmp_path: Path) -> None:
    with embedded.server(tmp_path) as ours:
        pid = ours.postmaster_pid()
        with other_user(tmp_path) as (_, seen):
            assert seen == pid
        assert ours.postmaster_pid() == pid
        with embedded.server(tmp_path) as same:
            assert same.postmaster_pid() == pid
        assert ours.postmaster_pid() == pid
    assert ours.postmaster_pid() is None


def test_a_killed_user_leaves_no_trace(tmp_path: Path) -> None:
    with other_user(tmp_path) as (process, pid):
        process.kill()
        process.wait()
        with embedded.server(tmp_path) as ours:
            assert ours.postmaster_pid() == pid
    assert ours.postmaster_pid() is None


def test_a_forked_child_stops_nothing(tmp_path: Path) -> None:
    with embedded.server(tmp_path, supervise=True) as ours:
        pid = ours.postmaster_pid()
        command = [sys.executable, "-c", FORKING, str(tmp_path)]
        subprocess.run(command, check=True, timeout=30)
        assert ours.postmaster_pid() == pid


FORKING = textwrap.dedent("""
    import os, sys
    from ledger.postgres import embedded
    def child_leaves_first():
        with embedded.server(sys.argv[1], supervise=True) as server:
            if os.fork() == 0:
                return
            os.wait()
            assert server.postmaster_pid()
    child_leaves_first()
""")


def test_committed_rows_survive_a_kill(tmp_path: Path) -> None:
    with embedded.server(tmp_path) as ours:
        with connect(ours.url(), autocommit=True) as admin:
            admin.execute("CREATE TABLE kept AS SELECT 1 AS n")
            ours.kill()
            with pytest.raises(psycopg.OperationalError):
                admin.execute("SELECT 1")
        assert ours.postmaster_pid() is None
        ours.start()
        with connect(ours.url()) as admin:
            assert admin.execute("SELECT n FROM kept").fetchone() == (1,)


def test_a_frozen_backend_of_a_dead_postmaster_does_not_block_a_start(tmp_path: Path) -> None:
    with embedded.server(tmp_path) as ours:
        with connect(ours.url()) as admin:
            backend = admin.info.backend_pid
            postmaster = ours.postmaster_pid()
            assert postmaster
            os.kill(backend, signal.SIGSTOP)
            kill_and_wait(postmaster)
            ours.start()
            admin.close()
        with connect(ours.url()) as admin:
            assert admin.execute("SELECT 1").fetchone() == (1,)


def test_a_pid_file_that_names_a_stranger_does_not_block_a_start(tmp_path: Path) -> None:
    with embedded.server(tmp_path) as ours:
        ours.kill()
        pid_file = ours.pgdata / "postmaster.pid"
        lines = pid_file.read_text().split("\n")
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        ours.start()
        assert ours.postmaster_pid() not in (None, os.getpid())


def test_a_supervised_server_comes_back_by_itself(tmp_path: Path) -> None:
    with embedded.server(tmp_path, supervise=True) as ours:
        first = ours.postmaster_pid()
        ours.kill()
        ours.start()  # waits for the watch if that is at it, or is quicker
        assert ours.postmaster_pid() not in (None, first)
    assert ours.postmaster_pid() is None


def test_an_unfinished_first_start_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "pg.new").mkdir()
    (tmp_path / "pg.new" / "PG_VERSION").write_text("18")
    with embedded.server(tmp_path) as ours:
        assert ours.postmaster_pid()


def test_a_deep_directory_with_odd_characters(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / "with ' quote and space" / ("e" * 60)
    with embedded.server(deep) as ours, connect(ours.url()) as admin:
        assert len(str(ours.socket_dir)) < 60
        assert admin.execute("SELECT current_database()").fetchone() == ("tokenledger",)


def test_what_does_not_start_shows_its_log(tmp_path: Path) -> None:
    with embedded.server(tmp_path) as ours:
        pass
    (ours.pgdata / "postgresql.auto.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(embedded.EmbeddedServerFailed, match="no_such_setting"):
        ours.start()
