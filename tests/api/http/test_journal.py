"""The journal over HTTP: its pages, classes of accounts, and trial balances page by page."""

from typing import Any

import pytest

from api.http.queries import account_tree, book, general_journal, statements, trial_balance
from tests.api.conftest import Caller, Tenant, fresh, shaped, tip


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


def test_the_general_journal_and_a_class_of_accounts(
    tenant: Tenant, service: Caller, told: dict[str, Any]
) -> None:
    tag = f"wallet:{told['user']}"
    asked = {"tag": tag, "min_position": told["position"], "limit": 1}
    pages = [service.ask("journal", **asked).json()]
    shaped(general_journal.GeneralJournal, pages[0])
    tenant.caller().send("send-tip", tip(told["user"], "c1", 1))  # after the first page
    while pages[-1]["has_more"]:
        pages.append(service.ask("journal", **asked, after=pages[-1]["next_cursor"]).json())
    assert len({page["as_of_position"] for page in pages}) == 1
    items = [item for page in pages for item in page["items"]]
    assert [item["type"] for item in items] == [
        "content.unlocked.v1", "tip.sent.v1", "promo_tokens.granted.v1",
    ]  # fmt: skip
    for item in items:
        for asset in {leg["asset"] for leg in item["postings"]}:
            assert not sum(leg["amount"] for leg in item["postings"] if leg["asset"] == asset)
    tips = service.ask("journal", tag=tag, type="tip.sent.v1", order="asc", min_amount=100).json()
    assert [item["position"] for item in tips["items"]] == [told["tipped"]["position"]]
    of_class = {"account": "w.*.free", "tag": tag, "period": "today"}
    assert len(service.ask("journal", **of_class).json()["items"]) >= 3
    assert service.ask("journal", **of_class | {"period": "2019"}).json()["items"] == []
    assert service.ask("journal", tag=tag, actor="nobody").json()["items"] == []
    other = service.ask("journal", tag=tag, order="asc", after=pages[0]["next_cursor"])
    assert other.json()["errors"][0]["pointer"] == "/after"
    path, asset = "accounts/cr.*.available", "USD"
    found = service.ask(f"{path}/statement", asset=asset, period="today", limit=1_000).json()
    shaped(statements.Statement, found)
    lines = {line["position"]: line for line in found["items"]}
    while found["has_more"]:  # whatever else was asked of this book today
        more = {"after": found["next_cursor"], "limit": 1_000, "period": "today"}
        found = service.ask(f"{path}/statement", asset=asset, **more).json()
        lines |= {line["position"]: line for line in found["items"]}
    assert lines[told["last"]["position"]]["credit"] == 160
    assert found["items"][-1]["balance"] == found["closing"]
    day = told["last"]["recorded_at"][:10]
    then = {"effective_on": day, "at": told["tipped"]["recorded_at"], "asset": asset}
    then["against"] = told["last"]["recorded_at"]
    restated = service.ask(f"{path}/restatement", **then).json()
    assert restated["difference"] == sum(event["amount"] for event in restated["events"]) == -160
    series = service.ask(f"{path}/series", asset=asset).json()
    assert (
        series["items"][-1]["closing"]
        == service.ask(f"{path}/statement", asset=asset, position=series["as_of_position"]).json()[
            "closing"
        ]
    )


def test_the_tree_of_accounts_and_trial_balances_by_the_page(
    service: Caller, told: dict[str, Any]
) -> None:
    classes = service.ask("accounts", min_position=told["position"]).json()
    shaped(account_tree.AccountTree, classes)
    by_class = {item["account"]: item for item in classes["items"]}
    assert by_class["cr.*.available"]["number"] == 2110
    assert by_class["cr.*.available"]["accounts"] >= 1
    path = {"prefix": f"cr.{told['creator']}"}
    (available,) = service.ask("accounts", **path).json()["items"]
    assert (available["closing"], available["leaf"]) == (-240, True)
    assert (available["type"], available["class"]) == ("liability", "cr.*.available")
    before = service.ask("accounts", **path, period="2019").json()
    assert before["items"][0]["closing"] == 0 and before["to"] == "2019-12-31"
    assert service.ask("accounts", **path, period="2019", nonzero=True).json()["items"] == []
    for path in ({"prefix": "cr", "depth": 2}, {"prefix": "cr.*.available"}):
        pages = [service.ask("accounts", **path, limit=1).json()]
        while pages[-1]["has_more"]:
            after = pages[-1]["next_cursor"]
            pages.append(service.ask("accounts", **path, limit=1, after=after).json())
        accounts = [item["account"] for page in pages for item in page["items"]]
        assert f"cr.{told['creator']}.available" in accounts
        assert len({page["as_of_position"] for page in pages}) == 1
    wrong = service.ask("accounts", prefix="w", after=pages[0]["next_cursor"])
    assert wrong.json()["errors"][0]["pointer"] == "/after"
    for moment in ({}, {"position": told["position"]}, {"effective_on": "2050-01-01"}):
        pages = [service.ask("trial-balance", **moment, limit=2).json()]
        shaped(trial_balance.TrialBalance, pages[0])
        while pages[-1]["next_cursor"]:
            after = pages[-1]["next_cursor"]
            pages.append(service.ask("trial-balance", **moment, limit=2, after=after).json())
        assert len(pages) > 2
        assert len({page["as_of_position"] for page in pages}) == 1
        assert all(total["debit"] == total["credit"] > 0 for total in pages[-1]["totals"])
        pinned = {**moment, "position": pages[0]["as_of_position"]}
        whole = service.ask("trial-balance", **pinned).json()
        assert [row for page in pages for row in page["rows"]] == whole["rows"]
        assert whole["totals"] == pages[-1]["totals"] and whole["next_cursor"] is None


def test_the_book_itself(service: Caller, told: dict[str, Any]) -> None:
    found = service.ask("", min_position=told["position"]).json()
    shaped(book.BookDescription, found)
    assert (found["book"], found["currency"], found["currency_exponent"]) == (
        service.book,
        "USD",
        2,
    )
    assert [asset["asset"] for asset in found["assets"]] == [
        "USD", f"{service.book}.PAID", f"{service.book}.PROMO",
    ]  # fmt: skip
    assert (found["profile"], found["time_zone"]) == ("micro-unlock", "UTC")
    assert found["policy_version"] == 1 and found["closed_through"] is None
    assert found["head"] == found["as_of_position"] >= told["position"]
    assert service.ask("", min_position=10**9, prefer="wait=0").status_code == 503
