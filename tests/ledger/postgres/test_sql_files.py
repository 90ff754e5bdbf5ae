"""Named queries: found by name, complained about when a file is not as it should be."""

import re
from importlib.resources import files

import pytest

from ledger.postgres import sql_files
from ledger.postgres.sql_files import BrokenQueryFile, parse


def test_queries_are_split_and_freed_of_comments() -> None:
    text = (
        "-- About.\n\n-- name: one\n-- Purpose.\nSELECT 1;\n-- name: two\nSELECT 2\n  + 2 -- end\n"
    )
    assert parse(text) == {"one": b"SELECT 1", "two": b"SELECT 2\n  + 2 -- end"}


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", "-- name: a\nSELECT 1\n-- name: a\nSELECT 2", "-- name: a\n-- nothing\n"],
)
def test_files_that_are_wrong(text: str) -> None:
    with pytest.raises(BrokenQueryFile):
        parse(text)


def test_an_unknown_name_tells_the_file() -> None:
    loaded = sql_files.load("books")
    assert "get" in loaded
    assert "nothing" not in loaded
    with pytest.raises(
        BrokenQueryFile, match=r"ledger/sql/books\.sql has no query named 'nothing'"
    ):
        loaded["nothing"]


@pytest.mark.parametrize("package", ["ledger", "projections"])
def test_every_query_file_can_be_loaded(package: str) -> None:
    folder = files(package).joinpath("sql")
    if folder.is_dir():
        for file in folder.iterdir():
            if file.name.endswith(".sql"):
                assert sql_files.load(file.name.removesuffix(".sql"), package)


@pytest.mark.parametrize("package", ["ledger", "projections", "consumers"])
def test_what_changes_a_books_rows_takes_the_statements_time(package: str) -> None:
    """Where tables are spread over servers, each would have a clock and a `now()` of its own."""
    for path in files(package).joinpath("sql").iterdir():
        if path.name.endswith(".sql") and path.name not in {"keys.sql", "books.sql"}:
            for name, query in sql_files.load(path.name.removesuffix(".sql"), package).items():
                changes = re.search(rb"^UPDATE\b|\bDO UPDATE\b", query)
                told = re.search(rb"\b(clock_timestamp|now)\(\)", query)
                assert not (changes and told), f"{package}/sql/{path.name}: {name}"
