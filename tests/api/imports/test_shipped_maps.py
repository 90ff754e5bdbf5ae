"""The maps that come along, each on a small file with its report's columns."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli.books import profile_document
from api.imports.importer import FileImport
from api.imports.maps import Map, read_map, shipped
from api.imports.report import Report
from domain.settlements.lines import SettlementPayoutRecorded
from ledger.log.reading import head
from tests.api.imports.reading import translated, tried
from tests.conftest import FreshBook
from tests.scenarios.steps import policy
from tests.scenarios.write_path import WritePath

SAMPLES = Path(__file__).parents[3] / "docs" / "imports"
#: Of each line that is sent: its kind, its gross, its fee, and what it is about.
STRIPE = [
    ("PAYMENT", 5000, 175, "ch_sample_1"),
    ("PAYMENT", 999, 59, "ch_sample_2"),
    ("PAYMENT", 123_450, 3610, "ch_sample_3"),
    ("REFUND", -999, 0, "ch_sample_2"),
    ("CHARGEBACK", -5000, 1500, "ch_sample_1"),
    ("FEE", -200, 0, None),
]
EXPECTED = {
    "stripe-balance": ("USD", STRIPE, 0),
    "stripe-payouts": ("USD", STRIPE, 0),
    "paypal": (
        "USD",
        [
            ("PAYMENT", 5000, 199, "0SAMPLE0000000001"),
            ("PAYMENT", 123_450, 4350, "0SAMPLE0000000002"),
            ("REFUND", -5000, -150, "0SAMPLE0000000001"),
            ("FEE", -2000, 0, "0SAMPLE0000000002"),
        ],
        2,
    ),
    "adyen": (
        "EUR",
        [
            ("PAYMENT", 50_000, 110, "SAMPLE0000000001"),
            ("PAYMENT", 2000, 40, "SAMPLE0000000002"),
            ("REFUND", -2000, 0, "SAMPLE0000000002"),
            ("CHARGEBACK", -5000, 750, "SAMPLE0000000001"),
            ("FEE", -120, 0, None),
            ("FEE", -120, 0, None),
            ("PAYOUT", -43_860, 0, None),
        ],
        0,
    ),
}


def test_every_map_of_a_report_has_a_sample() -> None:
    assert set(EXPECTED) == {path.stem for path in SAMPLES.glob("*.csv")}
    assert set(EXPECTED) | {"tips"} == set(shipped())


@pytest.mark.parametrize("name", EXPECTED)
def test_each_row_becomes_what_its_report_means(name: str) -> None:
    currency, expected, skipped = EXPECTED[name]
    report, made, complaints = tried(SAMPLES / f"{name}.csv", read_map(name), currency=currency)
    assert not complaints
    assert {m.command for m in made} == {"import-settlement"}
    lines = [m.fields["lines"][0] for m in made]
    assert [
        (line["kind"], line["gross"], line["fee"], line.get("processor_ref")) for line in lines
    ] == expected
    assert len({line["line_ref"] for line in lines}) == len(lines), "equal rows are told apart"
    assert all(line["value_date"].startswith("2026-11-0") for line in lines)
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
    assert made.fields["lines"][0]["gross"] == amount


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
    grown.write_text("".join(lines))
    report = load(shop, first, mapping)
    assert (report.new.rows, report.new.units) == (2, 5999)
    report = load(shop, grown, mapping)
    assert (report.new.rows, report.known.rows) == (4, 2) and report.clean
    with shop.fresh.connect() as connection:
        before = head(connection)
    assert load(shop, grown, mapping).known.rows == 6
    with shop.fresh.connect() as connection:
        assert head(connection) == before
    shop.check()


def test_a_batchs_payout_is_what_its_lines_make(shop: WritePath, tmp_path: Path) -> None:
    path = tmp_path / "batch.csv"
    path.write_text((SAMPLES / "adyen.csv").read_text().replace("EUR", "USD"))
    assert load(shop, path, read_map("adyen")).new.rows == 7
    events = [entry.event() for entry in shop.entries()]
    (payout,) = [event for event in events if isinstance(event, SettlementPayoutRecorded)]
    assert payout.amount == payout.covered == 43_860
    shop.check()
