"""Each read model against an independent sum over a log in which everything happens.

The history is lived through once; it is followed while it happens and again afterwards.
"""

import itertools
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from domain.event import EVENTS
from ledger.postgres.database import Connection, Database
from projections import queries
from projections.catalogue import PROJECTIONS
from projections.queries import OfferFilter
from projections.rebuild import rebuild
from projections.verify import verify
from tests.projections import expected as sums
from tests.scenarios.write_path import WritePath

NOW = datetime(2036, 1, 1, 12, tzinfo=UTC)


def test_everything_happens(rows: sums.Rows) -> None:
    assert {entry["type"] for entry in sums.entries(rows)} == set(EVENTS)


def test_no_figure_is_above_the_volume(reader: Connection) -> None:
    """So none leaves 64 bits before the ledger refuses what would take it there."""
    row = reader.execute("SELECT volume FROM head").fetchone()
    assert row is not None and row[0] > 0
    for table in (table for kind in PROJECTIONS for table in kind.tables):
        for figures in reader.execute(SQL("SELECT * FROM {}").format(Identifier(table.name))):
            numbers = [figure for figure in figures if isinstance(figure, int)]
            assert max(map(abs, numbers), default=0) <= row[0], (table.name, figures)


def test_wallets(rows: sums.Rows, reader: Connection) -> None:
    for user, expected in sums.wallets(rows).items():
        figures: Counter[str] = expected["sums"]
        found = queries.wallet(reader, user)
        found["free"]["paid"] += found["lapsing"]
        found["free"]["promo"] += found["expired"]
        for bucket in ("free", "held"):
            assert found[bucket] == {
                kind: figures[bucket, kind]  # type: ignore[index]
                for kind in ("paid", "promo")
            }
        assert found["lifetime"] == {
            name: figures[name] for name in ("purchased", "granted", "spent", "refunded", "expired")
        }, user
        assert found["frozen"] == sorted(expected["frozen"])


def test_wallets_come_out_even(rows: sums.Rows, reader: Connection) -> None:
    for user in sums.wallets(rows):
        found = queries.wallet(reader, user)
        life = found["lifetime"]
        there = sum(found["free"].values()) + sum(found["held"].values())
        there += found["lapsing"] + found["expired"]
        came = life["purchased"] + life["granted"] + life["refunded"]
        assert there == came - life["spent"] - life["expired"], user


def test_earnings(rows: sums.Rows, reader: Connection) -> None:
    nets, buckets = sums.nets(rows), sums.buckets(rows)
    assert {creator for creator, _ in nets} <= set(buckets)
    for creator, expected in buckets.items():
        found = queries.earnings(reader, creator, "USD")
        assert {
            "pending": found["pending"],
            "available": found["available"],
            "reserved": found["reserved"],
            "payout": found["in_payout"],
        } == {name: expected[name] for name in ("pending", "available", "reserved", "payout")}
        mine = {source: net for (name, source), net in nets.items() if name == creator}
        assert {line["source"]: line["net"] for line in found["by_source"]} == mine
        assert found["lifetime_earned"] == sum(mine.values())


def test_what_was_earned_is_there_or_was_paid_or_adjusted(
    rows: sums.Rows, reader: Connection
) -> None:
    elsewhere: Counter[str] = Counter()
    for entry in sums.entries(rows):
        if entry["type"] in {"payout.paid.v1", "payout.returned.v1", "adjustment.approved.v1"}:
            for creator, _, _, credit in sums.legs(entry, "cr"):
                elsewhere[creator] += credit
    assert any(elsewhere.values())
    for creator in sums.buckets(rows):
        found = queries.earnings(reader, creator, "USD")
        there = sum(found[name] for name in ("pending", "available", "reserved", "in_payout"))
        assert there == found["lifetime_earned"] + elsewhere[creator]


def test_sources(rows: sums.Rows, reader: Connection) -> None:
    totals: dict[str, Counter[str]] = {}
    query = b"SELECT source, count, paid, tax, commission, net, tokens FROM creator_sources"
    for source, *figures in reader.execute(query):
        names = ("count", "paid", "tax", "commission", "net", "tokens")
        assert figures[1] == figures[2] + figures[3] + figures[4]
        totals.setdefault(source, Counter()).update(dict(zip(names, figures, strict=True)))
    expected = sums.sources(rows)
    shared = expected.pop("session")
    assert totals.pop("session") == shared + Counter(count=4)  # three payees share two of them
    assert totals == expected


def test_6_13_earnings_by_label(rows: sums.Rows, reader: Connection) -> None:
    nets = sums.nets_by_label(rows)
    assert {(creator, key) for creator, key, _ in nets} >= {("lea", "stream"), ("lea", "campaign")}
    for creator, key in {(creator, key) for creator, key, _ in nets}:
        whole = queries.earnings(reader, creator, "USD")
        found = queries.earnings(reader, creator, "USD", group_by=f"label.{key}")["groups"]
        for name in ("count", "gross", "tax", "commission", "net", "tokens"):
            total = sum(line[name] for line in whole["by_source"])
            assert sum(group[name] for group in found) == total
        by_value = {group[f"label.{key}"]: group["net"] for group in found}
        by_value.pop(None, None)
        expected = {
            value: net for (name, k, value), net in nets.items() if (name, k) == (creator, key)
        }
        assert by_value == expected
        for value, net in expected.items():
            narrowed = queries.earnings(reader, creator, "USD", label=(key, value))
            assert sum(line["net"] for line in narrowed["by_source"]) == net
            assert narrowed["lifetime_earned"] == whole["lifetime_earned"]
    (rest,) = [
        group
        for group in queries.earnings(reader, "lea", "USD", group_by="label.stream")["groups"]
        if group["label.stream"] is None
    ]
    assert (rest["count"], rest["gross"]) == (1, 250)


def test_the_days_of_a_creator_add_up(rows: sums.Rows, reader: Connection) -> None:
    went_back = 0
    for creator in sums.buckets(rows):
        whole = queries.earnings(reader, creator, "USD")
        for by in ("source", "day", "week", "month", "attribution", "label.stream"):
            asked = queries.EarningsByDay(date(2020, 1, 1), date(2040, 1, 1), by)
            found = queries.earnings_of_days(reader, creator, "USD", asked)
            assert found["by_source"] == whole["by_source"], creator
            for name in ("count", "gross", "tax", "commission", "net", "tokens", "refunds"):
                total = sum(line[name] for line in whole["by_source"])
                assert sum(group[name] for group in found["groups"]) == total, (creator, by)
            for group in found["groups"]:
                assert group["gross"] == group["tax"] + group["commission"] + group["net"]
                went_back += group["refunds"] + group["disputes"]
    assert went_back


def test_6_12_breakdowns_add_up_in_the_answer(rows: sums.Rows, reader: Connection) -> None:
    taxed = 0
    for creator in sums.buckets(rows):
        for line in queries.earnings(reader, creator, "USD")["by_source"]:
            assert line["gross"] == line["tax"] + line["commission"] + line["net"]
            taxed += line["tax"]
    assert taxed


def test_nothing_is_left_of_what_went_back(rows: sums.Rows, reader: Connection) -> None:
    for creator in ("c0", "c1", "c2"):
        (line,) = queries.earnings(reader, creator, "USD")["by_source"]
        left = 9_999 - 3_333 - 5_000  # of the one that did not go back whole
        assert 0 < line["gross"] < left
        assert line["net"] <= line["gross"] - line["commission"]


def test_offers(rows: sums.Rows, reader: Connection) -> None:
    expected = sums.offers(rows)
    found = {}
    after: int | None = None
    while True:  # two at a time, the first one first
        page, position = queries.offers(
            reader, OfferFilter(), "USD", after=after, limit=2, newest_first=False
        )
        assert position == len(rows)
        found |= {item["id"]: item for item in page}
        if len(page) < 2:
            break
        after = page[-1]["first_position"]
    assert {name: figures(item) for name, item in found.items()} == {
        name: {each: sums[each] for each in FIGURES} for name, sums in expected.items()
    }
    assert {"spring", "first", "tokens"} <= set(found)
    assert all(item["uses"] for item in found.values())
    assert (found["spring"]["status"], found["first"]["status"]) == ("WITHDRAWN", "PUBLISHED")
    newest, _ = queries.offers(reader, OfferFilter(), "USD", limit=1)
    assert [item["id"] for item in newest] == [list(found)[-1]]
    assert queries.offer(reader, "USD", "spring") == {
        **found["spring"], "as_of_position": len(rows)
    }  # fmt: skip
    assert queries.offer(reader, "USD", "none")["id"] is None


FIGURES = ("uses", "revenue", "discount", "platform_discount")


def figures(item: dict[str, Any]) -> dict[str, int]:
    """What an offer has brought."""
    return {name: item[name] for name in FIGURES}


def test_entitlements(rows: sums.Rows, reader: Connection) -> None:
    expected = sums.entitled(rows)
    asked = {
        (body["buyer"], item)
        for body in (entry["body"] for entry in sums.entries(rows))
        for item in (body.get("item_id"), body.get("subscription_id"), body.get("creator"))
        if item and "buyer" in body
    }
    assert set(expected) < asked
    for user, item in asked:
        found = queries.entitlement(reader, user, item, now=NOW)
        source, sale, until = expected.get((user, item), (None, None, None))
        if until is not None and datetime.fromisoformat(until) <= NOW:
            source = sale = None
        assert (found["source"], found["sale"]) == (source, sale), (user, item)


def test_days(rows: sums.Rows, reader: Connection) -> None:
    found = {
        str(day["date"]): day
        for day in queries.daily(reader, date(2020, 1, 1), date(2040, 1, 1))["days"]
    }
    quiet: Counter[str] = Counter()
    expected = sums.days(rows)
    assert set(found) <= set(expected)
    for day, figures in found.items():
        _check_day(figures, expected.get(day, quiet))


def _check_day(day: dict[str, Any], expected: Counter[str]) -> None:
    assert day["token_sales"] == {
        "count": expected["tokens.purchased"],
        "tokens": expected["tokens.purchased tokens"],
        "amount": expected["tokens.purchased price"],
    }
    assert sum(sold["count"] for sold in day["sales_by_product"].values()) == expected["sale"]
    assert day["tokens_expired"] == expected["promo_tokens.expired tokens"]
    assert day["tokens_lapsed"]["amount"] == expected["tokens.lapsed released"]
    assert day["calls"] == {
        "started": expected["call.started"],
        "ended": expected["call.ended"],
        "seconds": expected["sale seconds"],
        "blocks_written_off": expected["call_block.written_off"],
    }
    assert day["call_minutes"] == expected["sale seconds"] // 60
    for state in ("started", "cancelled", "lapsed"):
        assert day["subscriptions"][state] == expected[f"subscription.{state}"]
    assert day["subscriptions"]["failed"] == expected["subscription_period.failed"]
    assert day["sessions"]["authorized"] == expected["payment.authorized"]
    ended = expected["payment.voided"] + expected["payment.failed"]
    assert day["sessions"]["voided"] == ended
    assert day["usage"] == _amounts(expected, "hold.settled", "released", "tokens")
    assert day["refunds"] == {
        "count": expected["refund.recorded"],
        "amount": expected["refund CARD"],
        "tokens": expected["refund TOKEN"],
    }
    assert day["refunds_reversed"]["amount"] == expected["refund.reversed amount"]
    assert day["payments_failed"]["amount"] == expected["sale_payment.failed amount"]
    assert day["purchase_refunds"]["count"] == expected["token_purchase.refunded"]
    assert day["purchase_refunds"]["amount"] == expected["token_purchase.refunded amount"]
    for state in ("opened", "lost", "won"):
        assert day["disputes"][state]["count"] == expected[f"dispute.{state}"]
        assert day["disputes"][state]["amount"] == expected[f"dispute.{state} amount"]
    fees = expected["dispute.opened fee"] - expected["dispute.won fee"]
    assert day["disputes"]["fees"] == fees
    for state in ("requested", "paid", "returned"):
        assert day["payouts"][state]["count"] == expected[f"payout.{state}"]
        assert day["payouts"][state]["amount"] == expected[f"payout.{state} gross"]


def _amounts(expected: Counter[str], kind: str, amount: str, tokens: str) -> dict[str, int]:
    return {
        "count": expected[kind],
        "amount": expected[f"{kind} {amount}"],
        "tokens": expected[f"{kind} {tokens}"],
    }


def test_revenue_is_the_income_statement(rows: sums.Rows, reader: Connection) -> None:
    for account, (name, sign) in sums.INCOME_STATEMENT.items():
        by_day = sums.turnover(rows, account)
        for unit in ("day", "week", "month", "product", "source", "item", "label.stream"):
            found = _revenue(reader, unit)
            total = sum(item[name] for item in found["items"])
            assert total == found["totals"][name] == sign * sum(by_day.values()), (account, unit)
        days = {item["day"]: item[name] for item in _revenue(reader, "day")["items"]}
        assert {day: figure for day, figure in days.items() if figure} == {
            day: sign * moved for day, moved in by_day.items() if moved
        }
    by_product = {item["product"]: item for item in _revenue(reader, "product")["items"]}
    sales = [entry for entry in sums.entries(rows) if sums.is_sale(entry)]
    assert {name: item["count"] for name, item in by_product.items() if item["count"]} == Counter(
        entry["body"]["product"] for entry in sales
    )
    assert by_product["hold"]["usage"] and by_product["tokens"]["breakage"]


def _revenue(reader: Connection, unit: str) -> dict[str, Any]:
    asked = queries.RevenueQuestion(date(2020, 1, 1), date(2040, 1, 1), unit)
    return queries.revenue(reader, asked, after="", limit=1_000)


def test_trial_balance(rows: sums.Rows, reader: Connection) -> None:
    for upto in (*range(0, len(rows), 7), len(rows)):
        found = queries.trial_balance(reader, position=upto)
        signed = Counter(
            {(row["account"], row["asset"]): row["debit"] - row["credit"] for row in found["rows"]}
        )
        assert signed == sums.balances(rows, upto=upto)
        assert all(total["debit"] == total["credit"] for total in found["totals"])


@pytest.mark.parametrize("pages", [(1, 1), (3, 7), (40, 100)])
def test_rebuilt_equals_live(
    database: Database, lived: WritePath, pages: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.engine.runner.READ_EVENTS", pages[0])
    monkeypatch.setattr("projections.engine.runner.PAGE_EVENTS_MAX", pages[1])
    for found in rebuild(database, lived.book):
        assert (found.compared, found.differences) == (True, ())
        assert found.position == len(lived.rows())


def test_verifies(lived: WritePath) -> None:
    report = verify(lived.fresh.service_url, lived.book)
    assert list(itertools.islice(report.differences, 3)) == []
