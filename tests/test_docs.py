"""The pages of rules and of platforms name tests, files and code; all of it must be there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("rules", "platforms")}
LAYERS = ("domain", "ledger", "projections", "api")
SPAN = re.compile(r"`([^`\n]+)`")
#: A file, and after it what it holds: `domain/sales/amounts.py` `card_amounts`, `divided`.
HELD = re.compile(rf"`((?:{'|'.join(LAYERS)})/[\w/]+\.py)`( `[\w.]+`(?:, `[\w.]+`)*)")

every_page = pytest.mark.parametrize("page", PAGES)


def spans(page: str) -> set[str]:
    """Everything that the page shows as code."""
    return set(SPAN.findall(PAGES[page]))


def defines(path: Path, name: str) -> bool:
    """Whether the file defines each part of a dotted name."""
    source = path.read_text()
    return all(
        re.search(
            rf"^\s*(?:async def|def|class) {part}\b|^\s*{part}(?:: .*)? = ", source, re.MULTILINE
        )
        for part in name.split(".")
    )


@every_page
def test_every_test_that_the_page_names_exists(page: str) -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = {span for span in spans(page) if re.fullmatch(r"test_\w+", span)}
    assert named
    assert not [name for name in named if f"def {name}(" not in source]


@every_page
def test_every_file_that_the_page_names_exists(page: str) -> None:
    folders = "|".join((*LAYERS, "tests", "consumers", "docs"))
    named = {span for span in spans(page) if re.fullmatch(rf"(?:{folders})/[\w/.-]*", span)}
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


@every_page
def test_every_scenario_that_the_page_names_exists(page: str) -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"\b[A-E][1-8]\b", PAGES[page]))
    assert not [name for name in named if f"def test_{name.lower()}_" not in source]


@every_page
def test_every_definition_that_the_page_places_in_a_file_is_there(page: str) -> None:
    placed = {
        (file, name) for file, names in HELD.findall(PAGES[page]) for name in SPAN.findall(names)
    }
    modules = {path.stem: path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")}
    for span in spans(page):
        module, _, name = span.partition(".")
        if module in modules and re.fullmatch(r"[A-Za-z_.]+", name) and name != "py":
            placed.add((str(modules[module].relative_to(ROOT)), name))
    assert placed
    assert not [held for held in sorted(placed) if not defines(ROOT / held[0], held[1])]


SCENARIOS = set(
    re.findall(r"^### ([A-E]\d):", (ROOT / "docs/scenarios.md").read_text(), re.MULTILINE)
)


def test_every_scenario_has_a_test_and_every_code_in_a_test_is_defined() -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    played = {code.upper() for code in re.findall(r"def test_([a-e]\d)_", source)}
    assert played == SCENARIOS
