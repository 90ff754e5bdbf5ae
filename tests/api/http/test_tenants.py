"""Who sees what: every route with another tenant's key, and every role on every question."""

import re

import pytest

from api.http.queries import catalogue
from domain.catalogue import COMMANDS
from ledger.api_keys import Role
from tests.api.conftest import Caller, Tenant

QUESTIONS = (
    "",
    "wallets/fan-1",
    "creators/star-1/earnings",
    "creators",
    "creators/star-1/statement",
    "creators/star-1/payable",
    "creators/star-1/fans",
    "users/fan-1/creators",
    "leaderboards?of=fans",
    "call-statistics?from=2026-01-01&to=2026-01-02",
    "entitlements/fan-1/i1",
    "entitlements?user=fan-1",
    "entitlements/check",
    "trial-balance",
    "accounts/suspense/balance?asset=USD",
    "accounts/suspense/statement?asset=USD",
    "accounts/suspense/restatement?asset=USD&effective_on=2026-01-01&position=0",
    "accounts/suspense/series?asset=USD",
    "accounts/cr.*.available/statement?asset=USD",
    "journal",
    "accounts",
    "events/1/balances",
    "events/1/entry",
    "events/1/related",
    "analytics/daily?from=2026-01-01&to=2026-01-02",
    "analytics/weekly?from=2026-01-01&to=2026-01-02",
    "analytics/monthly?from=2026-01-01&to=2026-01-02",
    "events",
    "events/1",
    "offers",
    "offers/none",
    "notices",
    "notices/stripe:record-purchase:nobody-s",
    "risk",
    "tiers",
    "tiers/fan-1",
    "consistency",
    "status",
    "explain?of=wallet:fan-1:free.paid",
    "revenue?from=2026-01-01&to=2026-01-02",
    "attribution?from=2026-01-01&to=2026-01-02",
    "liability",
    "wallets",
    "wallets/fan-1/lots",
    "wallets/fan-1/statement",
    "payouts",
    "payouts/none",
    "disputes",
    "disputes/none",
    "sales",
    "sales/none",
    "purchases",
    "purchases/none",
    "payments",
    "payments/none",
    "holds",
    "holds/none",
    "authorizations",
    "authorizations/none",
    "calls",
    "calls/none",
    "subscriptions",
    "subscriptions/none",
    "adjustments",
    "adjustments/none",
    "refunds",
    "refunds/none",
    "invoices",
    "invoices/none",
    "freezes",
    "freezes/none",
    "policies",
    "policies/none",
    "periods",
    "periods/none",
    "settlements",
    "settlements/none",
    "breaks",
    "reconciliation",
    "reconciliation/none",
    "breaks/none",
    "parked-messages",
    "parked-messages/commands:0:1",
)
READERS = (Role.SERVICE, Role.FINANCE, Role.ADMIN, Role.APPROVER, Role.AUDITOR)
#: What a reader is told who asks for something that nobody has or that is not there.
ABSENT = {
    "entitlements/fan-1/i1": 402,
    "parked-messages/commands:0:1": 404,
    "offers/none": 404,
    "payouts/none": 404,
    "disputes/none": 404,
    "sales/none": 404,
    "purchases/none": 404,
    "payments/none": 404,
    "holds/none": 404,
    "authorizations/none": 404,
    "calls/none": 404,
    "subscriptions/none": 404,
    "adjustments/none": 404,
    "refunds/none": 404,
    "invoices/none": 404,
    "freezes/none": 404,
    "policies/none": 404,
    "periods/none": 404,
    "settlements/none": 404,
    "breaks/none": 404,
    "reconciliation/none": 404,
    "notices/stripe:record-purchase:nobody-s": 404,
}
#: Registers whose rows have a fan, who reads their own.
OF_FANS = (
    "refunds",
    "invoices",
    "freezes",
    "disputes",
    "sales",
    "purchases",
    "payments",
    "holds",
    "authorizations",
    "calls",
    "subscriptions",
)
PERSONAL = {
    (Role.FAN, "wallets/fan-1"): 200,
    (Role.FAN, "tiers"): 200,
    (Role.FAN, "tiers/fan-1"): 200,
    (Role.FAN, "wallets/fan-1/lots"): 200,
    (Role.FAN, "wallets/fan-1/statement"): 200,
    (Role.FAN, "entitlements/fan-1/i1"): 402,
    (Role.FAN, "entitlements?user=fan-1"): 200,
    (Role.FAN, "entitlements/check"): 403,
    (Role.CREATOR, "entitlements/check"): 403,
    (Role.CREATOR, "creators/star-1/earnings"): 200,
    (Role.CREATOR, "creators/star-1/statement"): 200,
    (Role.CREATOR, "creators/star-1/payable"): 200,
    (Role.CREATOR, "creators/star-1/fans"): 200,
    (Role.FAN, "users/fan-1/creators"): 200,
    (Role.FAN, "call-statistics?from=2026-01-01&to=2026-01-02"): 200,
    (Role.CREATOR, "call-statistics?from=2026-01-01&to=2026-01-02"): 200,
    (Role.CREATOR, "payouts"): 200,
    (Role.CREATOR, "payouts/none"): 404,
    **{(Role.FAN, name): 200 for name in OF_FANS},
    **{(Role.FAN, f"{name}/none"): 404 for name in OF_FANS},
}
#: What is asked with a body.
BODIES = {"entitlements/check": {"checks": [{"user": "fan-1", "item": "i1"}]}}
ACTORS = {Role.FAN: "fan-1", Role.CREATOR: "star-1"}


def test_no_question_is_left_out_here() -> None:
    asked = {f"/{question.partition('?')[0]}".rstrip("/") for question in QUESTIONS}
    for question in catalogue.QUESTIONS:
        path = re.compile(re.sub(r"\{\w+\}", "[^/]+", question.path))
        assert any(path.fullmatch(each) for each in asked), f"{question.name} is not asked"


def _with_key_of(other: Tenant, tenant: Tenant, role: Role) -> Caller:
    key = other.caller(role, ACTORS.get(role, "somebody")).key
    return Caller(tenant.http, tenant.book.name, key)


@pytest.mark.parametrize("question", QUESTIONS)
def test_another_tenants_key_opens_no_question(
    tenant: Tenant, stranger: Tenant, question: str
) -> None:
    for role in Role:
        answer = _with_key_of(stranger, tenant, role).ask(question, body=BODIES.get(question))
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_another_tenants_key_opens_no_command(
    tenant: Tenant, stranger: Tenant, command: str
) -> None:
    before = tenant.written()
    for role in Role:
        answer = _with_key_of(stranger, tenant, role).send(command, {"nonsense": 1})
        assert answer.status_code in {400, 401}
    assert tenant.written() == before


def test_another_tenants_key_opens_no_bulk(tenant: Tenant, stranger: Tenant) -> None:
    for role in Role:
        assert _with_key_of(stranger, tenant, role).bulk(b"{}").status_code == 401


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("role", list(Role))
def test_what_a_role_may_read(tenant: Tenant, role: Role, question: str) -> None:
    answer = tenant.caller(role, ACTORS.get(role, "reader")).ask(
        question, body=BODIES.get(question)
    )
    if role in READERS:
        expected = ABSENT.get(question, 200)
    else:
        personal = question.startswith(
            ("wallets/", "users/", "creators/", "entitlements", "tiers/")
        )
        hidden = 404 if personal and role is not Role.MODERATOR else 403
        expected = PERSONAL.get((role, question), hidden)
    assert answer.status_code == expected, answer.text


def test_a_fan_finds_nobody_else(tenant: Tenant) -> None:
    fan = tenant.caller(Role.FAN, "fan-1")
    other = fan.ask("wallets/fan-2")
    assert (other.status_code, other.json()["code"]) == (404, "UNKNOWN_USER")
    star = tenant.caller(Role.CREATOR, "star-1")
    assert star.ask("creators/star-2/earnings").json()["code"] == "UNKNOWN_CREATOR"
    assert star.ask("wallets/star-1").status_code == 404


def test_a_command_is_for_its_roles(tenant: Tenant) -> None:
    wanted = {"subject": "u9", "kind": "wallet", "scope": "SPEND", "reason_code": "X"}
    assert tenant.caller(Role.MODERATOR, "mod").send("freeze", wanted).status_code == 201
    for role in (Role.AUDITOR, Role.FAN, Role.CREATOR, Role.APPROVER, Role.ADMIN):
        answer = tenant.caller(role, "reader").send("unfreeze", wanted)
        assert (answer.status_code, answer.json()["code"]) == (403, "ROLE_FORBIDDEN")


def test_a_key_knows_its_book(tenant: Tenant, stranger: Tenant) -> None:
    for each in (tenant, stranger):
        key = each.caller(Role.AUDITOR, "eve").key
        answer = each.http.get("/v1/books", headers={"Authorization": f"Bearer {key}"})
        head, _ = each.written()
        assert answer.json() == {
            "books": [{"book": each.book.name, "role": "auditor", "head": head}]
        }
    for headers in ({}, {"Authorization": "Bearer tlk_nothing"}):
        refused = tenant.http.get("/v1/books", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "UNAUTHENTICATED")
