"""Health, metrics and documentation, at the root."""

import re
from typing import Any

import httpx
import pytest
import schemathesis

from api.http import volume_metrics
from api.http.queries.catalogue import QUESTIONS
from domain.catalogue import COMMANDS
from ledger.postgres.database import connect
from ledger.write.volume import VOLUME_MAX
from tests.api.conftest import Tenant, fresh, tip


def test_alive_and_ready(tenant: Tenant) -> None:
    assert tenant.http.get("/health/live").json() == {"status": "alive"}
    key = {"Authorization": f"Bearer {tenant.caller().key}"}
    ready = tenant.http.get("/health/ready", headers=key)
    assert ready.status_code == 200 and ready.json()["database"] == {"status": "ok"}
    shown = ready.json()["books"][tenant.book.name]
    names = {projection["name"] for projection in shown["projections"]}
    assert {"wallets", "earnings", "entitlements", "journal", "daily"} <= names
    for projection in shown["projections"]:
        assert {"status", "position", "lag_events", "lag_s"} <= set(projection)


def test_metrics_count_outcomes(tenant: Tenant) -> None:
    service, user = tenant.caller(), tenant.funded(5)
    service.send("send-tip", tip(user, "c1", 5))
    service.send("send-tip", tip(user, "c1", 5))
    service.send("no-such-command-at-all", {})
    page = tenant.http.get("/metrics").text
    book = tenant.book.name
    assert f'book="{book}",code="",command="send-tip",outcome="accepted"' in page
    assert f'book="{book}",code="INSUFFICIENT_TOKENS",command="send-tip",outcome="refused"' in page
    assert "no-such-command-at-all" not in page
    for name in (
        "tokenledger_batch_commands_bucket",
        "tokenledger_answer_seconds_bucket",
        "tokenledger_queue_commands",
        "tokenledger_cache_entities",
        "tokenledger_projection_lag_seconds",
        "tokenledger_projection_position",
        "tokenledger_database_up 1.0",
    ):
        assert name in page


def test_parked_notices_are_counted(tenant: Tenant) -> None:
    service = tenant.caller()
    key = {"Authorization": f"Bearer {service.key}"}

    def parked() -> int:
        health = tenant.http.get("/health/ready", headers=key).json()["books"][tenant.book.name]
        notices = health["notices"]
        assert (notices["status"], notices["parked_max"]) == ("ok", 100_000)
        assert notices["oldest_s"] >= 0
        count: int = notices["parked"]
        return count

    before = parked()
    fields = {"sale": "none", "cumulative": 1, "processor": "stripe", "processor_ref": fresh("r")}
    assert service.send("record-refund", fields).status_code == 202
    assert parked() == before + 1
    page = tenant.http.get("/metrics").text
    assert f'tokenledger_parked_notices{{book="{tenant.book.name}"}} {before + 1}.0' in page
    assert f'tokenledger_parked_notices_oldest_seconds{{book="{tenant.book.name}"}}' in page


def test_a_volume_that_fills_is_an_alarm(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"Authorization": f"Bearer {tenant.caller().key}"}
    name, told = tenant.book.name, list[dict[str, Any]]()
    monkeypatch.setattr(
        volume_metrics.log, "warning", lambda text, **more: told.append(more | {"text": text})
    )

    def volume() -> tuple[str, float]:
        health = tenant.http.get("/health/ready", headers=key).json()
        shown: str = health["books"][name]["volume"]["status"]
        assert shown == "ok" or health["status"] == "degraded"
        page = tenant.http.get("/metrics").text
        (used,) = re.findall(f'^tokenledger_volume_used{{book="{name}"}} (.+)$', page, re.MULTILINE)
        return shown, float(used)

    assert volume()[0] == "ok"
    with connect(tenant.where.admin_url, tenant.book.schema, autocommit=True) as admin:
        row = admin.execute("SELECT volume FROM head").fetchone()
        try:
            for part, status in ((0.79, "ok"), (0.81, "filling"), (1.0, "full")):
                admin.execute("UPDATE head SET volume = %s", [int(VOLUME_MAX * part)])
                assert volume() == (status, part)
        finally:
            admin.execute("UPDATE head SET volume = %s", row)
    assert [each["status"] for each in told if each["book"] == name] == ["filling"]


NOTICES = {
    "charge-period",
    "close-dispute",
    "fail-payment",
    "fail-period",
    "fail-refund",
    "open-dispute",
    "record-purchase",
    "record-refund",
}
"""Commands that are notices whatever they say; all others may need an idempotency key."""


def test_the_openapi_document_is_valid_and_complete(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    schemathesis.openapi.from_dict(document).validate()
    for name, model in COMMANDS.items():
        operation = document["paths"][f"/v1/books/{{book}}/commands/{name}"]["post"]
        assert operation["summary"] and "Roles" in operation["description"]
        assert {"201", "400", "401", "403", "422", "503"} <= set(operation["responses"])
        schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        component = document["components"]["schemas"][schema.rsplit("/", 1)[1]]
        assert set(component["properties"]) == set(model.field_names())
        keyed = any(each["name"] == "Idempotency-Key" for each in operation["parameters"])
        assert keyed == (name not in NOTICES)
    for question in QUESTIONS:
        operation = document["paths"][f"/v1/books/{{book}}{question.path}"][question.method.lower()]
        assert question.who_may.description in operation["description"]
        parameters = {each["name"] for each in operation["parameters"]}
        assert {"book", "min_position", "Prefer"} <= parameters
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        component = document["components"]["schemas"][schema.rsplit("/", 1)[1]]
        fields = question.schema.model_fields
        assert set(component["properties"]) == {f.alias or name for name, f in fields.items()}
    operations = [each for path in document["paths"].values() for each in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert {"send_tip", "send_commands", "read_trial_balance", "check_liveness"} <= set(names)
    for operation in operations:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"])
        refusals = {s: r for s, r in operation["responses"].items() if s[0] in "45" and s != "503"}
        for refusal in refusals.values():
            assert list(refusal["content"]) == ["application/problem+json"]
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])
    assert "text/html" in http.get("/docs").headers["content-type"]
