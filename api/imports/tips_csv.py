"""A file of tips: CSV, plain or gzipped, read as a stream and never held in memory.

Real files are messy, so a line that makes no tip is an answer like any other: it says in which
line and column what is wrong and what to do about it, and the next line is read. What an id, a
time or an amount may be is the ledger's to say, at admission; here only the form is read.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import _csv

#: What every tips file has; further columns, such as `content_id`, are read over.
COLUMNS = ("tip_ref", "occurred_at", "sender", "recipient", "units")


class UnreadableTipsFile(Exception):
    """The file as a whole cannot be read; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Tip:
    """One tip as the file has it; `units` are tokens of the book."""

    line: int
    tip_ref: str
    occurred_at: str
    sender: str
    recipient: str
    units: int


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that makes no tip; `column` is None where it is about the whole line."""

    line: int
    column: str | None
    message: str
    code: str = "BROKEN_LINE"

    def __str__(self) -> str:
        place = f"line {self.line}" + (f", column {self.column}" if self.column else "")
        return f"{place}: {self.message}"


def read_tips(
    path: Path, *, on_bytes: Callable[[int], object] = lambda _: None
) -> Iterator[Tip | BrokenLine]:
    """Every line of the file in its order; `on_bytes` hears how much of the file was read.

    Raises UnreadableTipsFile when there is no such file, when its columns are others, or when it
    ends in the middle; what was yielded before that stands.
    """
    try:
        with path.open("rb") as raw:
            yield from _rows(csv.reader(_lines(raw, path, on_bytes), strict=True))
    except OSError as error:
        raise UnreadableTipsFile(f"{path}: {error.strerror or error}") from None


def _lines(raw: BinaryIO, path: Path, on_bytes: Callable[[int], object]) -> Iterator[str]:
    """Decoded lines. Bytes that are not UTF-8 become a character that no id may hold."""
    number = 0
    tells = raw.seekable()  # a pipe has no place to tell
    try:
        with gzip.open(raw) if path.suffix == ".gz" else raw as plain:
            for number, line in enumerate(plain, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8", "replace")
                if tells:
                    on_bytes(raw.tell())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableTipsFile(
            f"{path}: the compressed file is damaged after line {number} ({error}). What came "
            "before is imported; fetch the file again and import it again"
        ) from None


def _rows(reader: "_csv.Reader") -> Iterator[Tip | BrokenLine]:
    header = next(reader, None)
    if header is None:
        raise UnreadableTipsFile("the file is empty; its first line must name the columns")
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise UnreadableTipsFile(
            f"the first line names no column {', '.join(missing)}; a tips file has the columns "
            f"{','.join(COLUMNS)}"
        )
    place = [header.index(column) for column in COLUMNS]
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BrokenLine(reader.line_num, None, f"is not CSV: {error}; check its quotes")
            continue
        if row:
            yield _row(reader.line_num, row, len(header), place)


def _row(line: int, row: list[str], width: int, place: list[int]) -> Tip | BrokenLine:
    if len(row) != width:
        return BrokenLine(
            line, None, f"has {len(row)} fields where the first line names {width} columns"
        )
    tip_ref, occurred_at, sender, recipient, units = (row[at] for at in place)
    if not tip_ref:
        return BrokenLine(line, "tip_ref", "is empty; every tip needs a reference of its own")
    if not (units.isascii() and units.isdigit() and len(units) <= 18):
        return BrokenLine(
            line, "units", f"{units[:40]!r} is not a whole number of units above 0, like 150000"
        )
    return Tip(line, tip_ref, occurred_at, sender, recipient, int(units))
