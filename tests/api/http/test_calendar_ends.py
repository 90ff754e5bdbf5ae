"""Every question with a date, asked at both ends of the calendar: an answer, or what is wrong."""

import os
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import httpx
import pytest

from api.cli.books import profile_document
from api.http.queries import catalogue
from api.provisioning import Provisioning, provision_book
from ledger.postgres.database import Database
from tests.api.conftest import Caller, Tenant, tip

DATES = ("0001-01-01", "0001-01-02", "9999-12-30", "9999-12-31")
TIMES = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-12:00",
)  # fmt: skip
PERIODS = ("1000", "FY1000", "1000-W01", "9999", "FY9999", "9999-Q4", "9999-12", "9999-W52",
           "9999-12-31", "1000-01-01..9999-12-31", "year-2025", "week-9999")  # fmt: skip
#: What a path names, and what is asked for besides.
NAMED = {"account": "suspense", "position": "1", "user": "u1", "creator": "c1"}
WANTED = {"asset": "USD", "year": "2026"}


@pytest.fixture(scope="module", params=["America/Los_Angeles", "Pacific/Auckland"])
def service(http: httpx.Client, database: Database, request: pytest.FixtureRequest) -> Caller:
    """The backend of a book whose days end later, or earlier, than the calendar's in UTC."""
    name = f"Ends-{os.getpid()}-{request.param.partition('/')[2]}"
    policy = profile_document("micro-unlock") | {"time_zone": request.param}
    book = provision_book(
        database, name, Provisioning(policy, "1970-01-01T00:00:00Z", "ann", "bob")
    )
    tenant = Tenant(http, database, book)
    sent = tenant.caller().send("send-tip", tip(tenant.funded(10), "c1", 1)).json()
    assert tenant.caller().ask("trial-balance", min_position=sent["position"]).status_code == 200
    return tenant.caller()


@pytest.fixture(scope="module")
def parameters(http: httpx.Client) -> dict[str, dict[str, Any]]:
    """By question: its parameters, as the OpenAPI document has them."""
    document = http.get("/openapi.json").json()
    found = {}
    for question in catalogue.QUESTIONS:
        (route,) = document["paths"][f"/v1/books/{{book}}{question.path}"].values()
        found[question.name] = {each["name"]: each for each in route.get("parameters", ())}
    return found


def _kind(parameter: dict[str, Any]) -> str | None:
    schema = parameter["schema"]
    forms = {each.get("format") for each in (schema, *schema.get("anyOf", ()))}
    return "period" if parameter["name"] == "period" else next(iter(forms - {None}), None)


def _asked(known: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Each date and time at each end alone, and every pair of dates."""
    required = {name: WANTED[name] for name in known if name in WANTED}
    dates = [name for name, each in known.items() if _kind(each) == "date"]
    times = [name for name, each in known.items() if _kind(each) == "date-time"]
    for day, at in product((None, *DATES), (None, *TIMES)):
        for some in ([name] for name in (dates or ["none"])):
            dated = dict.fromkeys(some, day) if day and dates else {}
            yield required | dated | (dict.fromkeys(times, at) if at else {})
    for pair in product(DATES, DATES) if len(dates) > 1 else ():
        yield required | dict(zip(dates, pair, strict=False))
    for day in DATES if dates and "position" in known else ():
        yield required | dict.fromkeys(dates, day) | {"position": "1"}
    for interval in ("day", "week", "month") if "interval" in known else ():
        for day in DATES:
            yield required | {"interval": interval, "from": day, "to": day}
    for text in PERIODS if "period" in known else ():
        yield required | {"period": text}


def test_no_date_is_a_fault(service: Caller, parameters: dict[str, dict[str, Any]]) -> None:
    dated, wrong = set(), []
    for question in catalogue.QUESTIONS:
        known = parameters[question.name]
        if not {"date", "date-time", "period"} & {_kind(each) for each in known.values()}:
            continue
        dated.add(question.name)
        path = re.sub(r"\{(\w+)\}", lambda name: NAMED.get(name[1], "none"), question.path)
        for asked in {tuple(sorted(each.items())) for each in _asked(known)}:
            answer = service.ask(path.removeprefix("/"), prefer="wait=0", **dict(asked))
            if answer.status_code not in {200, 400, 402, 404}:
                wrong.append((question.name, asked, answer.status_code))
    assert not wrong
    assert dated >= {"read_trial_balance", "read_statement", "read_revenue", "read_daily"}


def test_the_last_day_of_the_calendar_is_repeated(service: Caller) -> None:
    asked = {"asset": "USD", "from": "0001-01-01", "to": "9999-12-31"}
    body = service.ask("accounts/suspense/statement", **asked).json()
    assert (body["from"], body["to"]) == (asked["from"], asked["to"])
    whole = service.ask("accounts/suspense/statement", asset="USD").json()
    assert (whole["from"], whole["to"]) == (None, None)
