"""`tokenledger import` as a command: what it prints and with which status it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.cli.books import profile_document
from api.provisioning import Provisioning, provision_book
from ledger.log.reading import head
from ledger.postgres.database import Database, connect
from tests.api.conftest import founded, fresh
from tests.api.imports import tip_sums

DAY = "2025-01-01T00:00:00Z"
GOOD = [(f"t{n}", DAY, "u1", "u2", "5", "c", "1") for n in range(30)]
SELF_TIP = ("self", DAY, "u1", "u1", "5", "c", "1")
BROKEN = ("half", DAY, "u1", "u2", "0.5", "c", "1")


def imported(
    where: Database, book: str, file: Path, *options: str
) -> "subprocess.CompletedProcess[str]":
    urls = {
        "TOKENLEDGER_DATABASE_URL": where.service_url,
        "TOKENLEDGER_ADMIN_DATABASE_URL": where.admin_url,
    }
    return subprocess.run(
        [sys.executable, "-m", "api", "import", "--book", book, *options, str(file)],
        env={**os.environ, **urls, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_row_is_accounted_for(database: Database, tmp_path: Path) -> None:
    book = founded(database, fresh("Tips"), "tips").name
    file = tip_sums.write(tmp_path / "tips.csv", [*GOOD, GOOD[3], SELF_TIP, BROKEN])
    done = imported(database, book, file, "--format", "tips")
    assert done.returncode == 1, done.stderr
    said = [line.split() for line in done.stdout.splitlines()]
    assert ["read", "33", "160"] in said
    assert ["new", "tips", "30", "150"] in said
    assert ["repeated", "in", "the", "file", "1", "5"] in said
    assert ["not", "imported:", "SELF_DEALING", "1"] in said
    assert ["not", "imported:", "BROKEN_LINE", "1"] in said
    assert "line 33: SELF_DEALING: u1 may not pay themselves" in done.stderr
    assert "line 34, column units: '0.5' is not a whole number" in done.stderr

    assert (
        "34 lines = 1 header + 0 blank + 30 taken + 1 known + 0 passed over + 2 complained of"
        in done.stdout
    )

    clean = imported(database, book, tip_sums.write(tmp_path / "good.csv", GOOD))
    assert clean.returncode == 0, clean.stderr
    assert ["known", "from", "before", "30", "150"] in [
        line.split() for line in clean.stdout.splitlines()
    ]


@pytest.mark.parametrize(
    ("book", "file", "status", "said"),
    [
        ("none", "tips.csv", 2, "there is no book named"),
        ("micro-unlock", "tips.csv", 2, "revenue_share of a tip must be 10000 bps"),
        ("tips", "none.csv", 1, "No such file"),
    ],
)
def test_what_cannot_begin_says_why(
    database: Database, tmp_path: Path, book: str, file: str, status: int, said: str
) -> None:
    name = "Nowhere" if book == "none" else founded(database, fresh("Tips"), book).name
    tip_sums.write(tmp_path / "tips.csv", GOOD)
    done = imported(database, name, tmp_path / file)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_shows_commands_and_every_complaint_and_writes_nothing(
    database: Database, tmp_path: Path
) -> None:
    made = founded(database, fresh("Dry"), "tips")
    broken = [(f"b{n}", "yesterday", "u1", "u2", "5", "c", "1") for n in range(25)]
    file = tip_sums.write(tmp_path / "tips.csv", [*GOOD[:7], *broken])
    done = imported(database, made.name, file, "--dry-run")
    assert done.returncode == 1, done.stderr
    assert done.stdout.count('"command":"send-tip"') == 5, "the first rows are shown"
    assert (
        'line 2: {"command":"grant-promo","idempotency_key":"tip:t0","reason_code":"import"'
        in done.stdout
    )
    assert done.stderr.count("column occurred_at: must be a time in UTC") == 25
    assert "dry run: nothing written" in done.stdout and "7 taken" in done.stdout
    with connect(database.service_url, made.schema, autocommit=True) as connection:
        assert head(connection) == 2, "the policy's two entries"


def test_a_settlement_of_a_processor_by_its_map(database: Database, tmp_path: Path) -> None:
    book = founded(database, fresh("Settled")).name
    sample = Path(__file__).parents[3] / "docs" / "imports" / "stripe-payouts.csv"
    file = tmp_path / "payouts.csv"
    file.write_text("Payouts of May\n" + sample.read_text().replace(",", ";").replace(".", ","))
    wrong = imported(database, book, file, "--map", "stripe-payouts")
    assert wrong.returncode == 1
    assert "say --header-line 2 --delimiter ';'" in wrong.stderr.replace("\n", " ")
    shape = ("--header-line", "2", "--delimiter", ";", "--decimal", ",", "--processor", "acme")
    done = imported(database, book, file, "--map", "stripe-payouts", *shape)
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines() if "new lines" in line] == [
        ["new", "lines", "6", "1,232.50", "USD"]
    ]
    for options, said in (
        (("--map", "tips", "--format", "tips"), "either --map or --format"),
        (("--map", "nope.toml"), "the maps that come along are adyen"),
        (("--time-zone", "Mars"), "there is no time zone 'Mars'"),
        (("--decimal", ",", "--thousands", ","), "numbers: decimal and thousands are the same"),
        (("--delimiter", "::"), "file.delimiter: String should have at most 1 character"),
    ):
        refused = imported(database, book, file, *options)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr
        assert said in refused.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("currency", "gross", "summed"), [("JPY", "5000", "5,000 JPY"), ("KWD", "5.125", "5.125 KWD")]
)
def test_a_books_own_currency_says_how_many_decimals_there_are(
    database: Database, tmp_path: Path, currency: str, gross: str, summed: str
) -> None:
    policy = profile_document("micro-unlock") | {"currency": currency}
    provisioning = Provisioning(policy, "1970-01-01T00:00:00Z", "ann", "bob")
    made = provision_book(database, fresh(currency), provisioning)
    sample = Path(__file__).parents[3] / "docs" / "imports" / "stripe-balance.csv"
    header, first = sample.read_text().splitlines()[:2]
    file = tmp_path / "balance.csv"
    row = first.replace("usd", currency.lower()).replace(",50.00,1.75,48.25,", f",{gross},0,0,")
    file.write_text(f"{header}\n{row}\n{row.replace(gross, '0.0005')}\n")
    done = imported(database, made.name, file, "--map", "stripe-balance")
    assert done.returncode == 1
    assert f"new lines 1 {summed}" in " ".join(done.stdout.split())
    assert f"'0.0005' has 4 decimals; {currency} has" in done.stderr
