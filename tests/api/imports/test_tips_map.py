"""The map `tips`: what is a tip, what is a complaint, what is no tips file at all."""

import gzip
from pathlib import Path

import pytest

from api.imports.csv_rows import UnreadableFile
from api.simulation.sample_tips import Shape, write_tips
from tests.api.imports import tip_sums
from tests.api.imports.reading import translated, tried

GOOD = ("t1", "2025-01-01T00:00:00Z", "u1", "u2", "150000", "c1", "130")


def test_a_row_is_a_grant_and_a_tip_and_further_columns_are_read_over(tmp_path: Path) -> None:
    report, (grant, tip), _ = tried(tip_sums.write(tmp_path / "tips.csv", [GOOD]))
    about = {"occurred_at": "2025-01-01T00:00:00Z", "correlation_id": "t1"}
    assert (grant.command, grant.key) == ("grant-promo", "tip:t1")
    assert grant.fields == {"user": "u1", "tokens": 150_000, "reason_code": "import", **about}
    assert (tip.command, tip.key) == ("send-tip", "tip:t1")
    assert tip.fields == {
        "user": "u1",
        "creator": "u2",
        "funding": "TOKEN",
        "amount": 150_000,
        **about,
    }
    assert (report.read.rows, report.read.units) == (1, 150_000)


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "tips.csv"
    path.write_text(
        "\ufeffunits,sender,tip_ref,recipient,occurred_at\r\n7,a,t,b,2025-01-01T00:00:00Z\r\n"
    )
    _, (_, tip), _ = tried(path)
    assert (tip.fields["user"], tip.fields["creator"], tip.fields["amount"]) == ("a", "b", 7)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (",2025,u1,u2,5,c,1", "line 2, column tip_ref: is empty"),
        ("t,2025,u1,u2,1.5,c,1", "line 2, column units: '1.5' is not a whole number"),
        ("t,2025,u1,u2,-5,c,1", "line 2, column units: '-5' is not a whole number"),
        ("t,2025,u1,u2,,c,1", "line 2, column units: is empty"),
        ("t,2025,u1,u2,٣,c,1", "line 2, column units: '٣' is not a whole number"),
        ("t,2025,u1", "line 2: has 3 fields where the header names 7 columns"),
        ('t,2025,"u"1,u2,5,c,1', "line 2: is not CSV"),
        ('t,2025,"u1,u2,5,c,1', "line 2: a quote opens here and does not close"),
        ("t,2025,u1,u2,5,c,1", "line 2, column occurred_at: must be a time in UTC"),
        ("t,2025-01-01T00:00:00Z,u 1,u2,5,c,1", "line 2, column sender: must be 1 to 64 of"),
    ],
)
def test_a_broken_line_says_where_and_what_and_the_next_is_read(
    tmp_path: Path, line: str, complaint: str
) -> None:
    path = tip_sums.write(tmp_path / "tips.csv", [])
    path.write_text(path.read_text() + line + "\n" + ",".join(GOOD) + "\n")
    report, made, (broken,) = tried(path)
    assert str(broken).startswith(complaint)
    assert made[0].fields["user"] == "u1" and len(made) == 2
    assert (report.new.rows, report.failed) == (1, 1)


def test_bytes_that_are_no_text_stay_in_their_line(tmp_path: Path) -> None:
    path = tip_sums.write(tmp_path / "tips.csv", [])
    good = ",".join(GOOD).encode()
    path.write_bytes(
        path.read_bytes() + b"t,2025,\xff\xfe,u2,5,c,1\n" + good.replace(b"c1", b"caf\xe9") + b"\n"
    )
    report, _, (broken,) = tried(path)
    assert (broken.line, broken.column, broken.code) == (2, "sender", "ENCODING")
    assert "--encoding windows-1252" in broken.message
    assert report.new.rows == 1, "what is garbled in a column that nobody reads does no harm"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "names no column units, tip_ref, sender, occurred_at, recipient"),
    ],
)
def test_what_is_no_tips_file_is_refused_as_a_whole(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "tips.csv"
    path.write_text(text)
    with pytest.raises(UnreadableFile, match=message):
        tried(path)


def test_a_missing_file_and_a_truncated_one_say_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        tried(tmp_path / "none.csv")
    whole = tmp_path / "whole.csv.gz"
    write_tips(whole, Shape(rows=2_000), seed=1)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(whole.read_bytes()[:20_000])
    before_the_cut: list[object] = []
    with (
        pytest.raises(UnreadableFile, match="is damaged after line"),
        translated(cut) as (rows, translator),
    ):
        before_the_cut.extend(translator.take(row) for row in rows)  # type: ignore[arg-type]
    assert before_the_cut
    (tmp_path / "no.csv.gz").write_text("plain text")
    with pytest.raises(UnreadableFile, match="is damaged after line 0"):
        tried(tmp_path / "no.csv.gz")
    assert gzip.decompress(whole.read_bytes()).count(b"\n") == 2_001
