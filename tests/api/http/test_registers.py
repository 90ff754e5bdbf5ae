"""The registers of payouts and of disputes over HTTP."""

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from api.http.queries.registers import BY_REGISTER
from ledger.api_keys import Role
from tests.api.conftest import Caller, Tenant, fresh, shaped

PayoutItems, OnePayout = (question.schema for question in BY_REGISTER["payouts"])
DisputeItems, OneDispute = (question.schema for question in BY_REGISTER["disputes"])


def of_items(schema: type[BaseModel]) -> set[str]:
    """The documented fields of a list's items."""
    (item,) = get_args(schema.model_fields["items"].annotation)
    return set(item.model_fields)


@pytest.fixture(scope="module")
def finance(tenant: Tenant) -> Caller:
    """Somebody who requests payouts."""
    return tenant.caller(Role.FINANCE, "fay")


def requested(tenant: Tenant, times: int = 1) -> tuple[str, list[str], int]:
    """A new creator with payouts that were requested and rejected, the last one still open."""
    service, finance = tenant.caller(), tenant.caller(Role.FINANCE, "fay")
    creator, numbers = fresh("creator"), []
    paid = {"processor": "stripe", "processor_ref": fresh("p")}
    tip = {"user": fresh("user"), "creator": creator, "funding": "CARD", "amount": 90_000}
    assert service.send("send-tip", tip | paid).status_code == 201
    account = {"creator": creator, "payouts_enabled": True, "country": "US"}
    assert finance.send("set-payout-account", account).status_code == 201
    position = 0
    for number in range(times):
        wanted = {"creator": creator, "amount": 6_000 + number, "labels": {"run": "r1"}}
        answer = finance.send("request-payout", wanted)
        assert answer.status_code == 201, answer.text
        numbers.append(answer.json()["events"][0]["body"]["payout_id"])
        position = answer.json()["position"]
        if number + 1 < times:
            rejected = {"payout": numbers[-1], "reason_code": "DOUBT"}
            approver = tenant.caller(Role.APPROVER, "amy")
            position = approver.send("reject-payout", rejected).json()["position"]
    return creator, numbers, position


def test_payouts_are_listed_and_shown(tenant: Tenant, finance: Caller) -> None:
    creator, (number,), position = requested(tenant)
    asked: dict[str, Any] = {"creator": creator, "min_position": position}
    page = shaped(PayoutItems, finance.ask("payouts", **asked).json())
    (item,) = page["items"]
    assert set(item) == of_items(PayoutItems)
    assert (item["id"], item["status"], item["gross"]) == (number, "REQUESTED", 6_000)
    assert (item["currency"], item["labels"]) == ("USD", {"run": "r1"})
    one = shaped(OnePayout, finance.ask(f"payouts/{number}").json())
    assert [each["position"] for each in one["history"]] == [position]
    wanted = {"status": "requested", "label.run": "r1", "requested_by": "fay", "min_amount": 6_000}
    assert finance.ask("payouts", **asked, **wanted).json()["items"] == [item]
    for other in ({"status": "paid"}, {"label.run": "r2"}, {"older_than": "1h"}):
        assert finance.ask("payouts", **asked, **other).json()["items"] == []


def test_pages_of_payouts(tenant: Tenant, finance: Caller) -> None:
    creator, numbers, position = requested(tenant, times=5)
    for order, expected in (("desc", numbers[::-1]), ("asc", numbers)):
        seen: list[str] = []
        asked: dict[str, Any] = {"creator": creator, "order": order, "min_position": position}
        while True:
            page = finance.ask("payouts", limit=2, **asked).json()
            seen += [item["id"] for item in page["items"]]
            if not page["has_more"]:
                break
            asked["after"] = page["next_cursor"]
        assert seen == expected


def test_what_is_malformed_or_unknown(finance: Caller) -> None:
    unknown = finance.ask("payouts/nobody-s")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "UNKNOWN_PAYOUT")
    for asked in (
        {"status": "open"}, {"after": "c"}, {"min_amount": -1}, {"label.run": ""},
        {"creator": "a b"}, {"older_than": "1y"}, {"period": "soon"},
    ):  # fmt: skip
        assert finance.ask("payouts", **asked).status_code == 400


def test_disputes_are_listed_and_shown(tenant: Tenant, finance: Caller) -> None:
    service, user, ref = tenant.caller(), fresh("user"), fresh("p")
    paid = {"processor": "stripe", "processor_ref": ref}
    tip = {"user": user, "creator": "c1", "funding": "CARD", "amount": 700, **paid}
    assert service.send("send-tip", {**tip, "labels": {"stream": "s1"}}).status_code == 201
    disputed = {"payment_ref": ref, "amount": 700, "fee": 15, "processor": "stripe"}
    taken = service.send("open-dispute", {**disputed, "processor_ref": fresh("d")})
    position = taken.json()["position"]
    asked: dict[str, Any] = {"user": user, "min_position": position, "label.stream": "s1"}
    page = shaped(DisputeItems, finance.ask("disputes", status="open", **asked).json())
    (item,) = page["items"]
    assert set(item) == of_items(DisputeItems)
    assert (item["amount"], item["fee"], item["user"]) == (700, 15, user)
    one = shaped(OneDispute, finance.ask(f"disputes/{item['id']}").json())
    assert [each["status"] for each in one["history"]] == ["OPEN"]
    unknown = finance.ask("disputes/nobody-s")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "UNKNOWN_DISPUTE")
    assert finance.ask("disputes", status="odd").status_code == 400
