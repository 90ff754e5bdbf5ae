"""Every physical line of a file is somebody's, however it is written and however broken it is."""

import csv
import gzip
import io
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.imports.csv_rows import UnreadableFile
from api.imports.maps import Map, parse_map
from tests.api.imports.reading import TIPS, tried

HEADER = ["tip_ref", "occurred_at", "sender", "recipient", "units", "note"]
GOOD = ["t1", "2025-01-01T00:00:00Z", "u1", "u2", "5", "hello"]

#: A row of the map `tips`, some of whose fields are wrong, or a line of anything.
FIELDS = st.tuples(
    st.sampled_from(["t1", "t2", "", "t 3", 'q"']),
    st.sampled_from(["2025-01-01T00:00:00Z", "yesterday"]),
    st.sampled_from(["u1", "u2", "\ufffd", "a,b"]),
    st.sampled_from(["u1", "u2", ""]),
    st.sampled_from(["5", "0", "1.5", "1,000", ""]),
    st.text(alphabet=st.sampled_from('ab,;"\n\r\t é'), max_size=8),
)
ANYTHING = st.text(alphabet=st.sampled_from('t1,;"\n\r 5é\0|'), max_size=30)
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])


def as_map(delimiter: str, *, multiline: bool, **file: object) -> Map:
    document = TIPS.model_dump(exclude_unset=True, by_alias=True)
    document["file"] = {"delimiter": delimiter, "multiline": multiline, **file}
    return Map.model_validate(document)


@given(
    rows=st.lists(st.one_of(FIELDS, ANYTHING), max_size=12),
    delimiter=DELIMITERS,
    ending=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    multiline=st.booleans(),
    complete=st.booleans(),
    cut=st.integers(0, 40),
    encoding=st.sampled_from(["utf-8", "windows-1252", "utf-16"]),
    above=st.integers(0, 3),
    gzipped=st.booleans(),
)
def test_lines_read_are_taken_known_complained_of_passed_over_or_blank(
    rows: list[tuple[str, ...] | str],
    delimiter: str,
    ending: str,
    quoting: int,
    multiline: bool,
    complete: bool,
    cut: int,
    encoding: str,
    above: int,
    gzipped: bool,
) -> None:
    text = io.StringIO(newline="")
    options: Any = {"delimiter": delimiter, "lineterminator": ending, "quoting": quoting}
    writer = csv.writer(text, **options)
    text.write(f"Tips of May{ending}" * above)
    writer.writerow(HEADER)
    start = len(text.getvalue())
    for row in rows:
        if isinstance(row, str):
            text.write(row + ending)
        else:
            writer.writerow(row)
    whole = text.getvalue()
    written = whole[: max(start, len(whole) - cut)]
    data = written.encode(encoding, "replace")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / ("tips.csv.gz" if gzipped else "tips.csv")
        path.write_bytes(gzip.compress(data) if gzipped else data)
        mapping = as_map(delimiter, multiline=multiline, encoding=encoding, header_line=above + 1)
        report, made, complaints = tried(path, mapping, last_line_complete=complete)
    lines = written.count("\n") + (not written.endswith("\n"))
    assert report.lines_read == lines
    assert report.header_lines == above + 1
    assert report.lines_of_nobody == 0
    assert report.new.rows * 2 == len(made)
    assert report.read.rows == report.new.rows + report.failed
    assert len(complaints) == report.failed == Counter(c.code for c in complaints).total()
    assert report.clean == (not complaints)
    if not written.endswith("\n") and not complete and lines > above + 1:
        assert complaints[-1].code == "LAST_LINE" and complaints[-1].line == lines


@given(
    before=st.integers(0, 5),
    after=st.integers(0, 5),
    column=st.integers(0, len(HEADER) - 1),
    multiline=st.booleans(),
    quoted=st.booleans(),
)
def test_a_stray_quote_takes_its_own_line_and_no_other(
    before: int, after: int, column: int, multiline: bool, quoted: bool
) -> None:
    good = ",".join(f'"{field}"' if quoted else field for field in GOOD)
    fields = list(GOOD)
    fields[column] = '"' + fields[column]
    lines = [",".join(HEADER), *[good] * before, ",".join(fields), *[good] * after]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "tips.csv"
        path.write_text("\n".join(lines) + "\n")
        report, _, (complaint,) = tried(path, as_map(",", multiline=multiline))
    assert (complaint.line, complaint.code, complaint.lines) == (before + 2, "QUOTE", 1)
    assert report.new.rows == before + after


def test_a_field_may_hold_line_ends_where_the_map_says_so(tmp_path: Path) -> None:
    path = tmp_path / "tips.csv"
    note = [*GOOD[:5], '"two\n\nlines"']
    path.write_text("\n".join([",".join(HEADER), ",".join(note), "", ",".join(GOOD), ""]))
    report, _, complaints = tried(path, as_map(",", multiline=True))
    assert not complaints
    assert (report.new.rows, report.new.lines, report.blank_lines) == (2, 4, 1)
    assert report.lines() == (
        "6 lines = 1 header + 1 blank + 4 taken + 0 known + 0 passed over + 0 complained of"
    )
    _, _, complaints = tried(path, as_map(",", multiline=False))
    assert [(c.line, c.code) for c in complaints] == [(2, "QUOTE"), (4, "BROKEN_LINE")]


def test_without_a_quote_sign_quotes_are_letters(tmp_path: Path) -> None:
    path = tmp_path / "tips.csv"
    path.write_text("\n".join([",".join(HEADER), ",".join([*GOOD[:5], '5" of rain']), ""]))
    assert tried(path, as_map(",", multiline=False, quote=""))[0].clean


def test_a_last_line_without_its_end_is_taken_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "tips.csv"
    path.write_text("\n".join([",".join(HEADER), ",".join(GOOD)]))
    report, made, (complaint,) = tried(path)
    assert not report.clean and not made
    assert "line 2: has no end of line" in str(complaint) and "--last-line-complete" in str(
        complaint
    )
    assert tried(path, last_line_complete=True)[0].new.rows == 1


def test_a_row_that_no_rule_of_the_map_foresaw_is_complained_of(tmp_path: Path) -> None:
    mapping = parse_map(
        """
name = "kinds"
[[rows]]
when = { kind = "tip" }
[[rows.commands]]
command = "release-hold"
key = "{ref}"
fields = { hold = "ref" }
[[rows]]
when = { kind = ["note", "memo"] }
skip = "says nothing"
""",
        "here",
    )
    path = tmp_path / "kinds.csv"
    path.write_text("kind,ref\ntip,h1\nmemo,h2\ntop-up,h3\n")
    report, _, (complaint,) = tried(path, mapping)
    assert (report.new.rows, report.skipped.rows, report.failed) == (1, 1, 1)
    assert "line 4: no rows of the map fit: kind 'top-up'" in str(complaint)
    assert not report.clean


def test_reading_bounds_a_line(tmp_path: Path) -> None:
    path = tmp_path / "tips.csv"
    path.write_text(",".join(HEADER) + "\n" + "a" * 1_100_000 + "\n")
    with pytest.raises(UnreadableFile, match="line 2 has more than 1,048,576 characters"):
        tried(path)
