"""Questions about offers: pages of them, one with its figures, and who may ask."""

from typing import Any

from api.http.queries.offers import OfferItems, OneOffer
from ledger.api_keys import Role
from tests.api.conftest import Caller, Tenant, fresh

LONG = {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2096-01-01T00:00:00Z"}


def published(service: Caller, **terms: Any) -> str:
    """A new offer for unlocks."""
    name = fresh("offer")
    fields = {"offer": name, "products": ["unlock"], **LONG, **terms}
    assert service.send("publish-offer", fields).status_code == 201
    return name


def test_an_offer_shows_what_it_brought(tenant: Tenant, service: Caller) -> None:
    user = tenant.funded(1_000)
    name = published(service, discount_bps=2_000, max_uses=5, eligible={"users": [user]})
    item = {"creator": "c1", "item": fresh("item"), "funding": "TOKEN", "price": 200}
    sold = service.send("unlock", {"user": user, **item, "offer": name}).json()
    body = service.ask(f"offers/{name}", min_position=sold["position"]).json()
    OneOffer.model_validate(body, strict=True)
    assert set(body) == set(OneOffer.model_fields)
    assert (body["uses"], body["revenue"], body["discount"]) == (1, 160, 40)
    assert (body["status"], body["currency"], body["platform_discount"]) == ("PUBLISHED", "USD", 0)
    assert body["ends_at"] == LONG["ends_at"]
    assert body["terms"]["eligible"] == {
        "first_purchase": False, "users": [user], "tiers": [],
    }  # fmt: skip
    ended = service.send("withdraw-offer", {"offer": name}).json()
    body = service.ask(f"offers/{name}", min_position=ended["position"]).json()
    assert (body["status"], body["uses"]) == ("WITHDRAWN", 1)


def test_pages_of_offers(service: Caller) -> None:
    names = [published(service, discount=n) for n in (1, 2, 3)]
    last = service.send("withdraw-offer", {"offer": names[0]}).json()["position"]
    newest = service.ask("offers", min_position=last, limit=3).json()
    OfferItems.model_validate(newest, strict=True)
    assert [one["id"] for one in newest["items"]] == names[::-1]
    seen: list[str] = []
    after: dict[str, Any] = {}
    while True:
        page = service.ask("offers", limit=2, order="asc", **after).json()
        seen += [one["id"] for one in page["items"]]
        if not page["has_more"]:
            break
        after = {"after": page["next_cursor"]}
    assert seen[-3:] == names and len(seen) == len(set(seen))
    assert service.ask("offers", after="x").status_code == 400
    assert service.ask("offers", order="up").status_code == 400


def test_offers_by_status_product_label_and_day(service: Caller) -> None:
    stream = {"stream": fresh("s")}
    labelled = {f"label.{key}": value for key, value in stream.items()}
    standing = published(service, discount=1, labels=stream)
    ended = published(service, discount=2, labels=stream, products=["tip", "ticket"])
    published(service, discount=3)
    last = service.send("withdraw-offer", {"offer": ended}).json()["position"]

    def found(**asked: Any) -> list[str]:
        body = service.ask("offers", min_position=last, **labelled, **asked).json()
        OfferItems.model_validate(body, strict=True)
        return [one["id"] for one in body["items"]]

    assert found() == [ended, standing]
    assert found(status="withdrawn") == [ended] and found(status="PUBLISHED") == [standing]
    assert found(product="ticket") == [ended] and found(product="unlock") == [standing]
    assert found(product="call") == []
    assert found(**{"from": "2020-01-01"}) == [ended, standing]
    assert found(period="2020") == found(to="2020-12-31") == []
    assert service.ask("offers", **{"label.stream": "another"}).json()["items"] == []
    for wrong in ({"status": "ENDED"}, {"period": "soon"}, {"product": "a b"}):
        assert service.ask("offers", **wrong).status_code == 400


def test_an_offer_says_when_it_was_published_and_ended(service: Caller) -> None:
    fields = {"offer": fresh("offer"), "products": ["unlock"], "discount": 1, **LONG}
    positions = [
        service.send(command, body).json()["position"]
        for command, body in (
            ("publish-offer", fields),
            ("withdraw-offer", {"offer": fields["offer"]}),
        )
    ]
    body = service.ask(f"offers/{fields['offer']}", min_position=positions[-1]).json()
    assert [body["first_position"], body["last_position"]] == positions
    told = [service.ask(f"events/{position}").json()["recorded_at"] for position in positions]
    assert [body["created_at"], body["updated_at"]] == told
    assert body["labels"] is None


def test_a_cursor_belongs_to_its_filters(service: Caller) -> None:
    for n in (1, 2):
        published(service, discount=n)
    page = service.ask("offers", limit=1).json()
    after = page["next_cursor"]
    assert service.ask("offers", limit=1, after=after).status_code == 200
    assert service.ask("offers", limit=1, after=after, status="withdrawn").status_code == 400


def test_who_asks_and_for_what(tenant: Tenant, service: Caller) -> None:
    refused = service.ask("offers/none")
    assert (refused.status_code, refused.json()["code"]) == (404, "UNKNOWN_OFFER")
    for role in (Role.FAN, Role.CREATOR, Role.MODERATOR):
        assert tenant.caller(role, "somebody").ask("offers").status_code == 403
    for role in (Role.FINANCE, Role.AUDITOR):
        assert tenant.caller(role, "fay").ask("offers").status_code == 200
