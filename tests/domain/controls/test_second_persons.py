"""Second persons: what a policy asks two people for waits until another one approves."""

from typing import Any

import pytest

from domain.catalogue import read_command
from domain.command import Decision, Suspended
from domain.controls.second_persons import CommandProposed
from domain.rejections import Rejection
from domain.wallets.wallet import Wallet
from tests.domain.in_memory_book import InMemoryBook, code
from tests.domain.settlements.files import POLICY, Files, paid
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


def for_two(**second_person: Any) -> dict[str, Any]:
    """A policy that asks for a second person."""
    return {**MICRO_UNLOCK, "second_person": second_person}


def is_proposal(decision: Decision) -> bool:
    """Whether an accepted command waits for somebody else."""
    return types(decision) == ["command.proposed.v1"]


def approved(place: InMemoryBook, decision: Decision) -> list[str]:
    """What happens once Bob approves what was just proposed."""
    assert is_proposal(decision) and isinstance(decision, tuple)
    (event,) = place.record(*decision)
    assert isinstance(event, CommandProposed)
    return types(place.happens("approve-proposal", "bob", proposal=event.proposal))


def waiting(policy: dict[str, Any], *, price: int, currency: str | None = None) -> InMemoryBook:
    """A book with a payment in suspense, for its price or for its currency."""
    place = InMemoryBook(policy)
    bought: dict[str, Any] = {"user": "ann", "package": "small", "price": price}
    named = {} if currency is None else {"currency": currency}
    decision = place.decide(
        "record-purchase", **bought, **named, processor="stripe", processor_ref="p1"
    )
    assert isinstance(decision, Suspended)
    place.record(*decision.events)
    return place


def released(place: InMemoryBook, resolution: str = "RETURN") -> Decision:
    """Fay releases the payment."""
    return place.decide("release-payment", "fay", payment_ref="p1", resolution=resolution)


@pytest.mark.parametrize(
    ("limit", "price", "two"), [(None, 998, False), (998, 998, False), (997, 998, True)]
)
def test_money_above_the_limit_leaves_suspense_by_two(
    limit: int | None, price: int, two: bool
) -> None:
    place = waiting(for_two(release_payment_above=limit), price=price)
    assert is_proposal(released(place)) is two
    if two:
        done = approved(place, released(place))
        assert done == ["command.approved.v1", "payment.released.v1"]


def test_an_amount_in_another_currency_is_above_every_limit() -> None:
    place = waiting(for_two(release_payment_above=10**12), price=999, currency="EUR")
    assert is_proposal(released(place))


def test_what_is_applied_counts_in_full_however_much_has_left_suspense() -> None:
    place = waiting(for_two(release_payment_above=500), price=998)
    back = {"payment_ref": "p1", "amount": 900, "processor": "stripe", "processor_ref": "r1"}
    place.happens("record-refund", **back)
    assert types(released(place)) == ["payment.released.v1"]
    place.publish({**for_two(release_payment_above=500), "packages": {"small": PACKAGE}})
    assert is_proposal(released(place, "APPLY"))


PACKAGE = {"tokens": 100, "price": 998}


@pytest.mark.parametrize(("limit", "two"), [(None, False), (5, False), (4, True)])
def test_breaks_above_the_limit_are_resolved_by_two(limit: int | None, two: bool) -> None:
    files = Files(p1=1_000)
    files.publish({**POLICY, "second_person": {"resolve_break_above": limit}})
    files.imports(paid("p1", 995))
    ((name, _),) = files.open_breaks().items()
    fields = {"break": name, "resolution": "WRITE_OFF", "reason_code": "CHECKED"}
    decision = files.decide("resolve-break", "fay", **fields)
    assert is_proposal(decision) is two
    if two:
        assert approved(files, decision) == ["command.approved.v1", "break.resolved.v1"]
        assert not files.open_breaks()


def grant(place: InMemoryBook, tokens: int, user: str = "ann", by: str = "fay") -> Decision:
    """Fay, or somebody else, grants tokens."""
    return place.decide("grant-promo", by, user=user, tokens=tokens, reason_code="GIFT")


def test_grants_above_what_one_may_give_in_a_day_take_two_whoever_gets_them() -> None:
    place = InMemoryBook(for_two(grant_per_day=100))
    place.record(*grant(place, 60))  # type: ignore[misc]
    assert types(grant(place, 40, "ben")) == ["promo_tokens.granted.v1"]
    assert is_proposal(grant(place, 41, "ben"))
    assert types(grant(place, 100, by="zoe")) == ["promo_tokens.granted.v1"]
    place.later(days=1)
    assert types(grant(place, 100)) == ["promo_tokens.granted.v1"]


def test_what_a_second_person_approved_counts_among_the_days_grants() -> None:
    place = InMemoryBook(for_two(grant_per_day=100))
    assert approved(place, grant(place, 101)) == ["command.approved.v1", "promo_tokens.granted.v1"]
    wallet = place.states["wallet:ann"]
    assert isinstance(wallet, Wallet) and wallet.spendable(place.now) == 101
    assert is_proposal(grant(place, 1))


def test_whoever_holds_the_key_grants_however_many_names_they_give() -> None:
    place = InMemoryBook(for_two(grant_per_day=100))
    for name, two in (("amy", False), ("ben", True)):
        fields = {"user": "ann", "tokens": 60, "reason_code": "GIFT"}
        decision = place.decide_on(read_command("grant-promo", fields), name, "backend")
        assert is_proposal(decision) is two
        if not two:
            place.record(*decision)  # type: ignore[misc]


def test_nobody_counts_where_no_limit_is() -> None:
    place = InMemoryBook(MICRO_UNLOCK)
    (event,) = place.happens("grant-promo", user="ann", tokens=5, reason_code="GIFT")
    assert event.tags() == ("wallet:ann",)


FROZEN = {"subject": "ann", "kind": "wallet", "scope": "SPEND", "reason_code": "FRAUD"}


def sent(place: InMemoryBook, name: str, role: str, **other: str) -> Decision:
    """A freeze, or its end, by somebody of a role."""
    command = read_command(name, {**FROZEN, **other})
    return place.decide_on(command, role, role=role)


@pytest.mark.parametrize("kind", ["wallet", "creator"])
def test_a_freeze_that_finance_set_is_lifted_by_two(kind: str) -> None:
    place = InMemoryBook(for_two(lift_finance_freeze=True))
    place.record(*sent(place, "freeze", "finance", kind=kind))  # type: ignore[misc]
    for role in ("moderator", "service", "finance"):
        assert is_proposal(sent(place, "unfreeze", role, kind=kind))
    assert types(sent(place, "unfreeze", "moderator", kind=kind, scope="EARN")) == []
    lifted = approved(place, sent(place, "unfreeze", "moderator", kind=kind))
    assert lifted == ["command.approved.v1", "account.unfrozen.v1"]
    place.record(*sent(place, "freeze", "moderator", kind=kind))  # type: ignore[misc]
    assert types(sent(place, "unfreeze", "moderator", kind=kind)) == ["account.unfrozen.v1"]


def test_what_finance_freezes_too_is_finances() -> None:
    place = InMemoryBook(for_two(lift_finance_freeze=True))
    place.record(*sent(place, "freeze", "moderator"))  # type: ignore[misc]
    assert types(sent(place, "unfreeze", "moderator")) == ["account.unfrozen.v1"]
    assert types(sent(place, "freeze", "service")) == []
    place.record(*sent(place, "freeze", "finance"))  # type: ignore[misc]
    assert types(sent(place, "freeze", "finance")) == []
    assert is_proposal(sent(place, "unfreeze", "moderator"))


def test_one_person_lifts_what_finance_froze_unless_the_policy_asks_for_two() -> None:
    place = InMemoryBook(MICRO_UNLOCK)
    place.record(*sent(place, "freeze", "finance"))  # type: ignore[misc]
    assert types(sent(place, "unfreeze", "moderator")) == ["account.unfrozen.v1"]
