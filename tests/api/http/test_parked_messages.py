"""Parked messages over HTTP: who may see them, and who decides what becomes of them."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from ledger.api_keys import Role
from ledger.postgres.database import connect
from ledger.streams import parked
from tests.api.conftest import Tenant


@pytest.fixture
def three(tenant: Tenant) -> Iterator[list[str]]:
    """Three messages: two of one key, one of another."""
    topic = f"tokenledger.{tenant.book.name}.payments"
    with connect(tenant.where.service_url, tenant.book.schema, autocommit=True) as connection:
        for offset, key in ((1, b"ann"), (2, b"ann"), (3, b"ben")):
            values = {
                "consumer": "payments",
                "topic": topic,
                "topic_id": UUID(int=1),
                "partition": 0,
                "offset": offset,
                "key": key,
                "headers": parked.stored_headers([("a", b"\xff")]),
                "value": b"{}",
                "sent_at": "2026-11-27T00:00:00Z",
                "reason": "INTERNAL",
                "detail": "a bug",
                "tries": 4,
                "awaiting": False,
            }
            connection.execute(parked.SQL["park"], values)
        yield [f"payments:0:{offset}" for offset in (1, 2, 3)]
        connection.execute("DELETE FROM parked_messages")


def test_they_are_listed_page_by_page_and_shown(tenant: Tenant, three: list[str]) -> None:
    finance = tenant.caller(Role.FINANCE, "fay")
    first = finance.ask("parked-messages", limit=2).json()
    assert [item["id"] for item in first["items"]] == three[:2] and first["has_more"]
    rest = finance.ask("parked-messages", after=first["next_cursor"]).json()
    assert [item["id"] for item in rest["items"]] == three[2:] and not rest["has_more"]
    whole = finance.ask(f"parked-messages/{three[0]}").json()
    assert (whole["key"], whole["headers"], whole["value"]) == ("ann", [["a", "/w=="]], "e30=")
    assert finance.ask("parked-messages/payments:0:9").status_code == 404
    assert tenant.caller(Role.FAN, "ann").ask("parked-messages").status_code == 403


def test_a_key_is_tried_again_together_and_a_message_is_dropped_alone(
    tenant: Tenant, three: list[str]
) -> None:
    finance = tenant.caller(Role.FINANCE, "fay")
    path = f"/v1/books/{tenant.book.name}/parked-messages"
    headers = {"Authorization": f"Bearer {finance.key}"}
    again = tenant.http.post(f"{path}/{three[0]}/retry", headers=headers)
    assert (again.status_code, again.json()) == (200, {"messages": 2})
    dropped = tenant.http.post(f"{path}/{three[2]}/drop", headers=headers)
    assert dropped.json() == {"messages": 1}
    items = finance.ask("parked-messages").json()["items"]
    assert [(item["id"], item["released"]) for item in items] == [(i, True) for i in three[:2]]
    gone = tenant.http.post(f"{path}/{three[2]}/drop", headers=headers)
    assert (gone.status_code, gone.json()["code"]) == (404, "UNKNOWN_MESSAGE")
    service = {"Authorization": f"Bearer {tenant.caller().key}"}
    assert tenant.http.post(f"{path}/{three[0]}/retry", headers=service).status_code == 403
