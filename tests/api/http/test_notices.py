"""Notices over HTTP: what is listed, what is refused, who is told, and the alarm."""

from typing import Any
from urllib.parse import quote

import pytest

from api.http import notice_metrics
from api.http.queries import notices, risk
from api.http.queries.notices import NoticeAlone, NoticeItem
from ledger.api_keys import Role
from ledger.postgres.database import connect
from tests.api.conftest import Caller, Tenant, fresh, shaped


@pytest.fixture(scope="module")
def finance(tenant: Tenant) -> Caller:
    """Somebody who decides about money in suspense."""
    return tenant.caller(Role.FINANCE, "fay")


def bought(service: Caller, processor: str, ref: str) -> dict[str, Any]:
    """A package that nobody knows was paid for."""
    paid = {"user": "u1", "package": "unknown", "price": 4_999, "labels": {"stream": "s1"}}
    answer = service.send("record-purchase", {**paid, "processor": processor, "processor_ref": ref})
    assert answer.status_code == 202
    body: dict[str, Any] = answer.json()
    return body


def test_a_suspended_notice_from_its_list_to_its_end(
    tenant: Tenant, service: Caller, finance: Caller
) -> None:
    processor, ref = fresh("processor"), f"{fresh('p')}:a=b+c@d.e"
    kept = bought(service, processor, ref)
    after = {"min_position": kept["position"], "processor": processor}
    page = shaped(notices.Notices, finance.ask("notices", status="suspended", **after).json())
    (item,) = page["items"]
    assert set(item) == set(NoticeItem.model_fields)
    assert (item["status"], item["code"]) == ("SUSPENDED", kept["code"])
    assert (item["amount"], item["in_suspense"], item["currency"]) == (4_999, 4_999, "USD")
    assert item["labels"] == {"stream": "s1"}
    one = finance.ask(f"notices/{quote(item['id'], safe='')}")
    whole = shaped(NoticeAlone, one.json())
    (first,) = whole["history"]
    assert (first["position"], first["type"]) == (kept["position"], "payment.suspended.v1")
    returned = item["resolved_by"][1]
    done = finance.send(returned["command"], returned["fields"])
    assert done.status_code == 201
    assert finance.ask("notices", status="suspended", **after).json()["items"] == [item]
    proposal = {"proposal": done.json()["events"][0]["body"]["proposal"]}  # it is for two people
    done = tenant.caller(Role.APPROVER, "amy").send("approve-proposal", proposal)
    assert done.status_code == 201
    after["min_position"] = done.json()["position"]
    assert finance.ask("notices", status="suspended", **after).json()["items"] == []
    (gone,) = finance.ask("notices", status="APPLIED", **after).json()["items"]
    assert (gone["resolution"], gone["in_suspense"]) == ("RETURN", 0)


def test_pages_and_cursors(service: Caller, finance: Caller) -> None:
    processor = fresh("processor")
    refs = [fresh("p") for _ in range(5)]
    position = [bought(service, processor, ref)["position"] for ref in refs][-1]
    for order, expected in (("desc", refs[::-1]), ("asc", refs)):
        seen: list[str] = []
        asked: dict[str, Any] = {"processor": processor, "order": order, "min_position": position}
        while True:
            page = finance.ask("notices", limit=2, **asked).json()
            seen += [item["processor_ref"] for item in page["items"]]
            if not page["has_more"]:
                assert page["next_cursor"] is None
                break
            asked["after"] = page["next_cursor"]
        assert seen == expected
    cursor = finance.ask("notices", limit=2, processor=processor).json()["next_cursor"]
    tampered = cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1]
    for wrong in (
        {"after": cursor},
        {"after": tampered, "processor": processor},
        {"after": cursor, "processor": processor, "order": "asc"},
        {"after": "c", "processor": processor},
        {"after": "12", "processor": processor},
        {"after": "c\u00e9", "processor": processor},
    ):
        refused = finance.ask("notices", **wrong)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/after")


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"status": "open"}, "/status"),
        ({"older_than": "72"}, "/older_than"),
        ({"older_than": "three days"}, "/older_than"),
        ({"limit": 0}, "/limit"),
        ({"limit": 1_001}, "/limit"),
        ({"order": "up"}, "/order"),
        ({"code": "lower"}, "/code"),
        ({"processor": "a:b"}, "/processor"),
    ],
)
def test_what_is_malformed(finance: Caller, asked: dict[str, Any], pointer: str) -> None:
    refused = finance.ask("notices", **asked)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == pointer


def test_what_is_not_kept(service: Caller, finance: Caller) -> None:
    unknown = finance.ask("notices/stripe:record-purchase:never")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "UNKNOWN_NOTICE")
    assert finance.ask("notices/stripe").status_code == 400
    early = finance.ask("notices", min_position=10**9, prefer="wait=0")
    assert early.status_code == 503


def test_parked_and_ignored_ones_and_several_statuses(service: Caller, finance: Caller) -> None:
    processor, late = fresh("processor"), fresh("p")
    refund = {"payment_ref": late, "amount": 5, "processor": processor, "processor_ref": "r:1"}
    assert service.send("record-refund", refund).json()["outcome"] == "parked"
    asked = {"processor": processor, "status": ["parked", "Suspended"]}
    (item,) = finance.ask("notices", **asked).json()["items"]
    assert (item["status"], item["awaits"]) == ("PARKED", f"payment:{late}")
    assert item["owner"] == "service" and item["position"] is None
    assert finance.ask("notices", older_than="72h", **asked).json()["items"] == []
    one = finance.ask(f"notices/{item['id']}").json()
    assert one["history"] == [] and one["amount"] == 5


def test_the_alarm(
    tenant: Tenant, service: Caller, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    kept = bought(service, fresh("processor"), fresh("p"))
    service.ask("notices", min_position=kept["position"])
    key = {"Authorization": f"Bearer {service.key}"}

    def readiness() -> dict[str, Any]:
        body: dict[str, Any] = tenant.http.get("/health/ready", headers=key).json()
        return body

    waiting = readiness()["books"][tenant.book.name]["notices"]
    assert waiting["status"] == "ok" and waiting["suspended"] > 0
    page = tenant.http.get("/metrics").text
    for name in ("suspended_notices", "suspended_notices_oldest_seconds"):
        assert f'tokenledger_{name}{{book="{tenant.book.name}"}}' in page
    with connect(
        tenant.where.admin_url, tenant.book.schema, read_models=True, autocommit=True
    ) as admin:
        moved = "UPDATE notices SET received_at = received_at {} interval '73 hours'"
        admin.execute(moved.format("-").encode())
        try:
            overdue = readiness()
            told: list[dict[str, Any]] = []
            monkeypatch.setattr(
                notice_metrics.log, "warning", lambda text, **more: told.append(more | {"t": text})
            )
            tenant.http.get("/metrics")
            tenant.http.get("/metrics")
        finally:
            admin.execute(moved.format("+").encode())
    assert overdue["status"] == "degraded"
    assert overdue["books"][tenant.book.name]["notices"]["status"] == "overdue"
    (warning,) = [each for each in told if each["book"] == tenant.book.name]
    assert (warning["status"], warning["suspended"]) == ("overdue", waiting["suspended"])
    assert warning["suspended_oldest_s"] > 72 * 3_600


def test_buyers_at_risk(service: Caller, finance: Caller) -> None:
    user, ref = fresh("user"), fresh("p")
    paid = {"processor": "stripe", "processor_ref": ref}
    tip = {"user": user, "creator": "c1", "funding": "CARD", "amount": 700, **paid}
    assert service.send("send-tip", tip).status_code == 201
    disputed = {"payment_ref": ref, "amount": 700, "fee": 0, "final": True}
    lost = {**disputed, "processor": "stripe", "processor_ref": fresh("d")}
    position = service.send("open-dispute", lost).json()["position"]
    body = shaped(risk.BuyersAtRisk, finance.ask("risk", user=user, min_position=position).json())
    (buyer,) = body["items"]
    assert set(buyer) == set(risk.BuyerAtRisk.model_fields)
    assert (buyer["disputes"], buyer["amount"], buyer["frozen"]) == (1, 700, [])
    assert finance.ask("risk", min_disputes=0).status_code == 400
    assert finance.ask("risk", after="c").status_code == 400


def test_earnings_by_label(service: Caller, finance: Caller) -> None:
    creator = fresh("creator")
    for stream, amount in (("s1", 500), ("s1", 300), ("s2", 100), (None, 50)):
        paid = {"processor": "stripe", "processor_ref": fresh("p")}
        tip = {"user": "u1", "creator": creator, "funding": "CARD", "amount": amount, **paid}
        extra = {} if stream is None else {"labels": {"stream": stream}}
        position = service.send("send-tip", {**tip, **extra}).json()["position"]
    path = f"creators/{creator}/earnings"
    asked = {"min_position": position}
    found = finance.ask(path, group_by="label.stream", **asked).json()["groups"]
    assert [(each["label.stream"], each["count"], each["gross"]) for each in found] == [
        ("s1", 2, 800), ("s2", 1, 100), (None, 1, 50),
    ]  # fmt: skip
    (narrowed,) = finance.ask(path, **asked, **{"label.stream": "s1"}).json()["by_source"]
    assert (narrowed["source"], narrowed["gross"]) == ("tip", 800)
    own = service.ask(path, group_by="source").json()
    assert own["groups"] == own["by_source"]
    for wrong in (
        {"group_by": "label.stream", "label.stream": "s1"},
        {"label.a": "1", "label.b": "2"},
        {"label.": "1"},
        {"label.a": "x:y"},
        {"group_by": "label."},
        {"group_by": "colour"},
    ):
        assert finance.ask(path, **wrong).status_code == 400
