"""Sample files of tips: the same seed makes the same file, as messy as real ones."""

import gzip
from pathlib import Path

from api.simulation.sample_tips import Shape, tip_rows, write_tips


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
