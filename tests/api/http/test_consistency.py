"""What must be zero is told by its route, by health and to Prometheus."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from api.http import tie_out_watch
from api.http.queries import consistency
from ledger.postgres.database import connect
from tests.api.conftest import Tenant, fresh, shaped, tip


@pytest.fixture
def user(tenant: Tenant) -> str:
    """A user who tipped, whose tip every read model shows."""
    user = tenant.funded(100)
    last = tenant.caller().send("send-tip", tip(user, fresh("creator"), 5)).json()["position"]
    for path in ("wallets/" + user, "trial-balance", "payouts"):
        assert tenant.caller().ask(path, min_position=last).status_code == 200
    return user


@pytest.fixture
def damaged(tenant: Tenant, user: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """That user's wallet shows three tokens too many, and figures stand for no time."""
    monkeypatch.setattr(tie_out_watch, "STANDS_FOR_S", 0.0)
    change = "UPDATE wallets SET free_promo = free_promo + %s WHERE user_id = %s"
    with connect(
        tenant.where.admin_url, tenant.book.schema, read_models=True, autocommit=True
    ) as connection:
        connection.execute(change, (3, user))
        yield
        connection.execute(change, (-3, user))


@pytest.mark.usefixtures("user")
def test_everything_is_consistent(tenant: Tenant) -> None:
    found = tenant.caller().ask("consistency").json()
    shaped(consistency.ConsistencyShown, found)
    assert found["ok"], found
    assert {each["difference"] for each in found["tie_outs"]} == {0}
    health = _health(tenant)
    assert health["tie_outs"] == {"status": "ok", "checked": len(found["tie_outs"]), "off": []}


@pytest.mark.usefixtures("damaged")
def test_what_does_not_tie_out_is_told(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tenant.caller().ask("consistency").json()
    assert (found["ok"], found["wallets_differing"], found["creators_differing"]) == (False, 1, 0)
    off = {each["name"]: each["difference"] for each in found["tie_outs"] if not each["ok"]}
    assert off == {"wallets.free": 3, "tokens.outstanding": 3}
    alarms: list[dict[str, Any]] = []
    told = SimpleNamespace(critical=lambda event, **more: alarms.append({"event": event, **more}))
    monkeypatch.setattr(tie_out_watch, "log", told)
    health = _health(tenant)
    assert health["tie_outs"]["status"] == "off"
    assert {each["name"] for each in health["tie_outs"]["off"]} == set(off)
    assert {(each["event"], each["book"]) for each in alarms} == {
        ("does not tie out", tenant.book.name)
    }
    book = tenant.book.name
    wanted = f'{{asset="{book}.PROMO",book="{book}",name="wallets.free"}} 3.0'
    assert f"tokenledger_tie_out_difference{wanted}" in tenant.http.get("/metrics").text


def _health(tenant: Tenant) -> dict[str, dict[str, object]]:
    key = {"Authorization": f"Bearer {tenant.caller().key}"}
    shown: dict[str, dict[str, object]] = tenant.http.get("/health/ready", headers=key).json()[
        "books"
    ][tenant.book.name]
    return shown
