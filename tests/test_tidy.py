"""The house rules that a machine can measure: sizes, docstrings, names, line length."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
PACKAGES = ("domain", "ledger", "projections", "api", "consumers")
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
COLUMNS_MAX = 100
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "core"}
# Spelled apart so that this file does not trip over itself.
BANNED_WORDS = re.compile("TO" + "DO|FIX" + "ME|XX" + "X")

#: What things were called before they had the field's names (docs/glossary.md). Migrations keep
#: theirs: they are never edited.
OLD_WORDS = re.compile(
    r"\bturnstile|\bcompanion|\bupkeep|\bfound_book\b|\bsteps_from\b|\bstate_at\b|\bpass_batch\b"
    r"|\bclass (Aims|Asking|Deliveries|Draft|Gate|Moves|Refused|Stamp|Standing|Trail|Undone)\b"
    r"|\bdef (against|entities|forbids|further|judge|the_end|wrong)\b"
)
MIGRATIONS = ("ledger/sql/book/", "ledger/sql/control/")
#: Names of the answers' schemas are public: a read model or a state may have the same.
PUBLIC_SCHEMAS = "api/http/"


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


def classes() -> list[tuple[str, ast.ClassDef]]:
    """Every class of the packages, with its file."""
    return [
        (name(path), node)
        for path in files(".py")
        if name(path).startswith(PACKAGES)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]


@pytest.mark.parametrize("path", files(".py", ".sql"), ids=name)
def test_old_words_are_gone(path: Path) -> None:
    if path != Path(__file__) and not name(path).startswith(MIGRATIONS):
        assert not (found := OLD_WORDS.search(path.read_text())), found


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for file, node in classes():
        if not node.name.startswith("_"):
            places.setdefault(node.name, []).append(file)
    shared = {called: where for called, where in places.items() if len(where) > 1}
    assert not {
        called: where
        for called, where in shared.items()
        if sum(not file.startswith(PUBLIC_SCHEMAS) for file in where) > 1
    }


def test_an_exception_is_named_by_what_happened() -> None:
    """`ClocksApart`, not `ClockError`; a schema of something wrong is no exception."""
    assert not [
        (file, node.name)
        for file, node in classes()
        if node.name.endswith("Error")
        and not any(isinstance(base, ast.Name) and base.id == "BaseModel" for base in node.bases)
    ]


def test_the_glossary_is_in_one_piece() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+\.? \|$", GLOSSARY.read_text(), re.MULTILINE)
    words = [row for row in rows if row != "Word"]
    assert len(words) == len(set(words)) >= 30


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=name)
def test_no_test_module_is_a_library(path: Path) -> None:
    """What tests share stands in modules of its own; scripts inside strings are read, too."""
    found = re.findall(
        r"^\s*(?:from|import) +tests[\w.]*\.test_\w+", path.read_text(), re.MULTILINE
    )
    assert not found, f"move what is shared out of {found}"


@pytest.mark.parametrize(
    "path", [path for path in files(".py") if name(path).startswith(PACKAGES)], ids=name
)
def test_there_is_one_way_to_name_queries_logs_and_notes(path: Path) -> None:
    body = ast.parse(path.read_text()).body
    for statement, following in pairwise(body):
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        written = ast.unparse(statement)
        assert not re.search(r"^_SQL\b|^_\w+ = \w*\.?get_logger", written), written
        if "get_logger(" in written:
            assert written == "log = logs.get_logger(__name__)"
        note = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        assert not note, f"what is said about {written[:40]} stands above it, after #:"
