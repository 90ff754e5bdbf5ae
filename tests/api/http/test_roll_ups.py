"""Roll-ups over HTTP: their shapes, their pages, and what is refused."""

from typing import Any

import pytest

from api.http.queries import earnings, revenue
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
