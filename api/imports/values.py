"""Values of a row: each source of a map becomes a function of the row's fields.

What a field cannot be read as is a complaint that names its column. Amounts are exact: decimal
text becomes whole minor units without any rounding, or is complained of.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from hashlib import blake2b
from typing import NoReturn
from zoneinfo import ZoneInfo

from api.currencies import NotAnAmount, Notation, exponent
from api.imports.maps import PLACEHOLDER, Source

Fields = list[str]
#: None: the row has no such value, and the map allows that.
Getter = Callable[[Fields], "str | int | bool | None"]

#: Rows without a reference of their own that one file may have.
CONTENT_IDS_MAX = 1_000_000
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)", re.ASCII)


class Complaint(Exception):
    """A row cannot be taken: the column, what is wrong with it, and a stable code."""

    def __init__(self, column: str | None, message: str, code: str = "BROKEN_LINE") -> None:
        self.column = column
        self.message = message
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class Reading:
    """What reading values needs to know of the file and the book."""

    columns: list[str]
    currency: str
    notation: Notation
    time_zone: str
    #: Names the file where its rows are lines of a settlement.
    file_sha256: str = ""
    _seen: "Counter[bytes]" = field(default_factory=Counter)

    def at(self, column: str) -> int:
        """The column's place."""
        return self.columns.index(column)

    def getter(self, source: Source) -> Getter:
        """A function from a row's fields to the source's value; raises Complaint when called."""
        if source.constant is not None:
            constant = source.constant
            return lambda _: constant
        if source.content:
            return self._content(source)
        return {
            "text": self._text,
            "money": self._money,
            "whole": self._whole,
            "time": self._time,
            "date": self._date,
        }[source.kind](source)

    def key(self, template: str) -> Callable[[Fields], str]:
        """A request's key: the template with the row's values in place of `{column}`."""
        parts = PLACEHOLDER.split(template)
        names = parts[1::2]
        places = [self.at(name) for name in names]
        literal = parts[::2]
        if literal[1:] == [""]:  # the usual key, a prefix and one column, without a loop
            prefix, (place,), (name,) = literal[0], places, names
            return lambda fields: prefix + (fields[place] or _needed(name))

        def made(fields: Fields) -> str:
            found = [fields[at] or _needed(name) for at, name in zip(places, names, strict=True)]
            return "".join(a + b for a, b in zip(literal, [*found, ""], strict=True))

        return made

    def _text(self, source: Source) -> Getter:
        name, read = self._read(source)
        table = source.values
        if table is not None:

            def translated(fields: Fields) -> str | int | bool | None:
                text = read(fields)
                if text is None:
                    return None
                if text not in table:
                    raise Complaint(name, f"{text[:40]!r} is not in the map's values", "VALUE")
                return table[text]

            return translated
        return read

    def _read(self, source: Source) -> tuple[str, Callable[[Fields], str | None]]:
        """The column's name for people, and its text; None if empty and optional."""
        names = [source.column] if source.column is not None else source.columns
        places = [self.at(name) for name in names]
        label, optional = ", ".join(names), source.optional
        if len(places) == 1:
            (place,) = places

            def one(fields: Fields) -> str | None:
                text = fields[place]
                return text or (None if optional else _needed(label))

            return label, one

        def joined(fields: Fields) -> str | None:
            texts = [fields[place] for place in places]
            if not any(texts):
                return None if optional else _needed(label)
            return source.join.join(texts)

        return label, joined

    def _whole(self, source: Source) -> Getter:
        name, read = self._read(source)

        def whole(fields: Fields) -> int | None:
            text = read(fields)
            if text is None:
                return None
            if not (text.isascii() and text.isdigit() and len(text) <= 18):
                raise Complaint(name, f"{text[:40]!r} is not a whole number, like 150000")
            return int(text)

        return whole

    def _money(self, source: Source) -> Getter:
        names = [source.column] if source.column is not None else source.columns
        signed = [
            (self.at(name.removeprefix("-")), name.removeprefix("-"), -1 if name[0] == "-" else 1)
            if source.column is None
            else (self.at(name), name, 1)
            for name in names
        ]
        places, sign = exponent(self.currency), source.sign

        def amount(fields: Fields) -> int | None:
            total, found = 0, False
            for at, name, factor in signed:
                text = fields[at]
                if not text or text.isspace():
                    continue
                try:
                    units = self.notation.units(text, places, of=self.currency)
                except NotAnAmount as error:
                    raise Complaint(name, str(error), "AMOUNT") from None
                total, found = total + factor * units, True
            if not found:
                return None if source.optional else _needed(", ".join(n for _, n, _ in signed))
            if sign == "keep":
                return total
            return -total if sign == "negate" else abs(total)

        return amount

    def _time(self, source: Source) -> Getter:
        name, read = self._read(source)
        pattern = source.format
        if pattern is None:
            return read  # RFC 3339 as the ledger takes it, which says so if it is not
        zone = self.getter(source.zone) if source.zone else lambda _: self.time_zone

        def instant(fields: Fields) -> str | None:
            text = read(fields)
            if text is None:
                return None
            moment = _parsed(text, pattern, name)
            if moment.tzinfo is None:
                moment = _placed(moment, str(zone(fields) or self.time_zone), name)
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

        return instant

    def _date(self, source: Source) -> Getter:
        name, read = self._read(source)
        pattern = source.format or "%Y-%m-%d"

        def day(fields: Fields) -> str | None:
            text = read(fields)
            return None if text is None else _parsed(text, pattern, name).date().isoformat()

        return day

    def _content(self, source: Source) -> Getter:
        places = [self.at(name) for name in source.content]
        label = ", ".join(source.content)

        def identity(fields: Fields) -> str:
            content = "\0".join(fields[at] for at in places)
            digest = blake2b(content.encode(), digest_size=16).digest()
            if len(self._seen) >= CONTENT_IDS_MAX and digest not in self._seen:
                raise Complaint(
                    label, f"the file has over {CONTENT_IDS_MAX:,} rows without a reference"
                )
            self._seen[digest] += 1
            times = self._seen[digest]
            return digest.hex() + (f"-{times}" if times > 1 else "")

        return identity


def _needed(column: str) -> NoReturn:
    """A value is missing."""
    raise Complaint(column, "is empty; the map needs a value here")


def _parsed(text: str, pattern: str, column: str) -> datetime:
    try:
        return datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 (its zone comes after it)
    except ValueError:
        shown = date(2026, 11, 20).strftime(pattern)
        raise Complaint(
            column, f"{text[:40]!r} is no time written like {shown}; set its format", "TIME"
        ) from None


@cache
def zone_named(name: str) -> tzinfo | None:
    """A time zone by its IANA name or its offset (`+01:00`), None if there is none."""
    if offset := _OFFSET.fullmatch(name):
        sign = -1 if offset[1] == "-" else 1
        hours, minutes = int(offset[2]), int(offset[3])
        if hours > 23 or minutes > 59:
            return None
        return timezone(sign * timedelta(hours=hours, minutes=minutes))
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # not found; a folder; no name at all
        return None


def _placed(moment: datetime, name: str, column: str) -> datetime:
    """A wall clock's time in its zone; of an hour that comes twice, the first."""
    zone = zone_named(name)
    if zone is None:
        raise Complaint(
            column,
            f"is in the time zone {name[:40]!r}, which is neither an IANA name nor an offset like "
            "+01:00; give it in the map's zone.values",
            "TIME",
        )
    placed = moment.replace(tzinfo=zone)
    if placed.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        raise Complaint(column, f"{moment} was skipped by the clocks of {name}", "TIME")
    return placed
