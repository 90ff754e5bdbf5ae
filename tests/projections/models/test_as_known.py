"""What was true on a date, as it was known at a position: facts come days late, and it shows."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.accounts import class_of
from domain.calendar import DateRange
from ledger.books import create_book
from ledger.log.entry import decode
from ledger.postgres.database import Connection, Database
from projections.models.account_classes import AccountClasses
from projections.queries import (
    AccountKey,
    Interval,
    StatementPlace,
    TooManyIntervals,
    balance,
    legs,
    lines,
    restatement,
    series,
    statement,
    trial_balance,
    trial_balance_by_class,
)
from tests.conftest import FreshBook
from tests.projections import expected as sums
from tests.projections.explaining import Explaining
from tests.projections.following import POLICY, follow
from tests.scenarios.steps import policy, purchase, tip
from tests.scenarios.write_path import WritePath

#: Thirteen hours ahead of UTC in November: most of its days begin on the day before.
ZONE = "Pacific/Auckland"
DAYS = 6


@pytest.fixture(scope="module")
def stage(database: Database) -> Iterator[WritePath]:
    """Six days, on each of which some facts of the days before are told."""
    book = create_book(database.admin_url, "Late", currency="USD", time_zone=ZONE)
    told = WritePath(FreshBook(book, database.service_url, database.admin_url))
    told.clock(datetime(2031, 11, 3, 9, tzinfo=UTC))
    told.given(policy({**POLICY, "time_zone": ZONE}))
    told.given(purchase("small", 999, "ann"), purchase("small", 999, "ben"))
    chance = random.Random(7)
    for day in range(DAYS):
        told.later(hours=chance.randint(18, 30))
        for _ in range(5):
            late = timedelta(hours=chance.choice([0, 0, 0, 30, 60, 24 * day]))
            last = datetime.fromisoformat(sums.entries(told.rows())[-1]["recorded_at"])
            payer, paid = chance.choice(["ann", "ben"]), chance.choice(["cora", "carl"])
            sent = tip(chance.randint(1, 9), payer, paid)
            when = (last - late).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            told.given(sent.but(occurred_at=when) if late else sent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AccountClasses, "step_events", 4)
        follow(told.fresh)
        yield told
    told.close()


@pytest.fixture
def reader(stage: WritePath) -> Iterator[Connection]:
    """A reader's connection."""
    with stage.fresh.connect(autocommit=True) as connection:
        yield connection


def _days(stage: WritePath) -> list[date]:
    """Every day on which something was effective, and one on either side."""
    days = sorted({date.fromisoformat(e["effective_on"]) for e in sums.entries(stage.rows())})
    return [days[0] - timedelta(days=1), *days, days[-1] + timedelta(days=1)]


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
    for day in _days(stage):
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
    for day in _days(stage):
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
    for day in _days(stage):
        for ask in (trial_balance, trial_balance_by_class):
            now = ask(reader, position=len(stage.rows()), effective_on=day)
            assert _nonzero(sums.signed(now)) == _nonzero(
                sums.signed(ask(reader, effective_on=day))
            )


ACCOUNTS = (AccountKey("supply", "Late.PROMO"), AccountKey("cr.cora.available", "USD"))


def _lines(
    stage: WritePath, account: AccountKey, first: date, last: date, known: int
) -> list[tuple[int, int]]:
    """Position and net amount of each event that is effective on these days."""
    found = []
    for entry in sums.entries(stage.rows()):
        legs = [leg[2] for leg in entry["postings"] if (leg[0], leg[1]) == account]
        day = date.fromisoformat(entry["effective_on"])
        if legs and entry["position"] <= known and first <= day <= last:
            found.append((entry["position"], sum(legs)))
    return found


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_statement_has_every_line_of_its_days(
    stage: WritePath, reader: Connection, account: AccountKey
) -> None:
    days, head = _days(stage), len(stage.rows())
    late = 0
    for first, last in itertools.combinations_with_replacement((date.min, *days, date.max), 2):
        for known in (head // 2, head):
            items: list[dict[str, Any]] = []
            place: StatementPlace | None = None
            while True:
                found = statement(
                    reader, account, first, last, position=known, place=place, limit=3
                )
                items += found["items"]
                place = found["place"]
                if place is None:
                    break
            expected = _lines(stage, account, first, last, known)
            assert [(i["position"], i["debit"] - i["credit"]) for i in items] == expected
            before = (
                _lines(stage, account, date.min, first - timedelta(1), known)
                if (first > date.min)
                else []
            )
            assert found["opening"] == sum(amount for _, amount in before)
            assert found["closing"] == found["opening"] + sum(amount for _, amount in expected)
            assert items == [] or items[-1]["balance"] == found["closing"]
            for item in items:
                others = sum(counter["amount"] for counter in item["counter"])
                assert others == item["credit"] - item["debit"]
            late += sum(item["late"] for item in items)
    assert late


@pytest.mark.parametrize("account", ACCOUNTS)
def test_what_was_told_later_of_a_day_is_the_difference(
    stage: WritePath, reader: Connection, account: AccountKey
) -> None:
    head, told = len(stage.rows()), 0
    for day in _days(stage):
        for then in range(0, head, 4):
            now = (then + head + 1) // 2
            found = restatement(reader, account, day, then=then, now=now, limit=100)
            events = [(event["position"], event["amount"]) for event in found["events"]]
            expected = _lines(stage, account, date.min, day, now)
            assert events == [line for line in expected if line[0] > then]
            assert sum(amount for _, amount in events) == found["difference"]
            assert found["now"] == sum(amount for _, amount in expected)
            assert found["then"] == found["now"] - found["difference"]
            told += len(events)
    assert told


@pytest.mark.parametrize("interval", ["day", "week", "month"])
@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_series_adds_up_to_what_the_account_stood_at(
    stage: WritePath, reader: Connection, account: AccountKey, interval: Interval
) -> None:
    days = _days(stage)
    for asked in (DateRange(date.min, date.max), DateRange(days[0], days[-1])):
        items = series(reader, account, asked, interval)["items"]
        for item, following in itertools.pairwise(items):
            assert date.fromisoformat(item["to"]) + timedelta(1) == date.fromisoformat(
                following["from"]
            )
        for item in items:
            span = (date.fromisoformat(item["from"]), date.fromisoformat(item["to"]))
            moved = [amount for _, amount in _lines(stage, account, *span, len(stage.rows()))]
            assert item["debit"] == sum(amount for amount in moved if amount > 0)
            assert item["credit"] == -sum(amount for amount in moved if amount < 0)
            stood = _true_on(stage, span[1], len(stage.rows()))[account]
            assert item["closing"] == stood
    with pytest.raises(TooManyIntervals):
        series(reader, account, DateRange(date(2020, 1, 1), date(2120, 1, 1)), interval)


def test_the_balances_around_every_event(stage: WritePath, reader: Connection) -> None:
    before: Counter[tuple[str, str]] = Counter()
    for position, data in stage.rows():
        entry = decode(data)
        moved: Counter[tuple[str, str]] = Counter()
        for account, asset, amount in entry.postings:
            moved[account, asset] += amount
        found = legs(reader, position, entry)
        assert {(leg["account"], leg["asset"]) for leg in found} == set(moved)
        for leg in found:
            key = leg["account"], leg["asset"]
            assert (leg["before"], leg["amount"]) == (before[key], moved[key])
            assert leg["after"] == before[key] + moved[key]
        before.update(moved)


def test_one_balance_reads_a_few_rows_however_many_lines_came_late(
    stage: WritePath, reader: Connection
) -> None:
    """A hundred thousand lines of which every fifth was late by up to ten days."""
    filled = """
        INSERT INTO journal SELECT 1, date '2030-01-01' + n / 100, 1000 + n, 1, n
        FROM generate_series(1, 100000) n;
        INSERT INTO late_lines (account_id, position, recorded_on, effective_on, amount)
        SELECT 1, 1000 + n, date '2030-01-01' + n / 100, date '2030-01-01' + n / 100 - 1 - n % 10, 1
        FROM generate_series(1, 100000, 5) n;
        UPDATE projections SET position = 200000 WHERE name = 'journal';
        ANALYZE journal, late_lines;
    """
    with (
        stage.fresh.connect_admin(autocommit=True) as admin,
        admin.transaction(force_rollback=True),
    ):
        admin.execute(filled.encode())
        (account, asset) = admin.execute(
            b"SELECT account, asset FROM accounts WHERE id = 1"
        ).fetchone() or ("", "")
        explaining = Explaining(admin)
        found = balance(explaining, account, asset, position=60_000)  # type: ignore[arg-type]
        assert found["balance"] == 60_000 - 1_000
        after = lines(explaining, account, asset, after=60_000, limit=3)  # type: ignore[arg-type]
        assert [line["position"] for line in after] == [60_001, 60_002, 60_003]
        assert not explaining.scanned & {"journal", "accounts"}
        assert explaining.rows < 50
        explaining = Explaining(admin)
        balance(
            explaining,  # type: ignore[arg-type]
            account,
            asset,
            position=60_000,
            effective_on=date(2031, 1, 1),
        )
        assert not explaining.scanned & {"journal", "late_lines", "accounts"}
        assert explaining.rows < 1_000
        restatement(
            explaining,  # type: ignore[arg-type]
            AccountKey(account, asset),
            date(2031, 1, 1),
            then=60_000,
            now=61_000,
            limit=20,
        )
        assert not explaining.scanned & {"journal", "late_lines", "accounts"}
        assert explaining.rows < 60_000
