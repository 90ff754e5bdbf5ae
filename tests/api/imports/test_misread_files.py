"""A file that is written otherwise than the map says: one sentence tells what was seen and what
to say; times and values that cannot be read are told by their column."""

from pathlib import Path
from typing import Any

import pytest

from api.imports.csv_rows import UnreadableFile
from api.imports.maps import Map
from tests.api.imports.reading import tried

HEADER = "ref,fan,price,when,zone,kind"
ROW = "p1,ann,9.99,03.11.2026 10:15,Europe/Berlin,s"


def purchases(**file: Any) -> Map:
    """A map of purchases by card with local times."""
    when = {"column": "when", "as": "time", "format": "%d.%m.%Y %H:%M", "zone": "zone"}
    fields = {
        "user": "fan",
        "package": {"column": "kind", "values": {"s": "small", "l": "large"}},
        "price": {"column": "price", "as": "money"},
        "processor": {"constant": "psp"},
        "processor_ref": "ref",
        "occurred_at": when,
    }
    command = {"command": "record-purchase", "fields": fields}
    numbers = file.pop("numbers", {})
    document = {"name": "p", "file": file, "numbers": numbers, "rows": [{"commands": [command]}]}
    return Map.model_validate(document)


def test_a_local_time_is_recorded_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        f"{HEADER}\n{ROW}\n{ROW.replace('p1', 'p2').replace('Europe/Berlin', '-08:00')}\n"
    )
    _, (first, second), _ = tried(path, purchases())
    assert first.fields["occurred_at"] == "2026-11-03T09:15:00.000000Z"
    assert second.fields["occurred_at"] == "2026-11-03T18:15:00.000000Z"
    assert first.fields["package"] == "small" and first.fields["price"] == 999


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (f"{HEADER}\n{ROW}\n".replace(",", ";").encode(), "split by ';'; say --delimiter ';'"),
        (f"{HEADER}\n{ROW}\n".replace(",", "\t").encode(), "--delimiter '\\t'"),
        (
            f"Report\nof May\n\n{HEADER}\n".encode(),
            "stand in line 4, split by ','; say --header-line 4",
        ),
        (
            f"Report\n{HEADER}\n".replace(",", ";").encode(),
            "say --header-line 2 --delimiter ';'",
        ),
        (f"{HEADER}\n{ROW}\n".encode("utf-16"), "begins as UTF-16 does; say --encoding utf-16"),
        (f"{HEADER}\n{ROW}\n".encode("utf-16-le"), "zero bytes, so it is UTF-16"),
        (f"{HEADER}\r{ROW}\r".encode(), "end in a carriage return alone"),
        (b"ref,ref,fan,price,when,zone,kind\n", "names 'ref' twice"),
        (b"a,b\n", "names no column fan, kind, price, ref, when, zone; it names 'a', 'b'"),
    ],
)
def test_another_shape_is_told_with_the_option_that_reads_it(
    tmp_path: Path, data: bytes, said: str
) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(data)
    with pytest.raises(UnreadableFile) as complaint:
        tried(path, purchases())
    assert said in str(complaint.value)


@pytest.mark.parametrize(
    ("file", "text", "encoding"),
    [
        ({"delimiter": ";"}, f"{HEADER}\n{ROW}\n".replace(",", ";"), "utf-8"),
        ({"header_line": 3}, f"May\n\n{HEADER}\n{ROW}\n", "utf-8"),
        ({"encoding": "utf-16"}, f"{HEADER}\n{ROW}\n", "utf-16"),
        ({"encoding": "utf-16-le"}, f"{HEADER}\n{ROW}\n", "utf-16-le"),
        ({"encoding": "windows-1252"}, f"{HEADER}\n{ROW}\n", "windows-1252"),
        ({"numbers": {"decimal": ","}}, f"{HEADER}\n{ROW}\n".replace("9.99", '"9,99"'), "utf-8"),
    ],
)
def test_and_the_option_reads_it(
    tmp_path: Path, file: dict[str, Any], text: str, encoding: str
) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(text.encode(encoding))
    report, (made,), _ = tried(path, purchases(**file))
    assert report.clean and made.fields["price"] == 999


def test_an_encoding_that_is_none_says_so(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{HEADER}\n")
    with pytest.raises(UnreadableFile, match="there is no encoding 'utf-9'"):
        tried(path, purchases(encoding="utf-9"))


@pytest.mark.parametrize(
    ("old", "new", "column", "said"),
    [
        ("9.99", '"9,99"', "price", "say --decimal ','"),
        ("9.99", "9.999", "price", "has 3 decimals; USD has at most 2 decimals"),
        ("9.99", "", "price", "is empty"),
        ("03.11.2026", "11/03/2026", "when", "is no time written like 20.11.2026 00:00"),
        ("Europe/Berlin", "Mars/Base", "when", "neither an IANA name nor an offset"),
        ("03.11.2026 10:15", "29.03.2026 02:30", "when", "skipped by the clocks of Europe/Berlin"),
        (",s", ",m", "kind", "'m' is not in the map's values"),
        ("ann", "ann@example.com", "fan", "must be 1 to 64 of"),
        ("p1", "", "ref", "is empty"),
        ("9.99", "-9.99", "price", "greater than 0"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_by_its_column(
    tmp_path: Path, old: str, new: str, column: str, said: str
) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{HEADER}\n{ROW.replace(old, new)}\n")
    _, made, (complaint,) = tried(path, purchases())
    assert not made
    assert (complaint.line, complaint.column) == (2, column)
    assert said in complaint.message
