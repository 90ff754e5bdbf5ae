"""Access that subscriptions give, as whoever guards content asks for it."""

import httpx

from ledger.api_keys import Role, create_key
from ledger.postgres.database import Database, connect
from tests.api.conftest import Caller, founded, fresh
from tests.scenarios.steps import CREATOR, FAN
from tests.scenarios.steps_products import period, subscribe

END_OF_PERIOD_TWO = "2096-12-31T00:00:00Z"


def test_c1_access_until_the_end_of_period_two(database: Database, http: httpx.Client) -> None:
    book = founded(database, fresh("Access"), "subscription")
    with connect(database.admin_url) as admin:
        key = create_key(admin, book.name, role=Role.SERVICE, actor="backend").key
    caller = Caller(http, book.name, key)
    assert caller.ask(f"entitlements/{FAN}/sub-1").status_code == 402
    for sent in (subscribe(999), *[period(2, 999)] * 3, *[period(1, 999)] * 3):
        answer = caller.send(sent.command, sent.fields)
        assert answer.status_code == 201
    position = answer.json()["position"]
    for item in ("sub-1", CREATOR):
        access = caller.ask(f"entitlements/{FAN}/{item}", min_position=position)
        assert access.status_code == 200
        assert access.json()["valid_until"] == END_OF_PERIOD_TWO
        assert access.json()["source"] == "subscription"
