"""Importing tips: the book equals the file, however messy it is and however often it comes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.imports.importer import FileImport, ImportInterrupted
from api.imports.policy_fit import policy_misfits
from api.imports.report import Report
from api.simulation.sample_tips import Shape, tip_rows
from domain.policy import Policy
from ledger.log.policies import policy_in_force
from ledger.log.reading import head
from ledger.postgres.database import Database
from projections.queries import earnings, wallet
from projections.rebuild import rebuild
from tests.api.imports import tip_sums
from tests.api.imports.reading import translated
from tests.api.imports.tip_sums import TIPS_POLICY, in_book, in_file
from tests.conftest import FreshBook
from tests.scenarios.steps import freeze, policy
from tests.scenarios.write_path import WritePath

ROWS = list(tip_rows(Shape(rows=1_500, repeat_every=60), seed=3))
DAY = "2025-01-01T00:00:00Z"


@dataclass
class TipsBook:
    """A book for tips, as `tokenledger import` would find it."""

    stage: WritePath

    def load(self, path: Path) -> Report:
        with self.stage.fresh.connect() as connection:
            start = head(connection)
        with translated(path) as (rows, translator):
            report = FileImport(self.stage.writer, start=start).run(rows, translator)
        assert report.lines_of_nobody == 0, report.lines()
        return report

    def sums(self) -> tip_sums.Sums:
        self.stage.check()
        with self.stage.fresh.connect() as connection:
            return in_book(connection)

    @property
    def head(self) -> int:
        with self.stage.fresh.connect() as connection:
            return head(connection)


@pytest.fixture
def book(fresh_book: FreshBook) -> Iterator[TipsBook]:
    stage = WritePath(fresh_book).given(policy(TIPS_POLICY))
    yield TipsBook(stage)
    stage.close()


def test_every_sender_and_creator_equals_the_file(book: TipsBook, tmp_path: Path) -> None:
    path = tip_sums.write(tmp_path / "tips.csv", ROWS)
    report = book.load(path)
    assert report.clean
    assert report.read.rows == len(ROWS)
    assert report.new.rows == len({row[0] for row in ROWS})
    assert report.repeated.rows == len(ROWS) - report.new.rows > 0
    assert report.read.units == report.new.units + report.repeated.units
    # Late rows kept their own time: `given_at` compares it tip by tip.
    assert book.sums() == in_file(path)


def test_the_read_models_say_the_same(book: TipsBook, database: Database, tmp_path: Path) -> None:
    path = tip_sums.write(tmp_path / "tips.csv", ROWS[:600])
    book.load(path)
    rebuild(database, book.stage.book)
    sums = in_file(path)
    with book.stage.fresh.connect() as connection:
        for user in sums.spent:
            found = wallet(connection, user)
            assert found["lifetime"]["spent"] == sums.spent[user] == found["lifetime"]["granted"]
            assert found["free"] == {"paid": 0, "promo": 0}
        for creator in sums.earned:
            found = earnings(connection, creator, "USD")
            assert found["lifetime_earned"] == sums.earned[creator] == found["available"]


def test_importing_again_changes_nothing(book: TipsBook, tmp_path: Path) -> None:
    path = tip_sums.write(tmp_path / "tips.csv", ROWS[:400])
    book.load(path)
    head = book.head
    again = book.load(path)
    assert (again.new.rows, again.repeated.rows, again.known.rows) == (0, 0, 400)
    assert book.head == head
    book.stage.restart()
    assert book.load(path).known.rows == 400
    assert book.head == head


def test_a_file_that_grew_adds_only_what_is_new(book: TipsBook, tmp_path: Path) -> None:
    book.load(tip_sums.write(tmp_path / "may.csv", ROWS[:300]))
    grown = tip_sums.write(tmp_path / "june.csv", ROWS[:500])
    report = book.load(grown)
    assert report.known.rows >= 300 and report.read.rows == 500
    assert book.sums() == in_file(grown)


def test_what_is_refused_is_told_line_by_line_and_leaves_nothing(
    book: TipsBook, tmp_path: Path
) -> None:
    book.stage.given(freeze("cr", "creator", "EARN"))
    rows = [
        ("t1", DAY, "u1", "u2", "5", "c", "1"),
        ("t2", DAY, "u1", "u1", "5", "c", "1"),
        ("t3", DAY, "u 1", "u2", "5", "c", "1"),
        ("t4", "yesterday", "u1", "u2", "5", "c", "1"),
        ("t5", DAY, "u1", "u2", "0", "c", "1"),
        ("t6", DAY, "u1", "u2", "9999999999999", "c", "1"),
        ("t 7", DAY, "u1", "u2", "5", "c", "1"),
        ("t8", "2999-01-01T00:00:00Z", "u1", "u2", "5", "c", "1"),
        ("t1", DAY, "u1", "u2", "6", "c", "1"),
        ("t9", DAY, "u1", "cr", "5", "c", "1"),
        ("t10", DAY, "u3", "u2", "7", "c", "1"),
    ]
    before = book.head
    report = book.load(tip_sums.write(tmp_path / "tips.csv", rows))
    assert not report.clean
    assert (report.read.rows, report.new.rows, report.failed) == (11, 2, 9)
    assert book.head == before + 4, "two grants, two tips"
    told = {complaint.line: (complaint.code, str(complaint)) for complaint in report.complaints}
    assert told[3][0] == "SELF_DEALING" and "u1 may not pay themselves" in told[3][1]
    assert "line 4, column sender: must be 1 to 64 of" in told[4][1]
    assert "line 5, column occurred_at: must be a time in UTC" in told[5][1]
    assert "line 6, column units" in told[6][1] and "line 7, column units" in told[7][1]
    assert "line 8, column tip_ref" in told[8][1]
    assert told[9][0] == "CLOCK_SKEW"
    assert told[10][0] == "IDEMPOTENCY_KEY_REUSED" and "t1 was imported before" in told[10][1]
    assert told[11][0] == "CREATOR_FROZEN"
    assert book.sums().spent == {"u1": 5, "u3": 7}


def test_what_was_refused_for_a_passing_reason_is_imported_later(
    book: TipsBook, tmp_path: Path
) -> None:
    freezing = freeze("cr", "creator", "EARN")
    path = tip_sums.write(tmp_path / "tips.csv", [("t1", DAY, "u1", "cr", "5", "c", "1")])
    book.stage.given(freezing)
    assert book.load(path).refused == {"CREATOR_FROZEN": 1}
    book.stage.given(type(freezing)("unfreeze", freezing.fields))
    assert book.load(path).new.rows == 1
    assert book.sums().earned == {"cr": 5}


def test_rows_that_an_outage_left_unanswered_are_told(book: TipsBook, tmp_path: Path) -> None:
    path = tip_sums.write(tmp_path / "tips.csv", ROWS[:50])
    book.stage.writer.stop()
    run = FileImport(book.stage.writer, start=book.head, patience_s=0)
    with (
        pytest.raises(ImportInterrupted, match="Import the same file again"),
        translated(path) as (rows, translator),
    ):
        run.run(rows, translator)
    report = run.report
    assert (report.unanswered.rows, report.new.rows) == (50, 0)
    assert report.lines_of_nobody == 0 and not report.clean
    assert "+ 50 not answered" in report.lines()
    book.stage.restart()
    assert book.load(path).new.rows == len({row[0] for row in ROWS[:50]})


@pytest.mark.parametrize(
    ("change", "misfit"),
    [
        ({"funding": ["CARD"]}, "funding must allow TOKEN"),
        ({"products_enabled": ["unlock"]}, "products_enabled must hold tip"),
        ({"unit_value": 5}, "unit_value must be 1 (a unit is a token); it is 5"),
        ({"revenue_share": {"default": 10_000, "tip": 8_000}}, "must be 10000 bps"),
        ({"tip_minimum": 50}, "tip_minimum must not be set; it is 50"),
        ({"price_bounds": {"tip": {"min": 1, "max": 9}}}, "price_bounds must not bound tips"),
        ({"promo_expiry_days": 30}, "promo_expiry_days must not be set"),
    ],
)
def test_a_policy_that_does_not_fit_is_told_by_its_keys(
    change: dict[str, object], misfit: str
) -> None:
    assert policy_misfits(Policy.model_validate(TIPS_POLICY)) == []
    (told,) = policy_misfits(Policy.model_validate({**TIPS_POLICY, **change}))
    assert misfit in told


def test_the_policy_in_force_is_read_from_the_log(book: TipsBook, fresh_book: FreshBook) -> None:
    propose, approve = policy(TIPS_POLICY | {"tip_minimum": 9})
    later = propose.but(effective_from="2999-01-01T00:00:00Z")
    book.stage.given(later, approve.but(version=2))
    with fresh_book.connect() as connection:
        now = policy_in_force(connection, datetime.now(UTC))
        then = policy_in_force(connection, datetime(2999, 6, 1, tzinfo=UTC))
        assert policy_in_force(connection, datetime(1960, 1, 1, tzinfo=UTC)) is None
    assert now is not None and now.tip_minimum is None
    assert then is not None and then.tip_minimum == 9
    assert policy_misfits(None) == ["no policy is in force: publish one"]
