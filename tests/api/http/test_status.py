"""How a book is, on one page: what waits is counted and listed where the page says."""

from typing import Any

import pytest

from api.http.queries import status
from api.http.queries.status import Queues
from ledger.api_keys import Role
from tests.api.conftest import Caller, Tenant, fresh, shaped


@pytest.fixture
def finance(tenant: Tenant) -> Caller:
    """Who works the queues off."""
    return tenant.caller(Role.FINANCE, "fay")


def asked(finance: Caller, position: int = 0) -> dict[str, Any]:
    """The page, once every read model of it shows a position."""
    for path in ("notices", "payouts", "adjustments", "policies", "breaks", "trial-balance"):
        assert finance.ask(path, min_position=position).status_code == 200
    return shaped(status.BookStatus, finance.ask("status").json())


def counts(page: dict[str, Any]) -> dict[str, int]:
    return {kind: queue["count"] for kind, queue in page["waiting"].items()}


def test_queues_are_counted_and_listed_where_they_say(tenant: Tenant, finance: Caller) -> None:
    service = tenant.caller()
    before = counts(asked(finance, tenant.written()[0]))
    creator, processor = fresh("creator"), fresh("processor")
    paid = {"processor": "stripe", "processor_ref": fresh("p")}
    tip = {"user": fresh("user"), "creator": creator, "funding": "CARD", "amount": 90_000}
    assert service.send("send-tip", tip | paid).status_code == 201
    account = {"creator": creator, "payouts_enabled": True, "country": "US"}
    assert finance.send("set-payout-account", account).status_code == 201
    payout = finance.send("request-payout", {"creator": creator, "amount": 6_000})
    assert payout.status_code == 201, payout.text
    refund = {"payment_ref": fresh("p"), "amount": 5, "processor": processor}
    assert service.send("record-refund", refund | {"processor_ref": "r:1"}).status_code == 202
    unknown = {"user": fresh("user"), "package": "none", "price": 700, "processor": processor}
    suspended = service.send("record-purchase", unknown | {"processor_ref": fresh("p")}).json()
    assert suspended["outcome"] == "suspended"
    page = asked(finance, suspended["position"])
    more = {kind: count - before[kind] for kind, count in counts(page).items()}
    assert more == dict.fromkeys(Queues.model_fields, 0) | {
        "parked": 1, "suspended": 1, "payouts_requested": 1,
    }  # fmt: skip
    for kind in ("parked", "suspended", "payouts_requested"):
        queue = page["waiting"][kind]
        assert queue["oldest_at"] is not None
        path = queue["url"].removeprefix(f"/v1/books/{tenant.book.name}/")
        assert len(finance.ask(path).json()["items"]) == queue["count"], kind
    assert page["waiting"]["payouts_requested"]["amount"] >= 6_000
    assert page["waiting"]["suspended"]["amount"] >= 700
    assert all(each["ok"] for each in page["tie_outs"])
    assert {each["name"] for each in page["read_models"]} >= {"wallets", "payouts", "breaks"}
