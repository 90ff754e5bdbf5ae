"""Rows of a text file of columns, read as a stream and never held in memory.

Every physical line is somebody's: the header's, blank, a row's, or a complaint's. A row is one
line unless the map says that fields may hold line ends; a quote that does not close is told by the
line in which it opened, and the lines after it are read as if it were not there.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO, cast

#: Characters of one line; what is longer is no text file of columns.
LINE_CHARACTERS_MAX = 1_048_576
#: Lines that one row may span where the map allows it.
ROW_LINES_MAX = 100
#: Lines among which the header is looked for, to say where it is.
_HEADER_LINES_MAX = 50
#: Lines between two words about how far the reading is.
_LINES_PER_NEWS = 256
_DELIMITERS = (",", ";", "\t", "|")
_BYTE_ORDER_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
#: Stands for bytes that the encoding does not know.
UNREADABLE = "\ufffd"


class UnreadableFile(Exception):
    """The file as a whole cannot be read; the message says what was seen and what to do."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written. `header_line` counts from 1; an empty `quote` means none."""

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header_line: int = 1
    multiline: bool = False
    last_line_complete: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row's fields; `line` is its first line and `lines` how many it spans.

    `garbled`: bytes that the encoding does not know stand somewhere in it.
    """

    line: int
    fields: list[str]
    lines: int = 1
    garbled: bool = False


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """Lines that make no row; `column` is None where it is about the whole line."""

    line: int
    column: str | None
    message: str
    code: str = "BROKEN_LINE"
    lines: int = 1

    def __str__(self) -> str:
        place = f"line {self.line}" + (f", column {self.column}" if self.column else "")
        return f"{place}: {self.message}"


@dataclass(slots=True)
class Rows:
    """A file's header and, once iterated, its rows; raises UnreadableFile.

    `header_lines` are the header and what stands above it; `blank_lines` grow while reading.
    """

    columns: list[str]
    dialect: Dialect
    header_lines: int = 0
    blank_lines: int = 0
    _lines: Iterator[str] = field(default_factory=lambda: iter(()))
    _number: int = 0
    _put_back: list[str] = field(default_factory=list)

    @property
    def lines_read(self) -> int:
        """Physical lines that were read so far."""
        return self._number

    def __iter__(self) -> Iterator[Row | BrokenLine]:
        width = len(self.columns)
        quote, delimiter = self.dialect.quote, self.dialect.delimiter
        while (line := self._next()) is not None:
            number = self._number
            if not line.endswith("\n") and not self.dialect.last_line_complete:
                yield BrokenLine(
                    number,
                    None,
                    "has no end of line, so the file may be cut off; if it is whole, say "
                    "--last-line-complete",
                    "LAST_LINE",
                )
                continue
            text = line.rstrip("\r\n")
            if not text:
                self.blank_lines += 1
            elif quote and quote in text:
                yield self._quoted(number, text, width)
            else:
                yield _sized(number, text.split(delimiter), width, text)

    def _next(self) -> str | None:
        line = self._put_back.pop() if self._put_back else next(self._lines, None)
        if line is not None:
            self._number += 1
        return line

    def _quoted(self, number: int, text: str, width: int) -> Row | BrokenLine:
        fields = _split(text, self.dialect)
        if isinstance(fields, list):
            return _sized(number, fields, width, text)
        if not fields.open:
            return BrokenLine(number, None, f"is not CSV: {fields.message}; check its quotes")
        if self.dialect.multiline:
            row = self._spanning(number, text, width)
            if row is not None:
                return row
            advice = "and no line after it closes it in a row of the header's columns"
        else:
            advice = "where fields do hold line ends, say multiline = true in the map's [file]"
        return BrokenLine(
            number, None, f"a quote opens here and does not close in its line; {advice}", "QUOTE"
        )

    def _spanning(self, number: int, text: str, width: int) -> Row | None:
        """A row over several lines, if they make one; if not, they are read again, one by one."""
        taken: list[str] = []
        while len(taken) < ROW_LINES_MAX - 1 and (line := self._next()) is not None:
            taken.append(line)
            text = f"{text}\n{line.rstrip(chr(13) + chr(10))}"
            if self.dialect.quote not in line:
                continue
            fields = _split(text, self.dialect)
            whole = line.endswith("\n") or self.dialect.last_line_complete
            if isinstance(fields, list) and len(fields) == width and whole:
                return Row(number, fields, 1 + len(taken), UNREADABLE in text)
            if isinstance(fields, list) or not fields.open:
                break
        self._put_back.extend(reversed(taken))
        self._number -= len(taken)
        return None


@contextmanager
def opened(
    path: Path,
    dialect: Dialect,
    needed: list[str],
    *,
    on_bytes: Callable[[int], object] = lambda _: None,
) -> Iterator[Rows]:
    """The rows of a file that has the columns `needed`, plain or gzipped (`.gz`).

    `on_bytes` hears now and then how much of the file was read. Raises UnreadableFile when there
    is no such file, when its columns are others, or, from the iteration, when it is damaged; what
    was yielded before that stands.
    """
    try:
        with (
            path.open("rb") as raw,
            closing(_lines(raw, path, dialect.encoding, on_bytes)) as lines,
        ):
            yield _past_header(lines, dialect, needed)
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror or error}") from None


def _lines(
    raw: BinaryIO, path: Path, encoding: str, on_bytes: Callable[[int], object]
) -> Generator[str, None, None]:
    """Lines with their ends. What the encoding does not know becomes U+FFFD."""
    number = 0
    tells = raw.seekable()  # a pipe has no place to tell
    try:
        with _text(raw, path, encoding) as text:
            while line := text.readline(LINE_CHARACTERS_MAX + 1):
                number += 1
                if len(line) > LINE_CHARACTERS_MAX:
                    raise UnreadableFile(
                        f"line {number} has more than {LINE_CHARACTERS_MAX:,} characters; this is "
                        "no text file of rows"
                    )
                if tells and not number % _LINES_PER_NEWS:
                    on_bytes(raw.tell())
                yield line
            if tells:
                on_bytes(raw.tell())
    except LookupError:
        raise UnreadableFile(
            f"there is no encoding {encoding!r}; --encoding takes names like utf-8, utf-16, "
            "windows-1252"
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableFile(
            f"{path}: the compressed file is damaged after line {number} ({error}). What came "
            "before is imported; fetch the file again and import it again"
        ) from None


def _text(raw: BinaryIO, path: Path, encoding: str) -> TextIO:
    unpacked = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
    plain = cast("io.BufferedReader", unpacked)
    start = plain.peek(2)[:2]
    for mark, name in _BYTE_ORDER_MARKS:
        if start == mark and not encoding.lower().startswith("utf-16"):
            raise UnreadableFile(f"the file begins as UTF-16 does; say --encoding {name}")
    known = "utf-8-sig" if encoding.lower() in {"utf-8", "utf8"} else encoding
    return io.TextIOWrapper(plain, encoding=known, errors="replace", newline="\n")


def _past_header(lines: Iterator[str], dialect: Dialect, needed: list[str]) -> Rows:
    above: list[str] = []
    for line in lines:
        above.append(line)
        if len(above) == dialect.header_line:
            break
    if not above:
        raise UnreadableFile("the file is empty; its first line must name the columns")
    if len(above) < dialect.header_line:
        raise UnreadableFile(
            f"the file ends before line {dialect.header_line}, in which its columns are looked for"
        )
    columns = _header(above[-1], dialect)
    missing = [column for column in needed if column not in columns]
    if missing:
        raise UnreadableFile(_why_missing(above, lines, dialect, needed, missing))
    repeated = sorted({column for column in needed if columns.count(column) > 1})
    if repeated:
        raise UnreadableFile(
            f"the header names {', '.join(map(repr, repeated))} twice; which one is meant?"
        )
    return Rows(columns, dialect, len(above), 0, lines, len(above))


def _why_missing(
    above: list[str], rest: Iterator[str], dialect: Dialect, needed: list[str], missing: list[str]
) -> str:
    """What was seen instead of the columns, and which option would read it."""
    first = above[-1]
    if "\0" in first:
        return "the file holds zero bytes, so it is UTF-16 or no text; say --encoding utf-16-le"
    if "\r" in first.rstrip("\r\n"):
        return "the lines end in a carriage return alone; save the file with line feeds"
    others = [d for d in _DELIMITERS if d != dialect.delimiter]
    nearby = above[-1:] + above[:-1]
    for line, _ in zip(rest, range(_HEADER_LINES_MAX), strict=False):
        nearby.append(line)
    for at, line in enumerate(nearby):
        number = _number_of(at, len(above))
        for delimiter in (dialect.delimiter, *others):
            shape = Dialect(delimiter, dialect.quote)
            if set(needed) <= set(_header(line, shape)):
                where = "" if number == dialect.header_line else f" --header-line {number}"
                how = "" if delimiter == dialect.delimiter else f" --delimiter {delimiter!r}"
                return (
                    f"the columns stand in line {number}, split by {delimiter!r}; say{where}{how}"
                )
    known = ", ".join(repr(column) for column in _header(first, dialect)[:12])
    names = ", ".join(missing)
    return (
        f"line {dialect.header_line} names no column {names}; it names {known[:300]}. If the file "
        "is of another kind, another map reads it: `tokenledger map list`"
    )


def _number_of(at: int, above: int) -> int:
    """The line number of the `at`-th line nearby: the header's own comes first."""
    if at == 0:
        return above
    return at if at < above else at + 1


def _header(line: str, dialect: Dialect) -> list[str]:
    text = line.rstrip("\r\n")
    fields = _split(text, dialect)
    plain = fields if isinstance(fields, list) else text.split(dialect.delimiter)
    return [name.strip() for name in plain]


@dataclass(frozen=True, slots=True)
class _NotSplit:
    message: str
    open: bool


def _split(text: str, dialect: Dialect) -> list[str] | _NotSplit:
    if not dialect.quote or dialect.quote not in text:
        return text.split(dialect.delimiter)
    reader = csv.reader(
        [f"{line}\n" for line in text.split("\n")],
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        strict=True,
    )
    try:
        return next(reader)
    except csv.Error as error:
        # Only an open quote makes the reader ask for more than it was given.
        return _NotSplit(str(error), open=str(error) == "unexpected end of data")


def _sized(number: int, fields: list[str], width: int, text: str) -> Row | BrokenLine:
    if len(fields) != width:
        return BrokenLine(
            number, None, f"has {len(fields)} fields where the header names {width} columns"
        )
    return Row(number, fields, 1, UNREADABLE in text)
