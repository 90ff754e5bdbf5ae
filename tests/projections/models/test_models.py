"""Each read model against an independent sum over the log; shapes as the contract has them."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.sales.sale import PayeeShare
from domain.sales.tips import TipSent
from ledger.postgres.database import Connection
from projections import queries
from projections.models.sale_lines import as_sold
from tests.projections import expected as sums
from tests.projections.following import follow, written
from tests.scenarios.write_path import WritePath


@pytest.fixture
def followed(stage: WritePath) -> WritePath:
    """A book after a busy day, its read models at the head."""
    written(stage)
    follow(stage.fresh)
    return stage


@pytest.fixture
def reader(followed: WritePath) -> Iterator[Connection]:
    """A reader's connection."""
    with followed.fresh.connect(autocommit=True) as connection:
        yield connection


def test_wallets(followed: WritePath, reader: Connection) -> None:
    expected = sums.wallets(followed.rows())
    assert {"ann", "ben", "cid"} <= set(expected)
    for user, figures in expected.items():
        found = queries.wallet(reader, user)
        total = figures["sums"]
        assert found == {
            "user": user,
            "free": {"paid": total["free", "paid"], "promo": total["free", "promo"]},
            "lapsing": 0,
            "expired": 0,
            "held": {"paid": 0, "promo": 0},
            "lifetime": {
                "purchased": total["purchased"],
                "granted": total["granted"],
                "spent": total["spent"],
                "refunded": 0,
                "expired": 0,
            },
            "frozen": sorted(figures["frozen"]),
            "as_of_position": len(followed.rows()),
        }
    assert expected["ann"]["frozen"] == {"SPEND"}
    assert not expected["ben"]["frozen"]


def test_whoever_was_never_seen_has_zeros(followed: WritePath, reader: Connection) -> None:
    found = queries.wallet(reader, "nobody")
    assert found["free"] == found["held"] == {"paid": 0, "promo": 0}
    assert (found["frozen"], found["as_of_position"]) == ([], len(followed.rows()))
    assert set(found["lifetime"].values()) == {0}
    earned = queries.earnings(reader, "nobody", "USD")
    assert (earned["available"], earned["by_source"], earned["lifetime_earned"]) == (0, [], 0)


def test_earnings(followed: WritePath, reader: Connection) -> None:
    nets, position = sums.nets(followed.rows()), len(followed.rows())
    assert queries.earnings(reader, "carl", "USD") == {
        "creator": "carl",
        "currency": "USD",
        "pending": 0,
        "available": 16,
        "reserved": 0,
        "in_payout": 0,
        "lifetime_earned": 16,
        "by_source": [
            {
                "source": "tip",
                "count": 1,
                "gross": 20,
                "tax": 0,
                "commission": 4,
                "net": 16,
                "tokens": 20,
                "refunds": 0,
                "disputes": 0,
            }
        ],
        "groups": [],
        "as_of_position": position,
    }
    for creator in {name for name, _ in nets}:
        found = queries.earnings(reader, creator, "USD")
        assert {line["source"]: line["net"] for line in found["by_source"]} == {
            source: net for (name, source), net in nets.items() if name == creator
        }
    totals: Counter[str] = Counter()
    for (creator, _), net in nets.items():
        totals[creator] += net
    ranked = [(each["creator"], each["net"]) for each in queries.top_creators(reader, 9)]
    assert ranked == sorted(totals.items(), key=lambda each: (-each[1], each[0]))


def test_several_payees_divide_a_sale_without_remainder() -> None:
    def tip(*shares: int) -> TipSent:
        payees = tuple(PayeeShare(f"c{n}", share) for n, share in enumerate(shares))
        return TipSent(
            sale_id="s", buyer="u", creator="c0", product="tip", funding="CARD", gross=1001,
            discount=2, tokens_paid=0, tokens_promo=0, released=0, tax=100,
            creator_share=sum(shares), platform_share=899 - sum(shares), payees=payees,
        )  # fmt: skip

    for shares in ((300, 300, 1), (0, 5), (5, 0, 0), (0, 0)):
        parts = as_sold(tip(*shares))
        assert [part.net for part in parts] == list(shares)
        assert sum(part.paid for part in parts) == 999
        assert sum(part.tax for part in parts) == 100
        assert all(part.paid == part.tax + part.commission + part.net for part in parts)


def test_entitlements(followed: WritePath, reader: Connection) -> None:
    for entry in sums.entries(followed.rows()):
        body = entry["body"]
        if "item_id" not in body:
            continue
        found = queries.entitlement(
            reader, body["buyer"], body["item_id"], now=datetime(2019, 1, 1, tzinfo=UTC)
        )
        assert (found["source"], found["sale"]) == (body["product"], body["sale_id"])
        assert (found["valid_until"] is None) == ("expires_at" not in body)
    expired = queries.entitlement(reader, "ben", "show")
    foreign = queries.entitlement(reader, "ben", "photo")
    assert expired["sale"] is foreign["sale"] is None
    then = datetime(2019, 1, 1, tzinfo=UTC)

    def of_ann(**more: Any) -> list[str]:
        found, position = queries.library(reader, "ann", now=then, **more)
        assert position == len(followed.rows())
        return [row["item"] for row in found]

    assert of_ann(in_force=True) == of_ann(in_force=False) == ["film", "photo", "song"]
    assert of_ann(in_force=True, after="film", limit=1) == ["photo"]
    pairs = [("ben", "photo"), ("ann", "song")]
    checked, _ = queries.check_entitlements(reader, pairs, now=then)
    assert [row["entitled"] for row in checked] == [False, True]
    ended, _ = queries.library(reader, "ben", in_force=False, now=datetime.now(UTC))
    live, _ = queries.library(reader, "ben", in_force=True, now=datetime.now(UTC))
    assert ("show", False) in [(row["item"], row["entitled"]) for row in ended]
    assert "show" not in [row["item"] for row in live]


def test_daily(followed: WritePath, reader: Connection) -> None:
    log = sums.entries(followed.rows())
    today = date.fromisoformat(log[-1]["effective_on"])
    (day,) = queries.daily(reader, today, today)["days"]
    sales = [entry["body"] for entry in log if sums.is_sale(entry)]
    assert day["date"] == today
    assert day["token_sales"] == {"count": 2, "tokens": 2000, "amount": 1998}
    assert day["tokens_granted"] == 700
    assert day["payers"] == len({body["buyer"] for body in sales})
    assert day["tips"] == {"count": 4, "amount": 373, "tokens": 123}
    assert {name: figures["count"] for name, figures in day["sales_by_product"].items()} == {
        "unlock": 3, "tip": 4, "ticket": 1,
    }  # fmt: skip
    assert sum(figures["creator_share"] for figures in day["sales_by_product"].values()) == sum(
        body["creator_share"] for body in sales
    )
    assert day["call_blocks"] == 0
    nothing = queries.daily(reader, date(1999, 1, 1), date(1999, 2, 1))
    assert nothing == {"days": [], "as_of_position": len(log)}


def test_wallet_totals_mirror_supply(followed: WritePath, reader: Connection) -> None:
    found = queries.wallet_totals(reader)
    book = followed.book.name
    for kind in ("paid", "promo"):
        supply = queries.balance(reader, "supply", f"{book}.{kind.upper()}")
        assert found["free"][kind] + found["held"][kind] == supply["balance"]
