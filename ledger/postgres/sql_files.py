"""Loads named SQL queries, so that SQL lives in `.sql` files and is never glued from strings.

A file holds queries, each under a line `-- name: append_events` and a line of purpose. Queries
are handed out as bytes, which psycopg takes as they are, without their comment lines.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\S+)\s*$", re.MULTILINE)


class BrokenQueryFile(Exception):
    """A query file that cannot be used as it stands: a programming error."""


class Queries(dict[str, bytes]):
    """The queries of one file by name; asking for one that is not there names the file."""

    def __init__(self, source: str, queries: Mapping[str, bytes]) -> None:
        super().__init__(queries)
        self._source = source

    def __missing__(self, name: str) -> bytes:
        raise BrokenQueryFile(f"{self._source} has no query named {name!r}")


@cache
def load(name: str, package: str = "ledger") -> Queries:
    """Load `<package>/sql/<name>.sql`; a query that the file lacks raises `BrokenQueryFile`."""
    source = f"{package}/sql/{name}.sql"
    text = files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return Queries(source, parse(text, source))


def parse(text: str, source: str = "<text>") -> dict[str, bytes]:
    """Split a file into its queries; refuses text before the first name and repeated names."""
    head, *parts = _NAME.split(text)
    if _code(head):
        raise BrokenQueryFile(f"{source} has SQL before its first '-- name:' line")
    queries: dict[str, bytes] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise BrokenQueryFile(f"{source} names {name!r} twice")
        if not _code(body):
            raise BrokenQueryFile(f"{source}: the query {name!r} is empty")
        queries[name] = _code(body).encode()
    return queries


def _code(text: str) -> str:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(lines).strip().removesuffix(";")
