"""Reading files of tips: what is a tip, what is a complaint, what is no tips file at all."""

import gzip
from pathlib import Path

import pytest

from api.imports.tips_csv import BrokenLine, Tip, UnreadableTipsFile, read_tips
from api.simulation.sample_tips import Shape, tip_rows, write_tips
from tests.api.imports import tip_sums

GOOD = ("t1", "2025-01-01T00:00:00Z", "u1", "u2", "150000", "c1", "130")


def test_a_row_is_a_tip_and_further_columns_are_read_over(tmp_path: Path) -> None:
    (tip,) = read_tips(tip_sums.write(tmp_path / "tips.csv", [GOOD]))
    assert tip == Tip(2, "t1", "2025-01-01T00:00:00Z", "u1", "u2", 150_000)


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "tips.csv"
    path.write_text("\ufeffunits,sender,tip_ref,recipient,occurred_at\r\n7,a,t,b,2025\r\n")
    assert list(read_tips(path)) == [Tip(2, "t", "2025", "a", "b", 7)]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (",2025,u1,u2,5,c,1", "line 2, column tip_ref: is empty"),
        ("t,2025,u1,u2,1.5,c,1", "line 2, column units: '1.5' is not a whole number"),
        ("t,2025,u1,u2,-5,c,1", "line 2, column units: '-5' is not a whole number"),
        ("t,2025,u1,u2,,c,1", "line 2, column units: '' is not a whole number"),
        ("t,2025,u1,u2,٣,c,1", "line 2, column units: '٣' is not a whole number"),
        ("t,2025,u1", "line 2: has 3 fields where the first line names 7 columns"),
        ('t,2025,"u"1,u2,5,c,1', "line 2: is not CSV"),
    ],
)
def test_a_broken_line_says_where_and_what_and_the_next_is_read(
    tmp_path: Path, line: str, complaint: str
) -> None:
    path = tip_sums.write(tmp_path / "tips.csv", [])
    path.write_text(path.read_text() + line + "\n" + ",".join(GOOD) + "\n")
    broken, good = read_tips(path)
    assert isinstance(broken, BrokenLine) and str(broken).startswith(complaint)
    assert isinstance(good, Tip) and good.line == 3


def test_bytes_that_are_no_text_stay_in_their_line(tmp_path: Path) -> None:
    path = tip_sums.write(tmp_path / "tips.csv", [])
    path.write_bytes(path.read_bytes() + b"t,2025,\xff\xfe,u2,5,c,1\n")
    (tip,) = read_tips(path)
    assert isinstance(tip, Tip) and tip.sender == "\ufffd\ufffd"


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is empty"), ("a,b\n1,2\n", "names no column tip_ref, occurred_at, sender")],
)
def test_what_is_no_tips_file_is_refused_as_a_whole(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "tips.csv"
    path.write_text(text)
    with pytest.raises(UnreadableTipsFile, match=message):
        list(read_tips(path))


def test_a_missing_file_and_a_truncated_one_say_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTipsFile, match="No such file"):
        list(read_tips(tmp_path / "none.csv"))
    whole = tmp_path / "whole.csv.gz"
    write_tips(whole, Shape(rows=2_000), seed=1)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(whole.read_bytes()[:20_000])
    before_the_cut: list[object] = []
    with pytest.raises(UnreadableTipsFile, match="is damaged after line"):
        before_the_cut.extend(read_tips(cut))
    assert before_the_cut and all(isinstance(row, Tip) for row in before_the_cut)
    (tmp_path / "no.csv.gz").write_text("plain text")
    with pytest.raises(UnreadableTipsFile, match="is damaged after line 0"):
        list(read_tips(tmp_path / "no.csv.gz"))


def test_the_same_seed_makes_the_same_sample_file(tmp_path: Path) -> None:
    for name in ("one.csv.gz", "two.csv.gz"):
        write_tips(tmp_path / name, Shape(rows=500), seed=7)
    assert (tmp_path / "one.csv.gz").read_bytes() == (tmp_path / "two.csv.gz").read_bytes()
    write_tips(tmp_path / "plain.csv", Shape(rows=500), seed=7)
    assert (
        gzip.decompress((tmp_path / "one.csv.gz").read_bytes())
        == (tmp_path / "plain.csv").read_bytes()
    )


def test_a_sample_is_as_messy_as_the_real_thing() -> None:
    rows = list(tip_rows(Shape(rows=5_000), seed=1))
    refs = [row[0] for row in rows]
    times = [row[1] for row in rows]
    together = [(row[5], row[1]) for row in dict.fromkeys(rows)]
    assert len(rows) == 5_000 > len(set(refs)), "exact repeats"
    assert len(set(refs)) == len(set(rows)), "a repeated reference is an exact repeat"
    assert times != sorted(times), "out of time order"
    assert len(set(together)) < len(together), "one content, one instant, several recipients"
    assert all(row[2] != row[3] for row in rows)
    assert any(int(row[4]) % 10 for row in rows), "five decimal places of a token"
