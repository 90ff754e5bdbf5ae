"""Health and metrics say how far a book is published, and what is put aside."""

from uuid import UUID

import httpx

from ledger.postgres.database import connect
from ledger.streams import parked, relay_place
from tests.api.conftest import Tenant


def test_the_relay_and_what_is_parked_are_seen(http: httpx.Client, tenant: Tenant) -> None:
    tenant.funded()
    key = {"Authorization": f"Bearer {tenant.caller().key}"}
    with connect(tenant.where.service_url, tenant.book.schema, autocommit=True) as connection:
        turn = relay_place.take_turn(connection, "host:1", lease_s=60)
        assert turn is not None
        relay_place.save(connection, turn, 1, UUID(int=1), lease_s=60)
        assert relay_place.take_turn(connection, "host:2", lease_s=60) is None
        values = {
            "consumer": "payments",
            "topic": "tokenledger.b.payments",
            "topic_id": UUID(int=2),
            "partition": 0,
            "offset": 7,
            "key": b"k",
            "headers": parked.stored_headers([("a", b"\xff")]),
            "value": b"{}",
            "sent_at": "2026-11-27T00:00:00Z",
            "reason": "INTERNAL",
            "detail": "a bug",
            "tries": 3,
            "awaiting": False,
        }
        connection.execute(parked.SQL["park"], values)
        try:
            health = http.get("/health/ready", headers=key).json()["books"][tenant.book.name]
            figures = http.get("/metrics").text
        finally:
            place = parked.Place("payments", "tokenledger.b.payments", 0, 7)
            assert parked.drop(connection, place)
            relay_place.give_turn_back(connection, turn)
    assert health["relay"]["position"] == 1
    assert health["relay"]["running"]
    assert health["relay"]["lag_events"] > 0
    assert health["parked_messages"] == {"payments": 1}
    book = tenant.book.name
    assert f'tokenledger_relay_position{{book="{book}"}} 1.0' in figures
    assert f'tokenledger_relay_lag_seconds{{book="{book}"}}' in figures
    assert f'tokenledger_parked_messages{{book="{book}",consumer="payments"}} 1.0' in figures
