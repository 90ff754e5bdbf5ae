"""Questions about tiers: pages of users, one with its changes, and who sees whom."""

from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from api.http.queries.tiers import OneTier, TierItems
from ledger.api_keys import Role
from ledger.postgres.database import connect
from ledger.scheduling.scheduler import Scheduler
from ledger.write.writer import Writer
from projections.tier_changes import TierChanges
from tests.api.conftest import Caller, Tenant, fresh, shaped


def spent(service: Caller, amount: int, user: str) -> dict[str, Any]:
    """A tip by card; answers what came of it."""
    paid = {"processor": "stripe", "processor_ref": fresh("p")}
    tip = {"user": user, "creator": fresh("c"), "funding": "CARD", "amount": amount}
    answer: dict[str, Any] = service.send("send-tip", tip | paid).json()
    return answer


def scheduled(tenant: Tenant) -> None:
    """One turn of a scheduler, once the read model has followed."""
    tenant.caller().ask("tiers", min_position=tenant.written()[0])
    opened = partial(connect, tenant.where.service_url, tenant.book.schema, autocommit=True)
    writer = Writer(tenant.book, opened).start()
    names = [tenant.book.name]
    one = Scheduler(tenant.where, lambda _: writer, books=names, forecasts=[TierChanges()])
    try:
        with closing(one):
            one.turn()
    finally:
        writer.stop()


def test_a_tier_and_how_it_changes_next(tenant: Tenant, service: Caller) -> None:
    user = fresh("user")
    sold = spent(service, 60_000, user)
    body = service.ask(f"tiers/{user}", min_position=sold["position"]).json()
    before = shaped(OneTier, body)
    assert (before["status"], before["spend"], before["since"]) == ("NEW", 60_000, None)
    assert (before["changes_at"], before["changes_to"]) == (sold["recorded_at"], "WHALE")
    assert before["history"] == []
    scheduled(tenant)
    changed = tenant.written()[0]
    body = service.ask(f"tiers/{user}", min_position=changed).json()
    after = shaped(OneTier, body)
    assert (after["status"], after["spend"], after["since"]) == (
        "WHALE", 60_000, sold["recorded_at"],
    )  # fmt: skip
    ends = datetime.fromisoformat(sold["recorded_at"]) + timedelta(days=30)
    assert (datetime.fromisoformat(after["changes_at"]), after["changes_to"]) == (ends, "NEW")
    assert after["window_days"] == 30
    assert after["ladder"][0] == {"tier": "VIP", "min": 100_000}
    (change,) = after["history"]
    assert (change["type"], change["status"], change["principal"]) == (
        "tier.changed.v1", "WHALE", "scheduler",
    )  # fmt: skip
    feed = service.ask("events", tag="tiers:book", type="tier.changed.v1").json()["events"]
    assert user in {event["body"]["user"] for event in feed}


def test_whoever_was_never_seen_is_new(service: Caller) -> None:
    body = shaped(OneTier, service.ask("tiers/nobody-at-all").json())
    assert (body["status"], body["spend"], body["first_position"]) == ("NEW", 0, None)


def test_pages_of_users_by_tier(tenant: Tenant, service: Caller) -> None:
    users = [fresh("user") for _ in range(3)]
    for user in users:
        last = spent(service, 2_500, user)["position"]
    scheduled(tenant)
    head = tenant.written()[0]
    page = shaped(TierItems, service.ask("tiers", min_position=head, limit=2).json())
    assert [item["id"] for item in page["items"]] == users[:0:-1]
    assert {item["status"] for item in page["items"]} == {"STANDARD"}
    after = page["next_cursor"]
    page = service.ask("tiers", limit=1, after=after).json()
    assert service.ask("tiers", limit=1, after=after, order="asc").status_code == 400
    assert [item["id"] for item in page["items"]] == users[:1]
    seen: list[str] = []
    asked: dict[str, Any] = {"status": "standard", "order": "asc", "limit": 2}
    while True:
        page = service.ask("tiers", **asked).json()
        seen += [item["id"] for item in page["items"]]
        if not page["has_more"]:
            break
        asked["after"] = page["next_cursor"]
    assert seen[-3:] == users
    (item,) = service.ask("tiers", user=users[1]).json()["items"]
    assert (item["spend"], item["first_position"]) == (2_500, last - 1)
    assert service.ask("tiers", user=users[1], status="VIP").json()["items"] == []
    assert service.ask("tiers", period="2020").json()["items"] == []
    for wrong in ({"status": "a b"}, {"user": "a b"}, {"after": "x"}, {"period": "soon"}):
        assert service.ask("tiers", **wrong).status_code == 400


def test_a_fan_sees_only_themselves(tenant: Tenant, service: Caller) -> None:
    user, other = fresh("user"), fresh("user")
    spent(service, 2_500, user)
    position = spent(service, 2_500, other)["position"]
    fan = tenant.caller(Role.FAN, user)
    assert fan.ask(f"tiers/{user}", min_position=position).json()["spend"] == 2_500
    assert fan.ask(f"tiers/{other}").status_code == 404
    assert [item["id"] for item in fan.ask("tiers").json()["items"]] == [user]
    assert fan.ask("tiers", user=other).json()["items"] == []
    assert tenant.caller(Role.CREATOR, "star").ask("tiers").status_code == 403
    assert tenant.caller(Role.MODERATOR, "mo").ask(f"tiers/{user}").status_code == 403
