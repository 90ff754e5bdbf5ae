"""The README's tour, run as a reader would run it, in an empty directory.

Every `sh` block runs, in order, in one shell; the `output` block after it holds lines that its
output must contain in that order, `…` standing for anything.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```(sh|output)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "== end of block =="
TIMEOUT_S = 180


def blocks() -> list[tuple[str, str]]:
    """(commands, expected output) of the tour, in order."""
    found: list[tuple[str, str]] = []
    for match in BLOCK.finditer(README.read_text()):
        kind, text = match.groups()
        if kind == "sh":
            found.append((text, ""))
        else:
            commands, before = found.pop()
            assert not before, f"two outputs follow {commands!r}"
            found.append((commands, text))
    return found


def pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.split("…"))


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour uses curl")
def test_the_tour_does_what_it_says(tmp_path: Path) -> None:
    tour = blocks()
    assert len(tour) >= 10
    script = "set -eu -o pipefail\n" + "".join(f"{commands}echo '{MARK}'\n" for commands, _ in tour)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TOKENLEDGER_")}
    here = str(Path(sys.executable).parent)
    shell = subprocess.Popen(
        ["bash", "-c", script.replace("8000", port)],
        cwd=tmp_path,
        env={**inherited, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that a service it leaves behind can be ended with it
    )
    try:
        out, err = shell.communicate(timeout=TIMEOUT_S)
    finally:
        if shell.poll() != 0:
            os.killpg(shell.pid, 15)
    assert shell.returncode == 0, out + err
    for (commands, expected), output in zip(tour, out.split(f"{MARK}\n"), strict=False):
        lines = iter(output.splitlines())
        for line in expected.splitlines():
            said = any(re.fullmatch(pattern(line), each) for each in lines)
            assert said, f"{commands}\ndid not answer\n{line}\nbut\n{output}"


def test_the_two_commands_come_first() -> None:
    first = README.read_text().split("```", 2)[1]
    assert "make demo" in first and "make test" in first
    makefile = (README.parent / "Makefile").read_text()
    assert re.search(r"^demo:", makefile, re.MULTILINE)
    assert re.search(r"^test:", makefile, re.MULTILINE)
