"""Second persons: what a policy asks two people for waits until another one approves."""

from typing import Any

import pytest

from domain.catalogue import read_command
from domain.controls.second_persons import CommandProposed
from domain.rejections import Rejection
from tests.domain.in_memory_book import InMemoryBook, code
from tests.scenarios.policies import MICRO_UNLOCK

FOR_TWO: dict[str, Any] = {**MICRO_UNLOCK, "second_person": {"close_period": True}}


def proposed(place: InMemoryBook, period: str = "2026-09") -> str:
    """The id of fay's proposal to close a month."""
    (event,) = place.happens("close-period", "fay", period=period)
    assert isinstance(event, CommandProposed)
    assert (event.command, event.fields, event.proposer) == (
        "close-period",
        {"period": period},
        "fay",
    )
    return event.proposal


def types(decision: Any) -> list[str]:
    """The types of decided events."""
    assert isinstance(decision, tuple), decision
    return [event.type for event in decision]


def test_one_person_closes_a_month_unless_the_policy_asks_for_two() -> None:
    assert types(InMemoryBook(MICRO_UNLOCK).decide("close-period", "fay", period="2026-09")) == [
        "period.closed.v1"
    ]


def test_another_person_approves_what_the_first_proposed() -> None:
    place = InMemoryBook(FOR_TWO)
    proposal = proposed(place)
    assert code(place.decide("approve-proposal", "fay", proposal=proposal)) == (
        "SELF_APPROVAL_FORBIDDEN"
    )
    assert types(place.happens("approve-proposal", "bob", proposal=proposal)) == [
        "command.approved.v1",
        "period.closed.v1",
    ]
    for step, more in (("approve-proposal", {}), ("reject-proposal", {"reason_code": "R"})):
        again = place.decide(step, "bob", proposal=proposal, **more)
        assert code(again) == "INVALID_TRANSITION"


def test_who_sent_a_proposal_does_not_approve_it() -> None:
    place = InMemoryBook(FOR_TWO)
    command = read_command("close-period", {"period": "2026-09"})
    decision = place.decide_on(command, "bob", "alice")
    assert isinstance(decision, tuple)
    (event,) = place.record(*decision)
    assert isinstance(event, CommandProposed) and event.sender == "alice"
    for person in ("alice", "bob"):
        answer = place.decide("approve-proposal", person, proposal=event.proposal)
        assert code(answer) == "SELF_APPROVAL_FORBIDDEN"
    assert types(place.decide("approve-proposal", "zoe", proposal=event.proposal))


def test_what_is_rejected_is_not_done() -> None:
    place = InMemoryBook(FOR_TWO)
    proposal = proposed(place)
    rejected = place.happens("reject-proposal", "bob", proposal=proposal, reason_code="TOO_SOON")
    assert types(rejected) == ["command.rejected.v1"]
    assert code(place.decide("approve-proposal", "zoe", proposal=proposal)) == "INVALID_TRANSITION"
    proposed(place)  # nothing was closed


@pytest.mark.parametrize("step", ["approve-proposal", "reject-proposal"])
def test_a_proposal_that_does_not_exist(step: str) -> None:
    more = {"reason_code": "R"} if step == "reject-proposal" else {}
    answer = InMemoryBook(FOR_TWO).decide(step, "bob", proposal="p0", **more)
    assert code(answer) == "UNKNOWN_PROPOSAL"


def test_what_cannot_be_done_is_not_proposed_and_not_done_later() -> None:
    place = InMemoryBook(FOR_TWO)
    assert isinstance(place.decide("close-period", "fay", period="2099-01"), Rejection)
    first, second = proposed(place), proposed(place)
    place.happens("approve-proposal", "bob", proposal=first)
    assert code(place.decide("approve-proposal", "bob", proposal=second)) == "PERIOD_CLOSED"
