"""Statements, series and the journal of a book in which facts come days late."""

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from domain.accounts import class_of
from domain.calendar import DateRange
from ledger.log.entry import decode
from ledger.postgres.database import Connection, Database
from projections.models import general_journal as general_journal_module
from projections.queries import (
    AccountKey,
    Interval,
    JournalFilter,
    LineFilter,
    Span,
    StatementPlace,
    TooManyIntervals,
    general_journal,
    legs,
    restatement,
    series,
    statement,
)
from tests.projections import expected as sums
from tests.projections.late_facts import days_of, told_late
from tests.scenarios.write_path import WritePath


@pytest.fixture(scope="module")
def stage(database: Database) -> Iterator[WritePath]:
    """A book with late facts."""
    with told_late(database, "Later") as told:
        yield told


@pytest.fixture
def reader(stage: WritePath) -> Iterator[Connection]:
    """A reader's connection."""
    with stage.fresh.connect(autocommit=True) as connection:
        yield connection


@pytest.fixture
def account(stage: WritePath, request: pytest.FixtureRequest) -> AccountKey:
    """One of `ACCOUNTS`, in the tokens of the book."""
    key: AccountKey = request.param
    if key.asset == "PROMO":
        return key._replace(asset=f"{stage.book.name}.PROMO")
    return key


ACCOUNTS = (
    AccountKey("supply", "PROMO"),
    AccountKey("cr.cora.available", "USD"),
    AccountKey("cr.*.available", "USD"),
    AccountKey("w.*.free", "PROMO"),
)


def _lines(
    stage: WritePath, account: AccountKey, first: date, last: date, known: int
) -> list[tuple[int, int]]:
    """Position and net amount of each event that is effective on these days."""
    found = []
    for entry in sums.entries(stage.rows()):
        legs = [
            leg[2]
            for leg in entry["postings"]
            if leg[1] == account.asset and account.account in {leg[0], class_of(leg[0])}
        ]
        day = date.fromisoformat(entry["effective_on"])
        if legs and entry["position"] <= known and first <= day <= last:
            found.append((entry["position"], sum(legs)))
    return found


@pytest.mark.parametrize("account", ACCOUNTS, indirect=True)
def test_a_statement_has_every_line_of_its_days(
    stage: WritePath, reader: Connection, account: AccountKey
) -> None:
    days, head = days_of(stage), len(stage.rows())
    late = 0
    for first, last in itertools.combinations_with_replacement((date.min, *days, date.max), 2):
        for known in (head // 2, head):
            items: list[dict[str, Any]] = []
            place: StatementPlace | None = None
            while True:
                found = statement(
                    reader, account, DateRange(first, last), position=known, place=place, limit=3
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
            if not account.is_class:
                net = found["turnover"]["debit"] - found["turnover"]["credit"]
                assert net == found["closing"] - found["opening"]
            assert items == [] or items[-1]["balance"] == found["closing"]
            for item in items:
                others = sum(counter["amount"] for counter in item["counter"])
                assert others == item["credit"] - item["debit"]
            late += sum(item["late"] for item in items)
    assert late


@pytest.mark.parametrize("account", ACCOUNTS, indirect=True)
def test_a_statement_of_now_has_both_sides_and_keeps_to_its_filter(
    stage: WritePath, reader: Connection, account: AccountKey
) -> None:
    days = days_of(stage)
    asked = DateRange(days[1], days[-2])
    whole = statement(reader, account, asked, limit=1_000)
    for side in ("debit", "credit"):
        assert whole["turnover"][side] == sum(line[side] for line in whole["items"])
    assert whole["closing"] == whole["opening"] + sum(
        line["debit"] - line["credit"] for line in whole["items"]
    )
    wanted = LineFilter(type="tip.sent.v1", min_amount=3, max_amount=7)
    chosen = [
        line
        for line in whole["items"]
        if line["type"] == "tip.sent.v1" and 3 <= max(line["debit"], line["credit"]) <= 7
    ]
    assert 0 < len(chosen) < len(whole["items"])
    found, place = [], None
    while True:
        page = statement(
            reader,
            account,
            asked,
            position=whole["as_of_position"],
            wanted=wanted,
            place=place,
            limit=2,
        )
        found += page["items"]
        place = page["place"]
        if place is None:
            break
    assert found == chosen
    assert page["closing"] == whole["closing"]


WANTED = (
    JournalFilter(),
    JournalFilter(account="cr.cora.available"),
    JournalFilter(account="cr.*.available", min_amount=4),
    JournalFilter(tag="wallet:ann"),
    JournalFilter(tag="wallet:ann", account="supply"),
    JournalFilter(type="tip.sent.v1", min_amount=5),
    JournalFilter(actor="nobody"),
)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("wanted", WANTED)
def test_the_general_journal_has_every_event_of_its_days(
    stage: WritePath,
    reader: Connection,
    monkeypatch: pytest.MonkeyPatch,
    wanted: JournalFilter,
    *,
    newest_first: bool,
) -> None:
    monkeypatch.setattr(general_journal_module, "SCAN_MAX", 4)
    monkeypatch.setattr(general_journal_module, "_CHUNK", 3)
    days, head, seen = days_of(stage), len(stage.rows()), 0
    for first, last in itertools.combinations_with_replacement((date.min, *days, date.max), 2):
        for known in (head // 2, head):
            found, after, until = [], 0, known
            while True:
                items, place = general_journal(
                    reader,
                    wanted,
                    Span(DateRange(first, last), after, until),
                    newest_first=newest_first,
                    limit=3,
                )
                found += [(item["position"], _legs(item["postings"])) for item in items]
                if place is None:
                    break
                after, until = (after, place - 1) if newest_first else (place, until)
            expected = [
                (entry["position"], _legs(entry["postings"]))
                for entry in sums.entries(stage.rows())
                if entry["position"] <= known and _asked_for(wanted, entry, first, last)
            ]
            assert found == (expected[::-1] if newest_first else expected)
            seen += len(found)
    assert bool(seen) == (wanted.actor is None)


def _legs(postings: list[Any]) -> list[tuple[Any, ...]]:
    return [tuple(leg.values() if isinstance(leg, dict) else leg) for leg in postings]


def _asked_for(wanted: JournalFilter, entry: dict[str, Any], first: date, last: date) -> bool:
    legs = [
        amount
        for account, _, amount in entry["postings"]
        if wanted.account in {None, account, class_of(account)}
    ]
    return (
        first <= date.fromisoformat(entry["effective_on"]) <= last
        and any(abs(amount) >= wanted.min_amount for amount in legs)
        and wanted.type in {None, entry["type"]}
        and (wanted.tag is None or wanted.tag in entry["tags"])
        and wanted.actor in {None, entry["principal"]}
    )


@pytest.mark.parametrize("account", ACCOUNTS, indirect=True)
def test_what_was_told_later_of_a_day_is_the_difference(
    stage: WritePath, reader: Connection, account: AccountKey
) -> None:
    head, told = len(stage.rows()), 0
    for day in days_of(stage):
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
@pytest.mark.parametrize("account", ACCOUNTS, indirect=True)
def test_a_series_adds_up_to_what_the_account_stood_at(
    stage: WritePath, reader: Connection, account: AccountKey, interval: Interval
) -> None:
    days = days_of(stage)
    for asked in (DateRange(date.min, date.max), DateRange(days[0], days[-1])):
        items = series(reader, account, asked, interval)["items"]
        for item, following in itertools.pairwise(items):
            assert date.fromisoformat(item["to"]) + timedelta(1) == date.fromisoformat(
                following["from"]
            )
        for item in items:
            span = (date.fromisoformat(item["from"]), date.fromisoformat(item["to"]))
            moved = [amount for _, amount in _lines(stage, account, *span, len(stage.rows()))]
            assert item["debit"] - item["credit"] == sum(moved)
            if not account.is_class:
                assert item["debit"] == sum(amount for amount in moved if amount > 0)
            stood = _lines(stage, account, date.min, span[1], len(stage.rows()))
            assert item["closing"] == sum(amount for _, amount in stood)
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
