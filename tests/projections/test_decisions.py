"""No event can be forgotten: each read model has decided about each event of its facets.

That the facets are the right ones is held against the stored example of every event: one that
posts to a wallet is business of the wallets', one that is tagged with a creator is a creator's.
"""

from typing import Any

import pytest

from domain.authorizations.authorization import AuthorizationEvent
from domain.calls.call import CallEvent
from domain.creators.creator import CreatorEvent
from domain.event import EVENTS, Event, stored_as
from domain.payments.payment import PaymentSuspended
from domain.payouts.payout import PayoutEvent
from domain.sales.entitlement import EntitlementEvent
from domain.sales.sale import SaleEvent
from domain.subscriptions.subscription import SubscriptionEvent
from domain.wallets.wallet import WalletEvent
from ledger.log.entry import decode
from projections.catalogue import PROJECTIONS
from projections.engine.dispatch import ByClass, Undecided
from projections.engine.projection import Projection
from projections.models.account_classes import AccountClasses
from projections.models.earnings import Earnings
from projections.models.journal import Journal
from projections.models.revenue import Revenue
from projections.models.wallets import Wallets
from tests.golden.stored import STORED, stored

BRANCHES: dict[type[Projection], ByClass[Any]] = {
    model: model.branches for model in PROJECTIONS if model.branches is not None
}
#: Read models of which a part is what the postings on such accounts leave.
ACCOUNTS: dict[type[Projection], str] = {Wallets: "w.", Earnings: "cr."}
#: Read models that take the postings of every event.
BY_POSTINGS = {AccountClasses, Journal, Revenue}
#: Whose life an event with such a tag is part of.
FACETS: dict[str, type[Event]] = {
    "wallet": WalletEvent,
    "creator": CreatorEvent,
    "entitlement": EntitlementEvent,
    "sale": SaleEvent,
    "call": CallEvent,
    "subscription": SubscriptionEvent,
    "authorization": AuthorizationEvent,
    "payout": PayoutEvent,
}

every_model = pytest.mark.parametrize("model", BRANCHES)
every_stored_event = pytest.mark.parametrize("name", STORED)


def test_every_read_model_is_asked() -> None:
    assert set(BRANCHES) | BY_POSTINGS == set(PROJECTIONS)


@every_model
def test_every_event_of_its_facets_is_decided_about(model: type[Projection]) -> None:
    assert BRANCHES[model].undecided() == []


@every_model
@pytest.mark.parametrize("name", sorted(EVENTS))
def test_it_is_decided_once_and_outside_the_facets_not_at_all(
    model: type[Projection], name: str
) -> None:
    branches = BRANCHES[model]
    declared = (name in branches.postings) + (name in branches.nothing)
    concerned = issubclass(EVENTS[name], branches.decides_about)
    assert declared + branches.has_branch(EVENTS[name]) == int(concerned)


@every_model
def test_nothing_is_decided_about_events_that_there_are_not(model: type[Projection]) -> None:
    assert (BRANCHES[model].postings | BRANCHES[model].nothing) <= set(EVENTS)


@pytest.mark.parametrize("model", ACCOUNTS)
@every_stored_event
def test_what_posts_to_its_accounts_is_its_business(model: type[Projection], name: str) -> None:
    branches, entry = BRANCHES[model], decode(stored(name))
    posts = any(account.startswith(ACCOUNTS[model]) for account, *_ in entry.postings)
    kind = entry.type
    assert not posts or kind in branches.postings or branches.has_branch(EVENTS[kind])


@every_stored_event
def test_an_event_has_the_facet_of_whatever_it_is_tagged_with(name: str) -> None:
    entry = decode(stored(name))
    for tag in entry.tags:
        facet = FACETS.get(tag.partition(":")[0])
        if entry.type == PaymentSuspended.type and facet is SaleEvent:
            continue  # what goes beyond a sale is known to it, and moves nothing of it
        assert facet is None or isinstance(entry.event(), facet), tag


@pytest.mark.parametrize(
    ("model", "facet"),
    [
        (model, facet)
        for model, branches in BRANCHES.items()
        for facet in branches.decides_about
        if not branches.has_branch(facet)
    ],
)
def test_an_event_that_is_forgotten_stops_the_read_model(
    model: type[Projection], facet: type[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[str, type[Event]] = {}
    monkeypatch.setattr("domain.event.EVENTS", known)
    monkeypatch.setattr("projections.engine.dispatch.EVENTS", known)

    @stored_as("something.new.v1")
    class SomethingNew(facet, frozen=True, kw_only=True):  # type: ignore
        """An event of tomorrow, of a facet of this read model."""

    @stored_as("something.else.v1")
    class SomethingElse(Event, frozen=True, kw_only=True):
        """An event of tomorrow that is none of its business."""

    branches = BRANCHES[model]
    assert branches.undecided() == ["something.new.v1"]
    with pytest.raises(Undecided, match=r"something\.new\.v1"):
        branches[SomethingNew]
    assert callable(branches[SomethingElse])
