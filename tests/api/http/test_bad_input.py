"""What clients get wrong: each thing is refused with a clear document, and nothing is written."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.cli.books import profile_document
from ledger.api_keys import Role
from tests.api.conftest import SETTINGS, Caller, Tenant, fresh, tip

GOOD = tip("u1", "c1")


@pytest.fixture(autouse=True)
def _writes_nothing(tenant: Tenant) -> Iterator[None]:
    before = tenant.written()
    yield
    assert tenant.written() == before


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Check a problem document and hand it out."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["correlation_id"] == answer.headers["x-correlation-id"]
    return body


def pointers(body: dict[str, Any]) -> set[str]:
    """The fields that a document complains of."""
    return {error["pointer"] for error in body["errors"]}


@pytest.mark.parametrize(
    ("body", "place"),
    [(b'{"user": "u1", oops}', "byte 15"), (b"[1]", "object"), (b"", ""), (b'{"user":"\xff"}', "")],
)
def test_malformed_json(service: Caller, body: bytes, place: str) -> None:
    problem = refused(service.send("send-tip", body), 400, "INVALID_REQUEST")
    (error,) = problem["errors"]
    assert place in error["message"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"colour": "red"}, "/colour"),
        ({"amount": "10"}, "/amount"),
        ({"amount": 0}, "/amount"),
        ({"amount": -1}, "/amount"),
        ({"amount": 10**12 + 1}, "/amount"),
        ({"amount": 2**63}, "/amount"),
        ({"amount": 10**30}, "/amount"),
        ({"amount": 1.5}, "/amount"),
        ({"amount": 10.0}, "/amount"),
        ({"amount": True}, "/amount"),
        ({"amount": None}, "/amount"),
        ({"user": "u 1"}, "/user"),
        ({"user": "u.1"}, "/user"),
        ({"user": "u:1"}, "/user"),
        ({"user": "u\u0000"}, "/user"),
        ({"user": "u\n"}, "/user"),
        ({"user": "\u200bu"}, "/user"),
        ({"user": ""}, "/user"),
        ({"user": "x" * 65}, "/user"),
        ({"user": 7}, "/user"),
        ({"funding": "GOLD"}, "/funding"),
        ({"occurred_at": "2026-01-01T00:00:00"}, "/occurred_at"),
        ({"occurred_at": "2026-13-01T00:00:00Z"}, "/occurred_at"),
        ({"occurred_at": 1}, "/occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00Z"}, "/occurred_at"),
        ({"correlation_id": "a b"}, "/correlation_id"),
        ({"attribution": {"source": "\u0007"}}, "/attribution/source"),
    ],
)
def test_wrong_fields(service: Caller, change: dict[str, Any], pointer: str) -> None:
    answer = service.send("send-tip", GOOD | change)
    assert pointers(refused(answer, 400, "INVALID_REQUEST")) == {pointer}


@pytest.mark.parametrize("funding", ["TOKEN", "CARD"])
@pytest.mark.parametrize("price", [-1, -50, -(10**12)])
def test_a_ticket_never_costs_less_than_nothing(service: Caller, funding: str, price: int) -> None:
    payment = {"processor": "stripe", "processor_ref": fresh("ch")} if funding == "CARD" else {}
    fields = {"user": "u1", "creator": "c1", "item": "stream", "price": price, "funding": funding}
    answer = service.send("buy-ticket", fields | payment)
    assert pointers(refused(answer, 400, "INVALID_REQUEST")) == {"/price"}


def test_every_wrong_field_at_once(service: Caller) -> None:
    answer = service.send("send-tip", {"user": "!", "amount": 0, "funding": "TOKEN", "x": 1})
    found = pointers(refused(answer, 400, "INVALID_REQUEST"))
    assert found == {"/user", "/amount", "/creator", "/x"}


def test_a_field_that_stands_twice(service: Caller) -> None:
    twice = b'{"user":"u1","creator":"c1","funding":"TOKEN","amount":1,"amount":900}'
    problem = refused(service.send("send-tip", twice), 400, "INVALID_REQUEST")
    assert pointers(problem) == {"/amount"}
    line = b'{"command":"send-tip","idempotency_key":"twice",' + twice[1:]
    (answered,) = service.bulk(line).text.splitlines()
    assert pointers(json.loads(answered)) == {"/amount"}


@pytest.mark.parametrize("header", ["Authorization", "Idempotency-Key"])
def test_a_header_that_stands_twice(service: Caller, header: str) -> None:
    headers = {"Authorization": f"Bearer {service.key}", "Idempotency-Key": "twice"}
    twice = [*headers.items(), (header, headers[header])]
    path = f"/v1/books/{service.book}"
    for answer in (
        service.http.post(f"{path}/commands/send-tip", json=GOOD, headers=twice),
        service.http.post(f"{path}/commands", content=b"", headers=twice),
        service.http.get(f"{path}/wallets/u1", headers=twice),
    ):
        problem = refused(answer, 400, "INVALID_REQUEST")
        assert pointers(problem) == {f"/headers/{header.lower()}"}


def test_an_unknown_command(service: Caller) -> None:
    assert "/command" in pointers(refused(service.send("print-money", {}), 400, "INVALID_REQUEST"))


@pytest.mark.parametrize("key", [None, "x" * 256, "a b"])
def test_a_missing_or_unfit_idempotency_key(service: Caller, key: str | None) -> None:
    problem = refused(service.send("send-tip", GOOD, key=key), 400, "INVALID_REQUEST")
    assert pointers(problem) == {"/idempotency_key"}


@pytest.mark.parametrize(
    "key", [None, "nonsense", "tlk_abcdefghjkmn_" + "A" * 43, "Schlüssel"], ids=str
)
def test_no_good_key(tenant: Tenant, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}".encode()}
    answer = tenant.http.post(
        f"/v1/books/{tenant.book.name}/commands/send-tip",
        json=GOOD,
        headers={"Idempotency-Key": "k", **headers},  # type: ignore[dict-item]
    )
    refused(answer, 401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_another_tenants_key(tenant: Tenant, stranger: Tenant) -> None:
    foreign = Caller(tenant.http, tenant.book.name, stranger.caller().key)
    refused(foreign.send("send-tip", GOOD), 401, "UNAUTHENTICATED")


def test_an_unknown_book(tenant: Tenant, service: Caller) -> None:
    lost = Caller(tenant.http, "no-such-book", service.key)
    refused(lost.send("send-tip", GOOD), 401, "UNAUTHENTICATED")
    refused(lost.ask("wallets/u1"), 401, "UNAUTHENTICATED")
    refused(lost.bulk(b"{}"), 401, "UNAUTHENTICATED")
    nobody = Caller(tenant.http, "no-such-book", None)
    refused(nobody.send("send-tip", GOOD), 401, "UNAUTHENTICATED")


def test_a_body_over_the_limit(tenant: Tenant, service: Caller) -> None:
    large = json.dumps(GOOD | {"user": "u" * SETTINGS.body_bytes_max}).encode()
    problem = refused(service.send("send-tip", large), 413, "BODY_TOO_LARGE")
    assert problem["details"]["limit"] == SETTINGS.body_bytes_max
    chunks = (large[start : start + 9_000] for start in range(0, len(large), 9_000))
    answer = tenant.http.post(  # without a content length
        f"/v1/books/{tenant.book.name}/commands/send-tip",
        content=chunks,
        headers={"Authorization": f"Bearer {service.key}", "Idempotency-Key": "k"},
    )
    refused(answer, 413, "BODY_TOO_LARGE")
    lines = b"x" * (SETTINGS.bulk_body_bytes_max + 1)
    refused(service.bulk(lines), 413, "BODY_TOO_LARGE")


def test_an_entry_over_the_limit(tenant: Tenant) -> None:
    packages = {f"package-{n}-{'x' * 40}": {"tokens": 1, "price": 999} for n in range(900)}
    body = profile_document("micro-unlock") | {"packages": packages}
    proposal = {"body": body, "effective_from": "2099-01-01T00:00:00Z"}
    answer = tenant.caller(Role.ADMIN, "ann").send("propose-policy", proposal)
    problem = refused(answer, 413, "BODY_TOO_LARGE")
    assert problem["details"]["limit"] == 65_535


def test_what_the_framework_refuses_is_a_document_too(tenant: Tenant) -> None:
    refused(tenant.http.get("/nowhere"), 404, "NOT_FOUND")
    refused(tenant.http.put("/health/live"), 405, "METHOD_NOT_ALLOWED")
    path = f"/v1/books/{tenant.book.name}/commands/send-tip"
    refused(tenant.http.get(path), 405, "METHOD_NOT_ALLOWED")
    refused(tenant.http.post(f"{path}/x"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("wallets/a.b", "/user"),
        ("wallets/u1?min_position=-1", "/min_position"),
        ("wallets/u1?min_position=9223372036854775808", "/min_position"),
        ("wallets/u1?min_position=x", "/min_position"),
        ("events?limit=0", "/limit"),
        ("events?limit=1001", "/limit"),
        ("events?after=elephant", "/after"),
        ("events?after=c!!", "/after"),
        ("events?after=99999999999999999999", "/after"),
        ("events?tag=a%00b", "/tag"),
        ("events/0", "/position"),
        ("events/0/entry", "/position"),
        ("events/0/related", "/position"),
        ("events?order=up", "/order"),
        ("events?fields=all", "/fields"),
        ("events?event_id=7", "/event_id"),
        ("events?command=Send+Tip", "/command"),
        ("analytics/daily?from=2026-01-02&to=2026-01-01", "/to"),
        ("analytics/daily?from=2026-01-02", "/to"),
        ("analytics/daily?to=2026-01-02", "/from"),
        ("analytics/daily", "/from"),
        ("analytics/daily?period=2026-01&from=2026-01-02", "/period"),
        ("analytics/daily?period=2026-02-30", "/period"),
        ("analytics/daily?period=2026-11-02..2026-11-01", "/period"),
        ("analytics/daily?period=lately", "/period"),
        ("analytics/daily?period=year-9999", "/period"),
        ("analytics/daily?from=yesterday&to=2026-01-01", "/from"),
        ("accounts/bank/statement?asset=USD&effective_on=2026-01-01", "/effective_on"),
        ("accounts/bank/statement?asset=USD&after=c123", "/after"),
        ("accounts/bank/statement?asset=USD&period=2026-00", "/period"),
        ("accounts/bank/statement", "/asset"),
        ("accounts/bank/statement?asset=USD&max_amount=-1", "/max_amount"),
        ("accounts/cr.*/statement?asset=USD", "/account"),
        ("accounts/cr.*/series?asset=USD", "/account"),
        ("accounts/*/restatement?asset=USD&effective_on=2026-01-01&position=1", "/account"),
        ("journal?account=cr.*", "/account"),
        ("accounts?prefix=cr.*", "/prefix"),
        ("accounts?prefix=cr..zoe", "/prefix"),
        ("accounts?prefix=cr&depth=0", "/depth"),
        ("accounts?after=c123", "/after"),
        ("accounts?prefix=cr&after=c123", "/after"),
        ("trial-balance?by=class&after=c123", "/after"),
        ("trial-balance?limit=1001", "/limit"),
        ("trial-balance?after=c123", "/after"),
        ("journal?effective_on=2026-01-01", "/effective_on"),
        ("journal?type=Tip!", "/type"),
        ("journal?after=c123", "/after"),
        ("journal?period=2026-13", "/period"),
        ("journal?label.x=a&label.x=b", "/label.x"),
        ("journal?order=up", "/order"),
        ("accounts/bank/series?asset=USD&interval=hour", "/interval"),
        ("accounts/bank/series?asset=USD&period=2020-01-01..2026-01-01", "/interval"),
        ("events/0/balances", "/position"),
        ("accounts/bank/restatement?asset=USD&effective_on=2026-01-01", "/at"),
        ("accounts/bank/restatement?asset=USD&position=1", "/effective_on"),
        ("trial-balance?at=2026-01-01T00:00:00", "/at"),
        ("trial-balance?position=1&at=2026-01-01T00:00:00Z", "/at"),
    ],
)
def test_bad_questions(service: Caller, path: str, pointer: str) -> None:
    answer = service.http.get(f"/v1/books/{service.book}/{path}", headers=service._headers())
    assert pointers(refused(answer, 400, "INVALID_REQUEST")) == {pointer}


def test_a_fault_shows_nothing_of_the_inside(
    tenant: Tenant, service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("api.http.commands.single.admit", broken)
    problem = refused(service.send("send-tip", GOOD), 500, "INTERNAL")
    assert "secret" not in json.dumps(problem)
    monkeypatch.setattr("projections.queries.wallet", broken)
    refused(service.ask("wallets/u1"), 500, "INTERNAL")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 50_000,
        b'{"a":' * 15_000 + b"1" + b"}" * 15_000,
        b'{"user": "\\ud800"}',
        b'{"amount": 1e400}',
        b'{"amount": NaN}',
        b'{"user": "u1", "user": "u2", "amount": -1}',
        b"\x00",
        b"\xef\xbb\xbf{}",
        b'{"amount": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_hostile_json(service: Caller, body: bytes) -> None:
    refused(service.send("send-tip", body), 400, "INVALID_REQUEST")
    found = service.bulk(body.replace(b"\n", b""))
    assert found.status_code == 200 and found.json()["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize("book", ["%00", "%ff", "%ed%a0%80", "a'b", "x" * 300, "%2e%2e", "ü"])
def test_hostile_book_names(service: Caller, book: str) -> None:
    lost = Caller(service.http, book, service.key)
    refused(lost.ask("events"), 401, "UNAUTHENTICATED")
    refused(lost.send("send-tip", GOOD), 401, "UNAUTHENTICATED")


def test_keys_stay_out_of_the_logs(service: Caller) -> None:
    with capture_logs() as logged:
        refused(service.send("send-tip", b"{"), 400, "INVALID_REQUEST")
        refused(service.ask("events/999999999"), 404, "UNKNOWN_EVENT")
    assert [line["code"] for line in logged] == ["INVALID_REQUEST", "UNKNOWN_EVENT"]
    assert service.key is not None and service.key[-20:] not in repr(logged)
