"""No event can be forgotten: each read model has decided about each one, and decided right.

What is decided is held against the stored example of every event: one that posts to a wallet is
business of the wallets', and so on.
"""

from typing import Any

import pytest

from domain.event import EVENTS, Event, stored_as
from domain.sales.entitlement import EntitlementEvent
from ledger.log.entry import decode
from projections.catalogue import PROJECTIONS
from projections.engine.dispatch import ByClass, Undecided
from projections.engine.projection import Projection
from projections.models import daily, earnings, wallets
from projections.models.daily import Daily
from projections.models.earnings import Earnings
from projections.models.entitlements import Entitlements
from projections.models.journal import Journal
from projections.models.wallets import Wallets
from tests.ledger.log.test_golden import STORED, stored

BRANCHES: dict[type[Projection], ByClass[Any]] = {
    Wallets: wallets.branches,
    Earnings: earnings.branches,
    Daily: daily.branches,
}
ACCOUNTS: dict[type[Projection], str] = {Wallets: "w.", Earnings: "cr."}
#: They look at what every event says of itself: its postings, its entitlements.
BY_THEMSELVES = {Journal, Entitlements}


def test_every_read_model_is_asked() -> None:
    assert set(BRANCHES) | BY_THEMSELVES == set(PROJECTIONS)


@pytest.mark.parametrize("model", BRANCHES)
@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_event_is_decided_once(model: type[Projection], name: str) -> None:
    branches = BRANCHES[model]
    assert callable(branches[EVENTS[name]]), f"{model.__name__} has not decided about {name}"
    declared = (name in branches.postings) + (name in branches.nothing)
    assert declared + branches.has_branch(EVENTS[name]) == 1


@pytest.mark.parametrize("model", BRANCHES)
def test_nothing_is_decided_about_events_that_there_are_not(model: type[Projection]) -> None:
    assert (BRANCHES[model].postings | BRANCHES[model].nothing) <= set(EVENTS)


@pytest.mark.parametrize("model", ACCOUNTS)
@pytest.mark.parametrize("name", STORED)
def test_what_posts_to_its_accounts_is_its_business(model: type[Projection], name: str) -> None:
    branches, entry = BRANCHES[model], decode(stored(name))
    posts = any(account.startswith(ACCOUNTS[model]) for account, *_ in entry.postings)
    assert not (posts and name in branches.nothing)


@pytest.mark.parametrize("name", STORED)
def test_what_is_tagged_with_an_entitlement_says_what_it_does_to_it(name: str) -> None:
    entry = decode(stored(name))
    tagged = any(tag.startswith("entitlement:") for tag in entry.tags)
    assert not tagged or isinstance(entry.event(), EntitlementEvent)


def test_an_event_that_is_forgotten_stops_the_read_model(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("domain.event.EVENTS", {})

        @stored_as("something.new.v1")
        class SomethingNew(Event, frozen=True, kw_only=True):
            """An event of tomorrow."""

    for branches in BRANCHES.values():
        with pytest.raises(Undecided, match=r"something\.new\.v1"):
            branches[SomethingNew]
