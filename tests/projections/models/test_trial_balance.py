"""The journal: balances now and at any position, recorded time and effective date."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from ledger.log.reading import position_at
from ledger.postgres.database import Connection
from projections.models.account_classes import AccountClasses
from projections.queries import balance, lines, trial_balance, trial_balance_by_class
from tests.projections import expected as sums
from tests.projections.following import follow, written
from tests.scenarios.steps import tip
from tests.scenarios.write_path import WritePath


@pytest.fixture(autouse=True)
def _many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that a short log passes."""
    monkeypatch.setattr(AccountClasses, "step_events", 4)


@pytest.fixture
def followed(stage: WritePath) -> WritePath:
    """A busy day, then two tips that happened long before."""
    written(stage)
    for day in ("2026-01-31T23:59:59Z", "2026-01-02T00:00:00Z"):
        stage.given(tip(1, "ben", "cora").but(occurred_at=day))
    follow(stage.fresh)
    return stage


@pytest.fixture
def reader(followed: WritePath) -> Iterator[Connection]:
    """A reader's connection."""
    with followed.fresh.connect(autocommit=True) as connection:
        yield connection


def test_at_the_head_it_is_zero_per_asset(followed: WritePath, reader: Connection) -> None:
    found = trial_balance(reader)
    assert sums.signed(found) == sums.balances(followed.rows())
    assert found["totals"]
    assert all(total["debit"] == total["credit"] > 0 for total in found["totals"])
    assert all(row["debit"] == 0 or row["credit"] == 0 for row in found["rows"])
    assert found["as_of_position"] == len(followed.rows())


def test_at_every_position(followed: WritePath, reader: Connection) -> None:
    rows = followed.rows()
    for upto in range(len(rows) + 1):
        found = trial_balance(reader, position=upto)
        expected = sums.balances(rows, upto=upto)
        assert sums.signed(found) == expected
        assert found["as_of_position"] == upto
        assert all(total["debit"] == total["credit"] for total in found["totals"])
        for (account, asset), amount in expected.items():
            assert balance(reader, account, asset, position=upto)["balance"] == amount


def test_at_recorded_times(followed: WritePath, reader: Connection) -> None:
    log = sums.entries(followed.rows())
    for entry in log:
        at = datetime.fromisoformat(entry["recorded_at"])
        assert position_at(reader, at) == entry["position"]
        assert position_at(reader, at - timedelta(microseconds=1)) == entry["position"] - 1
    found = trial_balance(reader, recorded_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert (found["rows"], found["as_of_position"]) == ([], 0)
    assert balance(
        reader, "deferred", "USD", recorded_at=datetime.fromisoformat(log[5]["recorded_at"])
    ) == balance(reader, "deferred", "USD", position=6)


@pytest.mark.parametrize("day", ["2025-12-31", "2026-01-02", "2026-01-31", "2999-01-01"])
def test_at_effective_dates(followed: WritePath, reader: Connection, day: str) -> None:
    expected = sums.balances(followed.rows(), effective_on=day)
    found = trial_balance(reader, effective_on=date.fromisoformat(day))
    assert sums.signed(found) == expected
    for (account, asset), amount in expected.items():
        dated = balance(reader, account, asset, effective_on=date.fromisoformat(day))
        assert dated["balance"] == amount


def test_by_class_at_every_position(followed: WritePath, reader: Connection) -> None:
    rows = followed.rows()
    for upto in (*range(len(rows) + 1), None):
        found = trial_balance_by_class(reader, position=upto)
        whole = sums.balances(rows) if upto is None else sums.balances(rows, upto=upto)
        assert sums.signed(found) == _by_class(whole)
        assert found["as_of_position"] == (len(rows) if upto is None else upto)
        assert all(total["debit"] == total["credit"] for total in found["totals"])
        numbers = [row["number"] for row in found["rows"]]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("day", ["2025-12-31", "2026-01-02", "2026-01-31", "2999-01-01"])
def test_by_class_at_effective_dates(followed: WritePath, reader: Connection, day: str) -> None:
    expected = sums.balances(followed.rows(), effective_on=day)
    found = trial_balance_by_class(reader, effective_on=date.fromisoformat(day))
    assert sums.signed(found) == _by_class(expected)


def _by_class(balances: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    summed: Counter[tuple[str, str]] = Counter()
    for (account, asset), amount in balances.items():
        family, *parts = account.split(".")
        if family in {"w", "cr"}:
            parts = ["*", parts[1]]
        elif family in {"psp", "vat", "withheld", "fan_debt"}:
            parts = ["*"]
        summed[".".join([family, *parts]), asset] += amount
    return summed


def test_the_lines_of_an_account(followed: WritePath, reader: Connection) -> None:
    running = 0
    expected = []
    for entry in sums.entries(followed.rows()):
        amount = sum(leg[2] for leg in entry["postings"] if leg[0] == "deferred")
        if amount:
            running += amount
            day = date.fromisoformat(entry["effective_on"])
            expected.append((entry["position"], day, amount, running))
    found = [tuple(line.values()) for line in lines(reader, "deferred", "USD")]
    assert found == expected
    first = lines(reader, "deferred", "USD", limit=2)
    rest = lines(reader, "deferred", "USD", after=first[-1]["position"])
    assert [tuple(line.values()) for line in first + rest] == expected


def test_an_account_never_posted_to_is_zero(reader: Connection) -> None:
    assert balance(reader, "bank", "USD")["balance"] == 0
    assert balance(reader, "bank", "USD", position=3)["as_of_position"] == 3
