"""Registers over HTTP: what happened, and how each register lists it and shows it alone.

The figures are those of the scenario.
"""

from typing import Any

from ledger.api_keys import Role
from tests.api.conftest import Caller, Tenant, fresh
from tests.api.registered import alone, done, finds, listed, paid


def test_a_sale_by_card(backend: Caller) -> None:
    user, creator, item, ref = fresh("fan"), fresh("star"), fresh("film"), paid(country="DE")
    fields = {"user": user, "creator": creator, "item": item, "funding": "CARD", "price": 1_190}
    labels = {"stream": "s1"}
    found = {"attribution": {"source": "DIRECT"}, "labels": labels}
    sale, position = done(backend, "unlock", **fields, **ref, **found)
    number = sale["sale_id"]
    one = alone(backend, "sales", number, min_position=position)
    assert (one["status"], one["user"], one["creator"]) == ("PAID", user, creator)
    assert (one["gross"], one["tax"], one["creator_share"], one["platform_share"]) == (
        1_190, 190, 800, 200,
    )  # fmt: skip
    assert (one["product"], one["item"], one["funding"]) == ("unlock", item, "CARD")
    assert (one["labels"], one["attribution"]) == (labels, {"source": "DIRECT"})
    assert one["payees"] == [{"creator": creator, "share": 800}]
    postings = {account: amount for account, _, amount in one["history"][0]["postings"]}
    assert postings["psp.stripe"] == 1_190 and postings["vat.DE"] == -190
    refund, position = done(backend, "record-refund", sale=number, cumulative=595, **paid())
    assert refund["amount"] == 595
    one = alone(backend, "sales", number, min_position=position)
    assert (one["status"], one["refunded"]) == ("PARTLY_REFUNDED", 595)
    disputed = {"payment_ref": ref["processor_ref"], "amount": 400, "fee": 15}
    dispute, position = done(backend, "open-dispute", **disputed, **paid())
    (item_now,) = listed(backend, "sales", user=user, min_position=position)
    assert item_now["status"] == "DISPUTED"
    lost = {"dispute": dispute["dispute_id"], "outcome": "LOST", **paid()}
    _, position = done(backend, "close-dispute", **lost)
    one = alone(backend, "sales", number, min_position=position)
    assert (one["status"], one["lost"]) == ("CHARGED_BACK", 400)
    assert [one["disputes"][0][key] for key in ("amount", "status")] == [400, "LOST"]
    statuses = [each["status"] for each in one["history"]]
    assert statuses[0] == "PAID" and statuses[-1] == "CHARGED_BACK"
    (item_now,) = listed(backend, "sales", user=user)
    filters = ("creator", "product", "item", "processor", "processor_ref")
    finds(backend, "sales", item_now, *filters)
    assert listed(backend, "sales", user=user, min_amount=1_190, **{"label.stream": "s1"})
    assert not listed(backend, "sales", user=user, min_amount=1_191)
    assert not listed(backend, "sales", user=user, **{"label.stream": "s2"})
    assert not listed(backend, "sales", user=user, older_than="1h")


def test_pages_of_sales(backend: Caller) -> None:
    user = fresh("fan")
    tip = {"user": user, "creator": "star", "funding": "CARD", "amount": 500}
    numbers = []
    for _ in range(5):
        sale, position = done(backend, "send-tip", **tip, **paid())
        numbers.append(sale["sale_id"])
    for order, expected in (("desc", numbers[::-1]), ("asc", numbers)):
        asked: dict[str, Any] = {"user": user, "order": order, "min_position": position}
        seen: list[str] = []
        while True:
            page = backend.ask("sales", limit=2, **asked).json()
            seen += [each["id"] for each in page["items"]]
            if not page["has_more"]:
                break
            asked["after"] = page["next_cursor"]
        assert seen == expected
    page = backend.ask("sales", user=user, limit=2).json()
    _, position = done(backend, "send-tip", **tip, **paid())
    rest = {"user": user, "after": page["next_cursor"], "min_position": position}
    assert [each["id"] for each in listed(backend, "sales", **rest)] == numbers[2::-1]
    assert backend.ask("sales", user="another", after=page["next_cursor"]).status_code == 400
    assert backend.ask("purchases", user=user, after=page["next_cursor"]).status_code == 400


def test_a_purchase_of_tokens(backend: Caller, platform: Tenant) -> None:
    user, ref = fresh("fan"), paid()
    bought = {"user": user, "package": "small", "price": 999, "labels": {"shop": "web"}}
    purchase, position = done(backend, "record-purchase", **bought, **ref)
    number = purchase["purchase_id"]
    (item,) = listed(backend, "purchases", user=user, min_position=position)
    assert (item["status"], item["package"], item["price"]) == ("PAID", "small", 999)
    assert (item["tokens"], item["bonus"], item["tax"]) == (1_000, 100, 0)
    finds(backend, "purchases", item, "processor", "processor_ref")
    finance = platform.caller(Role.FINANCE, "fay")
    _, position = done(finance, "refund-purchase", purchase=number, reason_code="WISH")
    one = alone(backend, "purchases", number, min_position=position)
    assert (one["status"], one["refunded"], one["lost"]) == ("REFUNDED", 999, 0)
    assert [each["status"] for each in one["history"]] == ["PAID", "REFUNDED"]
    postings = {account: amount for account, _, amount in one["history"][-1]["postings"]}
    assert postings["psp.stripe"] == -999
    assert not listed(backend, "purchases", user=user, status="paid")


def test_payments_by_reference(backend: Caller) -> None:
    user, ref = fresh("fan"), paid(processor_ref=fresh("pi_.:+=@"))
    tip = {"user": user, "creator": "star", "funding": "CARD", "amount": 700}
    sale, position = done(backend, "send-tip", **tip, **ref)
    one = alone(backend, "payments", ref["processor_ref"], min_position=position)
    assert (one["status"], one["amount"], one["currency"]) == ("APPLIED", 700, "USD")
    assert one["sales"] == [one["sale"]] == [sale["sale_id"]]
    (item,) = listed(backend, "payments", user=user)
    finds(backend, "payments", item, "processor", "creator")
    wrong, reference = {"user": user, "package": "small", "price": 998}, paid(currency="USD")
    _, position = done(backend, "record-purchase", **wrong, **reference)
    number = reference["processor_ref"]
    waiting = alone(backend, "payments", number, min_position=position)
    assert (waiting["status"], waiting["amount"]) == ("SUSPENDED", 998)
    assert [each["left"] for each in waiting["waiting"]] == [998]
    assert number in [
        each["id"] for each in listed(backend, "payments", status="suspended", min_amount=998)
    ]


def test_money_in_another_currency_says_so(backend: Caller) -> None:
    tip = {"user": fresh("fan"), "creator": "star", "funding": "CARD", "amount": 700}
    reference = paid(currency="CHF")
    _, position = done(backend, "send-tip", **tip, **reference)
    one = alone(backend, "payments", reference["processor_ref"], min_position=position)
    assert (one["status"], one["amount"], one["currency"]) == ("SUSPENDED", 700, "CHF")


def test_a_hold_with_its_batches(backend: Caller, platform: Tenant) -> None:
    user = platform.funded(100)
    hold, _ = done(backend, "hold-credits", user=user, tokens=60)
    number = hold["hold_id"]
    done(backend, "settle-batch", hold=number, batch_no=1, used=20)
    _, position = done(backend, "settle-batch", hold=number, batch_no=2, used=5)
    (item,) = listed(backend, "holds", user=user, status="open", min_position=position)
    assert (item["tokens"], item["used"], item["held"]) == (60, 25, 35)
    finds(backend, "holds", item)
    _, position = done(backend, "release-hold", hold=number)
    one = alone(backend, "holds", number, min_position=position)
    assert (one["status"], one["used"], one["held"], one["released"]) == ("RELEASED", 25, 0, 0)
    assert one["batches"] == [{"batch_no": 1, "used": 20}, {"batch_no": 2, "used": 5}]
    assert [each["status"] for each in one["history"]] == ["OPEN", "OPEN", "OPEN", "RELEASED"]


def test_an_authorisation_that_is_captured(backend: Caller) -> None:
    user, ref = fresh("fan"), paid()
    terms = {"session": fresh("session"), "user": user, "payee": "star", "tier": "STANDARD"}
    authorized, position = done(backend, "authorize", **terms, amount=10_000, **ref)
    number = authorized["payment_id"]
    (item,) = listed(backend, "authorizations", user=user, min_position=position)
    assert (item["status"], item["amount"], item["captured"]) == ("AUTHORIZED", 10_000, 0)
    finds(backend, "authorizations", item, "session", "creator", "processor", "processor_ref")
    captured, position = done(backend, "capture", payment=number, amount=6_000)
    one = alone(backend, "authorizations", number, min_position=position)
    assert (one["status"], one["captured"], one["commission_bps"]) == ("CAPTURED", 6_000, 3_000)
    assert [each["status"] for each in one["history"]] == ["AUTHORIZED", "CAPTURED"]
    sale = alone(backend, "sales", captured["sale_id"])
    assert (sale["creator_share"], sale["platform_share"]) == (4_200, 1_800)


def test_a_call(backend: Caller, platform: Tenant) -> None:
    user, creator, number = platform.funded(100), fresh("star"), fresh("call")
    done(backend, "verify-creator", creator=creator, verified=True)
    started = {"call": number, "user": user, "creator": creator, "rate": 60}
    _, position = done(backend, "start-call", **started)
    (item,) = listed(backend, "calls", user=user, min_position=position)
    assert (item["status"], item["rate"], item["block_tokens"]) == ("ACTIVE", 60, 30)
    finds(backend, "calls", item, "creator")
    _, position = done(backend, "end-call", call=number)
    one = alone(backend, "calls", number, min_position=position)
    assert (one["status"], one["reason"], one["tokens"]) == ("ENDED", "COMPLETED", 0)
    assert [each["status"] for each in one["history"]] == ["ACTIVE", "ENDED"]


def test_a_subscription_with_its_periods(backend: Caller) -> None:
    user, creator, number = fresh("fan"), fresh("star"), fresh("sub")
    done(backend, "start-subscription", subscription=number, user=user, creator=creator, price=999)
    period = {"period_start": "2096-11-01T00:00:00Z", "period_end": "2096-12-01T00:00:00Z"}
    _, position = done(backend, "charge-period", subscription=number, price=999, **period, **paid())
    (item,) = listed(backend, "subscriptions", user=user, min_position=position)
    assert (item["status"], item["price"], item["periods_paid"]) == ("ACTIVE", 999, 1)
    assert item["paid_until"] == period["period_end"]
    finds(backend, "subscriptions", item, "creator")
    _, position = done(backend, "cancel-subscription", subscription=number)
    one = alone(backend, "subscriptions", number, min_position=position)
    assert (one["status"], one["periods"]) == ("CANCELLED", [period["period_start"]])
    assert one["plans"] == [{"plan": None, "price": 999, "since": None}]


def test_an_adjustment_from_its_proposal_to_its_approval(platform: Tenant) -> None:
    finance, creator = platform.caller(Role.FINANCE, "fay"), fresh("star")
    postings = [["exp.goodwill", "USD", 250], [f"cr.{creator}.available", "USD", -250]]
    proposed = {"postings": postings, "reason_code": "GOODWILL"}
    adjustment, position = done(finance, "propose-adjustment", **proposed)
    number = adjustment["adjustment_id"]
    asked = {"status": "proposed", "requested_by": "fay", "min_position": position}
    (item,) = (each for each in listed(finance, "adjustments", **asked) if each["id"] == number)
    assert (item["status"], item["proposer"], item["reason"]) == ("PROPOSED", "fay", "GOODWILL")
    approver = platform.caller(Role.APPROVER, "amy")
    _, position = done(approver, "approve-adjustment", adjustment=number)
    one = alone(finance, "adjustments", number, min_position=position)
    assert (one["status"], one["approver"], one["postings"]) == ("APPROVED", "amy", postings)
    assert [len(each["postings"]) for each in one["history"]] == [0, 2]
    assert finance.ask("adjustments", requested_by="nobody").json()["items"] == []


def test_a_fan_reads_their_own(backend: Caller, platform: Tenant) -> None:
    sales = {}
    for user in (fresh("fan"), fresh("fan")):
        tip = {"user": user, "creator": "star", "funding": "CARD", "amount": 500}
        sale, position = done(backend, "send-tip", **tip, **paid())
        sales[user] = sale["sale_id"]
    (mine, own), (other, foreign) = sales.items()
    fan = platform.caller(Role.FAN, mine)
    assert [each["id"] for each in listed(fan, "sales", min_position=position)] == [own]
    assert [each["id"] for each in listed(fan, "sales", user=mine)] == [own]
    assert listed(fan, "sales", user=other) == []
    assert alone(fan, "sales", own)["id"] == own
    assert fan.ask(f"sales/{foreign}").status_code == 404
    assert fan.ask("adjustments").status_code == fan.ask("payouts").status_code == 403
    assert platform.caller(Role.CREATOR, "star").ask("sales").status_code == 403
