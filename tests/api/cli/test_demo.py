"""`tokenledger demo`, as people run it: a day, its figures, the service that goes on, the end."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

SMALL = ["--users", "120", "--creators", "15", "--commands", "1500"]


@contextmanager
def demo(data_dir: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A demo in a data directory of its own; what still runs at the end is stopped."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api", "demo", *SMALL, *arguments],
        env={**os.environ, "TOKENLEDGER_DATA_DIR": str(data_dir), "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Whatever goes wrong, nothing is waited for for ever.
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    with process:
        try:
            yield process
        finally:
            watchdog.cancel()
            process.terminate()


def test_with_exit_it_shows_the_day_and_ends_with_status_0(tmp_path: Path) -> None:
    with demo(tmp_path, "--exit") as process:
        out, err = process.communicate()
    assert process.returncode == 0, out + err
    for shown in ("top creators", "trial balance at position", "tokens outstanding, paid"):
        assert shown in out
    assert "✘" not in out and out.count("✔") == 4, out
    assert "1,500 in" in out and "each answered with the same bytes" in out
    assert "Traceback" not in err


def test_it_takes_the_next_free_port_and_serves_until_ctrl_c(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        if port > 65_000:
            pytest.skip("the ports above are too few")
        with demo(tmp_path, "--port", str(port)) as process:
            assert process.stdout is not None
            shown = ""
            while "Ctrl-C stops the service" not in shown:
                line = process.stdout.readline()
                assert line, shown
                shown += line
            served = re.search(r"API documentation +(http://127\.0\.0\.1:(\d+))/docs", shown)
            assert served is not None and port < int(served[2]) <= port + 100
            url = served[1]
            assert httpx.get(f"{url}/docs").status_code == 200
            asked = re.search(r"Bearer (tlk_\S+)\"\s+(\S+/wallets/fan-1)", shown.replace("│", ""))
            assert asked is not None, shown
            answer = httpx.get(asked[2], headers={"Authorization": f"Bearer {asked[1]}"})
            assert answer.json()["user"] == "fan-1"
            process.send_signal(signal.SIGINT)
            assert process.wait() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/docs")
