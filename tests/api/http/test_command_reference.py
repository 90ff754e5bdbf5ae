"""The page of commands says what the catalogue says, and its examples are commands."""

import json
import re

import pytest

from api.http import command_reference as command_page
from api.http.openapi import command_text
from domain.catalogue import read_command
from domain.command import COMMANDS
from domain.event import EVENTS
from domain.rejections import REASONS

SECTION = re.compile(r"^### (\S+)\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]+))?\)")
WRITTEN = command_page.PAGE.read_text()
SECTIONS = dict(SECTION.findall(WRITTEN))

every_command = pytest.mark.parametrize("name", sorted(COMMANDS))


def test_the_page_is_what_the_catalogue_says() -> None:
    # Compared as a truth, not as two texts: what differs is best seen in the diff of the page.
    same = command_page.page() == WRITTEN
    assert same, "docs/commands.md is behind: python -m api.http.command_reference"


@every_command
def test_every_command_has_a_section_with_its_own_fields(name: str) -> None:
    own = set(COMMANDS[name].field_names()) - set(command_page.SHARED)
    assert own == set(re.findall(r"^\| `(\w+)` \|", SECTIONS[name], re.MULTILINE))
    assert f"POST /v1/books/{{book}}/commands/{name}`" in SECTIONS[name]


@every_command
def test_every_example_is_such_a_command(name: str) -> None:
    (example,) = EXAMPLE.findall(SECTIONS[name])
    assert read_command(name, json.loads(example)).name == name


@every_command
def test_the_first_line_about_a_command_is_whole_sentences(name: str) -> None:
    summary, _ = command_text(COMMANDS[name])
    assert summary.endswith(".")


def test_every_code_and_every_event_is_told() -> None:
    told = set(re.findall(r"^\| `([\w.]+)` \|", WRITTEN, re.MULTILINE))
    assert set(REASONS) | set(EVENTS) <= told


def test_no_pattern_is_left_without_words() -> None:
    assert "of the form" not in WRITTEN, "name the new pattern in api/http/command_reference.py"


def test_every_link_leads_somewhere() -> None:
    for path, section in LINK.findall(WRITTEN):
        assert (command_page.PAGE.parent / path).exists()
        assert not section or section in SECTIONS
