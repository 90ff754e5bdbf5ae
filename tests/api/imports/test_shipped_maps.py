"""The maps that come along, each on a small file with its report's columns: what every row becomes.

What the ledger does not take from a settlement yet is complained of, never left out silently.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli.books import profile_document
from api.imports.importer import FileImport
from api.imports.maps import Map, read_map, shipped
from api.imports.report import Report
from ledger.log.reading import head
from tests.api.imports.reading import translated, tried
from tests.conftest import FreshBook
from tests.scenarios.steps import policy
from tests.scenarios.write_path import WritePath

SAMPLES = Path(__file__).parents[3] / "docs" / "imports"
STRIPE = (
    ("ch_sample_1", [5000], 175),
    ("ch_sample_2", [999], 59),
    ("ch_sample_3", [123_450], 3610),
    (None, [], 200),
)
EXPECTED = {
    "stripe-balance": ("USD", STRIPE, [5, 6], 0),
    "stripe-payouts": ("USD", STRIPE, [5, 6], 0),
    "paypal": (
        "USD",
        (
            ("0SAMPLE0000000001", [5000], 199),
            ("0SAMPLE0000000002", [123_450], 4350),
            (None, [], 2000),
        ),
        [6, 8],
        1,
    ),
    "adyen": (
        "EUR",
        (
            ("SAMPLE0000000001", [5000], 110),
            ("SAMPLE0000000002", [2000], 40),
            (None, [], 120),
            (None, [], 120),
        ),
        [4, 5, 8],
        0,
    ),
}


def test_every_map_of_a_report_has_a_sample() -> None:
    assert set(EXPECTED) == {path.stem for path in SAMPLES.glob("*.csv")}
    assert set(EXPECTED) | {"tips"} == set(shipped())


@pytest.mark.parametrize("name", EXPECTED)
def test_each_row_becomes_what_its_report_means(name: str) -> None:
    currency, lines, complained, skipped = EXPECTED[name]
    report, made, complaints = tried(SAMPLES / f"{name}.csv", read_map(name), currency=currency)
    assert [
        (
            next((line["payment_ref"] for line in m.fields["lines"]), None),
            [line["amount"] for line in m.fields["lines"]],
            m.fields["fee"],
        )
        for m in made
    ] == list(lines)
    assert {m.command for m in made} == {"import-settlement"}
    assert len({m.key for m in made}) == len(made), "equal rows are told apart"
    assert [c.line for c in complaints] == complained
    assert {c.code for c in complaints} == {"LINE_KIND"}
    assert report.skipped.rows == skipped


def test_a_file_of_another_currency_says_which_book_to_use() -> None:
    report, made, complaints = tried(
        SAMPLES / "stripe-payouts.csv", read_map("stripe-payouts"), currency="JPY"
    )
    assert not made and report.failed == 6
    assert "the row is in USD and the book in JPY" in str(complaints[0])
    assert complaints[0].code == "CURRENCY"


@pytest.mark.parametrize(
    ("currency", "gross", "amount"), [("JPY", "5000", 5000), ("KWD", "5.125", 5125)]
)
def test_amounts_are_read_by_the_currencys_own_exponent(
    tmp_path: Path, currency: str, gross: str, amount: int
) -> None:
    text = (SAMPLES / "stripe-balance.csv").read_text().splitlines()[:2]
    path = tmp_path / "one.csv"
    row = text[1].replace("usd", currency.lower()).replace(",50.00,1.75,", f",{gross},0,")
    path.write_text(f"{text[0]}\n{row}\n")
    _, (made,), _ = tried(path, read_map("stripe-balance"), currency=currency)
    assert made.fields["lines"] == [{"payment_ref": "ch_sample_1", "amount": amount}]


@pytest.fixture
def shop(fresh_book: FreshBook) -> Iterator[WritePath]:
    stage = WritePath(fresh_book).given(policy(profile_document("micro-unlock")))
    yield stage
    stage.close()


def load(stage: WritePath, path: Path, mapping: Map) -> Report:
    with stage.fresh.connect() as connection:
        start = head(connection)
    with translated(path, mapping) as (rows, translator):
        return FileImport(stage.writer, start=start, noun="lines").run(rows, translator)


def test_a_settlement_that_grew_books_only_the_new_lines(shop: WritePath, tmp_path: Path) -> None:
    mapping = read_map("stripe-payouts")
    lines = (SAMPLES / "stripe-payouts.csv").read_text().splitlines(keepends=True)
    first, grown = tmp_path / "first.csv", tmp_path / "grown.csv"
    first.write_text("".join(lines[:3]))
    grown.write_text("".join(lines[:4]) + lines[6])
    report = load(shop, first, mapping)
    assert (report.new.rows, report.new.units) == (2, 5999)
    report = load(shop, grown, mapping)
    assert (report.new.rows, report.known.rows) == (2, 2) and report.clean
    with shop.fresh.connect() as connection:
        before = head(connection)
    assert load(shop, grown, mapping).known.rows == 4
    with shop.fresh.connect() as connection:
        assert head(connection) == before
    shop.check()
