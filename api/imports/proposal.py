"""A map for a file that nobody has a map for yet: proposed from its header and first rows.

A file with the columns of a map that comes along gets that map. Any other gets one that can be
read and tried at once with `--dry-run`: fields whose column can be guessed have it, the others
hold a `?`, which the dry run complains of until a person has put something in its place.
"""

import csv
import gzip
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from api.currencies import Notation
from api.imports.csv_rows import UNREADABLE, UnreadableFile
from api.imports.maps import read_map, shipped, text_of
from domain.command import COMMANDS

#: What is read of a file to propose a map for it.
_SAMPLE_BYTES = 65_536
_LINES_MAX = 60
_DELIMITERS = (",", ";", "\t", "|")
_NOTATIONS = (
    Notation(),
    Notation(".", ","),
    Notation(",", "."),
    Notation(","),
    Notation(",", " "),
    Notation(",", "\u00a0"),
    Notation(".", "'"),
)
#: Words that columns are often called by, for each field; the first that fits is taken.
_WORDS = {
    "processor_ref": ("payment", "charge", "transaction", "reference", "ref", "id"),
    "user": ("user", "customer", "buyer", "sender", "fan", "from", "payer", "member"),
    "creator": ("creator", "recipient", "seller", "payee", "to", "model", "artist"),
    "amount": ("amount", "gross", "units", "price", "total", "value"),
    "price": ("price", "amount", "gross", "total", "value"),
    "tokens": ("tokens", "coins", "credits", "units", "amount"),
    "package": ("package", "product", "sku", "plan"),
    "item": ("item", "content", "product"),
    "occurred_at": ("occurred", "created", "date", "time", "timestamp", "at"),
    "currency": ("currency", "ccy"),
}
_CANDIDATES = ("record-purchase", "send-tip", "unlock")
#: Day before month first only where a day beyond the twelfth says so.
_TIMES = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"),
    *("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y"),
    *("%m/%d/%Y %H:%M:%S", "%m/%d/%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y"),
)
_NUMBERS = {"amount", "price", "tokens"}


@dataclass(frozen=True)
class _Sample:
    """The beginning of a file, as it seems to be written."""

    encoding: str
    delimiter: str
    header_line: int
    columns: list[str]
    rows: list[list[str]]

    def texts(self, column: str) -> list[str]:
        """What the column holds in the first rows."""
        at = self.columns.index(column)
        return [row[at] for row in self.rows if row[at].strip()]


def propose(path: Path) -> str:
    """A map's TOML for the file; raises UnreadableFile."""
    sample = _sample(path)
    fitting = [n for n in shipped() if set(read_map(n).columns()) <= set(sample.columns)]
    if fitting:
        names = " and ".join(fitting)
        return f"# The file has the columns of {names}, which come along.\n{text_of(fitting[0])}"
    return _skeleton(path, sample)


def _sample(path: Path) -> _Sample:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as raw:
            data = raw.read(_SAMPLE_BYTES)
    except (OSError, EOFError) as error:
        raise UnreadableFile(f"{path} cannot be read: {error}") from None
    encoding = _encoding(data)
    text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding, "replace")
    lines = text.splitlines()[:_LINES_MAX]
    if not any(line.strip() for line in lines):
        raise UnreadableFile(f"{path} is empty")
    delimiter = max(_DELIMITERS, key=lambda sign: _usual_width(lines, sign))
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter))
    width = _usual_width(lines, delimiter)
    header = next(at for at, row in enumerate(rows) if len(row) == width)
    columns = [name.strip() for name in rows[header]]
    # Lines above a header are seldom quoted over several lines: row and line are the same.
    return _Sample(
        encoding, delimiter, header + 1, columns, [r for r in rows[header + 1 :] if len(r) == width]
    )


def _encoding(data: bytes) -> str:
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    # The sample may end within a letter.
    text = data.decode("utf-8", "replace")
    return "windows-1252" if UNREADABLE in text[:-4] else "utf-8"


def _usual_width(lines: list[str], delimiter: str) -> int:
    """How many columns most rows have."""
    widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
    return max(widths, key=lambda width: (widths.count(width) * (width > 1), width))


def _skeleton(path: Path, sample: _Sample) -> str:
    guesses = {field: _guess(field, sample.columns) for field in _WORDS}
    command = max(_CANDIDATES, key=lambda name: _known_share(name, guesses))
    notation = _notation(sample, guesses)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.split(".")[0]).strip("-")[:64] or "mine"
    return "\n".join(
        [
            "# Proposed from the file's header: put right what is guessed wrong, put something in",
            f"# the place of each ?, and try it: tokenledger import --map {name}.toml --dry-run",
            f"name = {_quoted(name)}",
            *_currency(guesses["currency"]),
            "",
            "[file]",
            f"delimiter = {_quoted(sample.delimiter)}",
            f"encoding = {_quoted(sample.encoding)}",
            f"header_line = {sample.header_line}",
            'time_zone = "UTC"',
            "",
            "[numbers]",
            f"decimal = {_quoted(notation.decimal)}",
            f"thousands = {_quoted(notation.thousands)}",
            "",
            "# Which rows: the first [[rows]] whose `when` fits a row says what it becomes, like",
            '# when = { Status = "paid" }; with skip = "not paid" instead of commands, nothing.',
            "[[rows]]",
            "",
            "[[rows.commands]]",
            f"command = {_quoted(command)}",
            *_key(command, guesses),
            "",
            "[rows.commands.fields]",
            *_fields(command, sample, guesses),
            "",
            "# The columns of the file, with what its first row holds:",
            *_columns(sample),
            "",
        ]
    )


def _known_share(command: str, guesses: dict[str, str | None]) -> tuple[int, int]:
    needed = _needed(command)
    known = sum(1 for field in needed if guesses.get(field))
    return known * 100 // len(needed), known


def _needed(command: str) -> list[str]:
    fields = COMMANDS[command].model_fields
    return [name for name, field in fields.items() if field.is_required()]


def _guess(field: str, columns: list[str]) -> str | None:
    for word in _WORDS[field]:
        for column in columns:
            if word in re.split(r"[^a-z0-9]+", column.lower()):
                return column
    return None


def _notation(sample: _Sample, guesses: dict[str, str | None]) -> Notation:
    """The first that reads every amount of the sample."""
    columns = {column for field in _NUMBERS if (column := guesses[field])}
    texts = [text for column in columns for text in sample.texts(column)]
    fitting = (n for n in _NOTATIONS if all(n.fits(text) for text in texts))
    return next(fitting, Notation())


def _currency(column: str | None) -> list[str]:
    return [] if column is None else [f"currency = {_quoted(column)}"]


def _key(command: str, guesses: dict[str, str | None]) -> list[str]:
    """A key from a reference of the row's own, unless the command is known by its own."""
    if "processor_ref" in _needed(command):
        return []
    return [f"key = {_quoted('row:{' + (guesses['processor_ref'] or '?') + '}')}"]


def _fields(command: str, sample: _Sample, guesses: dict[str, str | None]) -> Iterable[str]:
    optional = ["occurred_at"] if guesses["occurred_at"] else []
    for field in [*_needed(command), *optional]:
        column = guesses.get(field)
        if field == "funding":
            yield 'funding = { constant = "TOKEN" }'
        elif column is None:
            yield f'{field} = {{ constant = "?" }}'
        elif field in _NUMBERS:
            kind = "whole" if field == "tokens" else "money"
            yield f'{field} = {{ column = {_quoted(column)}, as = "{kind}" }}'
        elif field == "occurred_at":
            yield f"{field} = {_time(column, sample.texts(column))}"
        else:
            yield f"{field} = {_quoted(column)}"


def _time(column: str, texts: list[str]) -> str:
    """A source of times as the sample has them; RFC 3339 needs no format."""
    for pattern in _TIMES:
        try:
            for text in texts:
                datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 (only its form matters)
        except ValueError:
            continue
        return f'{{ column = {_quoted(column)}, as = "time", format = {_quoted(pattern)} }}'
    return _quoted(column)


def _columns(sample: _Sample) -> Iterable[str]:
    for column in sample.columns:
        first = next(iter(sample.texts(column)), "")[:40]
        yield f"#   {_quoted(column)}  {first!r}"


def _quoted(text: str) -> str:
    """A TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{"".join(sign if sign.isprintable() else "?" for sign in escaped)}"'
