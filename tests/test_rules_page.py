"""The page of rules names tests and files; they must be there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "rules.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE))
    assert named
    assert not [name for name in named if f"def {name}(" not in source]


def test_every_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`((?:domain|ledger|tests)/[\w/.]*)`", PAGE))
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]
