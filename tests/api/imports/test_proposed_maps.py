"""A map proposed from a file can be read at once, and says what is left for a person to decide."""

import tomllib
from pathlib import Path

import pytest

from api.imports.csv_rows import UnreadableFile
from api.imports.maps import InvalidMap, parse_map, read_map
from api.imports.proposal import propose
from tests.api.imports.reading import tried

SAMPLES = Path(__file__).parents[3] / "docs" / "imports"


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.csv")), ids=lambda path: path.stem)
def test_a_report_with_a_map_that_comes_along_gets_it(path: Path) -> None:
    proposed = propose(path)
    assert path.stem in proposed.splitlines()[0]
    assert parse_map(proposed, "proposed").rows


def test_a_file_of_ones_own_gets_a_map_that_is_nearly_done(tmp_path: Path) -> None:
    path = tmp_path / "orders 2026.csv"
    path.write_text(
        "Orders of the shop\n\nOrder ID;Buyer;SKU;Total;Currency;Date\n"
        "o1;anna;small;1.234,50;EUR;24.12.2025\no2;ben;small;9,99;EUR;31.12.2025\n"
    )
    proposed = propose(path)
    mapping = parse_map(proposed, "proposed")
    assert (mapping.name, mapping.file.delimiter, mapping.file.header_line) == (
        "orders-2026",
        ";",
        3,
    )
    assert (mapping.numbers.decimal, mapping.numbers.thousands) == (",", ".")
    _, made, complaints = tried(path, mapping, currency="EUR")
    assert not made and [c.line for c in complaints] == [4, 5]
    assert "record-purchase /processor" in str(complaints[0])
    done = parse_map(proposed.replace('constant = "?"', 'constant = "shop"'), "done")
    _, (first, second), _ = tried(path, done, currency="EUR")
    assert first.fields == {
        "user": "anna",
        "package": "small",
        "price": 123_450,
        "processor": "shop",
        "processor_ref": "o1",
        "occurred_at": "2025-12-24T00:00:00.000000Z",
    }
    assert second.fields["price"] == 999


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("tip_no,fan,model,amount\n1,é,b,5\n".encode("windows-1252"), "windows-1252"),
        ("tip_no\tfan\tmodel\tamount\n1\té\tb\t5\n".encode("utf-16"), "utf-16"),
        ("tip_no,fan,model,amount\n1,é,b,5\n".encode(), "utf-8"),
        (b"who?", "utf-8"),
    ],
)
def test_whatever_the_file_the_proposal_is_a_map(
    tmp_path: Path, data: bytes, encoding: str
) -> None:
    path = tmp_path / "it.csv"
    path.write_bytes(data)
    assert tomllib.loads(propose(path))["file"]["encoding"] == encoding


def test_an_empty_file_has_nothing_to_propose(tmp_path: Path) -> None:
    path = tmp_path / "it.csv"
    path.write_text("\n")
    with pytest.raises(UnreadableFile, match="is empty"):
        propose(path)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("name =", "is not TOML"),
        ('name = "a b"\nrows = []', "name: String should match"),
        ('name = "a"\n[[rows]]\nskip = "x"\ncolour = "red"', "rows.0.colour: Extra inputs"),
        ('name = "a"\n[[rows]]', "rows.0: say one of commands, line, skip"),
        (
            'name = "a"\n[[rows]]\ncommands = [{ command = "print-money", fields = {} }]',
            "there is no command 'print-money'",
        ),
        (
            'name = "a"\n[[rows]]\ncommands = [{ command = "approve-payout", fields = {} }]',
            "approve-payout is for people to send, not for a file",
        ),
        (
            'name = "a"\n[[rows]]\ncommands = [{ command = "void", fields = { colour = "c" } }]',
            "void has no field colour",
        ),
        (
            'name = "a"\n[[rows]]\nline = { kind = "FEE", line_ref = "r", gross = "g" }',
            "processor is missing",
        ),
        (
            'name = "a"\nsum = { column = "a", constant = 1 }\n[[rows]]\nskip = "x"',
            "sum: say one of column, columns, content, constant",
        ),
        (
            'name = "a"\nnumbers = { decimal = ",", thousands = "," }\n[[rows]]\nskip = "x"',
            "decimal and thousands are the same sign",
        ),
    ],
)
def test_a_map_that_cannot_work_says_which_place_is_wrong(text: str, wrong: str) -> None:
    with pytest.raises(InvalidMap) as complaint:
        parse_map(text, "mine.toml")
    assert "mine.toml" in str(complaint.value) and wrong in str(complaint.value)


def test_a_map_that_is_not_there_says_which_are() -> None:
    with pytest.raises(InvalidMap, match="adyen, paypal, stripe-balance, stripe-payouts, tips"):
        read_map("none.toml")
