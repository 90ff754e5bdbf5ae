"""Registers over HTTP of what finance decides and documents, and what all have in common."""

from typing import Any

import pytest

from ledger.api_keys import Role
from projections.queries import REGISTERS, Register
from tests.api.conftest import Caller, Tenant, fresh
from tests.api.registered import alone, done, finds, listed, paid

every_register = pytest.mark.parametrize("register", REGISTERS, ids=lambda each: each.name)


def test_a_refund_and_the_documents_of_its_sale(backend: Caller, platform: Tenant) -> None:
    user, creator, ref = fresh("fan"), fresh("star"), paid(country="DE")
    tip = {"user": user, "creator": creator, "funding": "CARD", "amount": 1_190, **ref}
    number = done(backend, "send-tip", **tip)[0]["sale_id"]
    finance = platform.caller(Role.FINANCE, "fay")
    asked = {"sale": number, "amount": 595, "reason_code": "WISH", "labels": {"case": "k1"}}
    refund, position = done(finance, "refund", **asked)
    mine = {"user": user, "min_position": position}
    (item,) = listed(backend, "refunds", status="requested", **mine)
    assert (item["id"], item["amount"], item["sale"]) == (refund["refund_id"], 595, number)
    assert (item["creator"], item["reason"]) == (creator, "WISH")
    finds(backend, "refunds", item, "creator", "sale")
    notice = paid()
    told = {"sale": number, "cumulative": 595, **notice}
    _, position = done(backend, "record-refund", **told)
    one = alone(backend, "refunds", refund["refund_id"], min_position=position)
    assert (one["status"], one["processor_ref"]) == ("RECORDED", notice["processor_ref"])
    assert [each["status"] for each in one["history"]] == ["REQUESTED", "RECORDED"]
    (found,) = listed(backend, "refunds", user=user)
    finds(backend, "refunds", found, "processor", "processor_ref")
    credit, invoice = listed(backend, "invoices", user=user, min_position=position)
    assert [each["kind"] for each in (invoice, credit)] == ["INVOICE", "CREDIT_NOTE"]
    assert [(each["net"], each["vat"]) for each in (invoice, credit)] == [(1_000, 190), (500, 95)]
    assert (credit["sale"], credit["refund"], credit["country"]) == (
        number, refund["refund_id"], "DE",
    )  # fmt: skip
    finds(backend, "invoices", credit, "creator", "kind", "sale", "country")
    assert len(alone(backend, "invoices", credit["id"])["history"]) == 1
    assert listed(backend, "invoices", user=user, min_amount=1_000) == [invoice]


def test_a_refund_that_fails(backend: Caller) -> None:
    user = fresh("fan")
    tip = {"user": user, "creator": "star", "funding": "CARD", "amount": 500, **paid()}
    number = done(backend, "send-tip", **tip)[0]["sale_id"]
    told = {"sale": number, "cumulative": 200}
    refund, _ = done(backend, "record-refund", **told, **paid())
    failed = {"refund": refund["refund_id"], "reason_code": "CLOSED_ACCOUNT", **paid()}
    _, position = done(backend, "fail-refund", **failed)
    (item,) = listed(backend, "refunds", user=user, min_position=position)
    assert (item["status"], item["amount"], item["failure"]) == ("FAILED", 200, "CLOSED_ACCOUNT")
    assert alone(backend, "sales", number, min_position=position)["refunded"] == 0


def test_a_freeze_that_is_lifted(backend: Caller, platform: Tenant) -> None:
    user, finance = fresh("fan"), platform.caller(Role.FINANCE, "fay")
    frozen = {"subject": user, "kind": "wallet", "scope": "SPEND"}
    _, position = done(finance, "freeze", **frozen, reason_code="DOUBT")
    (item,) = listed(backend, "freezes", user=user, status="frozen", min_position=position)
    assert (item["scope"], item["reason"], item["of_finance"]) == ("SPEND", "DOUBT", True)
    finds(backend, "freezes", item, "scope", "kind", "reason")
    _, position = done(finance, "unfreeze", **frozen, reason_code="CHECKED")
    one = alone(backend, "freezes", item["id"], min_position=position)
    assert (one["status"], one["reason"]) == ("LIFTED", "CHECKED")
    assert [each["status"] for each in one["history"]] == ["FROZEN", "LIFTED"]
    assert listed(backend, "freezes", user=user, status="frozen") == []
    star = fresh("star")
    shut = {"subject": star, "kind": "creator", "scope": "PAYOUT", "reason_code": "DOUBT"}
    _, position = done(backend, "freeze", **shut)
    (of_star,) = listed(backend, "freezes", creator=star, min_position=position)
    assert (of_star["user"], of_star["creator"]) == (None, star)


def test_versions_of_the_policy(backend: Caller) -> None:
    one = alone(backend, "policies", "1")
    assert (one["status"], one["proposer"], one["approver"]) == ("PUBLISHED", "ann", "bob")
    assert one["body"]["vat"] == {"DE": 1900}
    assert [each["status"] for each in one["history"]] == ["PROPOSED", "PUBLISHED"]
    (item,) = listed(backend, "policies", requested_by="ann", status="published")
    assert item["effective_from"] == "1970-01-01T00:00:00Z"
    assert listed(backend, "policies", requested_by="bob") == []


def test_a_month_that_is_closed(platform: Tenant) -> None:
    finance = platform.caller(Role.FINANCE, "fay")
    _, position = done(finance, "close-period", period="2020-01")
    one = alone(finance, "periods", "2020-01", min_position=position)
    assert (one["status"], one["first_open"]) == ("CLOSED", "2020-02-01")
    assert [each["principal"] for each in one["history"]] == ["fay"]
    assert [each["id"] for each in listed(finance, "periods", status="closed")] == ["2020-01"]


def test_a_settlement_file_and_its_break(backend: Caller, platform: Tenant) -> None:
    finance, ref, processor = platform.caller(Role.FINANCE, "fay"), paid(), fresh("psp")
    tip = {"user": fresh("fan"), "creator": "star", "funding": "CARD", "amount": 1_000}
    done(backend, "send-tip", **{**tip, **ref, "processor": processor})
    number = f"{int(fresh('f').split('-')[1]):064x}"
    line = {"line_ref": "t1", "kind": "PAYMENT", "gross": 989, "fee": 29}
    file = {"processor": processor, "file_sha256": number, "first_line": 1}
    lines = [{**line, "processor_ref": ref["processor_ref"]}]
    _, position = done(finance, "import-settlement", **file, lines=lines)
    one = alone(finance, "settlements", number, min_position=position)
    assert (one["status"], one["lines"], one["breaks"]) == ("OPEN", 1, 1)
    assert (one["gross"], one["fee"], one["payout"]) == (989, 29, 0)
    postings = {account: amount for account, _, amount in one["history"][0]["postings"]}
    assert postings["bank"] == 960
    asked = {"processor": processor, "min_position": position}
    assert [each["id"] for each in listed(finance, "settlements", **asked)] == [number]
    (item,) = listed(finance, "breaks", status="open", **asked)
    assert (item["code"], item["difference"], item["file"]) == ("AMOUNT_MISMATCH", -11, number)
    finds(finance, "breaks", item, "code", "processor_ref", "file")
    done(finance, "assign-break", **{"break": item["id"], "owner": "otto"})
    ended = {"break": item["id"], "resolution": "DISMISS", "reason_code": "CHECKED"}
    _, position = done(finance, "resolve-break", **ended)
    over = alone(finance, "breaks", item["id"], min_position=position)
    assert (over["status"], over["owner"], over["resolution"]) == ("RESOLVED", "otto", "DISMISS")
    assert [each["status"] for each in over["history"]] == ["OPEN", "OPEN", "RESOLVED"]
    assert [each["id"] for each in listed(finance, "breaks", owner="otto")] == [item["id"]]


def test_a_payment_that_no_file_mentions(backend: Caller, platform: Tenant) -> None:
    finance, ref = platform.caller(Role.FINANCE, "fay"), paid()
    tip = {"user": fresh("fan"), "creator": "star", "funding": "CARD", "amount": 1_000, **ref}
    done(backend, "send-tip", **tip)
    number = f"missing-{ref['processor_ref']}"
    _, position = done(finance, "assign-break", **{"break": number, "owner": "olga"})
    one = alone(finance, "breaks", number, min_position=position)
    assert (one["status"], one["owner"], one["code"]) == ("OPEN", "olga", "MISSING_IN_FILE")


def test_6_10_payments_without_a_line_are_listed_until_one_comes(
    backend: Caller, platform: Tenant
) -> None:
    finance, processor = platform.caller(Role.FINANCE, "fay"), fresh("psp")
    refs = {}
    for name, amount in (("told", 1_000), ("short", 2_000), ("silent", 3_000), ("gone", 4_000)):
        refs[name] = fresh(name)
        tip = {"user": fresh("fan"), "creator": "star", "funding": "CARD", "amount": amount}
        ref = {"processor": processor, "processor_ref": refs[name]}
        _, position = done(backend, "send-tip", **tip, **ref)
    refs["strange"] = fresh("strange")
    asked = {"processor": processor, "min_position": position}
    missing = listed(finance, "reconciliation", status="missing_in_file", **asked)
    assert [(each["id"], each["expected"], each["break"]) for each in missing] == [
        (refs[name], amount, f"missing-{refs[name]}")
        for name, amount in (("gone", 4_000), ("silent", 3_000), ("short", 2_000), ("told", 1_000))
    ]
    aged = {"status": "missing_in_file", "older_than": "1h", **asked}
    assert listed(finance, "reconciliation", **aged) == []
    number = f"{int(fresh('f').split('-')[1]):064x}"
    file = {"processor": processor, "file_sha256": number, "first_line": 1}
    lines = [
        {"line_ref": name, "kind": "PAYMENT", "gross": gross, "fee": 0, "processor_ref": refs[name]}
        for name, gross in (("told", 1_000), ("short", 1_500), ("strange", 70))
    ]
    done(finance, "import-settlement", **file, lines=lines)
    ended = {"break": f"missing-{refs['gone']}", "resolution": "DISMISS", "reason_code": "LOST"}
    _, position = done(finance, "resolve-break", **ended)
    asked["min_position"] = position
    found = {each["id"]: each for each in listed(finance, "reconciliation", **asked)}
    assert {name: found[refs[name]]["status"] for name in refs} == {
        "told": "MATCHED", "short": "AMOUNT_MISMATCH", "silent": "MISSING_IN_FILE",
        "gone": "DISMISSED", "strange": "MISSING_IN_LEDGER",
    }  # fmt: skip
    assert (found[refs["short"]]["gross"], found[refs["short"]]["difference"]) == (1_500, -500)
    assert found[refs["told"]]["break"] is None and found[refs["strange"]]["expected"] == 0
    more = {"line_ref": "more", "kind": "PAYMENT", "gross": 500, "fee": 0}
    rest = [{**more, "processor_ref": refs["short"]}]
    _, position = done(finance, "import-settlement", **{**file, "first_line": 4}, lines=rest)
    one = alone(finance, "reconciliation", refs["short"], min_position=position)
    assert (one["status"], one["gross"], one["difference"]) == ("MATCHED", 2_000, 0)
    statuses = [each["status"] for each in one["history"]]
    assert statuses[0] == "MISSING_IN_FILE" and statuses[-1] == "MATCHED"


@every_register
def test_what_is_malformed_is_refused_with_its_pointer(
    backend: Caller, register: type[Register]
) -> None:
    asked: dict[str, Any] = dict.fromkeys(register.filters(), "a b")
    asked |= {"status": "odd", "limit": 0, "after": "c", "period": "soon", "older_than": "1y"}
    asked |= {"order": "up", "label.run": ""}
    if register.amount is not None:
        asked["min_amount"] = -1
    for name, value in asked.items():
        answer = backend.ask(register.name, **{name: value})
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST"), name
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


@every_register
def test_what_is_not_there(backend: Caller, register: type[Register]) -> None:
    unknown = backend.ask(f"{register.name}/nobody-s")
    code = f"UNKNOWN_{register.item.upper()}"
    assert (unknown.status_code, unknown.json()["code"]) == (404, code)
    asked = dict.fromkeys(list(register.filters())[:1], "nobody") or {"period": "1999"}
    answer = backend.ask(register.name, **asked).json()
    assert (answer["items"], answer["has_more"], answer["next_cursor"]) == ([], False, None)
