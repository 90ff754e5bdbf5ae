"""Roll-ups over HTTP: their shapes, their pages, and what is refused."""

from typing import Any

import pytest

from api.http.queries import calls, creators, earnings, leaders, liability, revenue, wallets
from ledger.api_keys import Role
from projections.models import revenue_figures
from tests.api.conftest import Caller, Tenant, fresh, shaped, tip

PERIOD = {"from": "2020-01-01", "to": "2050-01-01"}


@pytest.fixture(scope="module")
def position(tenant: Tenant, service: Caller) -> int:
    """Tips of two streams, and one of none."""
    user, creator = tenant.funded(1_000), fresh("creator")
    for labels in ({"stream": "evening"}, {"stream": "morning"}, {}):
        sent = service.send("send-tip", {**tip(user, creator, 100), "labels": labels})
        assert sent.status_code == 201, sent.text
    return int(sent.json()["position"])


def test_revenue_over_http(service: Caller, position: int) -> None:
    asked: dict[str, Any] = {**PERIOD, "group_by": "label.stream", "limit": 1}
    found, after = [], {}
    while True:
        body = service.ask("revenue", min_position=position, **asked, **after).json()
        shaped(revenue.RevenueGroups, body)
        found += body["items"]
        if not body["has_more"]:
            break
        after = {"after": body["next_cursor"]}
    assert (body["from"], body["to"], body["currency"]) == (*PERIOD.values(), "USD")
    streams = {item["label.stream"]: item for item in found}
    for stream in ("evening", "morning"):
        figures = streams[stream]
        assert (figures["count"], figures["gross"], figures["creators"]) == (1, 100, 80)
    for name, total in body["totals"].items():
        assert sum(item[name] for item in found) == total
    narrowed = service.ask("revenue", **PERIOD, **{"label.stream": "evening"}).json()
    assert narrowed["totals"]["gross"] == 100


@pytest.mark.parametrize("by", ["label.stream", "product", "day"])
def test_pages_of_revenue_stay_as_they_were(
    tenant: Tenant, service: Caller, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    user, creator, label = tenant.funded(1_000), fresh("creator"), fresh("stream")
    asked: dict[str, Any] = {**PERIOD, "group_by": by}
    unlock = {"user": user, "creator": creator, "item": label, "funding": "TOKEN", "price": 200}
    labels = {"labels": {"stream": label}}
    before = service.send("unlock", unlock | labels).json()
    whole = service.ask("revenue", **asked, min_position=before["position"]).json()
    first = service.ask("revenue", **asked, limit=1).json()
    sale = before["events"][0]["body"]["sale_id"]
    service.send("refund", {"sale": sale, "amount": 200, "reason_code": "R"})
    for stream in (label, fresh("stream")):
        sent = service.send("send-tip", tip(user, creator, 10) | {"labels": {"stream": stream}})
    position = sent.json()["position"]
    assert service.ask("revenue", **asked, min_position=position).json()["items"] != whole["items"]
    pages = [first]
    while pages[-1]["has_more"]:
        after = pages[-1]["next_cursor"]
        pages.append(service.ask("revenue", **asked, limit=1, after=after).json())
    assert [item for page in pages for item in page["items"]] == whole["items"]
    for page in pages:
        assert page["totals"] == whole["totals"]
        assert page["as_of_position"] == whole["as_of_position"]
    if by != "day":
        monkeypatch.setattr(revenue_figures, "SINCE_MAX", 2)
        late = service.ask("revenue", **asked, limit=1, after=first["next_cursor"])
        assert late.json()["errors"][0]["pointer"] == "/after"


def test_what_revenue_refuses(service: Caller, position: int) -> None:
    def refused(**asked: Any) -> list[str]:
        answer = service.ask("revenue", **asked)
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
        return [each["pointer"] for each in answer.json()["errors"]]

    assert refused(**PERIOD, group_by="colour") == ["/group_by"]
    assert refused(**{"from": "2026-02-30", "to": "2026-03-01"}) == ["/from"]
    assert refused(**{"from": "2026-03-02", "to": "2026-03-01"}) == ["/to"]
    assert refused() == ["/from"]
    assert refused(period="2026-Q5") == ["/period"]
    assert refused(**PERIOD, limit=0) == ["/limit"]
    assert refused(**PERIOD, group_by="source", **{"label.stream": "evening"}) == [""]
    page = service.ask("revenue", **PERIOD, group_by="label.stream", limit=1, min_position=position)
    cursor = page.json()["next_cursor"]
    assert refused(**PERIOD, group_by="product", after=cursor) == ["/after"]
    assert refused(**PERIOD, group_by="label.stream", after=cursor[:-2] + "AA") == ["/after"]


def test_earnings_of_a_period_over_http(tenant: Tenant, service: Caller) -> None:
    user, creator = tenant.funded(100), fresh("creator")
    position = service.send("send-tip", tip(user, creator, 100)).json()["position"]
    path = f"creators/{creator}/earnings"
    for by in ("day", "week", "month", "attribution"):
        asked = {**PERIOD, "group_by": by, "min_position": position}
        body = shaped(earnings.Earnings, service.ask(path, **asked).json())
        assert [group["net"] for group in body["groups"]] == [80]
        assert [line["gross"] for line in body["by_source"]] == [100]
    before = service.ask(path, period="2020", min_position=position).json()
    assert (before["by_source"], before["groups"], before["lifetime_earned"]) == ([], [], 80)
    for wrong in ({"period": "2026-13"}, {"group_by": "year"}, {**PERIOD, "period": "2026"}):
        assert service.ask(path, **wrong).status_code == 400


def test_unspent_tokens_over_http(service: Caller, position: int) -> None:
    body = shaped(liability.UnspentTokens, service.ask("liability", min_position=position).json())
    assert body["tie_out"]["ok"]
    for name in ("tokens", "deferred"):
        total = {"tokens": "outstanding", "deferred": "deferred"}[name]
        assert sum(each[name] for each in body["classes"]) == body[total]
    assert body["outstanding"] > 0


def test_the_statement_of_a_wallet_over_http(tenant: Tenant, service: Caller) -> None:
    user, creator = tenant.funded(50), fresh("creator")
    position = service.send("send-tip", tip(user, creator, 20)).json()["position"]
    path = f"wallets/{user}/statement"
    first = service.ask(path, limit=1, min_position=position).json()
    shaped(wallets.WalletStatement, first)
    (tipped,) = first["items"]
    assert (tipped["type"], tipped["counterparty"]) == ("tip.sent.v1", creator)
    assert (tipped["amount"], tipped["balance"], first["has_more"]) == (-20, 30, True)
    later = service.send("send-tip", tip(user, creator, 20)).json()["position"]
    assert later > position  # a list that was begun does not show it
    rest = service.ask(path, limit=1, after=first["next_cursor"]).json()
    assert [line["amount"] for line in rest["items"]] == [50]
    assert (rest["has_more"], rest["next_cursor"]) == (False, None)
    today = service.ask(path, period="today", min_position=later).json()
    assert [line["amount"] for line in today["items"]] == [-20, -20, 50]
    assert service.ask(path, period="2020").json()["items"] == []
    lots = shaped(wallets.LotsLeft, service.ask(f"wallets/{user}/lots").json())
    assert [lot["left"] for lot in lots["items"]] == [10]
    for wrong in ({"after": first["next_cursor"] + "A"}, {"period": "2026-13"}, {"limit": 0}):
        assert service.ask(path, **wrong).status_code == 400
    other = service.ask("wallets/nobody/statement", after=first["next_cursor"])
    assert other.json()["errors"][0]["pointer"] == "/after"


def test_the_list_of_wallets_over_http(tenant: Tenant, service: Caller) -> None:
    tenant.funded(7)
    user = tenant.funded(20_000)
    found = service.ask(
        "wallets", limit=1, order_by="free", min_position=tenant.written()[0]
    ).json()
    shaped(wallets.WalletPage, found)
    (item,) = found["items"]
    assert (item["user"], item["free"]["promo"] + item["free"]["paid"]) == (user, 20_000)
    second = service.ask("wallets", limit=1, order_by="free", after=found["next_cursor"]).json()
    assert second["items"][0]["user"] != user
    for wrong in ({"order_by": "held"}, {"order_by": "spent", "after": found["next_cursor"]}):
        assert service.ask("wallets", **wrong).status_code == 400


def test_creators_over_http(tenant: Tenant, service: Caller) -> None:
    user, creator = tenant.funded(50), fresh("creator")
    position = service.send("send-tip", tip(user, creator, 50)).json()["position"]
    found = service.ask("creators", limit=1, order_by="earned", min_position=position).json()
    shaped(creators.Creators, found)
    assert (len(found["items"]), found["has_more"]) == (1, True)
    second = service.ask("creators", limit=1, after=found["next_cursor"]).json()
    assert second["items"][0]["lifetime_earned"] <= found["items"][0]["lifetime_earned"]
    path = f"creators/{creator}"
    body = shaped(creators.CreatorStatement, service.ask(f"{path}/statement").json())
    assert [(line["source"], line["amount"]) for line in body["items"]] == [("tip", 40)]
    body = shaped(creators.Payable, service.ask(f"{path}/payable").json())
    assert (body["available"], body["ok"]) == (40, False)
    assert body["codes"][0] == "BELOW_MINIMUM"
    for wrong in ({"order_by": "net"}, {"order_by": "creator", "after": found["next_cursor"]}):
        assert service.ask("creators", **wrong).status_code == 400


def test_a_creator_sees_fans_by_alias_and_ranges(tenant: Tenant, service: Caller) -> None:
    creator, users = fresh("creator"), [tenant.funded(500), tenant.funded(500)]
    for user, tokens in zip(users, (400, 150), strict=True):
        position = service.send("send-tip", tip(user, creator, tokens)).json()["position"]
    path = f"creators/{creator}/fans"
    whole = shaped(leaders.FansOfCreator, service.ask(path, min_position=position).json())
    assert [(fan["user"], fan["amount"]) for fan in whole["items"]] == [
        (users[0], 400), (users[1], 150),
    ]  # fmt: skip
    own = tenant.caller(Role.CREATOR, creator)
    first = own.ask(path, limit=1)
    second = own.ask(path, limit=1, after=first.json()["next_cursor"])
    for answer, fan in zip((first, second), whole["items"], strict=True):
        (shown,) = answer.json()["items"]
        assert shown["fan_alias"] == fan["fan_alias"]
        assert shown["spend"] == {"from": 1, "to": 999}
        assert not shown.keys() & {"user", "amount", "last_at"}
        assert not any(user in answer.text for user in users)
    assert tenant.caller(Role.CREATOR, "somebody-else").ask(path).status_code == 404
    favourites = tenant.caller(Role.FAN, users[0]).ask(f"users/{users[0]}/creators").json()
    shaped(leaders.FavouriteCreators, favourites)
    assert [(each["creator"], each["amount"]) for each in favourites["items"]] == [(creator, 400)]


def test_leaderboards_over_http(tenant: Tenant, service: Caller) -> None:
    creator, user = fresh("creator"), tenant.funded(20_000)
    position = service.send("send-tip", tip(user, creator, 20_000)).json()["position"]
    today = service.ask("leaderboards", of="fans", period="today").json()["from"]
    for of, who, name in (("fans", "fan", user), ("creators", "creator", creator)):
        for period in ({}, {"period": "today"}, {"period": today[:7]}):
            asked = {"of": of, "limit": 1_000, "min_position": position, **period}
            found = shaped(leaders.Leaderboard, service.ask("leaderboards", **asked).json())
            (row,) = [each for each in found["items"] if each[who] == name]
            assert (row["count"], row["rank"]) == (1, found["items"].index(row) + 1)
            amounts = [each["amount"] for each in found["items"]]
            assert amounts == sorted(amounts, reverse=True)
    for wrong in ({}, {"of": "teams"}, {"of": "fans", "period": "2026-Q1"},
                  {"of": "fans", "from": "2026-01-01"}):  # fmt: skip
        assert service.ask("leaderboards", **wrong).status_code == 400


def test_attribution_over_http(tenant: Tenant, service: Caller) -> None:
    user, creator, campaign = tenant.funded(500), fresh("creator"), fresh("campaign")
    brought = {"source": "discovery", "campaign_id": campaign}
    sent = {**tip(user, creator, 100), "attribution": brought}
    position = service.send("send-tip", sent).json()["position"]
    asked: dict[str, Any] = {**PERIOD, "group_by": "campaign", "min_position": position}
    body = shaped(revenue.AttributionGroups, service.ask("attribution", **asked).json())
    (found,) = (item for item in body["items"] if item["campaign"] == campaign)
    assert (found["count"], found["revenue"], found["income"]) == (1, 100, -80)
    assert (found["cost"], found["return_bps"]) == (0, None)
    for name in ("count", "revenue", "income", "cost"):
        assert sum(item[name] for item in body["items"]) == body["totals"][name]
    for wrong in ({}, {**PERIOD, "group_by": "item"}):
        assert service.ask("attribution", **wrong).status_code == 400


def test_statistics_of_calls_over_http(tenant: Tenant, service: Caller) -> None:
    asked = {**PERIOD, "group_by": "day", "min_position": tenant.written()[0]}
    body = shaped(calls.CallGroups, service.ask("call-statistics", **asked).json())
    assert sum(item["started"] for item in body["items"]) == body["totals"]["started"]
    fan = tenant.caller(Role.FAN, "fan-9")
    assert fan.ask("call-statistics", **PERIOD).json()["totals"]["started"] == 0
    for wrong in ({}, {**PERIOD, "user": "a", "creator": "b"}, {**PERIOD, "group_by": "year"}):
        assert service.ask("call-statistics", **wrong).status_code == 400
    for other in ({"user": "fan-8"}, {"creator": "star-1"}):
        assert fan.ask("call-statistics", **PERIOD, **other).status_code == 400
