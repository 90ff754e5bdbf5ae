"""Commands one by one: shapes, statuses, replays, and the order in which refusals come."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.cli.books import profile_document
from ledger.api_keys import Kind, Role, create_key
from ledger.postgres.database import connect
from tests.api.conftest import Caller, Tenant, fresh, purchase, tip

PROBLEM_FIELDS = {
    "type", "title", "status", "detail", "message", "code", "details", "retryable",
    "correlation_id",
}  # fmt: skip


def test_an_accepted_command_shows_its_events(tenant: Tenant, service: Caller) -> None:
    user = tenant.funded()
    answer = service.send("send-tip", tip(user, "c1"))
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"outcome", "command", "position", "recorded_at", "events"}
    assert (body["outcome"], body["command"]) == ("accepted", "send-tip")
    (event,) = body["events"]
    assert set(event) == {"position", "event_id", "type", "body"}
    assert event["type"] == "tip.sent.v1" and event["position"] == body["position"]
    assert body["recorded_at"].endswith("Z")


def test_nothing_to_do_is_accepted_without_events(tenant: Tenant, service: Caller) -> None:
    wanted = {"subject": fresh("u"), "kind": "wallet", "scope": "SPEND", "reason_code": "X"}
    first = service.send("freeze", wanted).json()
    again = service.send("freeze", wanted).json()
    assert len(first["events"]) == 1
    assert again["events"] == [] and again["position"] >= first["position"]


def test_a_contradicting_notice_is_suspended(service: Caller) -> None:
    answer = service.send("record-purchase", purchase(fresh("u"), price=998), key=None)
    assert answer.status_code == 202
    assert (answer.json()["outcome"], answer.json()["code"]) == ("suspended", "PRICE_MISMATCH")
    assert answer.json()["events"]


@pytest.mark.parametrize("key", ["{}", '"{}"'], ids=["bare", "quoted"])
def test_a_replay_gets_the_same_bytes(tenant: Tenant, service: Caller, key: str) -> None:
    fields, name = tip(tenant.funded(), "c1"), fresh("replay")
    first = service.send("send-tip", fields, key=name)
    before = tenant.written()
    again = service.send("send-tip", fields, key=key.format(name))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert tenant.written() == before


def test_a_rejection_is_replayed_too(service: Caller) -> None:
    fields, key = tip(fresh("poor"), "c1"), fresh("replay")
    first = service.send("send-tip", fields, key=key)
    again = service.send("send-tip", fields, key=key)
    assert first.status_code == again.status_code == 402
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == "application/problem+json"


def test_a_notice_is_known_by_its_reference(service: Caller) -> None:
    fields = purchase(fresh("u"))
    first = service.send("record-purchase", fields, key=None)
    again = service.send("record-purchase", fields, key="some-key")
    assert first.status_code == 201 and first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"


def test_many_at_once_with_one_key_have_one_effect(tenant: Tenant, service: Caller) -> None:
    fields, key = tip(tenant.funded(), "c1"), fresh("race")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: service.send("send-tip", fields, key=key), range(32)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


def test_a_problem_document(service: Caller) -> None:
    answer = service.send("send-tip", tip(fresh("poor"), "c1", 13))
    assert answer.status_code == 402
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == PROBLEM_FIELDS
    assert body["message"] == body["detail"] == "the wallet holds 0 tokens; 13 are needed"
    assert body["type"] == "urn:tokenledger:problem:insufficient-tokens"
    assert body["details"] == {"required": 13, "current": 0, "shortfall": 13}
    assert body["retryable"] is False and body["status"] == 402


def test_correlation_ids(tenant: Tenant, service: Caller) -> None:
    given = {"X-Correlation-Id": "from-header"}
    user = tenant.funded()
    answer = service.send("send-tip", tip(user, "c1"), **given)
    assert answer.headers["x-correlation-id"] == "from-header"
    refused = service.send("send-tip", tip(fresh("poor"), "c1"), **given)
    assert refused.json()["correlation_id"] == refused.headers["x-correlation-id"] == "from-header"
    in_body = service.send("send-tip", tip(user, "c1") | {"correlation_id": "from-body"}, **given)
    assert in_body.headers["x-correlation-id"] == "from-body"
    unfit = service.send("send-tip", tip(user, "c1"), **{"X-Correlation-Id": "not an id!"})
    assert unfit.status_code == 201
    made = unfit.headers["x-correlation-id"]
    assert made != "not an id!"
    tagged = tenant.caller().ask("events", tag=f"wallet:{user}").json()["events"]
    ids = [event["correlation_id"] for event in tagged[1:]]
    assert ids == ["from-header", "from-body", made]


def test_only_a_service_acts_for_others(tenant: Tenant) -> None:
    finance = tenant.caller(Role.FINANCE, "fin")
    grant = {"user": "u", "tokens": 1, "reason_code": "X", "on_behalf_of": "somebody"}
    answer = finance.send("grant-promo", grant)
    assert (answer.status_code, answer.json()["code"]) == (403, "ROLE_FORBIDDEN")


def test_a_proposer_may_not_approve(tenant: Tenant) -> None:
    admin = tenant.caller(Role.ADMIN, "ann")
    body = profile_document("micro-unlock")
    proposal = {"body": body, "effective_from": "2099-01-01T00:00:00Z"}
    proposed = admin.send("propose-policy", proposal)
    assert proposed.status_code == 201, proposed.text
    version = proposed.json()["events"][0]["body"]["version"]
    answer = admin.send("approve-policy", {"version": version})
    assert (answer.status_code, answer.json()["code"]) == (403, "SELF_APPROVAL_FORBIDDEN")
    other = tenant.caller(Role.APPROVER, "zoe").send("approve-policy", {"version": version})
    assert other.status_code == 201
    unknown = admin.send("approve-policy", {"version": 99})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "UNKNOWN_POLICY")


def test_a_machine_approves_nothing(tenant: Tenant) -> None:
    with connect(tenant.where.admin_url) as admin:
        keys = {
            kind: create_key(
                admin, tenant.book.name, role=Role.APPROVER, actor="robot", kind=kind
            ).key
            for kind in (Kind.MACHINE, Kind.PERSON)
        }
    answers = {
        kind: Caller(tenant.http, tenant.book.name, key).send("approve-payout", {"payout": "p"})
        for kind, key in keys.items()
    }
    refused = answers[Kind.MACHINE]
    assert (refused.status_code, refused.json()["code"]) == (403, "ROLE_FORBIDDEN")
    assert answers[Kind.PERSON].json()["code"] == "UNKNOWN_PAYOUT"


def test_refusals_come_in_order(tenant: Tenant) -> None:
    """Unauthenticated before malformed before role before receipt before what decides."""
    service, fan = tenant.caller(), tenant.caller(Role.FAN, "fan-1")
    nobody = Caller(tenant.http, tenant.book.name, None)
    good, bad = tip("same", "same"), tip("same", "same") | {"amount": 0}
    assert nobody.send("send-tip", bad).json()["code"] == "UNAUTHENTICATED"
    assert nobody.send("send-tip", good).json()["code"] == "UNAUTHENTICATED"
    assert fan.send("send-tip", bad).json()["code"] == "INVALID_REQUEST"
    assert fan.send("send-tip", good).json()["code"] == "ROLE_FORBIDDEN"
    key = fresh("key")
    assert service.send("send-tip", good, key=key).json()["code"] == "SELF_DEALING"
    reused = service.send("send-tip", good | {"amount": 3}, key=key)
    assert (reused.status_code, reused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_an_unlock_twice_is_a_conflict(tenant: Tenant, service: Caller) -> None:
    unlock = {"user": tenant.funded(), "creator": "c1", "item": "i1", "funding": "TOKEN"}
    assert service.send("unlock", unlock | {"price": 99}).status_code == 201
    answer = service.send("unlock", unlock | {"price": 99})
    assert (answer.status_code, answer.json()["code"]) == (409, "ALREADY_ENTITLED")
    outside = service.send("unlock", unlock | {"item": "i2", "price": 98})
    assert (outside.status_code, outside.json()["code"]) == (422, "PRICE_OUT_OF_RANGE")
