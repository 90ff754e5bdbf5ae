"""The tree of accounts, and trial balances page by page, of a book where facts come days late."""

import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from domain.accounts import class_of
from domain.calendar import DateRange
from ledger.postgres.database import Connection, Database
from projections.queries import NodeFilter, TreePlace, below, known, top, trial_balance
from tests.projections import expected as sums
from tests.projections.explaining import Explaining
from tests.projections.following import follow
from tests.projections.late_facts import days_of, told_late
from tests.scenarios.steps import tip
from tests.scenarios.write_path import WritePath


@pytest.fixture(scope="module")
def stage(database: Database) -> Iterator[WritePath]:
    """A book with late facts."""
    with told_late(database, "Tree") as told:
        yield told


@pytest.fixture
def reader(stage: WritePath) -> Iterator[Connection]:
    """A reader's connection."""
    with stage.fresh.connect(autocommit=True) as connection:
        yield connection


def _periods(stage: WritePath) -> list[DateRange]:
    days = [date.min, *days_of(stage), date.max]
    return [DateRange(*pair) for pair in itertools.combinations_with_replacement(days, 2)]


def _figures(
    stage: WritePath, days: DateRange, upto: int
) -> dict[tuple[str, str], tuple[int, int, int]]:
    """By account and asset: opening, debit and credit, by the plain sum over all legs."""
    found: dict[tuple[str, str], list[int]] = {}
    for entry in sums.entries(stage.rows()):
        day = date.fromisoformat(entry["effective_on"])
        for account, asset, amount in entry["postings"]:
            figures = found.setdefault((account, asset), [0, 0, 0])
            if entry["position"] <= upto and day < days.first:
                figures[0] += amount
            elif entry["position"] <= upto and day <= days.last:
                figures[1] += max(amount, 0)
                figures[2] += max(-amount, 0)
    return {key: tuple(figures) for key, figures in found.items()}  # type: ignore[misc]


def _together(
    figures: dict[tuple[str, str], tuple[int, int, int]], names: dict[str, str]
) -> dict[tuple[str, str], tuple[int, ...]]:
    """The same by node, with the number of accounts in front."""
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    for (account, asset), some in figures.items():
        if account in names:
            key = names[account], asset
            before = found.get(key, (0, 0, 0, 0))
            found[key] = tuple(map(sum, zip(before, (1, *some), strict=True)))
    return found


def _shown(items: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, ...]]:
    for item in items:
        assert item["closing"] == item["opening"] + item["debit"] - item["credit"]
    names = ("accounts", "opening", "debit", "credit")
    return {(each["account"], each["asset"]): tuple(each[name] for name in names) for each in items}


def test_the_classes_of_the_chart_are_its_top(stage: WritePath, reader: Connection) -> None:
    for days in _periods(stage):
        found = top(reader, NodeFilter(""), days)
        figures = _figures(stage, days, len(stage.rows()))
        names = {account: class_of(account) for account, _ in figures}
        assert _shown(found["items"]) == _together(figures, names)
        assert found["as_of_position"] == len(stage.rows())
        numbers = [item["number"] for item in found["items"]]
        assert numbers == sorted(numbers) and numbers[0] >= 1_000


@pytest.mark.parametrize(
    ("wanted", "depth"),
    [
        (NodeFilter("cr"), 2),
        (NodeFilter("cr", 2), 3),
        (NodeFilter("w"), 2),
        (NodeFilter("cr.cora"), 3),
        (NodeFilter("suspense"), 1),
        (NodeFilter("c"), 1),
        (NodeFilter("w.*.free"), 3),
        (NodeFilter("psp.*"), 2),
    ],
)
def test_below_a_prefix_page_by_page(
    stage: WritePath, reader: Connection, wanted: NodeFilter, depth: int
) -> None:
    for days in _periods(stage)[::3]:
        position, place = known(reader), TreePlace("", "")
        found: list[dict[str, Any]] = []
        while True:
            items, after = below(reader, wanted, days, position=position, after=place, limit=1)
            found += items
            if after is None:
                break
            place = after
        figures = _figures(stage, days, position)
        names = {
            account: ".".join(account.split(".")[:depth])
            for account, _ in figures
            if wanted.prefix in {account, class_of(account)}
            or account.startswith(f"{wanted.prefix}.")
        }
        assert _shown(found) == _together(figures, names)
        assert [item["leaf"] for item in found] == [item["account"] in names for item in found]
        assert bool(found) == (wanted.prefix not in {"c", "suspense"})


def test_trial_balances_page_by_page(stage: WritePath, reader: Connection) -> None:
    head, days = len(stage.rows()), days_of(stage)
    moments: list[dict[str, Any]] = [{"position": head // 2}, {"position": head}]
    moments += [{"position": head // 2, "effective_on": day} for day in days[1:3]]
    for moment in moments:
        whole = trial_balance(reader, **moment)
        assert whole["place"] is None
        rows, after = [], ("", "")
        while True:
            page = trial_balance(reader, **moment, after=after, limit=2)
            rows += page["rows"]
            if page["place"] is None:
                break
            after = page["place"]
        assert rows == whole["rows"]


def test_pages_stay_as_they_were_when_facts_come(stage: WritePath, reader: Connection) -> None:
    days, position = DateRange(*[days_of(stage)[2]] * 2), known(reader)
    before = below(reader, NodeFilter("cr"), days, position=position, limit=9)
    when = f"{days.first - timedelta(days=1)}T11:30:00Z"  # half past midnight in the book's zone
    stage.given(tip(5, "ann", "cora").but(occurred_at=when), tip(5, "ben", "carl"))
    follow(stage.fresh)
    assert known(reader) == position + 2
    assert below(reader, NodeFilter("cr"), days, position=position, limit=9) == before
    assert below(reader, NodeFilter("cr"), days, position=position + 2, limit=9) != before


def test_a_page_walks_along_the_names(stage: WritePath) -> None:
    filled = b"""
        INSERT INTO accounts
        SELECT 1000 + n, 'cr.c' || n / 4 || '.' ||
               (ARRAY['available', 'payout', 'pending', 'reserved'])[1 + n % 4], 'USD', n, n
        FROM generate_series(1, 100000) n;
        INSERT INTO journal SELECT 1000 + n, date '2030-01-01', n, n, n
        FROM generate_series(1, 100000) n;
        INSERT INTO account_days SELECT 1000 + n, date '2030-01-01', n, 0
        FROM generate_series(1, 100000) n;
        UPDATE projections SET position = 200000 WHERE name IN ('journal', 'account_classes');
        ANALYZE accounts, journal, account_days;
    """
    with (
        stage.fresh.connect_admin(autocommit=True) as admin,
        admin.transaction(force_rollback=True),
    ):
        admin.execute(filled)
        days = DateRange(date(2030, 1, 1), date(2030, 1, 31))
        growing = {"accounts", "journal", "account_days", "late_lines"}
        for wanted in (NodeFilter("cr"), NodeFilter("cr.*.payout"), NodeFilter("cr.c777")):
            explaining: Any = Explaining(admin)
            items, _ = below(explaining, wanted, days, position=150_000, limit=20)
            assert len(items) == (4 if wanted.prefix == "cr.c777" else 20)
            assert not explaining.scanned & growing
            assert explaining.rows < 10_000
        day = date(2030, 1, 31)
        moments: list[dict[str, Any]] = [{}, {"position": 150_000}, {"effective_on": day}]
        for moment in moments:
            explaining = Explaining(admin)
            page = trial_balance(explaining, **moment, after=("cr.c5", ""), limit=20)
            assert len(page["rows"]) == 20 or "effective_on" in moment  # no log has these rows
            assert page["place"] is not None
            assert not explaining.scanned & growing
            assert explaining.rows < 1_000
