"""Questions: the contract's shapes, reading one's own writes, cursors, and moments of the past."""

import os
import time
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from starlette.requests import Request

from api.http.headers import BodyBudget
from api.http.queries import (
    daily,
    earnings,
    entitlements,
    events,
    explain,
    statements,
    trial_balance,
    wallets,
)
from api.http.queries.reader import QueryReader
from api.service import Service
from ledger.postgres.database import connect
from ledger.settings import Settings
from tests.api.conftest import SETTINGS, Caller, Tenant, founded, fresh, shaped, tip


@pytest.fixture(scope="module")
def told(tenant: Tenant, service: Caller) -> dict[str, Any]:
    """A user who tipped and unlocked, a creator who earned, and the positions."""
    user, creator = tenant.funded(1_000), fresh("creator")
    tipped = service.send("send-tip", tip(user, creator, 100)).json()
    unlock = {"user": user, "creator": creator, "item": "i1", "funding": "TOKEN", "price": 200}
    last = service.send("unlock", unlock).json()
    return {
        "user": user,
        "creator": creator,
        "tipped": tipped,
        "last": last,
        "position": last["position"],
    }


def test_reading_ones_own_write(service: Caller, told: dict[str, Any]) -> None:
    body = service.ask(f"wallets/{told['user']}", min_position=told["position"]).json()
    shaped(wallets.Wallet, body)
    assert body["as_of_position"] >= told["position"]
    assert body["free"] == {"paid": 0, "promo": 700}
    assert body["lifetime"] == {
        "purchased": 0, "granted": 1_000, "spent": 300, "refunded": 0, "expired": 0,
    }  # fmt: skip


def test_a_page_by_tag_and_type_looks_through_a_bounded_part_of_the_log(
    tenant: Tenant, service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "TAGGED_SCAN_MAX", 3)
    user = tenant.funded(100)
    for _ in range(6):
        assert service.send("send-tip", tip(user, "c1", 1)).status_code == 201
    service.send(
        "freeze", {"subject": user, "kind": "wallet", "scope": "SPEND", "reason_code": "R"}
    )
    after, pages, found = "0", 0, []
    while True:
        page = service.ask("events", tag=f"wallet:{user}", type="account.frozen.v1", after=after)
        found += page.json()["events"]
        after, pages = page.json()["next_cursor"], pages + 1
        if not page.json()["has_more"]:
            break
    assert len(found) == 1
    assert pages == 3  # eight entries, three at a time


def test_what_was_never_seen_is_zero(service: Caller) -> None:
    wallet = shaped(wallets.Wallet, service.ask("wallets/nobody").json())
    assert wallet["free"] == wallet["held"] == {"paid": 0, "promo": 0}
    earned = shaped(earnings.Earnings, service.ask("creators/nobody/earnings").json())
    assert earned["by_source"] == [] and earned["lifetime_earned"] == 0


def test_earnings(service: Caller, told: dict[str, Any]) -> None:
    path = f"creators/{told['creator']}/earnings"
    body = shaped(earnings.Earnings, service.ask(path, min_position=told["position"]).json())
    assert body["currency"] == "USD" and body["available"] == 240
    found = {line["source"]: (line["net"], line["count"]) for line in body["by_source"]}
    assert found == {"tip": (80, 1), "unlock": (160, 1)}


def test_entitlements(service: Caller, told: dict[str, Any]) -> None:
    path = f"entitlements/{told['user']}"
    body = service.ask(f"{path}/i1", min_position=told["position"]).json()
    shaped(entitlements.Entitlement, body)
    assert body["sale"] == told["last"]["events"][0]["body"]["sale_id"]
    refused = service.ask(f"{path}/i2", min_position=told["position"])
    assert (refused.status_code, refused.json()["code"]) == (402, "NOT_ENTITLED")


def test_a_users_library(service: Caller, told: dict[str, Any]) -> None:
    user, position = told["user"], told["position"]
    body = service.ask("entitlements", user=user, min_position=position).json()
    shaped(entitlements.Library, body)
    assert [(each["item"], each["entitled"]) for each in body["items"]] == [("i1", True)]
    assert body["items"][0]["sale"] == told["last"]["events"][0]["body"]["sale_id"]
    empty = service.ask("entitlements", user="nobody", min_position=position).json()
    assert (empty["items"], empty["has_more"]) == ([], False)
    assert empty["as_of_position"] >= position
    malformed = service.ask("entitlements", user="a b")
    assert malformed.json()["errors"][0]["pointer"] == "/user"


def test_a_library_goes_on_where_its_page_ended(tenant: Tenant, service: Caller) -> None:
    user, creator = tenant.funded(1_000), fresh("creator")
    unlock = {"user": user, "creator": creator, "funding": "TOKEN", "price": 99}
    for item in ("c", "a", "b"):
        last = service.send("unlock", unlock | {"item": item}).json()
    seen, after = [], {}
    while True:
        page = service.ask(
            "entitlements", user=user, limit=2, min_position=last["position"], **after
        ).json()
        seen += [each["item"] for each in page["items"]]
        if not page["has_more"]:
            break
        after = {"after": page["next_cursor"]}
    assert seen == ["a", "b", "c"]
    other = service.ask("entitlements", user=user, ended=True, **after)
    assert other.json()["errors"][0]["pointer"] == "/after"


def test_many_rights_are_checked_at_once(service: Caller, told: dict[str, Any]) -> None:
    user = told["user"]
    asked = [{"user": user, "item": item} for item in ("i2", "i1", "i1")]
    body = service.ask(
        "entitlements/check", body={"checks": asked}, min_position=told["position"]
    ).json()
    shaped(entitlements.CheckedEntitlements, body)
    results = [(each["user"], each["item"], each["entitled"]) for each in body["results"]]
    assert results == [(user, "i2", False), (user, "i1", True), (user, "i1", True)]
    assert [each["source"] for each in body["results"]] == [None, "unlock", "unlock"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/checks"),
        ({"checks": []}, "/checks"),
        ({"checks": [{"user": "u", "item": "i"}] * 101}, "/checks"),
        ({"checks": [{"user": "u"}]}, "/checks/0/item"),
        ({"checks": [{"user": "u", "item": "a b"}]}, "/checks/0/item"),
        ({"checks": [{"user": "u", "item": "i"}], "more": 1}, "/more"),
    ],
)
def test_checks_that_are_malformed(service: Caller, body: dict[str, Any], pointer: str) -> None:
    refused = service.ask("entitlements/check", body=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_REQUEST")
    assert [each["pointer"] for each in refused.json()["errors"]] == [pointer]


def test_a_body_that_is_no_object_or_too_large(service: Caller) -> None:
    assert service.ask("entitlements/check", body=[1]).status_code == 400
    large = {"checks": [{"user": "u" * SETTINGS.body_bytes_max, "item": "i"}]}
    assert service.ask("entitlements/check", body=large).json()["code"] == "BODY_TOO_LARGE"


def test_a_position_that_does_not_come(service: Caller) -> None:
    begun = time.monotonic()
    refused = service.ask("wallets/u1", min_position=10**9, prefer="respond-async, wait=1")
    assert 0.9 < time.monotonic() - begun < 3
    assert (refused.status_code, refused.json()["code"]) == (503, "UNAVAILABLE")
    assert refused.headers["retry-after"] == "1" and refused.json()["retryable"] is True
    begun = time.monotonic()
    assert service.ask("events", min_position=10**9, prefer="wait=0").status_code == 503
    assert time.monotonic() - begun < 1


def test_trial_balance_now_and_then(service: Caller, told: dict[str, Any]) -> None:
    now = service.ask("trial-balance", min_position=told["position"]).json()
    shaped(trial_balance.TrialBalance, now)
    assert now["totals"] and all(row["debit"] == row["credit"] for row in now["totals"])
    account, asset = f"w.{told['user']}.free", f"{service.book}.PROMO"
    path = f"accounts/{account}/balance"
    latest = service.ask(path, asset=asset, min_position=told["position"]).json()
    shaped(trial_balance.AccountBalance, latest)
    assert latest["balance"] == -700
    after_tip = service.ask(path, asset=asset, position=told["tipped"]["position"]).json()
    assert (after_tip["balance"], after_tip["as_of_position"]) == (-900, told["tipped"]["position"])
    at = service.ask(path, asset=asset, at=told["tipped"]["recorded_at"]).json()
    assert at == after_tip
    then = service.ask("trial-balance", position=told["tipped"]["position"]).json()
    rows = {(row["account"], row["asset"]): row["credit"] for row in then["rows"]}
    assert rows[account, asset] == 900
    assert service.ask("trial-balance", effective_on="1900-01-01").json()["rows"] == []
    classes = service.ask("trial-balance", by="class", nonzero=True).json()
    assert all(row["debit"] == row["credit"] > 0 for row in classes["totals"])
    assert {row["class"] for row in classes["rows"]} >= {"cr.*.available", "w.*.free"}
    dollars = service.ask("trial-balance", by="class", asset="USD").json()
    assert {row["asset"] for row in dollars["rows"] + dollars["totals"]} == {"USD"}
    early = service.ask("trial-balance", position=10**9, prefer="wait=0")
    assert early.status_code == 503


def test_an_accounts_statement_and_what_was_told_later(
    service: Caller, told: dict[str, Any]
) -> None:
    account, asset = f"w.{told['user']}.free", f"{service.book}.PROMO"
    path = f"accounts/{account}/statement"
    wanted = {"asset": asset, "min_position": told["position"], "limit": 1}
    pages = [service.ask(path, **wanted).json()]
    shaped(statements.Statement, pages[0])
    while pages[-1]["has_more"]:
        pages.append(service.ask(path, **wanted, after=pages[-1]["next_cursor"]).json())
    lines = [line for page in pages for line in page["items"]]
    assert len(lines) > 1 and lines[-1]["balance"] == pages[0]["closing"] == -700
    assert pages[0]["opening"] == 0
    turnover = pages[0]["turnover"]
    assert turnover["debit"] - turnover["credit"] == -700
    assert {counter["account"] for line in lines for counter in line["counter"]} >= {"supply"}
    none = service.ask(path, asset=asset, period="2019").json()
    assert (none["items"], none["closing"], none["from"]) == ([], 0, "2019-01-01")
    other = service.ask(path, asset=asset, period="2019", after=pages[0]["next_cursor"])
    assert (other.status_code, other.json()["code"]) == (400, "INVALID_REQUEST")
    day = told["last"]["recorded_at"][:10]
    found = service.ask(
        f"accounts/{account}/restatement",
        asset=asset,
        effective_on=day,
        at=told["tipped"]["recorded_at"],
        min_position=told["position"],
    ).json()
    shaped(statements.Restatement, found)
    assert (found["then"], found["now"], found["difference"]) == (-900, -700, 200)
    assert sum(event["amount"] for event in found["events"]) == 200
    by_month = service.ask(f"accounts/{account}/series", asset=asset, interval="month").json()
    shaped(statements.Series, by_month)
    assert by_month["items"][-1]["closing"] == -700
    around = service.ask(f"events/{told['tipped']['position']}/balances").json()
    shaped(statements.EventBalances, around)
    (leg,) = [leg for leg in around["legs"] if (leg["account"], leg["asset"]) == (account, asset)]
    assert leg["after"] == leg["before"] + leg["amount"] == -900
    assert service.ask(f"events/{10**9}/balances").status_code == 404


def test_daily_figures(service: Caller, told: dict[str, Any]) -> None:
    day = told["last"]["recorded_at"][:10]
    query = {"from": day, "to": day, "min_position": told["position"]}
    body = shaped(daily.DailyFigures, service.ask("analytics/daily", **query).json())
    (figures,) = body["days"]
    wanted = {"date", "token_sales", "sales_by_product", "payers", "call_blocks", "tips"}
    assert wanted <= set(figures) and figures["date"] == day
    assert (body["from"], body["to"]) == (day, day)


def test_a_period_by_its_name_is_the_days_that_it_stands_for(
    service: Caller, told: dict[str, Any]
) -> None:
    day = told["last"]["recorded_at"][:10]
    year = {"from": f"{day[:4]}-01-01", "to": f"{day[:4]}-12-31"}
    wanted = service.ask("analytics/daily", **year, min_position=told["position"]).json()
    for name in (day[:4], f"FY{day[:4]}", "year-0"):
        found = service.ask("analytics/daily", period=name, min_position=told["position"]).json()
        assert {**found, "as_of_position": 0} == {**wanted, "as_of_position": 0}, name
    assert wanted["days"] and (wanted["from"], wanted["to"]) == (year["from"], year["to"])


def test_pages_of_the_log(tenant: Tenant, service: Caller) -> None:
    user = tenant.funded()
    for amount in (1, 2, 3):
        service.send("send-tip", tip(user, "c1", amount))
    seen, after, pinned = [], "0", None
    while True:
        page = service.ask("events", after=after, limit=2, tag=f"wallet:{user}").json()
        shaped(events.Events, page)
        seen += page["events"]
        after = page["next_cursor"]
        if pinned is None:
            pinned = page["head"]
            service.send("send-tip", tip(user, "c1", 4))  # comes after the listing
        if not page["has_more"]:
            break
    assert [event["type"] for event in seen] == ["promo_tokens.granted.v1", *["tip.sent.v1"] * 3]
    positions = [event["position"] for event in seen]
    assert positions == sorted(positions) and positions[-1] <= pinned
    news = service.ask("events", after=after, tag=f"wallet:{user}").json()
    assert [event["body"]["gross"] for event in news["events"]] == [4]
    tips = service.ask("events", tag=f"wallet:{user}", type="tip.sent.v1").json()["events"]
    assert len(tips) == 4
    everything = service.ask("events", after=0, limit=1000, type="policy.published.v1").json()
    assert everything["events"][0]["position"] == 2
    by_position = service.ask("events", after=positions[0], limit=1).json()["events"]
    assert by_position[0]["position"] == positions[0] + 1


def test_one_event_and_its_leaf_hash(service: Caller, told: dict[str, Any]) -> None:
    entry = service.ask(f"events/{told['position']}").json()
    events.Event.model_validate(entry)
    position, leaf, _ = (entry.pop(name) for name in ("position", "leaf_hash", "as_of_position"))
    assert position == told["position"]
    canonical = msgspec.json.encode(entry, order="sorted")
    assert sha256(b"\0" + canonical).hexdigest() == leaf
    refused = service.ask("events/999999999")
    assert (refused.status_code, refused.json()["code"]) == (404, "UNKNOWN_EVENT")


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=0", 0),
        ('Wait = "3"', 3),
        ("respond-async, WAIT=1", 1),
        ("return=minimal; wait=0000000000007", 7),
        ("wait=" + "9" * 5_000, 60),
        ("wait=-1", 2),
        ("wait=soon", 2),
        ("await=0", 2),
        ("", 2),
    ],
)
def test_how_long_a_client_prefers_to_wait(
    prefer: str, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7240: names are case-insensitive, values may be quoted; what is no number is ignored."""
    asking = QueryReader(cast("Service", SimpleNamespace(settings=Settings())), BodyBudget(0))
    headers = [(b"prefer", prefer.encode())]
    asked = Request({"type": "http", "headers": headers})
    assert asking._patience_s(asked) == seconds


def test_tables_of_another_version_are_unavailable_until_the_rebuild(tenant: Tenant) -> None:
    book = founded(tenant.where, f"Stale-{os.getpid()}")
    with connect(
        tenant.where.service_url, book.schema, read_models=True, autocommit=True
    ) as connection:
        connection.execute("ALTER TABLE creator_sources RENAME COLUMN paid TO gross")
    reader = Tenant(tenant.http, tenant.where, book).caller()
    refused = reader.ask("creators/zoe/earnings", prefer="wait=0")
    assert refused.status_code == 503
    assert "tokenledger rebuild" in refused.json()["detail"]


def test_a_figure_is_explained(service: Caller, told: dict[str, Any]) -> None:
    of = f"wallet:{told['user']}:free.promo"
    body = service.ask("explain", of=of, min_position=told["position"]).json()
    shaped(explain.Explanation, body)
    assert [each["amount"] for each in body["items"]] == [1_000, -100, -200]
    assert [each["running"] for each in body["items"]] == [1_000, 900, 700]
    assert (body["sum"], body["has_more"]) == (700, False)
    first = service.ask("explain", of=of, limit=2).json()
    assert (first["sum"], first["has_more"]) == (900, True)
    rest = service.ask("explain", of=of, limit=2, after=first["next_cursor"]).json()
    assert [each["running"] for each in rest["items"]] == [700]
    refused = service.ask("explain", of="wallet:x:total")
    assert refused.json()["errors"][0]["pointer"] == "/of"
    other = service.ask("explain", of="wallet:x:free.paid", after=first["next_cursor"])
    assert other.json()["errors"][0]["pointer"] == "/after"
