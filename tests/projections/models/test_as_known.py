"""What was true on a date, as it was known at a position: facts come days late, and it shows."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.accounts import class_of
from domain.calendar import DateRange
from ledger.log.reading import EntriesMissing
from ledger.postgres.database import Connection, Database
from projections.queries import (
    AccountKey,
    JournalFilter,
    Span,
    balance,
    general_journal,
    lines,
    restatement,
    trial_balance,
    trial_balance_by_class,
)
from tests.projections import expected as sums
from tests.projections.explaining import Explaining
from tests.projections.late_facts import ZONE, days_of, told_late
from tests.scenarios.write_path import WritePath


@pytest.fixture(scope="module")
def stage(database: Database) -> Iterator[WritePath]:
    """A book with late facts."""
    with told_late(database, "Late") as told:
        yield told


@pytest.fixture
def reader(stage: WritePath) -> Iterator[Connection]:
    """A reader's connection."""
    with stage.fresh.connect(autocommit=True) as connection:
        yield connection


def _true_on(stage: WritePath, day: date, known: int) -> Counter[tuple[str, str]]:
    """The plain sum over everything known, of what is effective by the day."""
    found: Counter[tuple[str, str]] = Counter()
    for entry in sums.entries(stage.rows()):
        if entry["position"] <= known and date.fromisoformat(entry["effective_on"]) <= day:
            for account, asset, amount in entry["postings"]:
                found[account, asset] += amount
    return found


def _nonzero(balances: Counter[tuple[str, str]]) -> dict[tuple[str, str], int]:
    return {key: amount for key, amount in balances.items() if amount}


def test_the_log_has_facts_that_came_late_by_the_days_of_its_zone(stage: WritePath) -> None:
    late, not_by_utc = set(), set()
    for entry in sums.entries(stage.rows()):
        recorded = datetime.fromisoformat(entry["recorded_at"])
        effective = date.fromisoformat(entry["effective_on"])
        if recorded.astimezone(ZoneInfo(ZONE)).date() > effective:
            late.add(entry["position"])
        if recorded.astimezone(UTC).date() != effective:
            not_by_utc.add(entry["position"])
    assert len(late) >= 5
    assert late != not_by_utc


def test_every_account_on_every_date_as_known_at_every_position(
    stage: WritePath, reader: Connection
) -> None:
    for day in days_of(stage):
        for known in range(0, len(stage.rows()) + 1, 3):
            expected = _true_on(stage, day, known)
            found = trial_balance(reader, position=known, effective_on=day)
            assert _nonzero(sums.signed(found)) == _nonzero(expected), (day, known)
            assert found["as_of_position"] == known
            for account, asset in (("deferred", "USD"), ("cr.cora.available", "USD")):
                one = balance(reader, account, asset, position=known, effective_on=day)
                assert one["balance"] == expected[account, asset], (account, day, known)
                assert one["as_of_position"] == known


def test_every_class_on_every_date_as_known_at_every_position(
    stage: WritePath, reader: Connection
) -> None:
    for day in days_of(stage):
        for known in range(0, len(stage.rows()) + 1, 3):
            expected: Counter[tuple[str, str]] = Counter()
            for (account, asset), amount in _true_on(stage, day, known).items():
                expected[class_of(account), asset] += amount
            found = trial_balance_by_class(reader, position=known, effective_on=day)
            assert _nonzero(sums.signed(found)) == _nonzero(expected), (day, known)
            assert all(total["debit"] == total["credit"] for total in found["totals"])
            assert found["as_of_position"] == known


def test_as_known_now_is_the_same_as_by_the_date_alone(
    stage: WritePath, reader: Connection
) -> None:
    for day in days_of(stage):
        for ask in (trial_balance, trial_balance_by_class):
            now = ask(reader, position=len(stage.rows()), effective_on=day)
            assert _nonzero(sums.signed(now)) == _nonzero(
                sums.signed(ask(reader, effective_on=day))
            )


_FILLED = b"""
    INSERT INTO journal SELECT 1, date '2030-01-01' + n / 100, 1000 + n, 1, n
    FROM generate_series(1, 100000) n;
    INSERT INTO late_lines (account_id, position, recorded_on, effective_on, amount)
    SELECT 1, 1000 + n, date '2030-01-01' + n / 100, date '2030-01-01' + n / 100 - 1 - n % 10, 1
    FROM generate_series(1, 100000, 5) n;
    INSERT INTO late_class_lines (class, asset, position, recorded_on, effective_on, amount)
    SELECT 'deferred', 'USD', 1000 + n, date '2030-01-01' + n / 100,
           date '2030-01-01' + n / 100 - 1 - n % 10, 1
    FROM generate_series(1, 100000, 5) n;
    INSERT INTO event_tags SELECT 't:' || n % 10, 1000 + n FROM generate_series(1, 100000) n;
    UPDATE projections SET position = 200000 WHERE name IN ('journal', 'account_classes');
    ANALYZE journal, late_lines, late_class_lines, event_tags;
"""
GROWING = {"journal", "late_lines", "late_class_lines", "accounts", "event_tags"}


@pytest.fixture
def filled(stage: WritePath) -> Iterator[Connection]:
    """A hundred thousand lines of which every fifth was late by up to ten days."""
    with (
        stage.fresh.connect_admin(autocommit=True) as admin,
        admin.transaction(force_rollback=True),
    ):
        admin.execute(_FILLED)
        yield admin


@pytest.fixture
def first_account(filled: Connection) -> AccountKey:
    """The one that has them."""
    query = b"SELECT account, asset FROM accounts WHERE id = 1"
    return AccountKey(*(filled.execute(query).fetchone() or ("", "")))


def test_one_balance_reads_a_few_rows_however_many_lines_came_late(
    filled: Connection, first_account: AccountKey
) -> None:
    day = date(2031, 1, 1)
    explaining: Any = Explaining(filled)
    found = balance(explaining, *first_account, position=60_000)
    assert found["balance"] == 60_000 - 1_000
    after = lines(explaining, *first_account, after=60_000, limit=3)
    assert [line["position"] for line in after] == [60_001, 60_002, 60_003]
    assert not explaining.scanned & GROWING
    assert explaining.rows < 50
    explaining = Explaining(filled)
    balance(explaining, *first_account, position=60_000, effective_on=day)
    assert not explaining.scanned & GROWING
    assert explaining.rows < 1_000
    restatement(explaining, first_account, day, then=60_000, now=61_000, limit=20)
    assert not explaining.scanned & GROWING
    assert explaining.rows < 60_000


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("by", ["account", "tag", "nothing"])
def test_a_page_of_the_journal_walks_along_an_index(
    filled: Connection, first_account: AccountKey, by: str, *, newest_first: bool
) -> None:
    wanted = {
        "account": JournalFilter(account=first_account.account),
        "tag": JournalFilter(tag="t:1"),
        "nothing": JournalFilter(),
    }[by]
    month = DateRange(date(2031, 1, 1), date(2031, 1, 31))
    explaining: Any = Explaining(filled)
    span = Span(month, 40_000, 190_000)
    with contextlib.suppress(EntriesMissing):  # of rows that no log has made
        general_journal(explaining, wanted, span, newest_first=newest_first, limit=20)
    assert not explaining.scanned & GROWING
    assert explaining.rows < 20_000
