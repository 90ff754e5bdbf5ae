"""Lists walk along an index, whatever is asked for: no answer reads a growing table whole."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from ledger.books import create_book
from ledger.postgres.database import Connection, Database
from projections import queries
from projections.models import earnings, notice_list
from projections.queries import NoticeFilter, NoticePlace, RiskFilter
from tests.conftest import FreshBook, new_name
from tests.projections.explaining import Explaining
from tests.projections.following import follow

NOW = datetime.now(UTC)
GROWING = {
    "wallets", "creators", "leaders", "fan_creators", "call_days", "lots", "journal", "accounts",
    "notices", "inbox", "buyer_risks", "wallet_freezes", "creator_labels", "creator_sources",
    "creator_days", "revenue",
}  # fmt: skip
ROWS = 60_000
FILLED = f"""
INSERT INTO notices
SELECT 'p' || n, 'stripe' || n % 3, 'send-tip', 'p' || n,
       CASE WHEN n % 1000 = 0 THEN 'SUSPENDED' ELSE 'APPLIED' END, 'PRICE_OUT_OF_RANGE', 1, 0,
       NULL, '{{}}', 'backend', now() - n * interval '1 s', NULL, NULL, n, n
FROM generate_series(1, {ROWS}) n;
INSERT INTO inbox
SELECT 'stripe' || n % 3, CASE WHEN n % 2 = 0 THEN 'p' ELSE 'q' END || n, 'send-tip', '{{}}',
       'backend', 'backend', 'c', '\\x00', '\\x00',
       (ARRAY['parked', 'ignored', 'suspended', 'applied'])[1 + least(n % 1000, 3)], NULL,
       now() - n * interval '1 s'
FROM generate_series(1, {ROWS}) n;
INSERT INTO buyer_risks
SELECT 'u' || n, n % 3, n, now() - n * interval '1 s', n FROM generate_series(1, {ROWS}) n;
INSERT INTO wallet_freezes SELECT 'u' || n, 'SPEND' FROM generate_series(1, {ROWS}) n;
INSERT INTO creator_labels
SELECT 'c' || n % 500, 'stream', 's' || n, 'tip', 1, 1, 0, 0, 1, 0, 0, 0
FROM generate_series(1, {ROWS}) n;
INSERT INTO creator_sources
SELECT 'c' || n, 'tip', 1, 1, 0, 0, 1, 0, 0, 0 FROM generate_series(1, {ROWS}) n;
INSERT INTO creator_days
SELECT 'c' || n % 500, (ARRAY['', 'label.stream'])[1 + n % 2], date '2026-01-01' + n / 500,
       CASE WHEN n % 2 = 1 THEN 's1' ELSE '' END, 'tip', 1, 1, 0, 0, 1, 0, 0, 0
FROM generate_series(1, {ROWS}) n;
INSERT INTO revenue
SELECT (ARRAY['', 'item'])[1 + n % 2], date '2020-01-01' + n / 40,
       CASE WHEN n % 2 = 1 THEN 'i' || n ELSE '' END, 'p' || n,
       1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
FROM generate_series(1, {ROWS}) n;
INSERT INTO call_days
SELECT 'user', 'u' || n % 500, date '2026-01-01' + n / 500, 1, 1, 0, 1, 30, 1, 1, 1
FROM generate_series(1, {ROWS}) n;
INSERT INTO leaders
SELECT 'fans', 'day', date '2026-01-01' + n % 100, 'u' || n, n % 50, 1, n, now()
FROM generate_series(1, {ROWS}) n;
INSERT INTO fan_creators
SELECT 'c' || n % 100, 'u' || n / 100, n % 50, 1, n, now() FROM generate_series(1, {ROWS}) n;
INSERT INTO creators
SELECT 'c' || n, 0, n % 100 - 50, 0, 0, n % 77 FROM generate_series(1, {ROWS}) n;
INSERT INTO wallets
SELECT 'u' || n, n % 100, n % 7, 0, 0, n % 100, n % 7, n % 50, 0, 0
FROM generate_series(1, {ROWS}) n;
INSERT INTO wallet_ends
SELECT 'u' || n, 'l', 'PAID', now() - interval '1 day', 1 FROM generate_series(1, {ROWS}) n;
INSERT INTO lots
SELECT 'u' || n % 500, 'l' || n, 'b', 'PAID', 9, 9, CASE WHEN n % 100 < 99 THEN 9 ELSE 0 END, NULL,
       0, '2026-01-01', n % 100 = 99
FROM generate_series(1, {ROWS}) n;
INSERT INTO accounts
SELECT n, 'w.u' || n / 2 || '.' || (ARRAY['free', 'held'])[1 + n % 2], 'B.PAID', 0, n
FROM generate_series(1, {ROWS}) n;
INSERT INTO journal
SELECT n % 1000 + 1, '2026-01-01', n, -1, -n FROM generate_series(1, {ROWS}) n;
ANALYZE notices, inbox, buyer_risks, wallet_freezes, creator_labels, creator_sources,
  creator_days, revenue, call_days, leaders, fan_creators, creators, wallets, wallet_ends, lots,
  accounts, journal
"""


@pytest.fixture(scope="module")
def reader(database: Database) -> Iterator[Connection]:
    """A reader of a book with many rows."""
    book = create_book(database.admin_url, new_name("Walked"), currency="USD", time_zone="UTC")
    fresh = FreshBook(book, database.service_url, database.admin_url)
    follow(fresh)
    with fresh.connect_admin(autocommit=True) as admin:
        admin.execute(FILLED.encode())
    with fresh.connect(autocommit=True) as connection:
        yield connection


FILTERS = [
    {},
    {"statuses": ("PARKED", "SUSPENDED")},
    {"statuses": ("SUSPENDED",)},
    {"code": "PRICE_OUT_OF_RANGE"},
    {"processor": "stripe1"},
    {"command": "send-tip"},
    {"statuses": ("APPLIED",), "processor": "stripe2", "command": "send-tip"},
]


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("wanted", FILTERS)
def test_a_page_of_notices(
    reader: Connection, wanted: dict[str, Any], *, newest_first: bool
) -> None:
    middle = NoticePlace(NOW - timedelta(seconds=ROWS // 2), "stripe1", "p", "send-tip")
    for after in (None, middle):
        explaining = Explaining(reader)
        items, _ = queries.notices(
            explaining,  # type: ignore[arg-type]
            NoticeFilter(**wanted),
            until=NOW + timedelta(days=1),
            after=after,
            newest_first=newest_first,
            limit=20,
        )
        assert len(items) == 20
        assert not explaining.scanned & GROWING
        assert explaining.rows < 2_000


def test_one_notice_and_how_many_wait(reader: Connection) -> None:
    explaining = Explaining(reader)
    one = notice_list.notice(explaining, "stripe1", "send-tip", "p1")  # type: ignore[arg-type]
    assert one["id"] == "stripe1:send-tip:p1"
    waiting = notice_list.suspended_count(explaining)  # type: ignore[arg-type]
    assert waiting.notices == ROWS // 1_000
    assert not explaining.scanned & GROWING


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("wanted", [{}, {"min_disputes": 2}, {"min_amount": 9}, {"user": "u7"}])
def test_a_page_of_buyers_at_risk(
    reader: Connection, wanted: dict[str, Any], *, newest_first: bool
) -> None:
    explaining = Explaining(reader)
    items, _ = queries.risk(
        explaining,  # type: ignore[arg-type]
        RiskFilter(**wanted),
        "USD",
        newest_first=newest_first,
        limit=20,
    )
    assert len(items) == (1 if "user" in wanted else 20)
    assert not explaining.scanned & GROWING


def test_earnings_by_label(reader: Connection) -> None:
    explaining = Explaining(reader)
    found = queries.earnings(
        explaining,  # type: ignore[arg-type]
        "c7",
        "USD",
        label=("stream", "s7"),
    )
    assert [line["count"] for line in found["by_source"]] == [1]
    grouped = queries.earnings(
        explaining,  # type: ignore[arg-type]
        "c7",
        "USD",
        group_by="label.stream",
    )
    assert len(msgspec.json.encode(grouped["groups"])) > 1_000
    assert not explaining.scanned & GROWING


@pytest.mark.parametrize("by", ["source", "day", "month", "value"])
def test_earnings_of_a_period(reader: Connection, by: str) -> None:
    explaining = Explaining(reader)
    asked = {"creator": "c8" if by == "day" else "c7", "key": "" if by == "day" else "label.stream"}
    asked |= {"value": None, "by": by}
    days = {"first": date(2026, 1, 1), "last": date(2026, 1, 31)}
    found = explaining.execute(earnings.SQL["grouped_days"], asked | days).fetchall()
    assert sum(row[2] for row in found if row[0] == "source") == 31
    assert not explaining.scanned & GROWING
    assert explaining.rows < 2_000


@pytest.mark.parametrize("group_by", ["day", "week", "month", "product", "item"])
def test_revenue_of_a_month(reader: Connection, group_by: str) -> None:
    explaining = Explaining(reader)
    asked = queries.RevenueQuestion(date(2022, 1, 1), date(2022, 1, 31), group_by)
    found = queries.revenue(explaining, asked, after="", limit=20)  # type: ignore[arg-type]
    assert found["totals"]["count"] == 31 * 20
    assert not explaining.scanned & GROWING
    assert explaining.rows < 2 * 3 * 31 * 20  # two plans, each of which looks at parts of a month


@pytest.mark.parametrize("largest_first", [True, False])
@pytest.mark.parametrize("order_by", ["user", "free", "spent"])
def test_a_page_of_wallets(
    reader: Connection, order_by: queries.WalletOrder, *, largest_first: bool
) -> None:
    for after in (None, queries.RankPlace(30, "u500")):
        explaining = Explaining(reader)
        items, places, _ = queries.wallets(
            explaining,  # type: ignore[arg-type]
            order_by=order_by,
            after=after,
            largest_first=largest_first,
            limit=20,
        )
        assert len(items) == len(set(places)) == 20
        assert places == sorted(places, reverse=largest_first)
        assert not explaining.scanned & GROWING
        assert explaining.rows < 2 * 20 * 4


def test_what_is_left_in_a_wallet(reader: Connection) -> None:
    explaining = Explaining(reader)
    found = queries.lots_of(explaining, "u99")  # type: ignore[arg-type]
    assert len(found["items"]) == ROWS // 500
    assert not explaining.scanned & GROWING
    assert explaining.rows < 2 * 130


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_lines_of_a_wallet(reader: Connection, *, newest_first: bool) -> None:
    for after in (None, queries.LinePlace(ROWS // 2, 7)):
        explaining = Explaining(reader)
        with pytest.raises(KeyError):  # the log of this book is empty
            queries.wallet_statement(
                explaining,  # type: ignore[arg-type]
                "u7",
                queries.LinesAsked(20, after=after, newest_first=newest_first),
            )
        assert not explaining.scanned & GROWING
        assert explaining.rows < 2 * 50


@pytest.mark.parametrize("largest_first", [True, False])
@pytest.mark.parametrize("order_by", ["creator", "available", "earned"])
def test_a_page_of_creators(
    reader: Connection, order_by: queries.CreatorOrder, *, largest_first: bool
) -> None:
    for after in (None, queries.RankPlace(30, "c500")):
        explaining = Explaining(reader)
        items, places, _ = queries.creators(
            explaining,  # type: ignore[arg-type]
            "USD",
            order_by=order_by,
            after=after,
            largest_first=largest_first,
            limit=20,
        )
        assert len(items) == len(set(places)) == 20
        assert not explaining.scanned & GROWING
        assert explaining.rows < 2 * 20 * 3


def test_pages_of_leaders(reader: Connection) -> None:
    for after in (0, 100):
        page: Any = {"after": after, "limit": 20}
        explaining = Explaining(reader)
        board = queries.BoardAsked("fans", "day", date(2026, 1, 7))
        items = queries.leaderboard(explaining, board, **page).items  # type: ignore[arg-type]
        assert [item["rank"] for item in items] == [after + n for n in range(1, 21)]
        items = queries.fans_of(explaining, "c7", **page).items  # type: ignore[arg-type]
        assert len(items) == 20
        assert not explaining.scanned & GROWING
        assert explaining.rows < 2 * 2 * 150
    explaining = Explaining(reader)
    found = queries.favourites_of(explaining, "u7", after=0, limit=20)  # type: ignore[arg-type]
    assert len(found.items) == 20
    assert found.more
    assert not explaining.scanned & GROWING


@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_statistics_of_calls(reader: Connection, unit: Any) -> None:
    explaining = Explaining(reader)
    asked = queries.CallsAsked(date(2026, 1, 5), date(2026, 1, 31), unit, "user", "u7")
    page: Any = {"after": date.min, "limit": 20}
    found = queries.call_statistics(explaining, asked, **page)  # type: ignore[arg-type]
    assert found["totals"]["started"] == 27
    assert not explaining.scanned & GROWING
    assert explaining.rows < 2 * 3 * 31
