"""The house rules that a machine can measure: sizes, docstrings, names, line length."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("domain", "ledger", "projections", "api", "consumers")
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
COLUMNS_MAX = 100
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "core"}
# Spelled apart so that this file does not trip over itself.
BANNED_WORDS = re.compile("TO" + "DO|FIX" + "ME|XX" + "X")


def files(*suffixes: str) -> list[Path]:
    folders = (ROOT / folder for folder in (*PACKAGES, "tests", "bench"))
    found = (path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes)
    return sorted(found)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", files(".py"), ids=name)
def test_a_module_is_small_and_says_why_it_exists(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "no module docstring"
    assert len(source.splitlines()) <= MODULE_LINES_MAX
    assert path.stem not in BANNED_NAMES
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", files(".py", ".sql"), ids=name)
def test_lines_are_short_and_finished(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        assert len(line) <= COLUMNS_MAX, f"line {number} has {len(line)} columns"
        assert not BANNED_WORDS.search(line), f"line {number} is unfinished: {line}"


@pytest.mark.parametrize("path", files(".sql"), ids=name)
def test_a_named_query_has_a_line_of_purpose(path: Path) -> None:
    lines = path.read_text().splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("-- name: "):
            assert following.startswith("-- "), f"{line} has no purpose"
