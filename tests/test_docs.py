"""What the pages show as code must be there: tests, files, names in them, scenarios."""

import re
from functools import cache
from pathlib import Path

import pytest

import domain.catalogue  # noqa: F401 - it fills EVENTS
from domain.event import EVENTS

ROOT = Path(__file__).parents[1]
LAYERS = ("domain", "ledger", "projections", "api", "consumers")
#: Every page but `docs/commands.md`, which is generated and has a test of its own.
PAGES = {
    str(path.relative_to(ROOT)): re.sub(r"(?ms)^```.*?^```$", "", path.read_text())
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    if path.name != "commands.md"
}
SPAN = re.compile(r"`([^`\n]+)`")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?:\(.*\))?")
FOLDERS = "|".join((*LAYERS, "tests", "bench", "docs"))
#: A file, and after it what it holds: `domain/sales/amounts.py` `card_amounts`, `divided`.
HELD = re.compile(rf"`((?:{FOLDERS})/[\w/]+\.py)`,? ((?:`(?!test_)[\w.]+`(?:, )?)+)")
#: Questions about what is not there yet, with the place that it would have.
YET_TO_COME = re.compile(r"^\| Where would .*$", re.MULTILINE)

every_page = pytest.mark.parametrize("page", PAGES)


def spans(page: str) -> set[str]:
    """Everything that the page shows as code."""
    return set(SPAN.findall(YET_TO_COME.sub("", PAGES[page])))


@cache
def sources(pattern: str, *folders: str) -> dict[Path, str]:
    """The text of all files below the folders whose names fit the pattern."""
    return {path: path.read_text() for f in folders for path in (ROOT / f).rglob(pattern)}


def defines(source: str, name: str) -> bool:
    """Whether a file defines each part of a dotted name."""
    return all(
        re.search(
            rf"^\s*(?:async def|def|class) {part}\b|^\s*{part}(?:: .*)? = ", source, re.MULTILINE
        )
        for part in name.split(".")
    )


def resolves(span: str) -> bool:
    """Whether a dotted name stands for something: an event type, a file, an account, a class's
    member, a function of the database or a name that the code spells out.

    A function of a module does not: it is shown as a path and a name.
    """
    first, _, rest = span.partition(".")
    if re.fullmatch(r"v\d+", span.rpartition(".")[2]):
        return span in EVENTS
    if rest in ("py", "md", "sql"):
        return any(ROOT.glob(span)) or any(p.name == span for p in sources("*.py", *LAYERS))
    if f'"{first}.' in (ROOT / "domain/accounts.py").read_text():
        return True
    if first[0].isupper():
        return any(defines(source, span) for source in sources("*.py", *LAYERS).values())
    called = span.partition("(")[0]
    return any(f'"{span}"' in source for source in sources("*.py", *LAYERS).values()) or any(
        f"{called}(" in source for source in sources("*.sql", *LAYERS).values()
    )


@every_page
def test_every_test_that_the_page_names_exists(page: str) -> None:
    source = "".join(sources("test_*.py", "tests").values())
    named = {span for span in spans(page) if re.fullmatch(r"test_\w+", span)}
    assert not [name for name in named if f"def {name}(" not in source]


@every_page
def test_every_file_that_the_page_names_exists(page: str) -> None:
    named = {span for span in spans(page) if re.fullmatch(rf"(?:{FOLDERS})/[\w/.*-]*", span)}
    assert not [name for name in named if not any(ROOT.glob(f"{name.rstrip('/')}*"))]


@every_page
def test_every_scenario_that_the_page_names_exists(page: str) -> None:
    named = set(re.findall(r"(?<![\w-])[A-E][1-8](?![\w-])", PAGES[page]))
    unplayed = {"A8", "C3", "D2"} if page == "docs/scenarios.md" else set()
    assert named - unplayed <= SCENARIOS


@every_page
def test_every_dotted_name_on_the_page_stands_for_something(page: str) -> None:
    placed = {name for _, names in HELD.findall(PAGES[page]) for name in SPAN.findall(names)}
    dotted = {span for span in spans(page) - placed if DOTTED.fullmatch(span)}
    assert not sorted(span for span in dotted if not resolves(span))


@every_page
def test_every_definition_that_the_page_places_in_a_file_is_there(page: str) -> None:
    placed = {
        (file, name) for file, names in HELD.findall(PAGES[page]) for name in SPAN.findall(names)
    }
    assert not [
        held for held in sorted(placed) if not defines((ROOT / held[0]).read_text(), held[1])
    ]


def test_the_pages_of_rules_and_platforms_place_their_definitions_in_files() -> None:
    """What the tests above check is there to be checked."""
    for page in ("docs/rules.md", "docs/platforms.md"):
        assert len(HELD.findall(PAGES[page])) > 40
        assert sum(span.startswith("test_") for span in spans(page)) > 40


SCENARIOS = set(re.findall(r"^### ([A-E]\d):", PAGES["docs/scenarios.md"], re.MULTILINE))


def test_every_scenario_has_a_test_and_every_code_in_a_test_is_defined() -> None:
    source = "".join(sources("test_*.py", "tests").values())
    played = {code.upper() for code in re.findall(r"def test_([a-e]\d)_", source)}
    assert played == SCENARIOS
