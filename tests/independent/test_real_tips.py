"""Tips as a community gave them, imported, then computed twice.

The sample file has the troubles of a published log of tips. Another one is checked by naming it:
`TOKENLEDGER_TIPS=FILE pytest tests/independent/test_real_tips.py`.
"""

import csv
import gzip
import os
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from api.cli.books import profile_document
from api.imports.importer import FileImport
from api.provisioning import Provisioning, provision_book
from api.simulation.sample_tips import Shape, write_tips
from ledger.postgres.database import Database, connect
from ledger.write.writer import Writer
from tests.api.imports.reading import translated
from tests.independent.agreement import Agreement
from tests.independent.conftest import auditing
from tests.independent.exported import ExportedLog


@pytest.fixture
def tips(tmp_path: Path) -> Path:
    named = os.environ.get("TOKENLEDGER_TIPS")
    if named:
        return Path(named)
    sample = tmp_path / "tips.csv.gz"
    write_tips(sample, Shape(rows=1_500, senders=40, recipients=60), seed=5)
    return sample


def in_file(path: Path) -> tuple[Counter[str], Counter[str]]:
    """Units spent by sender and earned by recipient, each reference once."""
    spent: Counter[str] = Counter()
    earned: Counter[str] = Counter()
    seen = set()
    with gzip.open(path, "rt", newline="") as text:
        for row in csv.DictReader(text):
            if row["tip_ref"] not in seen:
                seen.add(row["tip_ref"])
                spent[row["sender"]] += int(row["units"])
                earned[row["recipient"]] += int(row["units"])
    return spent, earned


def test_imported_tips_are_what_their_log_and_their_file_say(
    database: Database, url: str, tips: Path, tmp_path: Path
) -> None:
    first = Provisioning(profile_document("tips"), "1970-01-01T00:00:00Z", "ada", "grace")
    book = provision_book(database, f"Tips-twice-{os.getpid()}", first)
    opened = partial(connect, database.service_url, book.schema, autocommit=True)
    writer = Writer(book, opened).start()
    try:
        with translated(tips) as (rows, translator):
            report = FileImport(writer, start=0).run(rows, translator)
    finally:
        writer.stop()
    assert report.lines_of_nobody == 0, report.lines()
    with auditing(database, url, book) as client:
        log = ExportedLog(client, tmp_path / "log.ndjson")
        Agreement(client, log).check_all()
        spent, earned = in_file(tips)
        wallets = log.by("wallets")
        assert {user: figures[6] for user, figures in wallets.items() if figures[6]} == spent
        assert {who: net for (who, _), (net,) in log.by("nets", 2).items()} == earned
