"""The log as a list: by what entries say, in either order, and what is near an event."""

from hashlib import sha256
from typing import Any

import pytest

from api.http.queries import events
from tests.api.conftest import Caller, Tenant, fresh, shaped, tip


@pytest.fixture(scope="module")
def sent(tenant: Tenant, service: Caller) -> list[dict[str, Any]]:
    """Five tips of one user, the third of them with a correlation id of its own."""
    user, answers = tenant.funded(100), []
    for number in range(5):
        headers = {"X-Correlation-Id": "third-tip"} if number == 2 else {}
        answer = service.send("send-tip", tip(user, "c1", 1 + number), **headers)
        answers.append(answer.json() | {"user": user})
    return answers


def _pages(service: Caller, **asked: Any) -> list[dict[str, Any]]:
    pages = [service.ask("events", **asked).json()]
    while pages[-1]["has_more"]:
        pages.append(service.ask("events", **asked | {"after": pages[-1]["next_cursor"]}).json())
    return pages


def _positions(pages: list[dict[str, Any]]) -> list[int]:
    return [event["position"] for page in pages for event in page["events"]]


def test_the_newest_first(service: Caller, sent: list[dict[str, Any]]) -> None:
    tag = f"wallet:{sent[0]['user']}"
    forwards = _positions(_pages(service, tag=tag))
    filters: list[dict[str, str]] = [
        {}, {"type": "tip.sent.v1"}, {"actor": "backend"}, {"fields": "summary"}
    ]  # fmt: skip
    for more in filters:
        pages = _pages(service, tag=tag, order="desc", limit=2, **more)
        wanted = forwards[1:] if "type" in more else forwards
        assert _positions(pages) == wanted[::-1]
        assert len({page["as_of_position"] for page in pages}) == 1
    whole = _positions(_pages(service, limit=500))
    assert _positions(_pages(service, order="desc", limit=500)) == whole[::-1]
    (last,) = service.ask("events", order="desc", type="tip.sent.v1", limit=1).json()["events"]
    assert last["position"] == sent[-1]["position"]
    service.send("send-tip", tip(sent[0]["user"], "c1", 1))
    news = _pages(service, tag=tag, order="desc", after=pages[-1]["next_cursor"])
    assert len(_positions(news)) == 1


def test_by_what_only_entries_say(
    service: Caller, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_CHUNK", 2)
    monkeypatch.setattr(events, "LOOKED_MAX", 4)
    for order in ("asc", "desc"):
        pages = _pages(service, correlation_id="third-tip", order=order)
        assert _positions(pages) == [sent[2]["position"]]
        assert len(pages) > 1
    user = f"wallet:{sent[0]['user']}"
    assert len(_positions(_pages(service, tag=user, command="send-tip"))) >= 5
    assert _positions(_pages(service, tag=user, command="unlock")) == []
    assert _positions(_pages(service, tag=user, actor="nobody")) == []
    (event,) = sent[1]["events"]
    filters: list[dict[str, str]] = [{}, {"type": "a.b"}, {"actor": "nobody"}]
    for more in filters:
        body = service.ask("events", event_id=event["event_id"], **more).json()
        shaped(events.Events, body)
        assert _positions([body]) == ([] if more else [event["position"]])
    other = "01900000-0000-7000-8000-000000000000"
    assert service.ask("events", event_id=other).json()["events"] == []
    found_as = service.ask("events", event_id=event["event_id"], fields="summary").json()
    assert set(found_as["events"][0]) == {"position", "actor", *events.SUMMARY}


def test_the_bytes_of_an_entry(service: Caller, sent: list[dict[str, Any]]) -> None:
    path = f"events/{sent[0]['position']}"
    leaf = service.ask(path).json()["leaf_hash"]
    answer = service.ask(f"{path}/entry")
    assert answer.headers["etag"] == f'"{leaf}"'
    assert sha256(b"\0" + answer.content).hexdigest() == leaf
    headers = service._headers() | {"If-None-Match": answer.headers["etag"]}
    again = service.http.get(f"/v1/books/{service.book}/{path}/entry", headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    assert service.ask("events/999999999/entry").status_code == 404


def test_what_is_related(tenant: Tenant, service: Caller) -> None:
    user, creator = tenant.funded(500), fresh("creator")
    unlock = {"user": user, "creator": creator, "item": "i1", "funding": "TOKEN", "price": 200}
    sold = service.send("unlock", unlock).json()
    sale = sold["events"][0]["body"]["sale_id"]
    refunded = service.send("refund", {"sale": sale, "amount": 200, "reason_code": "R"}).json()
    body = service.ask(f"events/{sold['position']}/related").json()
    shaped(events.RelatedEvents, body)
    assert {
        "position": refunded["position"],
        "type": refunded["events"][-1]["type"],
        "relation": f"sale:{sale}",
    } in body["items"]
    assert sold["position"] not in {item["position"] for item in body["items"]}
    assert service.ask("events/999999999/related").status_code == 404
